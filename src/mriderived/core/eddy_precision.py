"""How precisely motion and eddy currents of a volume are known.

Noise is not all that misleads: where contrast is not predicted, neighbouring voxels are wrong
together. So voxels are taken in blocks, whose sums of what each pulls at the pose are compared
(the covariance of clusters, Liang and Zeger 1986, doi:10.1093/biomet/73.1.13).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from mriderived.core.eddy_descent import look, make_design
from mriderived.core.eddy_levels import Level, Pose
from mriderived.core.filters import block_mean
from mriderived.core.rigid_descent import (
    CAUCHY,
    LEAST_SAID,
    LEAST_SCALE,
    RADIUS,
    doubt,
    find_spread,
    multiply,
    solve,
    sum_products,
)
from mriderived.core.rigid_volume import find_margin
from mriderived.core.slabs import run_slabs

Read = Callable[[int], NDArray[np.float32]]
Floats = NDArray[np.float32]
Matrix = NDArray[np.float64]

#: Side of the blocks, in mm and in voxels, whichever is more: interpolation joins neighbours.
BLOCK_MM, BLOCK_VOXELS = 20.0, 5.0


def part_blocks(level: Level) -> NDArray[np.intp]:
    """Return the number of the block of every point of a level, shape (p,), from 0.

    Examples
    --------
    >>> points = np.float32([[0, 1, 30, 31], [0, 0, 0, 0], [0, 0, 0, 0]])
    >>> level = Level((1, 1, 1), np.eye(4), np.zeros(3), np.zeros((3, 2)), points, points[0])
    >>> part_blocks(level).tolist()
    [0, 0, 1, 1]
    """
    size = np.sqrt((level.affine[:3, :3] ** 2).sum(axis=0))
    side = np.maximum(BLOCK_MM / size, BLOCK_VOXELS)
    cells = np.floor(level.points.T / side).astype(int)
    return np.unique(cells, axis=0, return_inverse=True)[1].ravel()


def find_spreads(
    read: Read,
    chosen: NDArray[np.intp],
    level: Level,
    poses: list[Pose],
    prediction: tuple[Floats, Floats],
    weights: Floats,
    threads: int,
) -> Matrix:
    """Return the standard deviations of the positions of volumes, shape (n, 6), in mm and rad.

    ``prediction`` holds the values, shape (n, p), and their slopes per mm, (n, 3, p).
    """
    spreads = np.empty((len(chosen), 6))
    blocks = part_blocks(level)

    def fill(start: int, stop: int) -> None:
        for index in range(start, stop):
            covariance = find_precision(
                level, blocks, read(int(chosen[index])), prediction[0][index],
                prediction[1][index], weights, poses[index],
            )  # fmt: skip
            spreads[index] = np.sqrt(np.diag(covariance)[:6])

    run_slabs(fill, len(chosen), threads)
    return spreads


def find_precision(
    level: Level,
    blocks: NDArray[np.intp],
    volume: Floats,
    value: Floats,
    slopes: Floats,
    weights: Floats,
    pose: Pose,
) -> Matrix:
    """Return the covariance of the pose of a volume that was aligned with a prediction.

    Parameters
    ----------
    level : Level
    blocks : array of int, shape (p,)
    volume : array of float32, shape (x, y, z)
    value, slopes : arrays of float32, shapes (p,) and (3, p)
        The prediction and its slopes per mm.
    weights : array of float32, shape (p,)
    pose : Pose

    Returns
    -------
    array, shape (6 + k, 6 + k)
        Of shifts in mm, turns in rad and the k coefficients of eddy currents in voxels.
    """
    factors, terms = np.array(level.factors), pose.eddy.size
    design = np.empty((8 + terms, len(value)), np.float32)
    place: tuple[Any, ...] = (level.affine, level.centre, level.scale, factors, pose.axis, terms)
    make_design(level.points, value, slopes, *place, design)
    data = block_mean(volume, level.factors)
    margin = np.array([find_margin(n) for n in data.shape])
    grid = (level.affine, np.linalg.inv(level.affine), level.scale, factors)
    normal, pulls, bright = _pull_apart(
        data, level.points, design, weights, grid, pose.axis, margin, pose.matrix, pose.eddy,
        blocks, int(blocks.max()) + 1,
    )  # fmt: skip
    units = np.concatenate([[1.0] * 3, [1 / RADIUS] * 3, [1.0] * terms]) / bright
    found = _sandwich(normal, pulls)[: 6 + terms, : 6 + terms]
    return np.asarray(found * np.outer(units, units))


def _sandwich(normal: Matrix, pulls: Matrix) -> Matrix:
    size = np.sqrt(np.maximum(np.diag(normal), 1e-300))
    inverse = np.linalg.pinv(normal / np.outer(size, size), LEAST_SAID, hermitian=True)
    inverse /= np.outer(size, size)
    count = int((pulls != 0).any(axis=1).sum())
    # so many unknowns are fitted to the blocks
    middle = pulls.T @ pulls * (count / max(count - len(normal), 1))
    return np.asarray(inverse @ middle @ inverse)


@numba.njit(nogil=True, cache=True)
def _pull_apart(  # type: ignore[no-untyped-def]
    volume, points, design, base, grid, axis, margin, matrix, eddy, blocks, count
):
    """Return normal equations at a pose, what each block pulls at it, and the brightness."""
    affine, back, scale, factors = grid
    rows = len(design)
    seen = np.empty(points.shape[1], np.float32)
    weights = np.empty_like(seen)
    to_voxel = multiply(back, multiply(matrix, affine))
    look(volume, points, base, to_voxel, axis, eddy, scale, factors, margin, seen, weights)
    solution = solve(sum_products(design, seen, weights))
    half = CAUCHY * find_spread(design, seen, weights, solution)
    doubt(design, seen, solution, half, weights)
    normal = sum_products(design, seen, weights)
    solution = solve(normal)
    pulls = np.zeros((count, rows))
    for p in range(seen.size):
        left = seen[p] - solution[-2] * design[-2, p] - solution[-1]
        for a in range(rows):
            pulls[blocks[p], a] += weights[p] * left * design[a, p]
    return normal[:rows, :rows], pulls, max(solution[-2], LEAST_SCALE)
