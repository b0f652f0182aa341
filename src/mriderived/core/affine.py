"""Affine registration of one brain to another of the same contrast, by Gauss-Newton.

It minimises the squared difference between the fixed brain and the moving brain, with a free
intensity scale, from coarse to fine. The sums are taken plane by plane, so the result has the
same bits for any number of threads.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from mriderived.core.filters import smooth
from mriderived.core.sampling import resample
from mriderived.core.slabs import run_slabs

Volume = NDArray[np.float32]
Matrix = NDArray[np.float64]

#: Sampling of the fixed brain and steps at each level.
LEVELS = ((8.0, 30), (4.0, 15), (3.0, 8))
#: Starting points: the head may be tilted forwards or backwards by these angles.
PITCHES = (0.0, -0.3, 0.3, -0.6, 0.6)
#: Scales lengths in mm so that all unknowns are of one order.
UNIT = 50.0


class Brain(NamedTuple):
    """A brain on a background of 0 and the matrix from its voxels to mm."""

    data: Volume
    affine: Matrix


def register_affine(fixed: Brain, moving: Brain, threads: int = 1) -> Matrix:
    """Return the 4 x 4 matrix from mm of ``fixed`` to mm of ``moving`` that aligns the brains.

    Parameters
    ----------
    fixed, moving : Brain
        T1-weighted, brain-extracted (0 outside), in RAS mm.
    threads : int

    Returns
    -------
    array, shape (4, 4)

    Raises
    ------
    ValueError
        If one of the two holds no brain, or if the result is no plausible head transform.

    Examples
    --------
    >>> x, y, z = np.indices((30, 32, 28))
    >>> ball = (100.0 * ((x - 15) ** 2 + (y - 15)**2 / 1.5 + (z - 14)**2 < 90)).astype(np.float32)
    >>> here = np.diag([4.0, 4, 4, 1])
    >>> there = here.copy(); there[:3, 3] = 10
    >>> matrix = register_affine(Brain(ball, here), Brain(ball, there))
    >>> bool(np.allclose(matrix[:3, 3], 10, atol=0.5))
    True
    """
    candidates: list[Matrix] = []
    for step, iterations in LEVELS:
        pair = coarsen(fixed, step, threads), coarsen(moving, step, threads)
        candidates = candidates or [_start(*pair, pitch) for pitch in PITCHES]
        tried = [_descend(*pair, matrix, iterations, threads) for matrix in candidates]
        candidates = [min(tried, key=lambda found: found[1])[0]]
    _check(candidates[0])
    return candidates[0]


def coarsen(brain: Brain, step: float, threads: int = 1) -> Brain:
    """Return ``brain`` smoothed and sampled on voxels of ``step`` mm along its own axes.

    Examples
    --------
    >>> coarsen(Brain(np.ones((8, 8, 8), np.float32), np.eye(4)), 2.0).data.shape
    (5, 5, 5)
    """
    size = np.sqrt((brain.affine[:3, :3] ** 2).sum(axis=0))
    factor = np.maximum(step / size, 1.0)
    sigma = np.where(factor > 1, 0.4 * factor, 0)
    shape = tuple(int(n) for n in np.ceil((np.array(brain.data.shape) - 1) / factor) + 1)
    matrix = np.diag([*factor, 1.0])
    data = resample(smooth(brain.data, sigma, threads), matrix, shape, threads)
    return Brain(data, brain.affine @ matrix)


def _start(fixed: Brain, moving: Brain, pitch: float) -> Matrix:
    centre_fixed, size_fixed = _moments(fixed)
    centre_moving, size_moving = _moments(moving)
    c, s = np.cos(pitch), np.sin(pitch)
    turn = np.array([[1, 0, 0], [0, c, -s], [0, s, c]]) * (size_moving / size_fixed)
    matrix = np.eye(4)
    matrix[:3, :3] = turn
    matrix[:3, 3] = centre_moving - turn @ centre_fixed
    return matrix


def _moments(brain: Brain) -> tuple[Matrix, float]:
    points = np.argwhere(brain.data > 0.1 * brain.data.max())
    if len(points) < 100:
        raise ValueError('there is no brain in the image to align')
    in_mm = points @ brain.affine[:3, :3].T + brain.affine[:3, 3]
    return in_mm.mean(axis=0), float(np.cbrt(in_mm.std(axis=0).prod()))


def _descend(
    fixed: Brain, moving: Brain, matrix: Matrix, iterations: int, threads: int
) -> tuple[Matrix, float]:
    damping = 1e-3
    normal, right, cost = _linearise(fixed, moving, matrix, threads)
    for _ in range(iterations):
        change = np.linalg.solve(normal + damping * np.diag(np.diag(normal)), right)
        trial = matrix.copy()
        trial[:3] += change[:12].reshape(3, 4) * [1 / UNIT, 1 / UNIT, 1 / UNIT, 1]
        candidate = _linearise(fixed, moving, trial, threads)
        if candidate[2] < cost:
            gain = (cost - candidate[2]) / cost
            matrix, (normal, right, cost) = trial, candidate
            damping = max(damping / 5, 1e-6)
            if gain < 1e-6:
                break
        else:
            damping *= 10
    return matrix, cost


def _linearise(
    fixed: Brain, moving: Brain, matrix: Matrix, threads: int
) -> tuple[Matrix, Matrix, float]:
    """Return normal equations and mean squared residual at the best intensity scale."""
    planes = fixed.data.shape[0]
    to_voxel = np.linalg.inv(moving.affine) @ matrix
    slope = np.linalg.inv(moving.affine)[:3, :3]
    sums = np.zeros((planes, 4))
    arguments = (fixed.data, moving.data, fixed.affine, to_voxel)
    run_slabs(_products, planes, threads, *arguments, sums)
    cross, moving_square, fixed_square, _ = sums.sum(axis=0)
    scale = cross / max(moving_square, 1e-12)
    system = np.zeros((planes, 13, 14))
    run_slabs(_normal_equations, planes, threads, *arguments, slope, scale, UNIT, system)
    total = system.sum(axis=0)
    half = total[:, :13]
    normal = half + half.T - np.diag(np.diag(half)) + 1e-9 * np.eye(13) * np.trace(half)
    cost = 1 - cross**2 / max(moving_square * fixed_square, 1e-12)
    return normal, total[:, 13], float(cost)


def _check(matrix: Matrix) -> None:
    stretch = np.linalg.svd(matrix[:3, :3], compute_uv=False)
    if np.linalg.det(matrix[:3, :3]) <= 0 or stretch.min() < 0.4 or stretch.max() > 2.5:
        raise ValueError(
            'the brain could not be aligned with the template: the affine transform stretches '
            f'it by {stretch.min():.2f} to {stretch.max():.2f}; check the brain mask'
        )


@numba.njit(nogil=True, cache=True)
def _sample(volume, u, v, w, gradient):  # type: ignore[no-untyped-def]
    a, b, c = int(u), int(v), int(w)
    p, q, r = u - a, v - b, w - c
    v000, v001 = volume[a, b, c], volume[a, b, c + 1]
    v010, v011 = volume[a, b + 1, c], volume[a, b + 1, c + 1]
    v100, v101 = volume[a + 1, b, c], volume[a + 1, b, c + 1]
    v110, v111 = volume[a + 1, b + 1, c], volume[a + 1, b + 1, c + 1]
    low0, low1 = v000 + r * (v001 - v000), v010 + r * (v011 - v010)
    high0, high1 = v100 + r * (v101 - v100), v110 + r * (v111 - v110)
    low, high = low0 + q * (low1 - low0), high0 + q * (high1 - high0)
    gradient[0] = high - low
    gradient[1] = (1 - p) * (low1 - low0) + p * (high1 - high0)
    gradient[2] = (1 - p) * ((1 - q) * (v001 - v000) + q * (v011 - v010)) + p * (
        (1 - q) * (v101 - v100) + q * (v111 - v110)
    )
    return low + p * (high - low)


@numba.njit(nogil=True, cache=True)
def _products(start, stop, fixed, moving, affine, m, sums):  # type: ignore[no-untyped-def]
    nx, ny, nz = moving.shape
    gradient = np.empty(3)
    t = m @ affine
    for i in range(start, stop):
        for j in range(fixed.shape[1]):
            for k in range(fixed.shape[2]):
                u = t[0, 0] * i + t[0, 1] * j + t[0, 2] * k + t[0, 3]
                v = t[1, 0] * i + t[1, 1] * j + t[1, 2] * k + t[1, 3]
                w = t[2, 0] * i + t[2, 1] * j + t[2, 2] * k + t[2, 3]
                value = 0.0
                if 0 <= u < nx - 1 and 0 <= v < ny - 1 and 0 <= w < nz - 1:
                    value = _sample(moving, u, v, w, gradient)
                sums[i, 0] += value * fixed[i, j, k]
                sums[i, 1] += value * value
                sums[i, 2] += fixed[i, j, k] ** 2


@numba.njit(nogil=True, cache=True)
def _normal_equations(  # type: ignore[no-untyped-def]  # noqa: C901
    start, stop, fixed, moving, affine, m, slope, scale, unit, system
):
    nx, ny, nz = moving.shape
    gradient, row, position = np.empty(3), np.empty(13), np.empty(4)
    t = m @ affine
    position[3] = 1.0
    for i in range(start, stop):
        for j in range(fixed.shape[1]):
            for k in range(fixed.shape[2]):
                u = t[0, 0] * i + t[0, 1] * j + t[0, 2] * k + t[0, 3]
                v = t[1, 0] * i + t[1, 1] * j + t[1, 2] * k + t[1, 3]
                w = t[2, 0] * i + t[2, 1] * j + t[2, 2] * k + t[2, 3]
                if not (0 <= u < nx - 1 and 0 <= v < ny - 1 and 0 <= w < nz - 1):
                    continue
                value = _sample(moving, u, v, w, gradient)
                error = fixed[i, j, k] - scale * value
                if value == 0 and error == 0:
                    continue
                for axis in range(3):
                    position[axis] = (
                        affine[axis, 0] * i + affine[axis, 1] * j + affine[axis, 2] * k
                        + affine[axis, 3]
                    ) / unit  # fmt: skip
                for axis in range(3):
                    g = scale * (
                        gradient[0] * slope[0, axis]
                        + gradient[1] * slope[1, axis]
                        + gradient[2] * slope[2, axis]
                    )
                    for column in range(4):
                        row[4 * axis + column] = g * position[column]
                row[12] = value
                for a in range(13):
                    for b in range(a, 13):
                        system[i, a, b] += row[a] * row[b]
                    system[i, a, 13] += row[a] * error
