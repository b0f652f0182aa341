"""Which triangles of a mesh intersect others, found through a grid of cells."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from mriderived.core.surface_mesh import Faces, Points


def intersecting(
    points: Points,
    faces: Faces,
    other: Points | None = None,
    only: NDArray[np.bool_] | None = None,
) -> NDArray[np.bool_]:
    """Say of each triangle whether it intersects another one.

    Triangles that share an edge are not compared (see `flipped`); of those that share one vertex
    the opposite edges are.

    Parameters
    ----------
    points : array, shape (n, 3)
    faces : array of int32, shape (m, 3)
    other : array, shape (n, 3), optional
        Compare with the triangles of the same ``faces`` on these points instead.
    only : array of bool, shape (m,), optional
        Look only for pairs with at least one of these triangles.

    Returns
    -------
    array of bool, shape (m,)
    """
    first = np.asarray(points, np.float64)
    second = first if other is None else np.asarray(other, np.float64)
    edge = np.linalg.norm(first[faces[:, 0]] - first[faces[:, 1]], axis=1)
    size = max(2.0 * float(edge.mean()), 1e-6)
    origin = np.minimum(first.min(0), second.min(0))
    shape = ((np.maximum(first.max(0), second.max(0)) - origin) / size).astype(np.int64) + 1
    asked = np.ones(len(faces), np.bool_) if only is None else only
    start, members = _fill_cells(
        second, _asked_cells(first, faces, origin, size, shape, asked), faces, origin, size, shape
    )
    hit = np.zeros(len(faces), np.bool_)
    grid = (origin, size, shape, start, members)
    _search(first, second, faces, *grid, other is None, asked, hit)
    return hit


def flipped(points: Points, faces: Faces, reference: Points) -> NDArray[np.bool_]:
    """Say of each triangle whether it faces away from the same triangle on other points."""
    away = np.empty(len(faces), np.bool_)
    _compare_normals(
        np.asarray(points, np.float64), np.asarray(reference, np.float64), faces, away
    )
    return away


@numba.njit(nogil=True, cache=True)
def _normal(points, i, j, k):  # type: ignore[no-untyped-def]
    ax, bx = points[j, 0] - points[i, 0], points[k, 0] - points[i, 0]
    ay, by = points[j, 1] - points[i, 1], points[k, 1] - points[i, 1]
    az, bz = points[j, 2] - points[i, 2], points[k, 2] - points[i, 2]
    return ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx


@numba.njit(nogil=True, cache=True)
def _compare_normals(points, reference, faces, away):  # type: ignore[no-untyped-def]
    for t in range(faces.shape[0]):
        ax, ay, az = _normal(points, faces[t, 0], faces[t, 1], faces[t, 2])
        bx, by, bz = _normal(reference, faces[t, 0], faces[t, 1], faces[t, 2])
        away[t] = ax * bx + ay * by + az * bz < 0


@numba.njit(nogil=True, cache=True)
def _asked_cells(points, faces, origin, size, shape, asked):  # type: ignore[no-untyped-def]
    """Mark the cells in which triangles are looked for."""
    wanted = np.zeros(shape[0] * shape[1] * shape[2], np.bool_)
    box = np.empty((2, 3), np.int64)
    for t in range(faces.shape[0]):
        if not asked[t]:
            continue
        _cells(points, faces[t], origin, size, box)
        for i in range(box[0, 0], box[1, 0] + 1):
            for j in range(box[0, 1], box[1, 1] + 1):
                for k in range(box[0, 2], box[1, 2] + 1):
                    wanted[(i * shape[1] + j) * shape[2] + k] = True
    return wanted


@numba.njit(nogil=True, cache=True)
def _cells(points, face, origin, size, box):  # type: ignore[no-untyped-def]
    """Write the first and last cell of a triangle's bounding box into ``box``."""
    for axis in range(3):
        a, b, c = points[face[0], axis], points[face[1], axis], points[face[2], axis]
        box[0, axis] = int((min(a, b, c) - origin[axis]) / size)
        box[1, axis] = int((max(a, b, c) - origin[axis]) / size)


@numba.njit(nogil=True, cache=True)
def _fill_cells(points, wanted, faces, origin, size, shape):  # type: ignore[no-untyped-def]
    """List the triangles of each wanted cell: first count, then fill."""
    start = np.zeros(shape[0] * shape[1] * shape[2] + 2, np.int64)
    members = np.empty(0, np.int32)
    box = np.empty((2, 3), np.int64)
    for fill in range(2):
        for t in range(faces.shape[0]):
            _cells(points, faces[t], origin, size, box)
            for i in range(box[0, 0], box[1, 0] + 1):
                for j in range(box[0, 1], box[1, 1] + 1):
                    for k in range(box[0, 2], box[1, 2] + 1):
                        cell = (i * shape[1] + j) * shape[2] + k
                        if not wanted[cell]:
                            continue
                        if fill:
                            members[start[cell + 1]] = t
                            start[cell + 1] += 1
                        else:
                            start[cell + 2] += 1
        if fill == 0:
            for cell in range(2, start.size):
                start[cell] += start[cell - 1]
            members = np.empty(start[-1], np.int32)
    return start, members


@numba.njit(nogil=True, cache=True)
def _search(first, second, faces, origin, size, shape, start, members, same, asked, hit):  # type: ignore[no-untyped-def]
    box = np.empty((2, 3), np.int64)
    for t in range(faces.shape[0]):
        if not asked[t]:
            continue
        _cells(first, faces[t], origin, size, box)
        for i in range(box[0, 0], box[1, 0] + 1):
            for j in range(box[0, 1], box[1, 1] + 1):
                for k in range(box[0, 2], box[1, 2] + 1):
                    cell = (i * shape[1] + j) * shape[2] + k
                    for slot in range(start[cell], start[cell + 1]):
                        s = members[slot]
                        if _is_known(hit, asked, t, s, same):
                            continue
                        if _meet(first, faces[t], second, faces[s], same):
                            hit[t] = True
                            if same:
                                hit[s] = True


@numba.njit(nogil=True, cache=True)
def _is_known(hit, asked, t, s, same):  # type: ignore[no-untyped-def]
    """Say whether a pair needs no test: its answer is known, or comes when ``s`` is searched."""
    if not same:
        return hit[t]
    return (s <= t and asked[s]) or (hit[t] and hit[s])


@numba.njit(nogil=True, cache=True)
def _apart(p, f, q, g):  # type: ignore[no-untyped-def]
    """Say whether the bounding boxes of two triangles are apart."""
    for axis in range(3):
        a, b, c = p[f[0], axis], p[f[1], axis], p[f[2], axis]
        d, e, h = q[g[0], axis], q[g[1], axis], q[g[2], axis]
        if min(a, b, c) > max(d, e, h) or max(a, b, c) < min(d, e, h):
            return True
    return False


@numba.njit(nogil=True, cache=True)
def _meet(p, f, q, g, same):  # type: ignore[no-untyped-def]
    """Say whether an edge of one triangle passes through the other."""
    if _apart(p, f, q, g):
        return False
    shared = 0
    for a in range(3):
        shared += same and _has(g, f[a])
    if shared >= 2:
        return False
    crossed = False
    for a in range(3):
        crossed = crossed or _enters(p, f, a, q, g, shared) or _enters(q, g, a, p, f, shared)
    return crossed


@numba.njit(nogil=True, cache=True)
def _enters(p, f, a, q, g, shared):  # type: ignore[no-untyped-def]
    """Say whether edge ``a`` of triangle ``f`` passes through ``g``; not edges that share."""
    u, v = f[a], f[(a + 1) % 3]
    if shared > 0 and (_has(g, u) or _has(g, v)):
        return False
    return _passes(p[u], p[v], q[g[0]], q[g[1]], q[g[2]])


@numba.njit(nogil=True, cache=True)
def _has(face, vertex):  # type: ignore[no-untyped-def]
    return face[0] == vertex or face[1] == vertex or face[2] == vertex


@numba.njit(nogil=True, cache=True)
def _volume(a, b, c, d):  # type: ignore[no-untyped-def]
    """Six times the signed volume of a tetrahedron."""
    ux, uy, uz = b[0] - a[0], b[1] - a[1], b[2] - a[2]
    vx, vy, vz = c[0] - a[0], c[1] - a[1], c[2] - a[2]
    wx, wy, wz = d[0] - a[0], d[1] - a[1], d[2] - a[2]
    return ux * (vy * wz - vz * wy) + uy * (vz * wx - vx * wz) + uz * (vx * wy - vy * wx)


@numba.njit(nogil=True, cache=True)
def _passes(u, v, a, b, c):  # type: ignore[no-untyped-def]
    """Say whether the segment from ``u`` to ``v`` passes through the triangle."""
    if (_volume(u, a, b, c) > 0) == (_volume(v, a, b, c) > 0):
        return False
    x, y, z = _volume(u, v, a, b), _volume(u, v, b, c), _volume(u, v, c, a)
    return (x >= 0 and y >= 0 and z >= 0) or (x <= 0 and y <= 0 and z <= 0)
