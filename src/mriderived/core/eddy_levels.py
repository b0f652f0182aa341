"""The points at which volumes are compared with predictions, from coarse to fine."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.core.eddy_descent import descend_eddy, look_with_slopes, make_design
from mriderived.core.eddy_terms import scale_places
from mriderived.core.filters import block_mean
from mriderived.core.rigid_volume import find_margin, list_factors

Volume = NDArray[np.float32]
Matrix = NDArray[np.float64]

#: Points beyond this many are left out of a level, evenly.
MOST_POINTS = 40_000
#: A registration ends when a step moves the head by less than this share of its smallest voxel.
TOLERANCE = 2e-3


class Level(NamedTuple):
    """A grid on which volumes are compared."""

    #: Voxels joined along each axis.
    factors: tuple[int, ...]
    #: From voxels of this level to mm.
    affine: Matrix
    #: About which the head turns, in mm.
    centre: Matrix
    #: Shape (3, 2): from voxels of this level to places from -1 to 1.
    scale: Matrix
    #: Shape (3, p): voxels of this level.
    points: NDArray[np.float32]
    #: Shape (p,): how much each point counts.
    weights: NDArray[np.float32]


class Pose(NamedTuple):
    """Where the head lies in a volume, and its displacement by eddy currents."""

    matrix: Matrix
    eddy: Matrix
    axis: int


class Fitted(NamedTuple):
    """A pose that was found, with factor and offset of brightness, and the correlation."""

    pose: Pose
    brightness: Matrix
    fit: float


def prepare_levels(shape: tuple[int, ...], affine: Matrix, weights: Volume) -> list[Level]:
    """Return the levels for volumes of a shape, coarsest first; the last is the grid itself.

    Raises
    ------
    ValueError
        If the weights leave too little of the reference.
    """
    inside = np.argwhere(weights > 0)
    if len(inside) < 200:
        raise ValueError(
            f'only {len(inside)} voxels of the reference of the series count; head motion cannot '
            'be estimated: check the image and its mask'
        )
    centre = affine[:3, :3] @ inside.mean(axis=0) + affine[:3, 3]
    size = np.sqrt((affine[:3, :3] ** 2).sum(axis=0))
    return [
        _prepare_level(affine, weights, centre, factors) for factors in list_factors(shape, size)
    ]


def _prepare_level(
    affine: Matrix, weights: Volume, centre: Matrix, factors: tuple[int, ...]
) -> Level:
    counts = block_mean(weights, factors)
    grid = np.diag([*factors, 1.0])
    grid[:3, 3] = (np.array(factors) - 1) / 2
    inner = np.zeros(counts.shape, bool)
    margin = [max(round(find_margin(n)), 0) for n in counts.shape]
    inner[tuple(slice(cut, n - cut) for cut, n in zip(margin, counts.shape, strict=True))] = True
    points = np.argwhere(inner & (counts > 0))
    if len(points) > MOST_POINTS:
        points = points[np.linspace(0, len(points) - 1, MOST_POINTS).astype(int)]
    return Level(
        factors,
        affine @ grid,
        centre,
        scale_places(weights.shape, factors),
        np.ascontiguousarray(points.T, np.float32),
        np.ascontiguousarray(counts[tuple(points.T)]),
    )


def observe(
    level: Level, volume: Volume, pose: Pose
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return what a volume shows at the points of a level, (p,), and its slopes per mm, (3, p)."""
    data = block_mean(volume, level.factors)
    back = np.linalg.inv(level.affine) @ pose.matrix
    count = level.points.shape[1]
    value, slopes = np.empty(count, np.float32), np.empty((3, count), np.float32)
    look_with_slopes(
        data,
        level.points,
        back @ level.affine,
        pose.axis,
        pose.eddy,
        level.scale,
        np.array(level.factors),
        back,
        value,
        slopes,
    )
    return value, slopes


def align(
    level: Level,
    volume: Volume,
    value: NDArray[np.float32],
    slopes: NDArray[np.float32],
    weights: NDArray[np.float32],
    start: Pose,
    most: int,
) -> Fitted:
    """Find the pose in which a volume looks like a prediction.

    Parameters
    ----------
    level : Level
    volume : array of float32, shape (x, y, z)
    value, slopes : arrays of float32, shapes (p,) and (3, p)
        The prediction and its slopes per mm.
    weights : array of float32, shape (p,)
    start : Pose
    most : int
        Steps at most.

    Returns
    -------
    Fitted
    """
    factors = np.array(level.factors)
    terms = start.eddy.size
    design = np.empty((8 + terms, len(value)), np.float32)
    place: tuple[Any, ...] = (level.affine, level.centre, level.scale, factors, start.axis, terms)
    make_design(level.points, value, slopes, *place, design)
    data = block_mean(volume, level.factors)
    margin = np.array([find_margin(n) for n in data.shape])
    least = TOLERANCE * float(np.sqrt((level.affine[:3, :3] ** 2).sum(axis=0)).min())
    back = np.linalg.inv(level.affine)
    grid = (level.affine, back, level.centre, level.scale, factors)
    matrix, eddy, brightness, fit = descend_eddy(
        data,
        level.points,
        design,
        weights,
        grid,
        start.axis,
        margin,
        least,
        most,
        start.matrix,
        start.eddy,
    )
    return Fitted(Pose(matrix, eddy, start.axis), brightness, float(fit))
