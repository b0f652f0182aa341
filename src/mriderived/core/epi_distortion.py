"""The field that explains how EPI images of opposite phase-encode direction differ.

The same field displaces the images in opposite directions and compresses where it stretches. Find
the displacement ``u`` for which all images, each moved back by its own share ``a`` of ``u`` with
its signal spread again, look the same (Andersson et al. 2003, doi:10.1016/S1053-8119(03)00336-7):

    1/2 sum over voxels and images (J - mean J)^2  +  1/2 stiffness sum (Laplacian of u)^2

``u`` lives on the faces between the voxels of a phase-encode line. A corrected voxel is the signal
between its two displaced faces, so no signal is lost and the derivative with respect to ``u`` has
two entries per voxel. The Laplacian costs a smooth bump less than first differences do, which
would flatten it. Gauss-Newton steps with conjugate gradients, preconditioned by the exact
solution of each line, from coarse to fine (cf. Ruthotto et al. 2013,
doi:10.1007/978-3-642-36480-8_60). Sums run in a fixed order, so that the number of threads does
not change a bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mriderived.core.epi_shift import phase_axis
from mriderived.core.slabs import run_slabs

Volume = NDArray[np.float32]
Lines = NDArray[np.float32]

#: No axis is made coarser than this many voxels.
LEAST_SIZE = 12
#: The faces of a voxel may come no closer than this, in voxels.
LEAST_WIDTH = 0.1
_TOLERANCE = 0.05
#: Steps that lower the energy by less than this share are the last of their level.
_LEAST_GAIN = 1e-3


class Encoded(NamedTuple):
    """An EPI image of shape (x, y, z) and how its phase was encoded (time in seconds)."""

    data: Volume
    direction: str
    readout_time: float


@dataclass(frozen=True)
class Solver:
    """How far to go at each level, from coarse to fine."""

    factors: tuple[int, ...] = (4, 2, 1)
    steps: tuple[int, ...] = (12, 8, 5)
    #: Weight of the squared Laplacian of the displacements, for images whose brain is about 1.
    stiffness: tuple[float, ...] = (0.1, 0.1, 0.1)
    #: Most conjugate gradients of a step.
    gradients: int = 25


class Distortion(NamedTuple):
    """The field in Hz and how alike the images are before and after, as correlations."""

    hz: Volume
    similarity_before: float
    similarity_after: float


def estimate_distortion(
    images: Sequence[Encoded],
    voxel_size: Sequence[float] = (1.0, 1.0, 1.0),
    solver: Solver | None = None,
    threads: int = 1,
) -> Distortion:
    """Return the field of EPI images of one head that differ in phase encoding.

    Parameters
    ----------
    images : sequence of Encoded
        Two or more on one grid, aligned in all but the distortion, all encoded along one axis, in
        both directions or with different readout times.
    voxel_size : three floats
        In mm.
    solver : Solver, optional
    threads : int

    Returns
    -------
    Distortion
        ``hz`` is on the grid without distortion; :func:`mriderived.core.epi_shift.shift_map` turns
        it into the displacement of any of the images.

    Raises
    ------
    ValueError
        If the images cannot tell a field: shapes or axes differ, all are encoded alike, or one is
        empty.

    Examples
    --------
    >>> y = np.arange(40) - 20.0
    >>> there, back = (np.exp(-((y - shift) / 6)**2 / 2) for shift in (1, -1))
    >>> pair = [Encoded((line * np.ones((12, 12, 1))).astype(np.float32), way, 0.02)
    ...         for line, way in ((there, 'k'), (back, 'k-'))]
    >>> round(float(estimate_distortion(pair).hz[6, 6, 20]), -1)
    50.0
    """
    axis, shares, unit = _shares(images)
    solver = solver or Solver()
    lines = np.stack([np.moveaxis(_scaled(image.data), axis, 2) for image in images])
    others = [a for a in range(3) if a != axis]
    size = np.asarray(voxel_size, float)[[*others, axis]]
    # More images hold more data; without this factor they would also be trusted more each.
    weights = (float(np.prod(size)) ** (1 / 3) / size) ** 2 * np.sqrt(len(images) / 2)
    faces = None
    last = np.ones(3, int)
    for factor, steps, stiffness in zip(
        solver.factors, solver.steps, solver.stiffness, strict=True
    ):
        by = np.array([max(1, min(factor, n // LEAST_SIZE)) for n in lines.shape[1:]])
        level = _shrink(lines, by)
        faces = _refine(faces, last, by, level.shape[1:])
        scaled = (weights / by**2 * by[2] ** 2 * np.sqrt(stiffness)).astype(np.float32)
        faces = _solve(level, shares, faces, scaled, steps, solver.gradients, threads)
        last = by
    if faces is None:
        raise ValueError('the solver has no levels')
    faces = _refine(faces, last, np.ones(3, int), lines.shape[1:])
    before = _corrected(lines, shares, np.zeros_like(faces), threads)
    after = _corrected(lines, shares, faces, threads)
    centres = 0.5 * (faces[..., 1:] + faces[..., :-1])
    hz = np.ascontiguousarray(np.moveaxis(centres / unit, 2, axis), np.float32)
    return Distortion(hz, _similarity(before), _similarity(after))


def _shares(images: Sequence[Encoded]) -> tuple[int, NDArray[np.float32], float]:
    """Return the common axis, the share of each image, and the readout time of a share of 1."""
    if len(images) < 2:
        raise ValueError('it takes two images to tell the distortion')
    if len({image.data.shape for image in images}) > 1:
        raise ValueError('the images differ in shape; put them on one grid first')
    axes, signs = zip(*(phase_axis(image.direction) for image in images), strict=True)
    if len(set(axes)) > 1:
        raise ValueError('the images are encoded along different axes')
    times = np.array([s * i.readout_time for s, i in zip(signs, images, strict=True)])
    unit = float(np.abs(times).max())
    if unit <= 0 or np.ptp(times) < 0.1 * unit:
        raise ValueError(
            'the images are all encoded in one direction with about one readout time, so that '
            'they are distorted alike'
        )
    return axes[0], (times / unit).astype(np.float32), unit


def _scaled(data: Volume) -> Volume:
    values = np.nan_to_num(np.asarray(data, np.float32))
    bright = values[values > values.mean()]
    level = float(np.median(bright)) if bright.size else 0.0
    if level <= 0:
        raise ValueError('one of the images is empty')
    return np.asarray(np.maximum(values / np.float32(level), 0), np.float32)


def _shrink(lines: Lines, by: NDArray[np.int_]) -> Lines:
    """Average blocks of voxels; what is left over at the end is filled up by the edge."""
    pad = [(0, 0), *((0, -n % f) for n, f in zip(lines.shape[1:], by, strict=True))]
    padded = np.pad(lines, pad, mode='edge')
    m, nx, ny, nz = padded.shape
    a, b, c = by
    blocks = padded.reshape(m, nx // a, a, ny // b, b, nz // c, c)
    return np.ascontiguousarray(blocks.mean(axis=(2, 4, 6), dtype=np.float32))


def _refine(
    faces: Volume | None, last: NDArray[np.int_], by: NDArray[np.int_], shape: tuple[int, ...]
) -> Volume:
    """Carry displacements (in voxels of their level) from one level to the next."""
    target = (shape[0], shape[1], shape[2] + 1)
    if faces is None:
        return np.zeros(target, np.float32)
    ratio = by / last
    # Faces coincide at 0 along the line; centres of voxels do not on the other axes.
    offset = np.array([0.5 * (ratio[0] - 1), 0.5 * (ratio[1] - 1), 0.0])
    moved = ndimage.affine_transform(
        faces, np.diag(ratio), offset, target, np.float32, order=1, mode='nearest'
    )
    return np.asarray(moved / np.float32(ratio[2]), np.float32)


def _corrected(lines: Lines, shares: NDArray[np.float32], faces: Volume, threads: int) -> Lines:
    target = np.empty_like(lines)
    sums = np.cumsum(lines, axis=3, dtype=np.float64)
    run_slabs(_correct, lines.shape[1], threads, lines, sums, shares, faces, target)
    return target


def _similarity(corrected: Lines) -> float:
    first = corrected[0].ravel()
    found = [float(np.corrcoef(first, other.ravel())[0, 1]) for other in corrected[1:]]
    return float(np.mean(found))


def _solve(
    lines: Lines,
    shares: NDArray[np.float32],
    faces: Volume,
    weights: NDArray[np.float32],
    steps: int,
    gradients: int,
    threads: int,
) -> Volume:
    """Take Gauss-Newton steps until they no longer help."""
    sums = np.cumsum(lines, axis=3, dtype=np.float64)
    slope, diagonal, beside, bent = (np.empty_like(faces) for _ in range(4))
    energy = _energy(lines, sums, shares, faces, weights, threads)
    for _ in range(steps):
        run_slabs(_bend, len(faces), threads, faces, weights, bent)
        run_slabs(_bend, len(faces), threads, bent, weights, slope)
        run_slabs(
            _normal_equations, len(faces), threads,
            (lines, sums), shares, faces, (slope, diagonal, beside),
        )  # fmt: skip
        step = _conjugate_gradients(-slope, diagonal, beside, weights, gradients, threads)
        length, gain = 1.0, 0.0
        while length > 0.05:
            trial = _keep_order(faces + np.float32(length) * step)
            found = _energy(lines, sums, shares, trial, weights, threads)
            if found < energy:
                gain, energy, faces = energy - found, found, trial
                break
            length /= 2
        if gain < _LEAST_GAIN * energy:
            break
    return faces


def _keep_order(faces: Volume) -> Volume:
    """Even out displacements where the faces of a voxel would meet or pass one another."""
    limit = 1 - LEAST_WIDTH
    for _ in range(10):
        steep = np.abs(np.diff(faces, axis=2)) > limit
        if not steep.any():
            break
        near = np.zeros(faces.shape, bool)
        near[..., 1:] |= steep
        near[..., :-1] |= steep
        near = ndimage.binary_dilation(near, iterations=2)
        even = ndimage.uniform_filter1d(faces, 5, axis=2, mode='nearest')
        faces = np.where(near, even, faces).astype(np.float32)
    return faces


def _energy(
    lines: Lines,
    sums: NDArray[np.float64],
    shares: NDArray[np.float32],
    faces: Volume,
    weights: NDArray[np.float32],
    threads: int,
) -> float:
    parts = np.zeros(len(faces))
    run_slabs(_add_energy, len(faces), threads, lines, sums, shares, faces, weights, parts)
    return float(parts.sum())


def _conjugate_gradients(
    right: Volume,
    diagonal: Volume,
    beside: Volume,
    weights: NDArray[np.float32],
    most: int,
    threads: int,
) -> Volume:
    solution = np.zeros_like(right)
    residual = right.copy()
    ready, product, bent = (np.empty_like(right) for _ in range(3))
    size = len(right)
    run_slabs(_solve_lines, size, threads, diagonal, beside, weights, residual, ready)
    direction = ready.copy()
    power = start = _dot(residual, ready)
    for _ in range(most):
        if power <= _TOLERANCE**2 * start:
            break
        run_slabs(_bend, size, threads, direction, weights, bent)
        run_slabs(_multiply, size, threads, diagonal, beside, weights, direction, bent, product)
        length = np.float32(power / _dot(direction, product))
        solution += length * direction
        residual -= length * product
        run_slabs(_solve_lines, size, threads, diagonal, beside, weights, residual, ready)
        following = _dot(residual, ready)
        direction *= np.float32(following / power)
        direction += ready
        power = following
    return solution


@numba.njit(nogil=True, cache=True)
def _dot(first, second):  # type: ignore[no-untyped-def]
    total = 0.0
    for a, b in zip(first.flat, second.flat):  # noqa: B905
        total += a * b
    return total


@numba.njit(nogil=True, cache=True)
def _face(line, k):  # type: ignore[no-untyped-def]
    """Return the intensity at the face before voxel ``k``, to fourth order; ends repeat."""
    last = line.size - 1
    near = line[min(max(k - 1, 0), last)] + line[min(max(k, 0), last)]
    far = line[min(max(k - 2, 0), last)] + line[min(max(k + 1, 0), last)]
    return (7 * near - far) / 12


@numba.njit(nogil=True, cache=True)
def _signal(line, sums, position):  # type: ignore[no-untyped-def]
    """Return the signal of a line before a position, and its derivative, the intensity there.

    Voxel ``k`` reaches from ``k`` to ``k + 1``. Within it the intensity is the parabola that has
    the voxel's mean and the intensities of its two faces.
    """
    size = line.size
    if position <= 0:
        return 0.0, line[0]
    if position >= size:
        return sums[size - 1], line[size - 1]
    k = min(int(position), size - 1)
    t = position - k
    left, right, mean = _face(line, k), _face(line, k + 1), line[k]
    before = sums[k] - mean
    total = before + mean * t * t * (3 - 2 * t) + t * (1 - t) * (left * (1 - t) - right * t)
    at = 6 * mean * t * (1 - t) + left * (1 - t) * (1 - 3 * t) + right * t * (3 * t - 2)
    return total, at


@numba.njit(nogil=True, cache=True)
def _correct(start, stop, lines, sums, shares, faces, target):  # type: ignore[no-untyped-def]
    _, ny, nz = faces.shape
    for m in range(lines.shape[0]):
        for i in range(start, stop):
            for j in range(ny):
                line, total = lines[m, i, j], sums[m, i, j]
                before, _ = _signal(line, total, shares[m] * faces[i, j, 0])
                for k in range(nz - 1):
                    end = k + 1 + shares[m] * faces[i, j, k + 1]
                    after, _ = _signal(line, total, end)
                    target[m, i, j, k] = after - before
                    before = after


@numba.njit(nogil=True, cache=True)
def _add_energy(start, stop, lines, sums, shares, faces, weights, parts):  # type: ignore[no-untyped-def]
    _, ny, nz = faces.shape
    count = lines.shape[0]
    before = np.empty(count)
    for i in range(start, stop):
        total = 0.0
        for j in range(ny):
            for k in range(nz):
                total += 0.5 * _laplacian(faces, weights, i, j, k) ** 2
                mean, squares = 0.0, 0.0
                for m in range(count):
                    place = k + shares[m] * faces[i, j, k]
                    signal, _ = _signal(lines[m, i, j], sums[m, i, j], place)
                    if k > 0:
                        mean += (signal - before[m]) / count
                        squares += (signal - before[m]) ** 2
                    before[m] = signal
                total += 0.5 * (squares - count * mean * mean)
        parts[i] = total


@numba.njit(nogil=True, cache=True)
def _normal_equations(start, stop, images, shares, faces, target):  # type: ignore[no-untyped-def]
    """Add the data's gradient to ``slope``; write its diagonal and next-to-diagonal."""
    lines, sums = images
    slope, diagonal, beside = target
    _, ny, nz = faces.shape
    count = lines.shape[0]
    before, left, right, voxel = np.empty(count), np.empty(count), np.empty(count), np.empty(count)
    for i in range(start, stop):
        for j in range(ny):
            for k in range(nz):
                diagonal[i, j, k] = 0
                beside[i, j, k] = 0
            for k in range(nz):
                mean, mean_left, mean_right = 0.0, 0.0, 0.0
                for m in range(count):
                    place = k + shares[m] * faces[i, j, k]
                    signal, at = _signal(lines[m, i, j], sums[m, i, j], place)
                    right[m] = shares[m] * at
                    if k > 0:
                        voxel[m] = signal - before[m]
                        mean += voxel[m] / count
                        mean_left += left[m] / count
                        mean_right += right[m] / count
                    before[m] = signal
                if k > 0:
                    for m in range(count):
                        value = voxel[m] - mean
                        low, high = left[m] - mean_left, right[m] - mean_right
                        slope[i, j, k - 1] -= value * low
                        slope[i, j, k] += value * high
                        diagonal[i, j, k - 1] += low * low
                        diagonal[i, j, k] += high * high
                        beside[i, j, k - 1] -= low * high
                for m in range(count):
                    left[m] = right[m]


@numba.njit(nogil=True, cache=True)
def _laplacian(faces, weights, i, j, k):  # type: ignore[no-untyped-def]
    """Return the weighted differences to the six neighbours; there is none beyond the edge."""
    nx, ny, nz = faces.shape
    here, total = faces[i, j, k], 0.0
    if i > 0:
        total += weights[0] * (here - faces[i - 1, j, k])
    if i + 1 < nx:
        total += weights[0] * (here - faces[i + 1, j, k])
    if j > 0:
        total += weights[1] * (here - faces[i, j - 1, k])
    if j + 1 < ny:
        total += weights[1] * (here - faces[i, j + 1, k])
    if k > 0:
        total += weights[2] * (here - faces[i, j, k - 1])
    if k + 1 < nz:
        total += weights[2] * (here - faces[i, j, k + 1])
    return total


@numba.njit(nogil=True, cache=True)
def _bend(start, stop, faces, weights, target):  # type: ignore[no-untyped-def]
    _, ny, nz = faces.shape
    for i in range(start, stop):
        for j in range(ny):
            for k in range(nz):
                target[i, j, k] = _laplacian(faces, weights, i, j, k)


@numba.njit(nogil=True, cache=True)
def _multiply(start, stop, diagonal, beside, weights, vector, bent, target):  # type: ignore[no-untyped-def]
    _, ny, nz = vector.shape
    for i in range(start, stop):
        for j in range(ny):
            for k in range(nz):
                total = _laplacian(bent, weights, i, j, k)
                total += diagonal[i, j, k] * vector[i, j, k]
                if k > 0:
                    total += beside[i, j, k - 1] * vector[i, j, k - 1]
                if k + 1 < nz:
                    total += beside[i, j, k] * vector[i, j, k + 1]
                target[i, j, k] = total


@numba.njit(nogil=True, cache=True)
def _solve_lines(start, stop, diagonal, beside, weights, right, target):  # type: ignore[no-untyped-def]
    """Solve each line as if its neighbours stood still (a band of five, by elimination)."""
    nx, ny, nz = right.shape
    w = weights[2]
    first, second = np.zeros(nz), np.zeros(nz)  # the two upper bands, divided by the pivot
    pivots = np.empty(nz)
    for i in range(start, stop):
        across_x = (i > 0) + (i + 1 < nx)
        for j in range(ny):
            across_y = (j > 0) + (j + 1 < ny)
            degree = weights[0] * across_x + weights[1] * across_y
            squares = weights[0] ** 2 * across_x + weights[1] ** 2 * across_y
            for k in range(nz):
                ends = (k > 0) + (k + 1 < nz)
                here = degree + w * ends
                following = degree + w * (1 + (k + 2 < nz))
                pivot = diagonal[i, j, k] + here * here + squares + w * w * ends + 1e-6
                band = beside[i, j, k] - w * (here + following)
                value = right[i, j, k]
                if k > 0:
                    pivot -= first[k - 1] ** 2 * pivots[k - 1]
                    band -= first[k - 1] * second[k - 1] * pivots[k - 1]
                    value -= first[k - 1] * target[i, j, k - 1] * pivots[k - 1]
                if k > 1:
                    pivot -= second[k - 2] ** 2 * pivots[k - 2]
                    value -= second[k - 2] * target[i, j, k - 2] * pivots[k - 2]
                pivots[k] = pivot
                first[k], second[k] = band / pivot, w * w / pivot
                target[i, j, k] = value / pivot
            for k in range(nz - 2, -1, -1):
                target[i, j, k] -= first[k] * target[i, j, k + 1]
                if k + 2 < nz:
                    target[i, j, k] -= second[k] * target[i, j, k + 2]
