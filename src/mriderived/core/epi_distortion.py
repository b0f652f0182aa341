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

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mriderived.core.epi_shift import phase_axis
from mriderived.core.epi_solver import correct_lines, solve

Volume = NDArray[np.float32]
Lines = NDArray[np.float32]

#: No axis is made coarser than this many voxels.
LEAST_SIZE = 12
#: Corrected voxels above this share of the usual brightness are the head.
HEAD = 0.2
#: Points of the map between the contrasts of two images, and the least intensity of one.
QUANTILES, LEAST_BRIGHT = 25, 0.01


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
    #: Bring the images to one contrast before each level.
    match: bool = True


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
        if solver.match:
            level = _match(level, correct_lines(level, shares, faces, threads))
        scaled = (weights / by**2 * by[2] ** 2 * np.sqrt(stiffness)).astype(np.float32)
        faces = solve(level, shares, faces, scaled, steps, solver.gradients, threads)
        last = by
    if faces is None:
        raise ValueError('the solver has no levels')
    faces = _refine(faces, last, np.ones(3, int), lines.shape[1:])
    before = correct_lines(lines, shares, np.zeros_like(faces), threads)
    after = correct_lines(lines, shares, faces, threads)
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


def _match(lines: Lines, corrected: Lines) -> Lines:
    """Map each image's intensities so that those of all corrected images spread alike.

    Only the order of intensities counts, not where they are, so that what is still displaced
    does no harm.
    """
    head = corrected.mean(axis=0) > HEAD
    if not head.any():
        return lines
    shares = np.linspace(0.01, 0.99, QUANTILES)
    spread = np.maximum([np.quantile(c[head], shares) for c in corrected], LEAST_BRIGHT)
    matched = lines.copy()
    for image, own in zip(matched, spread, strict=True):
        gain = spread.mean(axis=0) / own
        # below the first point and above the last the gain stays what it is there
        image *= np.interp(image, own, gain)
    return matched


def _similarity(corrected: Lines) -> float:
    first = corrected[0].ravel()
    found = [float(np.corrcoef(first, other.ravel())[0, 1]) for other in corrected[1:]]
    return float(np.mean(found))
