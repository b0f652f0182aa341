"""What the other volumes of a shell predict for each volume: one matrix for all voxels.

The signal over directions is taken for a Gaussian process (Andersson and Sotiropoulos 2015,
doi:10.1016/j.neuroimage.2015.07.067) whose covariance depends on the angle between two directions
alone and is the same for opposite ones: a constant and Legendre polynomials of degrees 2 and 4.
How much of each there is, against noise, is what predicts the left-out volumes best.
"""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]

#: Variances of degrees 2 and 4 that are tried, against a variance of noise of 1.
DEGREE_2 = (0.0, 0.3, 1.0, 3.0, 10.0, 30.0)
DEGREE_4 = (0.0, 0.1, 0.3, 1.0, 3.0)
#: The mean over directions is free: this variance is beyond any other.
CONSTANT = 1e4


def weigh_mean(count: int) -> Matrix:
    """Return the matrix, shape (count, count), that predicts the mean of the others.

    Examples
    --------
    >>> weigh_mean(3)[0].tolist()
    [0.0, 0.5, 0.5]
    """
    return np.asarray((1 - np.eye(count)) / max(count - 1, 1))


def weigh_directions(directions: Matrix, degree_2: float, degree_4: float) -> Matrix:
    """Return the matrix that predicts each volume from all others.

    Parameters
    ----------
    directions : array, shape (n, 3)
        Unit vectors.
    degree_2, degree_4 : float
        Variance of the degrees against that of noise.

    Returns
    -------
    array, shape (n, n)
        0 on its diagonal.

    Examples
    --------
    >>> weights = weigh_directions(np.eye(3), 0, 0)
    >>> bool(np.allclose(weights, weigh_mean(3), atol=1e-3))
    True
    """
    cosine = np.clip(directions @ directions.T, -1, 1) ** 2
    covariance = CONSTANT + degree_2 * (3 * cosine - 1) / 2
    covariance += degree_4 * (35 * cosine**2 - 30 * cosine + 3) / 8
    inverse = np.linalg.inv(covariance + np.eye(len(directions)))
    weights = -inverse / np.diag(inverse)[:, None]
    np.fill_diagonal(weights, 0)
    # a free constant: what all volumes share is predicted as it is
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def choose_weights(directions: Matrix, values: NDArray[np.float32]) -> Matrix:
    """Return the weights that predict each volume best from the others.

    Parameters
    ----------
    directions : array, shape (n, 3)
        Unit vectors.
    values : array, shape (n, p)
        Signals of some voxels.

    Returns
    -------
    array, shape (n, n)

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> directions = rng.normal(size=(30, 3))
    >>> directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    >>> values = np.exp(-3 * (directions @ rng.normal(size=(3, 200)) / 2) ** 2)
    >>> weights = choose_weights(directions, values.astype(np.float32))
    >>> bool(np.abs(weights @ values - values).mean() < 0.2 * values.std(axis=0).mean())
    True
    """
    # products between volumes are all that the errors of any weights take
    products = np.asarray(values, np.float64) @ np.asarray(values, np.float64).T
    best, least = weigh_mean(len(directions)), np.inf
    for pair in product(DEGREE_2, DEGREE_4):
        weights = weigh_directions(directions, *pair)
        left = np.eye(len(directions)) - weights
        error = float(np.einsum('ij,jk,ik->', left, products, left))
        if error < least:
            best, least = weights, error
    return best
