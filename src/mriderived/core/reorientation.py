"""How directions turn when an image is brought to another space.

A transform that is not rigid turns directions and stretches them. The rotation that is nearest to
its linear part (finite strain) turns them without the rest (Alexander et al. 2001,
doi:10.1109/42.963816; Leemans and Jones 2009, doi:10.1002/mrm.21890).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]


def fit_affine(points: NDArray[Any], images: NDArray[Any]) -> Matrix:
    """Return the affine map that fits a transform best, in least squares.

    Parameters
    ----------
    points, images : array, shape (n, 3)
        Places in mm, and where the transform takes them.

    Returns
    -------
    array, shape (4, 4)

    Raises
    ------
    ValueError
        If there are too few points, or they lie in a plane.

    Examples
    --------
    >>> points = np.vstack([np.zeros(3), np.eye(3)])
    >>> fit_affine(points, 2 * points + 1)[0].round(6).tolist()
    [2.0, 0.0, 0.0, 1.0]
    """
    places = np.asarray(points, float)
    centre = places.mean(axis=0)
    design = np.column_stack([places - centre, np.ones(len(places))])
    if np.linalg.matrix_rank(design) < 4:
        raise ValueError('the points of a transform lie in a plane')
    found = np.linalg.lstsq(design, np.asarray(images, float), rcond=None)[0]
    matrix = np.eye(4)
    matrix[:3, :3] = found[:3].T
    matrix[:3, 3] = found[3] - found[:3].T @ centre
    return matrix


def finite_strain(matrix: NDArray[Any]) -> Matrix:
    """Return the rotation that is nearest to the linear part of a matrix.

    Parameters
    ----------
    matrix : array, shape (3, 3) or (4, 4)

    Returns
    -------
    array, shape (3, 3)

    Raises
    ------
    ValueError
        If the matrix reflects or flattens.

    Examples
    --------
    >>> quarter = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]])
    >>> finite_strain(quarter @ np.diag([2, 3, 0.5])).round(6).tolist()
    [[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    """
    linear = np.asarray(matrix, float)[:3, :3]
    if np.linalg.det(linear) <= 0:
        raise ValueError('the transform reflects or flattens space: it has no rotation')
    left, _, right = np.linalg.svd(linear)
    return np.asarray(left @ right) + 0.0
