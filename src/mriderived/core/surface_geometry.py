"""Area, curvature and sulcal depth of the vertices of a closed mesh, and labels at them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, spatial

from mriderived.core.filters import smooth
from mriderived.core.surface_grid import coarsen, to_coarse
from mriderived.core.surface_mesh import Faces, neighbours, vertex_normals
from mriderived.core.surface_projection import sample

Values = NDArray[np.float32]
Points = NDArray[np.floating[Any]]


def triangle_areas(points: Points, faces: Faces) -> NDArray[np.float64]:
    """Return the areas of triangles, in the square of the unit of ``points``."""
    a, b, c = np.moveaxis(np.asarray(points, np.float64)[faces], 1, 0)
    return np.asarray(np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2)


def vertex_areas(points: Points, faces: Faces) -> Values:
    """Return a third of the area of the triangles around each vertex.

    Examples
    --------
    >>> corner = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0.0]])
    >>> vertex_areas(corner, np.array([[0, 1, 2]], np.int32)).round(3).tolist()
    [0.16699999570846558, 0.16699999570846558, 0.16699999570846558]
    """
    share = np.repeat(triangle_areas(points, faces) / 3, 3)
    return np.bincount(faces.ravel(), share, len(points)).astype(np.float32)


def mean_curvature(points: Points, faces: Faces) -> Values:
    """Return the mean curvature, positive in sulci as in FreeSurfer.

    A quadric ``z = a x² + b xy + c y² + d x + e y`` is fitted, by least squares, to the vertices
    up to two edges away, with z along the outward normal; the curvature is ``a + c`` corrected
    for the slope (Goldfeather & Interrante 2004, doi:10.1145/966131.966134).

    Parameters
    ----------
    points : array, shape (n, 3)
    faces : array of int32, shape (m, 3)

    Returns
    -------
    array of float32, shape (n,)
        In 1 / unit of ``points``: -1 / r on a sphere of radius r.
    """
    where = np.asarray(points, np.float64)
    around = neighbours(faces)
    curvature = np.empty(len(where), np.float32)
    normals = vertex_normals(where, faces)
    _fit_quadrics(where, normals, around.start, around.index, curvature)
    return curvature


def sulcal_depth(
    points: Points, inside: NDArray[Any], voxel_mm: float, closing_mm: float = 15
) -> Values:
    """Return the distance from vertices to the outer hull of a hemisphere.

    The hull is what the surface encloses, on a grid of about 1 mm, after a closing with a ball:
    it follows the crowns of gyri and bridges sulci. The distance is the shortest one, in a
    straight line; it also counts where the medial wall or the insula lies below the hull.

    Parameters
    ----------
    points : array, shape (n, 3)
        In voxels of ``inside``.
    inside : array, shape (x, y, z)
        Above 0.5 in what the surface encloses: the position, for the midthickness.
    voxel_mm : float
    closing_mm : float
        Radius of the ball.

    Returns
    -------
    array of float32, shape (n,)
        In mm; positive below the hull, about 0 on the crowns of gyri.
    """
    factor = max(1, round(1 / voxel_mm))
    edge = factor * voxel_mm
    margin = int(np.ceil(closing_mm / edge)) + 2
    padded = np.pad(coarsen(inside, factor) > 0.5, margin)
    near = ndimage.distance_transform_edt(~padded) <= closing_mm / edge
    hull = ndimage.distance_transform_edt(near) > closing_mm / edge
    # Distances are between voxel centres: the hull lies half a voxel before the first outside.
    depth = ndimage.distance_transform_edt(hull).astype(np.float32)
    depth = smooth(depth - np.float32(0.5) * hull, 0.7)
    return np.asarray(sample(depth, to_coarse(points, factor) + margin) * edge, dtype=np.float32)


def nearest_labels(
    labels: NDArray[np.integer[Any]],
    points: Points,
    keep: NDArray[np.bool_] | None = None,
    furthest: float = np.inf,
    spacing: Sequence[float] | NDArray[np.float64] = (1.0, 1.0, 1.0),
) -> NDArray[np.int32]:
    """Return the label of the nearest labelled voxel for each point; 0 where none is near.

    Parameters
    ----------
    labels : array of int, shape (x, y, z)
        0 is no label.
    points : array, shape (n, 3)
        In voxels of ``labels``.
    keep : array of bool, indexed by label, optional
        Labels to use; by default all.
    furthest : float
        In the unit of ``spacing``.
    spacing : three floats
        Edges of a voxel.

    Returns
    -------
    array of int32, shape (n,)

    Examples
    --------
    >>> line = np.array([[[0, 7, 0, 0, 0]]])
    >>> nearest_labels(line, np.array([[0, 0, 1.6], [0, 0, 4]]), furthest=1).tolist()
    [7, 0]
    """
    chosen = labels > 0 if keep is None else (labels > 0) & keep[np.maximum(labels, 0)]
    voxels = np.argwhere(chosen)
    result = np.zeros(len(points), np.int32)
    if len(voxels):
        tree = spatial.cKDTree(voxels * np.asarray(spacing))
        _, index = tree.query(points * np.asarray(spacing), distance_upper_bound=furthest)
        found = index < len(voxels)
        result[found] = labels[tuple(voxels[index[found]].T)]
    return result


#: Room for the vertices up to two edges away; a few irregular vertices have more.
_MOST = 96


@numba.njit(nogil=True, cache=True)
def _two_rings(start, index, v, found):  # type: ignore[no-untyped-def]
    """List the vertices up to two edges from ``v``."""
    count = 0
    for slot in range(start[v], start[v + 1]):
        for step in range(start[index[slot]] - 1, start[index[slot] + 1]):
            w = index[slot] if step < start[index[slot]] else index[step]
            known = w == v or count == found.size
            for other in range(count):
                known = known or found[other] == w
            if not known:
                found[count] = w
                count += 1
    return count


@numba.njit(nogil=True, cache=True)
def _tangents(n):  # type: ignore[no-untyped-def]
    """Return two unit vectors that are orthogonal to a unit vector."""
    first = np.zeros(3)
    smallest = np.argmin(np.abs(n))
    first[smallest] = 1.0
    first -= n[smallest] * n
    first /= np.sqrt((first**2).sum())
    second = np.array(
        [
            n[1] * first[2] - n[2] * first[1],
            n[2] * first[0] - n[0] * first[2],
            n[0] * first[1] - n[1] * first[0],
        ]
    )
    return first, second


@numba.njit(nogil=True, cache=True)
def _fit_quadrics(points, normals, start, index, curvature):  # type: ignore[no-untyped-def]
    found = np.empty(_MOST, np.int64)
    row = np.empty(5)
    matrix = np.empty((5, 5))
    right = np.empty(5)
    for v in range(points.shape[0]):
        first, second = _tangents(normals[v])
        matrix[:] = 0
        right[:] = 0
        scale = 0.0
        for slot in range(_two_rings(start, index, v, found)):
            x, y, z = 0.0, 0.0, 0.0
            for axis in range(3):
                away = points[found[slot], axis] - points[v, axis]
                x += away * first[axis]
                y += away * second[axis]
                z += away * normals[v, axis]
            row[0], row[1], row[2], row[3], row[4] = x * x, x * y, y * y, x, y
            scale = max(scale, x * x + y * y)
            for a in range(5):
                right[a] += row[a] * z
                for b in range(5):
                    matrix[a, b] += row[a] * row[b]
        for a in range(5):
            # Keeps the system solvable where the neighbours lie on a line.
            matrix[a, a] += 1e-9 * max(scale, 1e-12) ** (2 if a < 3 else 1)
        a, b, c, d, e = np.linalg.solve(matrix, right)
        slope = 1 + d * d + e * e
        mean = (1 + e * e) * a - d * e * b + (1 + d * d) * c
        curvature[v] = mean / slope**1.5
