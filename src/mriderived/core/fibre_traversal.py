"""How long every streamline runs along every fibre population of every voxel."""

# mypy: disallow-untyped-decorators=False

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from mriderived.core.slabs import run_slabs
from mriderived.core.streamlines import Streamlines

Matrix = NDArray[np.float64]

#: Steps are cut into pieces of at most this many voxels, each of which counts for one voxel.
PIECE = 0.25
#: A streamline belongs to no fibre of a voxel that is further from its direction, in degrees.
WIDEST = 45.0


class Fibres(NamedTuple):
    """The fibre populations of an image.

    ``first`` (x, y, z) is the number of the first population of a voxel and ``counts`` (x, y, z)
    how many it has; ``directions`` (F, 3) are unit vectors in mm (RAS), ``density`` (F,) their
    apparent fibre density.
    """

    first: NDArray[np.int32]
    counts: NDArray[np.int8]
    directions: Matrix
    density: Matrix


class Traversal(NamedTuple):
    """A sparse matrix of lengths in mm, stored by rows.

    Row r is at ``start[r]`` to ``start[r + 1]`` of ``columns`` and ``lengths``; a column may come
    up more than once. There are ``width`` columns.
    """

    start: NDArray[np.int64]
    columns: NDArray[np.int32]
    lengths: NDArray[np.float32]
    width: int


def list_fibres(
    mask: NDArray[np.bool_], directions: NDArray[Any], density: NDArray[Any]
) -> Fibres:
    """Number the fibre populations of the voxels of a mask.

    Parameters
    ----------
    mask : array of bool, shape (x, y, z)
        N of its voxels are true.
    directions : array, shape (N, k, 3)
        In mm (RAS).
    density : array, shape (N, k)
        0 where there is no k-th population.

    Examples
    --------
    >>> mask = np.array([[[True], [True]]])
    >>> listed = list_fibres(mask, np.zeros((2, 2, 3)), np.array([[1.0, 0], [2, 1]]))
    >>> listed.first.ravel().tolist(), listed.density.tolist()
    ([0, 1], [1.0, 2.0, 1.0])
    """
    has = density > 0
    count = np.zeros(mask.shape, np.int8)
    count[mask] = has.sum(axis=1)
    first = np.zeros(mask.shape, np.int32)
    first[mask] = np.cumsum(has.sum(axis=1)) - has.sum(axis=1)
    return Fibres(
        first, count, directions[has].astype(np.float64), density[has].astype(np.float64)
    )


def traverse(
    streamlines: Streamlines, fibres: Fibres, affine: Matrix, threads: int = 1
) -> Traversal:
    """Measure how far streamlines run along fibres: a row per streamline, a column per fibre.

    Parameters
    ----------
    streamlines : Streamlines
    fibres : Fibres
    affine : array, shape (4, 4)
        From voxels of the fibres to mm.
    threads : int

    Returns
    -------
    Traversal
        What runs outside the voxels of fibres, or at more than 45 degrees to all of a voxel's,
        is left out.
    """
    inverse = np.linalg.inv(affine)[:3]
    shared = (streamlines.points, streamlines.offsets,
              (fibres.first, fibres.counts, fibres.directions), inverse,
              float(np.cos(np.radians(WIDEST))))  # fmt: skip
    counts = np.zeros(len(streamlines), np.int64)
    start = np.zeros(len(streamlines) + 1, np.int64)
    nothing = np.zeros(0, np.int32), np.zeros(0, np.float32)
    run_slabs(_traverse, len(streamlines), threads, *shared, counts, start, *nothing, False)
    np.cumsum(counts, out=start[1:])
    columns, lengths = np.zeros(start[-1], np.int32), np.zeros(start[-1], np.float32)
    run_slabs(_traverse, len(streamlines), threads, *shared, counts, start, columns, lengths,
              True)  # fmt: skip
    return Traversal(start, columns, lengths, len(fibres.density))


def transpose(traversal: Traversal) -> Traversal:
    """Return the same matrix with a row per fibre and a column per streamline.

    Examples
    --------
    >>> rows = Traversal(np.array([0, 2, 3]), np.array([1, 0, 1], np.int32),
    ...                  np.array([1, 2, 3], np.float32), 2)
    >>> turned = transpose(rows)
    >>> turned.start.tolist(), turned.columns.tolist(), turned.lengths.tolist()
    ([0, 1, 3], [0, 0, 1], [2.0, 1.0, 3.0])
    """
    start = np.zeros(traversal.width + 1, np.int64)
    np.cumsum(np.bincount(traversal.columns, minlength=traversal.width), out=start[1:])
    columns = np.empty(len(traversal.columns), np.int32)
    lengths = np.empty(len(traversal.columns), np.float32)
    _transpose(traversal.start, traversal.columns, traversal.lengths, start[:-1].copy(), columns,
               lengths)  # fmt: skip
    return Traversal(start, columns, lengths, len(traversal.start) - 1)


@numba.njit(nogil=True, cache=True)
def _transpose(
    start: Any, columns: Any, lengths: Any, place: Any, turned: Any, target: Any
) -> None:
    for row in range(len(start) - 1):
        for n in range(start[row], start[row + 1]):
            at = place[columns[n]]
            turned[at], target[at] = row, lengths[n]
            place[columns[n]] = at + 1


@numba.njit(nogil=True, cache=True)
def _choose(fibres: Any, i: int, j: int, k: int, step: Any, least: float) -> int:
    """Return the fibre of a voxel that is closest to a unit vector, or -1."""
    first, counts, directions = fibres
    nx, ny, nz = counts.shape
    if not (0 <= i < nx and 0 <= j < ny and 0 <= k < nz):
        return -1
    best, found = least, -1
    for n in range(counts[i, j, k]):
        fibre = first[i, j, k] + n
        d = directions[fibre]
        cosine = abs(d[0] * step[0] + d[1] * step[1] + d[2] * step[2])
        if cosine > best:
            best, found = cosine, fibre
    return found


@numba.njit(nogil=True, cache=True)
def _measure_step(
    here: Any, there: Any, m: Any, step: Any, place: Any, move: Any
) -> tuple[float, int]:
    """Set the unit vector, and place and move in voxels; return the length and the pieces."""
    size, far = 0.0, 0.0
    for axis in range(3):
        step[axis] = float(there[axis]) - float(here[axis])
        size += step[axis] ** 2
    size = np.sqrt(size)
    for axis in range(3):
        move[axis] = m[axis, 0] * step[0] + m[axis, 1] * step[1] + m[axis, 2] * step[2]
        place[axis] = m[axis, 3]
        for other in range(3):
            place[axis] += m[axis, other] * float(here[other])
        far = max(far, abs(move[axis]))
    for axis in range(3):
        step[axis] /= max(size, 1e-12)
    return size, int(np.ceil(far / PIECE))


@numba.njit(nogil=True, cache=True)
def _traverse(
    begin: int, end: int, points: Any, offsets: Any, fibres: Any, m: Any, least: float,
    counts: Any, start: Any, columns: Any, lengths: Any, is_filling: bool,
) -> None:  # fmt: skip
    step, place, move = np.zeros(3), np.zeros(3), np.zeros(3)
    for s in range(begin, end):
        last, at = -1, start[s] - 1
        for p in range(offsets[s], offsets[s + 1] - 1):
            size, pieces = _measure_step(points[p], points[p + 1], m, step, place, move)
            for piece in range(pieces):
                share = (piece + 0.5) / pieces
                i = int(np.round(place[0] + share * move[0]))
                j = int(np.round(place[1] + share * move[1]))
                k = int(np.round(place[2] + share * move[2]))
                fibre = _choose(fibres, i, j, k, step, least)
                if fibre < 0:
                    continue
                if fibre != last:
                    last, at = fibre, at + 1
                if is_filling:
                    columns[at] = fibre
                    lengths[at] += size / pieces
        counts[s] = at + 1 - start[s]
