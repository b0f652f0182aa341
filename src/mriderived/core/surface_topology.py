"""A voxel object with the topology of a ball, from a volume that falls from inside to outside.

The object is 6-connected and its background 18-connected: voxels that share only an edge are
apart, and so are two background voxels that share only a corner. With this pair of connectivities
(Bertrand & Malandain 1994, doi:10.1016/0167-8655(94)90046-9) every boundary is a closed manifold.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Mask = NDArray[np.bool_]
Volume = NDArray[np.float32]


@dataclass(frozen=True)
class Ball:
    """An object without handles and cavities.

    Attributes
    ----------
    mask : array of bool, shape (x, y, z)
    cut, filled : array of bool, shape (x, y, z)
        Voxels taken out of, and added to, the largest component of the thresholded volume.
    """

    mask: Mask
    cut: Mask
    filled: Mask

    @property
    def changed(self) -> int:
        """Number of voxels that were changed."""
        return int(self.cut.sum() + self.filled.sum())


def make_ball(inside: Volume, level: float = 0.5, largest_plug: int = 12) -> Ball:
    """Threshold ``inside`` and take its handles and cavities away.

    A full box shrinks onto the object by voxels that do not change its topology, in ascending
    order of ``inside``; what it cannot enter are the cavities, and membranes across the handles
    where these are weakest. A membrane of few voxels stays: the tunnel is filled. Instead of a
    larger one the handle itself is cut, where it is thinnest: where a ball that grows inside
    the object, in descending order of ``inside`` and depth, does not close.

    Parameters
    ----------
    inside : array of float32, shape (x, y, z)
        High inside, low outside. Nothing may touch the edges of the volume.
    level : float
    largest_plug : int
        The largest number of voxels that fill a tunnel.

    Returns
    -------
    Ball

    Raises
    ------
    ValueError
        If nothing lies above ``level``, or something touches the edges.

    Examples
    --------
    >>> ring = np.zeros((9, 9, 5), np.float32); ring[1:8, 1:8, 2] = 1; ring[4, 4, 2] = 0
    >>> ball = make_ball(ring)
    >>> int(ball.filled.sum()), int(ball.cut.sum())
    (1, 0)
    """
    above = inside > level
    if not above.any():
        raise ValueError(f'The hemisphere is empty: no voxel has a position above {level}.')
    if _touches_edge(above):
        raise ValueError('The hemisphere touches the edge of the volume: pad it by one voxel.')
    largest = _largest_component(above)
    kept = ndimage.binary_fill_holes(largest, ndimage.generate_binary_structure(3, 2))
    mask = _box(kept.shape)
    _grow(mask, ~kept, -inside, False)
    large = _large_components(mask & ~kept, largest_plug)
    if large.any():
        _cut_handles(mask, large, inside)
    return Ball(mask, largest & ~mask, mask & ~largest)


def _cut_handles(mask: Mask, membranes: Mask, inside: Volume) -> None:
    """Cut the handles that are closed by ``membranes``, in place."""
    depth = ndimage.distance_transform_edt(inside >= 0.95 * inside.max())
    rank = np.asarray(inside + depth, dtype=np.float32)
    solid = mask & ~membranes
    grown = np.zeros_like(mask)
    grown[np.unravel_index(np.argmax(np.where(solid, rank, -np.inf)), mask.shape)] = True
    _grow(grown, solid, rank, True)
    cost = np.where(membranes, -1, inside).astype(np.float32)
    # Wider than the cut, so that the membrane has a free rim; the last step closes it again.
    wall = ndimage.binary_dilation(solid & ~grown, np.ones((3, 3, 3)))
    _grow(mask, membranes | (solid & wall), -cost, False)
    _grow(mask, solid, rank, True)


def _box(shape: tuple[int, ...]) -> Mask:
    box = np.zeros(shape, bool)
    box[1:-1, 1:-1, 1:-1] = True
    return box


def _large_components(mask: Mask, largest_plug: int) -> Mask:
    labels, _ = ndimage.label(mask, np.ones((3, 3, 3)))
    large = np.bincount(labels.ravel()) > largest_plug
    large[0] = False
    return np.asarray(large[labels])


def _touches_edge(mask: Mask) -> bool:
    return any(mask.take(side, axis).any() for axis in range(3) for side in (0, -1))


def _largest_component(mask: Mask) -> Mask:
    labels, _ = ndimage.label(mask)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return np.asarray(labels == sizes.argmax())


def _adjacency(reach: int) -> NDArray[np.int64]:
    """Return for each of 27 neighbours the bits of those within ``reach`` axes of it."""
    cells = np.array(list(np.ndindex(3, 3, 3)))
    step = np.abs(cells[:, None] - cells[None])
    near = (step.max(-1) == 1) & (step.sum(-1) <= reach)
    near[:, 13] = False
    return np.asarray((near * (1 << np.arange(27))).sum(-1), dtype=np.int64)


_FACES = _adjacency(1)
_EDGES = _adjacency(2)
_FACE_BITS = int(_FACES[13])
_EDGE_BITS = int(_EDGES[13])
_ALL_BITS = (1 << 27) - 1 - (1 << 13)


@numba.njit(nogil=True, cache=True)
def _components(bits, near, relevant):  # type: ignore[no-untyped-def]
    """Count the connected components of ``bits`` that hold one of the ``relevant`` bits."""
    count = 0
    left = bits
    while left & relevant:
        start = left & relevant
        front = start & -start
        left &= ~front
        while front:
            lowest = front & -front
            front ^= lowest
            reached = near[_position(lowest)] & left
            left &= ~reached
            front |= reached
        count += 1
    return count


@numba.njit(nogil=True, cache=True)
def _reachable(bits):  # type: ignore[no-untyped-def]
    """Keep face neighbours, edge neighbours next to those, and corners next to the latter."""
    kept = bits & _FACE_BITS
    for reach in (_EDGE_BITS & ~_FACE_BITS, _ALL_BITS & ~_EDGE_BITS):
        before = kept
        left = bits & reach
        while left:
            lowest = left & -left
            left ^= lowest
            if _FACES[_position(lowest)] & before:
                kept |= lowest
    return kept


@numba.njit(nogil=True, cache=True)
def _position(bit):  # type: ignore[no-untyped-def]
    index = 0
    while (bit >> index) != 1:
        index += 1
    return index


@numba.njit(nogil=True, cache=True)
def _is_simple(mask, i, j, k):  # type: ignore[no-untyped-def]
    """Say whether switching the voxel leaves the topology of ``mask`` as it is."""
    bits = 0
    index = 0
    for a in range(i - 1, i + 2):
        for b in range(j - 1, j + 2):
            for c in range(k - 1, k + 2):
                if mask[a, b, c] and index != 13:
                    bits |= 1 << index
                index += 1
    if _components(_reachable(bits), _FACES, _FACE_BITS) != 1:
        return False
    return _components(_ALL_BITS & ~bits, _EDGES, _EDGE_BITS) == 1


@numba.njit(nogil=True, cache=True)
def _push_neighbours(queue, waiting, mask, rank, value, i, j, k):  # type: ignore[no-untyped-def]
    """Queue the voxels around one that may be set now; ``waiting`` 0 is not waiting, 1 is."""
    nx, ny, nz = mask.shape
    for a in range(max(i - 1, 1), min(i + 2, nx - 1)):
        for b in range(max(j - 1, 1), min(j + 2, ny - 1)):
            for c in range(max(k - 1, 1), min(k + 2, nz - 1)):
                if waiting[a, b, c] == 0 and mask[a, b, c] != value:
                    waiting[a, b, c] = 1
                    heapq.heappush(queue, (-rank[a, b, c], (a * ny + b) * nz + c))


@numba.njit(nogil=True, cache=True)
def _grow(mask, allowed, rank, value):  # type: ignore[no-untyped-def]
    """Set simple voxels of ``allowed`` to ``value``, highest rank first, until none is left."""
    nx, ny, nz = mask.shape
    waiting = np.empty(mask.shape, np.uint8)
    queue = [(np.float32(0), 0)]
    queue.pop()
    for i in range(nx):
        for j in range(ny):
            for k in range(nz):
                waiting[i, j, k] = 0 if allowed[i, j, k] else 2
    for i in range(nx):
        for j in range(ny):
            for k in range(nz):
                if mask[i, j, k] == value:
                    _push_neighbours(queue, waiting, mask, rank, value, i, j, k)
    while len(queue):
        _, index = heapq.heappop(queue)
        i, j, k = index // (ny * nz), index // nz % ny, index % nz
        waiting[i, j, k] = 0
        if mask[i, j, k] != value and _is_simple(mask, i, j, k):
            mask[i, j, k] = value
            _push_neighbours(queue, waiting, mask, rank, value, i, j, k)
