"""Move the vertices of a mesh onto a level of a volume and spread them evenly along it."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from mriderived.core.sampling import clamp, interpolate
from mriderived.core.surface_mesh import Faces, Neighbours, Points, vertex_normals

Volume = NDArray[np.float32]
#: Gradients (per voxel) are central differences over this distance in voxels.
_REACH = 0.7
#: A gradient (per voxel) below this gives no direction: the field is flat there.
_FLAT = 0.02


def project(
    points: Points,
    faces: Faces,
    around: Neighbours,
    field: Volume,
    level: float,
    iterations: int,
    relaxation: float = 0.3,
    longest: float = 0.4,
    clearance: float = 0.0,
) -> Points:
    """Move vertices by Newton steps to ``field == level``, and tangentially to their neighbours.

    Parameters
    ----------
    points : array, shape (n, 3)
        In voxels.
    faces, around
        The mesh.
    field : array of float32, shape (x, y, z)
        Falls from inside to outside.
    level : float
    iterations : int
    relaxation : float
        Part of the way to the mean of the neighbours, along the surface, in each iteration.
    longest : float
        The longest step along the gradient, in voxels.
    clearance : float
        Outward (if positive) or inward steps are left out where the field does not change
        on over this distance in voxels: half of it before a valley (a buried sulcus) or a ridge
        (a thin blade of white matter) that does not reach the level.

    Returns
    -------
    array, shape (n, 3)
    """
    current = points.copy()
    for _ in range(iterations):
        normals = vertex_normals(current, faces)
        moved = np.empty_like(current)
        _step(
            current,
            normals,
            around.start,
            around.index,
            field,
            level,
            relaxation,
            longest,
            clearance,
            moved,
        )
        current = moved
    return current


def sample(volume: Volume, points: Points | NDArray[np.float32]) -> NDArray[np.float32]:
    """Interpolate a volume linearly at points in voxels; edges repeat.

    Examples
    --------
    >>> ramp = np.arange(8, dtype=np.float32).reshape(2, 2, 2)
    >>> sample(ramp, np.array([[0, 0, 0.5], [1, 1, 1]]))
    array([0.5, 7. ], dtype=float32)
    """
    values = np.empty(len(points), np.float32)
    _sample_points(np.asarray(volume, np.float32), np.asarray(points, np.float64), values)
    return values


@numba.njit(nogil=True, cache=True)
def _sample_points(volume, points, values):  # type: ignore[no-untyped-def]
    for v in range(points.shape[0]):
        values[v] = _at(volume, points[v, 0], points[v, 1], points[v, 2])


@numba.njit(nogil=True, cache=True)
def _at(volume, x, y, z):  # type: ignore[no-untyped-def]
    u, v, w = clamp(volume, x, y, z)
    return interpolate(volume, u, v, w)


@numba.njit(nogil=True, cache=True)
def _gradient(field, x, y, z):  # type: ignore[no-untyped-def]
    scale = 0.5 / _REACH
    return (
        scale * (_at(field, x + _REACH, y, z) - _at(field, x - _REACH, y, z)),
        scale * (_at(field, x, y + _REACH, z) - _at(field, x, y - _REACH, z)),
        scale * (_at(field, x, y, z + _REACH) - _at(field, x, y, z - _REACH)),
    )


@numba.njit(nogil=True, cache=True)
def _newton(field, level, longest, point, normal):  # type: ignore[no-untyped-def]
    """Return the step down the gradient that reaches the level, limited in length."""
    x, y, z = point
    gx, gy, gz = _gradient(field, x, y, z)
    excess = _at(field, x, y, z) - level
    size = np.sqrt(gx * gx + gy * gy + gz * gz)
    if size < _FLAT:
        # Deep inside or far outside: along the normal, slowly.
        step = min(max(excess, -longest), longest) * 0.5
        return step * normal[0], step * normal[1], step * normal[2]
    step = min(max(excess / size, -longest), longest) / size
    return -step * gx, -step * gy, -step * gz


@numba.njit(nogil=True, cache=True)
def _is_blocked(field, clearance, point, normal, sx, sy, sz):  # type: ignore[no-untyped-def]
    """Say whether a step that goes on, outward or inward, would meet the opposite bank."""
    if (sx * normal[0] + sy * normal[1] + sz * normal[2]) * clearance <= 0:
        return False
    x, y, z = point
    ahead = _at(
        field, x + clearance * normal[0], y + clearance * normal[1], z + clearance * normal[2]
    )
    return (_at(field, x, y, z) - ahead) * clearance <= 0


@numba.njit(nogil=True, cache=True)
def _step(points, normals, start, index, field, level, relaxation, longest, clearance, moved):  # type: ignore[no-untyped-def]
    for v in range(points.shape[0]):
        mx, my, mz = 0.0, 0.0, 0.0
        count = start[v + 1] - start[v]
        for slot in range(start[v], start[v + 1]):
            w = index[slot]
            mx += points[w, 0]
            my += points[w, 1]
            mz += points[w, 2]
        mx = mx / count - points[v, 0]
        my = my / count - points[v, 1]
        mz = mz / count - points[v, 2]
        along = mx * normals[v, 0] + my * normals[v, 1] + mz * normals[v, 2]
        sx, sy, sz = _newton(field, level, longest, points[v], normals[v])
        if clearance != 0 and _is_blocked(field, clearance, points[v], normals[v], sx, sy, sz):
            sx, sy, sz = 0.0, 0.0, 0.0
        moved[v, 0] = points[v, 0] + relaxation * (mx - along * normals[v, 0]) + sx
        moved[v, 1] = points[v, 1] + relaxation * (my - along * normals[v, 1]) + sy
        moved[v, 2] = points[v, 2] + relaxation * (mz - along * normals[v, 2]) + sz
