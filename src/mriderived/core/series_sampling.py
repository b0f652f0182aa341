"""One interpolation from a series as acquired to any grid, with every transform composed.

A point of the output is followed back: through a deformation of space and a rigid or affine matrix
to the reference of the series (all of this once for the whole series), by head motion into each
volume, and along the phase-encode axis to where field inhomogeneity has put it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from mriderived.core.series_route import Route
from mriderived.core.slabs import run_slabs
from mriderived.core.splines import cubic, cubic_coefficients, is_covered

Volume = NDArray[np.float32]
Matrix = NDArray[np.float64]


def resample_series(
    volumes: Iterable[Volume],
    matrices: Iterable[Matrix] | NDArray[Any],
    route: Route,
    threads: int = 1,
) -> Iterator[Volume]:
    """Yield the volumes of a series on the grid of a route, in their order.

    Parameters
    ----------
    volumes : iterable of arrays of float32, shape (x, y, z)
        Read a few at a time. Voxels that are not finite count as 0.
    matrices : arrays, shape (t, 4, 4)
        Head motion: from mm of the reference to mm of each volume.
    route : Route
    threads : int
        Volumes at the same time.

    Yields
    ------
    array of float32
        Through cubic B-splines; 0 outside the field of view, which ends half a voxel beyond the
        centres of the outermost voxels.

    Raises
    ------
    ValueError
        If a volume is on another grid, or if there are more or fewer matrices than volumes.

    Examples
    --------
    >>> from mriderived.core.series_route import plan_route
    >>> volume = np.random.default_rng(0).random((6, 6, 6)).astype(np.float32)
    >>> route = plan_route((6, 6, 6), np.eye(4), (6, 6, 6), np.eye(4))
    >>> same, = resample_series([volume], [np.eye(4)], route)
    >>> bool(np.allclose(same, volume, atol=1e-5))
    True
    """
    pairs = zip(volumes, matrices, strict=True)
    while some := list(islice(pairs, threads)):
        for volume, _ in some:
            if volume.shape != route.size:
                raise ValueError(f'a volume has shape {volume.shape}, but the series {route.size}')
        found = [np.empty(route.points.shape[1:], np.float32) for _ in some]
        run_slabs(_resample_some, len(some), threads, some, route, found)
        yield from found


def _in_voxels(matrix: Matrix, route: Route) -> Matrix:
    return np.asarray(np.linalg.inv(route.affine) @ matrix @ route.affine)


def _resample_some(
    start: int, stop: int, some: list[tuple[Volume, Matrix]], route: Route, found: list[Volume]
) -> None:
    for index in range(start, stop):
        volume, matrix = some[index]
        finite = np.isfinite(volume)
        volume = volume if finite.all() else np.where(finite, volume, np.float32(0))
        spline = cubic_coefficients(np.ascontiguousarray(volume, np.float32))
        move = _in_voxels(matrix, route)
        _fetch(spline, move, route.points, route.shift, route.axis, route.gain, found[index])


@numba.njit(nogil=True, cache=True, inline='always')
def _follow(move, points, shift, axis, i, j, k):  # type: ignore[no-untyped-def]
    x, y, z = points[0, i, j, k], points[1, i, j, k], points[2, i, j, k]
    u = move[0, 0] * x + move[0, 1] * y + move[0, 2] * z + move[0, 3]
    v = move[1, 0] * x + move[1, 1] * y + move[1, 2] * z + move[1, 3]
    w = move[2, 0] * x + move[2, 1] * y + move[2, 2] * z + move[2, 3]
    # the scanner distorts along its own axis, wherever the head is
    if shift.size:
        if axis == 0:
            u += shift[i, j, k]
        elif axis == 1:
            v += shift[i, j, k]
        else:
            w += shift[i, j, k]
    return u, v, w


@numba.njit(nogil=True, cache=True)
def _fetch(spline, move, points, shift, axis, gain, target):  # type: ignore[no-untyped-def]
    for i in range(target.shape[0]):
        for j in range(target.shape[1]):
            for k in range(target.shape[2]):
                u, v, w = _follow(move, points, shift, axis, i, j, k)
                value = np.float32(0)
                if is_covered(spline.shape, u, v, w):
                    value = cubic(spline, u, v, w)
                    if gain.size:
                        value *= gain[i, j, k]
                target[i, j, k] = value
