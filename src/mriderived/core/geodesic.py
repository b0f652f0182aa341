"""Distances that travel through a domain only, from points between the voxels."""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]

#: Width in voxels of the shells in which voxels are settled, nearest first.
SHELL = 0.05
#: A new distance must be shorter by this much, in voxels, to be worth passing on.
GAIN = 1e-4


class Sources(NamedTuple):
    """Points from which distances are measured, each known to one voxel of the domain."""

    #: float32, shape (n, 3): the points in voxels.
    points: NDArray[np.float32]
    #: int32, shape (n, 3): the voxel that sees the point.
    voxels: NDArray[np.int32]


class Reach(NamedTuple):
    """What every voxel knows of the nearest source."""

    #: float32, shape (x, y, z): in voxels; inf where no path leads.
    distance: NDArray[np.float32]
    #: int32, shape (x, y, z): its number, -1 where no path leads.
    source: NDArray[np.int32]


def propagate(domain: Mask, sources: Sources) -> Reach:
    """Find the nearest source of every voxel that a path through ``domain`` connects with it.

    A source is handed on from voxel to neighbouring voxel (26 of them), nearest voxels first, and
    every voxel keeps the one that is nearest to itself in a straight line. So distances are exact
    to where a straight line stays in the domain and never jump a gap.

    Parameters
    ----------
    domain : array of bool, shape (x, y, z)
    sources : Sources

    Returns
    -------
    Reach

    Examples
    --------
    >>> row = np.ones((1, 1, 5), bool); row[0, 0, 3] = False
    >>> start = Sources(np.float32([[0, 0, -0.5]]), np.int32([[0, 0, 0]]))
    >>> propagate(row, start).distance.ravel().tolist()
    [0.5, 1.5, 2.5, inf, inf]
    """
    distance = np.full(domain.shape, np.inf, np.float32)
    source = np.full(domain.shape, -1, np.int32)
    if len(sources.points):
        _propagate(domain, sources.voxels, sources.points, distance, source)
    return Reach(distance, source)


@numba.njit(nogil=True, cache=True)
def _span(point, i, j, k):  # type: ignore[no-untyped-def]
    x, y, z = i - point[0], j - point[1], k - point[2]
    return np.float32(np.sqrt(x * x + y * y + z * z))


@numba.njit(nogil=True, cache=True)
def _double(values):  # type: ignore[no-untyped-def]
    longer = np.empty(2 * len(values), values.dtype)
    longer[: len(values)] = values
    return longer


@numba.njit(nogil=True, cache=True)
def _propagate(domain, voxels, points, distance, source):  # type: ignore[no-untyped-def]  # noqa: C901
    nx, ny, nz = domain.shape
    # Dijkstra's algorithm with shells instead of a heap: first[s] begins the list of shell s.
    size = 4 * len(points) + 1000
    following = np.empty(size, np.int64)
    voxel = np.empty(size, np.int64)
    known = np.empty(size, np.float32)
    last = int(np.sqrt(nx**2 + ny**2 + nz**2) / SHELL) + 1
    first = np.full(last + 1, -1, np.int64)
    count = 0
    for number in range(len(points)):
        i, j, k = voxels[number]
        span = _span(points[number], i, j, k)
        if span < distance[i, j, k]:
            distance[i, j, k] = span
            source[i, j, k] = number
            shell = min(int(span / SHELL), last)
            voxel[count] = (i * ny + j) * nz + k
            known[count] = span
            following[count] = first[shell]
            first[shell] = count
            count += 1
    for shell in range(last + 1):
        while first[shell] >= 0:
            entry = first[shell]
            first[shell] = following[entry]
            i = voxel[entry] // (ny * nz)
            j = voxel[entry] // nz % ny
            k = voxel[entry] % nz
            if known[entry] > distance[i, j, k]:
                continue
            number = source[i, j, k]
            for a in range(max(i - 1, 0), min(i + 2, nx)):
                for b in range(max(j - 1, 0), min(j + 2, ny)):
                    for c in range(max(k - 1, 0), min(k + 2, nz)):
                        if not domain[a, b, c]:
                            continue
                        span = _span(points[number], a, b, c)
                        if span >= distance[a, b, c] - GAIN:
                            continue
                        distance[a, b, c] = span
                        source[a, b, c] = number
                        if count == len(voxel):
                            following = _double(following)
                            voxel = _double(voxel)
                            known = _double(known)
                        later = min(max(int(span / SHELL), shell), last)
                        voxel[count] = (a * ny + b) * nz + c
                        known[count] = span
                        following[count] = first[later]
                        first[later] = count
                        count += 1
