"""Closed triangle meshes: from the boundary of a voxel object, their topology and neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph

Points = NDArray[np.float64]
Faces = NDArray[np.int32]

#: The corners of the faces of a voxel across +x, +y and +z, counter-clockwise from outside.
_CORNERS = np.array(
    [
        [(1, 0, 0), (1, 1, 0), (1, 1, 1), (1, 0, 1)],
        [(0, 1, 0), (0, 1, 1), (1, 1, 1), (1, 1, 0)],
        [(0, 0, 1), (1, 0, 1), (1, 1, 1), (0, 1, 1)],
    ]
)


@dataclass(frozen=True)
class Neighbours:
    """The vertices around each vertex: ``index[start[i]:start[i + 1]]``, ascending."""

    start: NDArray[np.int64]
    index: NDArray[np.int32]


def boundary_mesh(
    mask: NDArray[np.bool_], inside: NDArray[np.float32], level: float = 0.5
) -> tuple[Points, Faces]:
    """Return the boundary of a voxel object as triangles, with outward normals.

    Every face between an object and a background voxel becomes two triangles. Where two object
    voxels share only an edge, or two background voxels only a corner, the surface passes twice:
    the mesh is always a closed manifold, with the topology of `surface_topology.make_ball`.
    A vertex is the mean of the points where ``inside`` crosses ``level`` on the faces around it
    ("surface nets", Gibson 1998, doi:10.1007/BFb0056277).

    Parameters
    ----------
    mask : array of bool, shape (x, y, z)
        False at the edges of the volume.
    inside : array of float32, shape (x, y, z)
        High inside, low outside.
    level : float

    Returns
    -------
    points : array, shape (n, 3)
        In voxels of ``mask``.
    faces : array of int32, shape (m, 3)
        Counter-clockwise from outside.

    Examples
    --------
    >>> voxel = np.zeros((3, 3, 3), bool); voxel[1, 1, 1] = True
    >>> points, faces = boundary_mesh(voxel, voxel.astype(np.float32))
    >>> points.shape, faces.shape, euler_number(faces)
    ((8, 3), (12, 3), 2)
    """
    inner, outer, corners = _quads(mask)
    voxel = np.ravel_multi_index(tuple(inner.T), mask.shape)
    quads, count = _join_corners(corners, voxel)
    high = inside[tuple(inner.T)].astype(float) - level
    low = inside[tuple(outer.T)].astype(float) - level
    crosses = (high > 0) & (low <= 0)
    part = np.where(crosses, high / np.where(crosses, high - low, 1), 0.5)
    crossing = inner + part[:, None] * (outer - inner)
    weights = np.bincount(quads.ravel(), minlength=count)
    sums = [np.bincount(quads.ravel(), np.repeat(axis, 4), count) for axis in crossing.T]
    points = np.stack(sums, 1) / weights[:, None]
    return _part_double_edges(points, _split(points, quads), np.repeat(voxel, 2))


def _quads(mask: NDArray[np.bool_]) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.int64]]:
    """Return of each boundary face the voxels inside and outside, and its four grid corners."""
    inner, outer, corners = [], [], []
    shape = tuple(n + 1 for n in mask.shape)
    for axis in range(3):
        step = np.eye(3, dtype=int)[axis]
        before = np.moveaxis(np.moveaxis(mask, axis, 0)[:-1], 0, axis)
        after = np.moveaxis(np.moveaxis(mask, axis, 0)[1:], 0, axis)
        for upward in (True, False):
            low = np.argwhere(before & ~after if upward else after & ~before)
            inner.append(low if upward else low + step)
            outer.append(low + step if upward else low)
            cells = low[:, None] + _CORNERS[axis][:: 1 if upward else -1]
            corners.append(np.ravel_multi_index(tuple(np.moveaxis(cells, -1, 0)), shape))
    return np.concatenate(inner), np.concatenate(outer), np.concatenate(corners)


def _join_corners(
    corners: NDArray[np.int64], voxel: NDArray[np.int64]
) -> tuple[NDArray[np.int32], int]:
    """Make vertices of the corners of quads: those joined through edges of the same sheet.

    Around a grid edge lie two quads, or four where two object voxels touch along it; then those
    of the same voxel belong together.
    """
    following = np.roll(corners, -1, axis=1)
    low, high = np.minimum(corners, following).ravel(), np.maximum(corners, following).ravel()
    order = np.lexsort((np.repeat(voxel, 4), high, low))
    first, second = order.reshape(-1, 2).T
    # Neighbouring quads pass their common edge in opposite directions.
    ahead = np.roll(np.arange(corners.size).reshape(-1, 4), -1, axis=1).ravel()
    rows = np.concatenate([first, ahead[first]])
    columns = np.concatenate([ahead[second], second])
    graph = sparse.coo_array((np.ones(rows.size, bool), (rows, columns)), (corners.size,) * 2)
    count, vertex = csgraph.connected_components(graph, directed=False)
    return vertex.astype(np.int32).reshape(-1, 4), int(count)


def _split(points: Points, quads: NDArray[np.int32]) -> Faces:
    """Split quads along their shorter diagonal."""
    a, b, c, d = np.moveaxis(points[quads], 1, 0)
    along = ((a - c) ** 2).sum(-1) <= ((b - d) ** 2).sum(-1)
    turned = np.where(along[:, None], quads, np.roll(quads, -1, axis=1))
    return np.ascontiguousarray(turned[:, [0, 1, 2, 0, 2, 3]].reshape(-1, 3))


def _part_double_edges(
    points: Points, faces: Faces, voxel: NDArray[np.int64]
) -> tuple[Points, Faces]:
    """Give one of two edges between the same two vertices a vertex of its own in the middle.

    Two sheets that touch along a grid edge may be joined at both of its ends.
    """
    while True:
        tail, head = faces.flatten(), np.roll(faces, -1, axis=1).ravel()
        edge = np.minimum(tail, head).astype(np.int64) << 32 | np.maximum(tail, head)
        _, number, count = np.unique(edge, return_inverse=True, return_counts=True)
        double = np.flatnonzero(count[number] > 2)
        if double.size == 0:
            return points, faces
        # One edge at a time: a triangle may have two. The sheet of the first voxel is changed.
        sides = double[edge[double] == edge[double[0]]]
        sides = sides[voxel[sides // 3] == voxel[sides // 3].min()]
        halves = []
        for side in sides:
            triangle = np.roll(faces[side // 3], -(side % 3))
            faces[side // 3] = [triangle[0], len(points), triangle[2]]
            halves.append([len(points), triangle[1], triangle[2]])
        middle = points[[tail[sides[0]], head[sides[0]]]].mean(0)
        points = np.concatenate([points, middle[None]])
        faces = np.concatenate([faces, np.array(halves, np.int32)])
        voxel = np.concatenate([voxel, voxel[sides // 3]])


def euler_number(faces: Faces) -> int:
    """Vertices - edges + faces: 2 for a sphere, 2 less for every handle."""
    edges = np.sort(faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    count = np.unique(edges[:, 0].astype(np.int64) << 32 | edges[:, 1]).size
    return int(np.unique(faces).size - count + len(faces))


def component_count(faces: Faces) -> int:
    """Count the connected components of a mesh without loose vertices."""
    size = int(faces.max()) + 1
    rows, columns = faces[:, [0, 1]].ravel(), faces[:, [1, 2]].ravel()
    graph = sparse.coo_array((np.ones(rows.size, bool), (rows, columns)), (size, size))
    return int(csgraph.connected_components(graph, directed=False)[0])


def neighbours(faces: Faces) -> Neighbours:
    """Return the neighbours of the vertices of a closed mesh."""
    tail, head = faces.ravel(), np.roll(faces, -1, axis=1).ravel()
    order = np.lexsort((head, tail))
    start = np.concatenate([[0], np.cumsum(np.bincount(tail))])
    return Neighbours(start.astype(np.int64), np.ascontiguousarray(head[order]))


@numba.njit(nogil=True, cache=True)
def vertex_normals(points, faces):  # type: ignore[no-untyped-def]
    """Return the mean normals of the triangles around vertices, weighted by area; unit length."""
    normals = np.zeros_like(points)
    for t in range(faces.shape[0]):
        i, j, k = faces[t, 0], faces[t, 1], faces[t, 2]
        ax, bx = points[j, 0] - points[i, 0], points[k, 0] - points[i, 0]
        ay, by = points[j, 1] - points[i, 1], points[k, 1] - points[i, 1]
        az, bz = points[j, 2] - points[i, 2], points[k, 2] - points[i, 2]
        nx, ny, nz = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
        for corner in range(3):
            v = faces[t, corner]
            normals[v, 0] += nx
            normals[v, 1] += ny
            normals[v, 2] += nz
    for v in range(points.shape[0]):
        nx, ny, nz = normals[v, 0], normals[v, 1], normals[v, 2]
        length = np.sqrt(nx * nx + ny * ny + nz * nz)
        if length > 0:
            for axis in range(3):
                normals[v, axis] /= length
    return normals
