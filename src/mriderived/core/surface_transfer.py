"""Find for every vertex of one surface the one that corresponds to it on another."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

Points = NDArray[np.float64]

#: How many of the nearest vertices are considered.
CANDIDATES = 40
#: What a normal at right angles costs, in mm of distance: enough to stay on one bank of a sulcus.
TURN_MM = 3.0


def match_vertices(
    points: Points, normals: Points, to_points: Points, to_normals: Points
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Match vertices by distance and by the direction in which the surfaces face.

    Parameters
    ----------
    points, normals : arrays, shape (n, 3)
        The vertices to be matched, in mm, and unit normals of the surface there.
    to_points, to_normals : arrays, shape (m, 3)
        The surface on which to look, in the same coordinates.

    Returns
    -------
    index : array of int64, shape (n,)
        The vertex of the other surface with the least distance plus ``TURN_MM * (1 - cosine)``
        of the angle between the normals.
    distance : array, shape (n,)
        In mm.

    Examples
    --------
    >>> banks = np.array([[0.0, 0, 0], [1.0, 0, 0]])
    >>> facing = np.array([[1.0, 0, 0], [-1.0, 0, 0]])
    >>> match_vertices(np.array([[0.6, 0, 0]]), np.array([[1.0, 0, 0]]), banks, facing)[0].tolist()
    [0]
    """
    count = min(CANDIDATES, len(to_points))
    distance, index = cKDTree(to_points).query(points, k=count, workers=1)
    distance, index = distance.reshape(len(points), count), index.reshape(len(points), count)
    cosine = np.einsum('nd,nkd->nk', normals, to_normals[index])
    best = np.argmin(distance + TURN_MM * (1 - cosine), axis=1)
    rows = np.arange(len(points))
    return index[rows, best].astype(np.int64), distance[rows, best].astype(np.float64)
