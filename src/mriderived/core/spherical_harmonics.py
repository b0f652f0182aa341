"""Real, symmetric spherical harmonics: smooth functions of an axis."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import sph_harm_y


def count_harmonics(order: int) -> int:
    """Return how many even harmonics there are up to an even order.

    >>> [count_harmonics(order) for order in (0, 2, 4, 8)]
    [1, 6, 15, 45]
    """
    return (order + 1) * (order + 2) // 2


def find_order(directions: int, most: int = 8) -> int:
    """Return the largest even order whose harmonics some directions more than determine.

    >>> [find_order(count) for count in (1, 2, 7, 16, 64)]
    [0, 0, 2, 4, 8]
    """
    order = most
    while order > 0 and count_harmonics(order) >= directions:
        order -= 2
    return order


def even_harmonics(directions: NDArray[np.float64], order: int) -> NDArray[np.float64]:
    """Return the real even spherical harmonics, orthonormal on the sphere, at some directions.

    Parameters
    ----------
    directions : array of float, shape (n, 3)
        Unit vectors.
    order : int
        Even.

    Returns
    -------
    array of float, shape (n, harmonics)
        Ordered by degree l = 0, 2, ..., then by m = -l, ..., l.

    References
    ----------
    Descoteaux et al. 2007, https://doi.org/10.1002/mrm.21277
    """
    polar = np.arccos(np.clip(directions[:, 2], -1, 1))
    azimuth = np.arctan2(directions[:, 1], directions[:, 0])
    columns = []
    for degree in range(0, order + 1, 2):
        for m in range(-degree, degree + 1):
            value = sph_harm_y(degree, abs(m), polar, azimuth)
            if m == 0:
                columns.append(value.real)
            else:
                columns.append(np.sqrt(2) * (value.real if m < 0 else value.imag))
    return np.stack(columns, axis=1)
