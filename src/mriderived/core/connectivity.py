"""Correlations between the time courses of regions, and their means over networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.covariance import LedoitWolf

from mriderived.core.series import Frames, Mask

Matrix = NDArray[np.float64]
#: Added to the diagonal of a correlation matrix before it is inverted, as UK Biobank does.
RIDGE = 0.5


def correlate(courses: Frames) -> Matrix:
    """Return Pearson's correlations between time courses.

    Parameters
    ----------
    courses : array, shape (frames, regions)

    Returns
    -------
    array of float64, shape (regions, regions)
        NaN where a course is constant or missing.

    Examples
    --------
    >>> correlate(np.array([[1.0, -1.0], [2.0, -2.0], [3.0, -3.0]])).round(6).tolist()
    [[1.0, -1.0], [-1.0, 1.0]]
    """
    unit, valid = standardise(courses)
    matrix = np.clip(unit.T @ unit, -1, 1)
    np.fill_diagonal(matrix, 1)
    return _blank(matrix, valid)


def shrunk_partial_correlate(courses: Frames) -> tuple[Matrix, float]:
    """Return partial correlations from a covariance shrunk after Ledoit and Wolf.

    Courses are scaled to unit variance first, so that the shrinkage, which is towards equal
    variances, does not depend on the amplitude of a region.

    Parameters
    ----------
    courses : array, shape (frames, regions)

    Returns
    -------
    matrix : array of float64, shape (regions, regions)
        NaN where a course is constant or missing.
    shrinkage : float
        0 for none, 1 for a covariance that is nothing but the diagonal.

    References
    ----------
    Ledoit and Wolf 2004, https://doi.org/10.1016/S0047-259X(03)00096-4
    """
    unit, valid = standardise(courses)
    unit = unit[:, valid] * np.sqrt(len(unit))
    if unit.shape[1] == 0:
        return _spread(np.zeros((0, 0)), valid), float('nan')
    fit = LedoitWolf(assume_centered=True).fit(unit)
    return _spread(_to_partial(fit.precision_), valid), float(fit.shrinkage_)


def ridge_partial_correlate(courses: Frames, ridge: float = RIDGE) -> Matrix:
    r"""Return partial correlations with a fixed ridge, whatever the number of frames.

    With R the correlations, :math:`P = (R + \rho I)^{-1}` is taken for the precision. The ridge
    is the same for every run, which the shrinkage of :func:`shrunk_partial_correlate` is not.

    Parameters
    ----------
    courses : array, shape (frames, regions)
    ridge : float
        :math:`\rho`, above 0; of courses with unit variance.

    Returns
    -------
    array of float64, shape (regions, regions)
        NaN where a course is constant or missing.

    Raises
    ------
    ValueError
        If the ridge is not above 0.

    References
    ----------
    Miller et al. 2016, https://doi.org/10.1038/nn.4393;
    Smith et al. 2011, https://doi.org/10.1016/j.neuroimage.2010.08.063

    Examples
    --------
    >>> courses = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    >>> courses[:, 1] += courses[:, 0]
    >>> ridge_partial_correlate(courses).round(4).tolist()
    [[1.0, 0.4714], [0.4714, 1.0]]
    """
    if not ridge > 0:
        raise ValueError(f'a ridge of {ridge:g} is not above 0')
    unit, valid = standardise(courses)
    unit = unit[:, valid]
    if unit.shape[1] == 0:
        return _spread(np.zeros((0, 0)), valid)
    precision = np.linalg.inv(unit.T @ unit + ridge * np.eye(unit.shape[1]))
    return _spread(_to_partial(np.asarray(precision, np.float64)), valid)


def fisher_z(correlation: ArrayLike) -> NDArray[Any]:
    """Return Fisher's transform; NaN for a correlation of 1 with itself.

    Parameters
    ----------
    correlation : array
        A square matrix has its diagonal set to NaN.

    Examples
    --------
    >>> fisher_z(np.array([[1.0, 0.5], [0.5, 1.0]])).round(3).tolist()
    [[nan, 0.549], [0.549, nan]]
    """
    values = np.array(correlation)
    if values.ndim == 2 and values.shape[0] == values.shape[1]:
        np.fill_diagonal(values, np.nan)
    # Two voxels with the same numbers have a large z, not an infinite one.
    limit = 1 - np.finfo(np.float32).eps
    return np.asarray(np.arctanh(np.clip(values, -limit, limit)))


def average_networks(z: Matrix, networks: Sequence[str]) -> pd.DataFrame:
    """Average Fisher's z within and between networks.

    Parameters
    ----------
    z : array, shape (regions, regions)
        Symmetric; NaN is left out, and so is the diagonal.
    networks : sequence of str
        The network of each region.

    Returns
    -------
    DataFrame
        One row for each pair of networks, in the order in which they first occur: columns
        network_a, network_b, mean_z (NaN without an edge), n_edges.

    Raises
    ------
    ValueError
        If lengths differ.

    Examples
    --------
    >>> average_networks(np.array([[0, 0.5, 0.1], [0.5, 0, 0.3], [0.1, 0.3, 0]]), ['A', 'A', 'B'])
      network_a network_b  mean_z  n_edges
    0         A         A     0.5        1
    1         A         B     0.2        2
    2         B         B     NaN        0
    """
    if z.shape != (len(networks), len(networks)):
        raise ValueError(f'{len(networks)} networks for a matrix of shape {z.shape}')
    names = list(dict.fromkeys(networks))
    number = np.array([names.index(name) for name in networks], np.intp)
    first, second = np.triu_indices(len(networks), 1)
    low, high = (pick(number[first], number[second]) for pick in (np.minimum, np.maximum))
    edges = z[first, second]
    rows = []
    for a, name in enumerate(names):
        for b in range(a, len(names)):
            chosen = edges[(low == a) & (high == b)]
            chosen = chosen[np.isfinite(chosen)]
            mean = float(chosen.mean()) if chosen.size else float('nan')
            rows.append((name, names[b], mean, chosen.size))
    return pd.DataFrame(rows, columns=['network_a', 'network_b', 'mean_z', 'n_edges'])


def standardise(courses: Frames) -> tuple[Frames, Mask]:
    """Return columns of mean zero and unit length, and which of them vary; the others are 0.

    Parameters
    ----------
    courses : array of float64, shape (frames, courses)

    Returns
    -------
    array of float64, shape (frames, courses)
    array of bool, shape (courses,)
        False for what is constant or not finite.

    Examples
    --------
    >>> unit, varies = standardise(np.array([[1.0, 7.0], [3.0, 7.0]]))
    >>> unit.round(3).tolist(), varies.tolist()
    ([[-0.707, 0.0], [0.707, 0.0]], [True, False])
    """
    mean = courses.mean(axis=0)
    with np.errstate(invalid='ignore'):
        centred = courses - mean
    finite = np.isfinite(centred).all(axis=0)
    centred = np.where(finite, centred, 0)
    length = np.linalg.norm(centred, axis=0)
    # Of a constant, a few units of rounding are left.
    floor = 1e-12 * np.sqrt(len(courses)) * np.where(finite, np.abs(mean), 0)
    valid = finite & (length > floor)
    return centred * np.where(valid, 1 / np.where(valid, length, 1), 0), np.asarray(valid)


def _to_partial(precision: Matrix) -> Matrix:
    scale = 1 / np.sqrt(np.diag(precision))
    partial = -precision * scale[:, None] * scale
    np.fill_diagonal(partial, 1)
    return np.asarray((partial + partial.T) / 2)


def _spread(matrix: Matrix, valid: Mask) -> Matrix:
    whole = np.full((len(valid), len(valid)), np.nan)
    whole[np.ix_(valid, valid)] = matrix
    return whole


def _blank(matrix: Matrix, valid: Mask) -> Matrix:
    matrix[~valid] = np.nan
    matrix[:, ~valid] = np.nan
    return matrix
