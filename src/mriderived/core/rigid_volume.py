"""Rigid registration of one volume to a reference of the same kind, by Gauss-Newton.

The inverse compositional scheme (Baker and Matthews 2004, doi:10.1023/B:VISI.0000011205.11775.fd):
all derivatives are those of the reference and are computed once. Volume and reference are both
seen through cubic B-splines with the voxels as coefficients, that is, a little smoothed, so that a
volume between voxels looks like the reference on them. Since noise of a volume never enters a
derivative, it does not pull the result towards or away from the grid.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.core.filters import block_mean, convolve
from mriderived.core.rigid_descent import RADIUS, descend

Volume = NDArray[np.float32]
Matrix = NDArray[np.float64]

#: Voxels of about this size in mm at each level; the last level is the grid itself.
STEPS = (8.0, 4.0, 0.0)
#: A level that leaves fewer voxels than this along an axis keeps finer ones there.
LEAST_SIZE = 8
#: Points beyond this many are left out of a level, evenly.
MOST_POINTS = 80_000
#: A level ends when a step moves the head by less than this share of its smallest voxel.
TOLERANCE = 1e-3
_SMOOTHING = np.array([1 / 6, 4 / 6, 1 / 6], np.float32)


class Level(NamedTuple):
    """What a volume is compared with at one resolution."""

    #: Voxels joined along each axis.
    factors: tuple[int, ...]
    #: From voxels of this level to mm.
    affine: Matrix
    #: Shape (3, n): voxels of this level.
    points: NDArray[np.float32]
    #: Shape (8, n): change of the reference with six rigid unknowns, itself, and 1.
    design: NDArray[np.float32]
    weights: NDArray[np.float32]


class Target(NamedTuple):
    """A reference, ready to have volumes aligned with it."""

    levels: tuple[Level, ...]
    centre: Matrix
    shape: tuple[int, ...]


class Found(NamedTuple):
    """Where a volume lies: from mm of the reference to mm of the volume, and how well it fits."""

    matrix: Matrix
    #: Weighted correlation of the volume with the reference where both are.
    fit: float
    steps: int


def prepare_target(reference: Volume, affine: Matrix, weights: Volume, threads: int = 1) -> Target:
    """Compute once what the registration to ``reference`` needs.

    Parameters
    ----------
    reference : array of float32, shape (x, y, z)
        Finite.
    affine : array, shape (4, 4)
        From voxels to RAS mm; voxels of any shape, axes in any order.
    weights : array of float32, shape (x, y, z)
        How much each voxel counts; 0 outside the head and its edge.
    threads : int

    Returns
    -------
    Target
        Its centre, about which the head turns, is the centre of the weights, in mm.

    Raises
    ------
    ValueError
        If the weights leave too little of the reference.

    Examples
    --------
    >>> x, y, z = np.indices((16, 16, 16)) - 7.5
    >>> ball = np.exp(-(x**2 + y**2 + z**2) / 20).astype(np.float32)
    >>> target = prepare_target(ball, np.eye(4), np.ones_like(ball))
    >>> [level.factors for level in target.levels], target.centre.tolist()
    ([(2, 2, 2), (1, 1, 1)], [7.5, 7.5, 7.5])
    """
    if np.count_nonzero(weights) < 200:
        raise ValueError(
            f'only {np.count_nonzero(weights)} voxels of the reference of the series count; head '
            'motion cannot be estimated: check the image and its mask'
        )
    inside = np.argwhere(weights > 0)
    mass = weights[weights > 0].astype(np.float64)
    voxel = (inside * mass[:, None]).sum(axis=0) / mass.sum()
    centre = affine[:3, :3] @ voxel + affine[:3, 3]
    size = np.sqrt((affine[:3, :3] ** 2).sum(axis=0))
    levels = tuple(
        _prepare_level(reference, affine, weights, centre, factors, threads)
        for factors in list_factors(reference.shape, size)
    )
    return Target(levels, centre, reference.shape)


def align_volume(target: Target, volume: Volume, start: Matrix | None = None) -> Found:
    """Find where ``volume`` lies.

    Parameters
    ----------
    target : Target
    volume : array of float32, shape (x, y, z)
        Finite, on the grid of the reference.
    start : array, shape (4, 4), optional
        A first guess, from mm of the reference to mm of the volume.

    Returns
    -------
    Found

    Examples
    --------
    >>> x, y, z = np.indices((24, 24, 24)) - 11.5
    >>> ball = np.exp(-(x**2 + y**2 / 1.5 + z**2 / 2) / 20).astype(np.float32)
    >>> moved = np.exp(-((x - 0.5)**2 + y**2 / 1.5 + z**2 / 2) / 20).astype(np.float32)
    >>> target = prepare_target(ball, np.eye(4), np.ones_like(ball))
    >>> bool(np.allclose(align_volume(target, moved).matrix[:3, 3], [0.5, 0, 0], atol=2e-3))
    True
    """
    matrix = np.eye(4) if start is None else np.array(start, float)
    fit, steps = 0.0, 0
    for level in target.levels:
        data = block_mean(volume, level.factors)
        margin = np.array([find_margin(n) for n in data.shape])
        least = TOLERANCE * float(np.sqrt((level.affine[:3, :3] ** 2).sum(axis=0)).min())
        matrix, fit, taken = descend(
            data,
            level.points,
            level.design,
            level.weights,
            level.affine,
            np.linalg.inv(level.affine),
            target.centre,
            margin,
            least,
            matrix,
        )
        steps += taken
    return Found(matrix, fit, steps)


def list_factors(shape: tuple[int, ...], size: Matrix) -> list[tuple[int, ...]]:
    """Return how many voxels of ``size`` mm are joined along each axis, from coarse to fine."""
    found: list[tuple[int, ...]] = []
    for step in STEPS:
        most = np.maximum(np.array(shape) // LEAST_SIZE, 1)
        factors = np.clip(np.round(step / size).astype(int), 1, most)
        if tuple(factors) not in found:
            found.append(tuple(int(factor) for factor in factors))
    return found


def _prepare_level(
    reference: Volume,
    affine: Matrix,
    weights: Volume,
    centre: Matrix,
    factors: tuple[int, ...],
    threads: int,
) -> Level:
    joined, counts = (block_mean(image, factors) for image in (reference, weights))
    grid = np.diag([*factors, 1.0])
    grid[:3, 3] = (np.array(factors) - 1) / 2
    grid = affine @ grid
    inner = np.zeros(joined.shape, bool)
    margin = [max(round(find_margin(n)), 0) for n in joined.shape]
    inner[tuple(slice(cut, n - cut) for cut, n in zip(margin, joined.shape, strict=True))] = True
    points = np.argwhere(inner & (counts > 0))
    if len(points) > MOST_POINTS:
        points = points[np.linspace(0, len(points) - 1, MOST_POINTS).astype(int)]
    chosen = tuple(points.T)
    slopes = np.stack([_slope(joined, axis, threads)[chosen] for axis in range(3)])
    in_mm = np.linalg.inv(grid[:3, :3]).T @ slopes
    arm = (points @ grid[:3, :3].T + grid[:3, 3] - centre).T / RADIUS
    moment = np.cross(arm, in_mm, axis=0)
    value = convolve(joined, [_SMOOTHING] * 3, threads)[chosen]
    design = np.concatenate([in_mm, moment, value[None], np.ones((1, len(points)))])
    return Level(
        factors,
        grid,
        np.ascontiguousarray(points.T, np.float32),
        np.ascontiguousarray(design, np.float32),
        np.ascontiguousarray(counts[chosen]),
    )


def find_margin(size: int) -> float:
    """Return how far from the outermost voxels of an axis a volume is looked at.

    So far that splines see nothing but voxels; where there are few, not at all.
    """
    return 1.0 if size >= LEAST_SIZE else -0.5


def _slope(volume: Volume, axis: int, threads: int) -> Volume:
    """Return the derivative of the smoothing spline at the voxels along one axis."""
    kernels = [_SMOOTHING] * 3
    kernels[axis] = np.ones(1, np.float32)
    smoothed = np.moveaxis(convolve(volume, kernels, threads), axis, 0)
    slope = np.zeros_like(smoothed)
    slope[1:-1] = (smoothed[2:] - smoothed[:-2]) / 2
    return np.moveaxis(slope, 0, axis)
