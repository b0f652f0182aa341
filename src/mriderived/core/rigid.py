"""Rigid transforms as matrices and as six numbers.

A matrix leads from a point of the reference to where the same piece of the head lies in a volume,
both in RAS mm: the convention of ITK and of nibabel for pulling a volume onto the reference.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]

#: As fMRIPrep names the columns of its confounds: mm, then rad.
COLUMNS = ('trans_x', 'trans_y', 'trans_z', 'rot_x', 'rot_y', 'rot_z')


def rigid_matrix(parameters: NDArray[Any], centre: NDArray[Any]) -> Matrix:
    """Return the matrix that turns about ``centre`` and then shifts.

    Parameters
    ----------
    parameters : array, shape (6,)
        Shifts along x, y, z in mm, then right-handed turns about x, y, z in rad. A point is
        turned about z first, then y, then x.
    centre : array, shape (3,)
        In mm.

    Returns
    -------
    array, shape (4, 4)

    Examples
    --------
    >>> quarter = rigid_matrix(np.array([0, 0, 5, 0, 0, np.pi / 2]), np.array([1, 0, 0]))
    >>> (quarter @ [2, 0, 0, 1]).round(6).tolist()
    [1.0, 1.0, 5.0, 1.0]
    """
    shift, (x, y, z) = np.asarray(parameters, float)[:3], np.asarray(parameters, float)[3:]
    matrix = np.eye(4)
    matrix[:3, :3] = turn(x, y, z)
    matrix[:3, 3] = centre + shift - matrix[:3, :3] @ centre
    return matrix


def rigid_parameters(matrices: NDArray[Any], centre: NDArray[Any]) -> Matrix:
    """Return the parameters that ``rigid_matrix`` makes these matrices of.

    Parameters
    ----------
    matrices : array, shape (..., 4, 4)
        Rigid, turned about y by less than 90 degrees.
    centre : array, shape (3,)
        In mm.

    Returns
    -------
    array, shape (..., 6)
        mm and rad.

    Raises
    ------
    ValueError
        If a matrix is not rigid.

    Examples
    --------
    >>> given = np.array([1, -2, 3, 0.1, -0.2, 0.3])
    >>> bool(np.allclose(rigid_parameters(rigid_matrix(given, np.ones(3)), np.ones(3)), given))
    True
    """
    matrices = np.asarray(matrices, float)
    turned = matrices[..., :3, :3]
    product = np.swapaxes(turned, -1, -2) @ turned
    if not np.allclose(product, np.eye(3), atol=1e-5) or (np.linalg.det(turned) < 0).any():
        raise ValueError('a matrix of head motion is not rigid: it scales, shears or mirrors')
    shift = matrices[..., :3, 3] + turned @ np.asarray(centre, float) - centre
    y = np.arcsin(np.clip(turned[..., 0, 2], -1, 1))
    x = np.arctan2(-turned[..., 1, 2], turned[..., 2, 2])
    z = np.arctan2(-turned[..., 0, 1], turned[..., 0, 0])
    return np.concatenate([shift, np.stack([x, y, z], axis=-1)], axis=-1)


@numba.njit(nogil=True, cache=True)
def turn(x, y, z):  # type: ignore[no-untyped-def]
    """Return the matrix, of shape (3, 3), that turns about z, then y, then x."""
    # written out: compiling products of matrices would take seconds
    cx, sx, cy, sy, cz, sz = np.cos(x), np.sin(x), np.cos(y), np.sin(y), np.cos(z), np.sin(z)
    matrix = np.empty((3, 3))
    matrix[0, 0], matrix[0, 1], matrix[0, 2] = cy * cz, -cy * sz, sy
    matrix[1, 0], matrix[1, 1] = cx * sz + sx * sy * cz, cx * cz - sx * sy * sz
    matrix[2, 0], matrix[2, 1] = sx * sz - cx * sy * cz, sx * cz + cx * sy * sz
    matrix[1, 2], matrix[2, 2] = -sx * cy, cx * cy
    return matrix
