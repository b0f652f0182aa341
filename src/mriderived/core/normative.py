"""Norms: how the mean and the spread of many variables go with covariates, and who deviates."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from scipy.interpolate import BSpline

Matrix = NDArray[np.float64]

#: The estimate ends when no log-variance changes by more than this, or after so many rounds.
PRECISION = 1e-6
ROUNDS = 60
#: No log-variance changes by more than this in one round.
LARGEST_STEP = 1.0
#: Eigenvalues below this share of the largest one are none.
RANK_TOLERANCE = 1e-10
#: What is further from the mean than this is written as this: no law is known so far out.
FURTHEST = 10.0


class Norms(NamedTuple):
    """What was estimated for m variables, p columns of the mean and q of the log-variance.

    ``mean`` (p, m) and ``spread`` (q, m) are coefficients; ``mean_covariance`` (m, p, p) and
    ``spread_covariance`` (m, q, q) are of their errors. NaN where a variable has too few values.
    """

    mean: Matrix
    spread: Matrix
    mean_covariance: Matrix
    spread_covariance: Matrix


class Deviation(NamedTuple):
    """What norms say of observations, arrays (n, m): z, share of people below, mean and SD."""

    z: Matrix
    centile: Matrix
    expected: Matrix
    deviation: Matrix


def spline_basis(values: ArrayLike, knots: ArrayLike, degree: int = 3) -> Matrix:
    """Return B-splines of a covariate, without the first one: an intercept stands for it.

    Parameters
    ----------
    values : array (n,)
        Within the range of the knots.
    knots : array (k,)
        Ascending; the first and the last bound the range.

    Returns
    -------
    array (n, k + degree - 2)

    Raises
    ------
    ValueError
        Where a value is beyond the knots.

    References
    ----------
    de Boor 1972, doi:10.1016/0021-9045(72)90080-9.

    Examples
    --------
    >>> spline_basis([0.0, 5.0, 10.0], [0.0, 10.0], degree=1).tolist()
    [[0.0], [0.5], [1.0]]
    """
    at, inner = np.asarray(values, float), np.asarray(knots, float)
    if at.size and (at.min() < inner[0] or at.max() > inner[-1]):
        raise ValueError(f'values are beyond the knots ({inner[0]:g} to {inner[-1]:g})')
    places = np.concatenate([[inner[0]] * degree, inner, [inner[-1]] * degree])
    basis: Matrix = BSpline.design_matrix(at, places, degree).toarray()
    return basis[:, 1:]


def fit_norms(values: ArrayLike, mean_design: ArrayLike, spread_design: ArrayLike) -> Norms:
    """Fit mean and log-variance of m variables as linear in two designs.

    Parameters
    ----------
    values : array (n, m)
        NaN is missing, variable by variable.
    mean_design : array (n, p)
    spread_design : array (n, q)
        Both with an intercept.

    Notes
    -----
    Weighted least squares for the mean and a gamma regression of squared residuals for the
    variance take turns; squares are divided by one less the leverage, which is restricted
    likelihood, and takes off the bias that estimating the mean brings.

    References
    ----------
    Smyth 2002, doi:10.1198/106186002871.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = np.linspace(0, 1, 5000)
    >>> design = np.column_stack([np.ones(5000), x])
    >>> found = fit_norms((2 * x + np.exp(x) * rng.normal(size=5000))[:, None], design, design)
    >>> np.round(found.spread[:, 0]).tolist()
    [0.0, 2.0]
    """
    data, means, spreads = (np.asarray(one, float) for one in (values, mean_design, spread_design))
    known = np.isfinite(data)
    usable = _has_rank(means, known) & _has_rank(spreads, known)
    chosen = np.flatnonzero(usable)
    unit = np.std(data[:, chosen], axis=0, where=known[:, chosen])
    chosen, unit = chosen[unit > 0], unit[unit > 0]
    p, q, m = means.shape[1], spreads.shape[1], data.shape[1]
    found = Norms(
        np.full((p, m), np.nan), np.full((q, m), np.nan),
        np.full((m, p, p), np.nan), np.full((m, q, q), np.nan),
    )  # fmt: skip
    if not len(chosen):
        return found
    mask = known[:, chosen].astype(float)
    standard = np.where(known[:, chosen], data[:, chosen], 0) / unit
    slopes, logs, of_mean, of_spread = _take_turns(standard, mask, means, spreads)
    constant = np.linalg.lstsq(spreads, np.ones(len(data)), rcond=None)[0]
    logs = logs + constant[:, None] * 2 * np.log(unit)
    found.mean[:, chosen], found.spread[:, chosen] = slopes * unit, logs
    found.mean_covariance[chosen] = of_mean * unit[:, None, None] ** 2
    found.spread_covariance[chosen] = of_spread
    return found


def _has_rank(design: Matrix, known: NDArray[np.bool_]) -> NDArray[np.bool_]:
    norms = np.linalg.norm(design, axis=0)
    columns = design / np.where(norms > 0, norms, 1)
    squares = _weighted_squares(columns, known.astype(float))
    own = np.linalg.eigvalsh(squares)
    found: NDArray[np.bool_] = own[:, 0] > RANK_TOLERANCE * np.maximum(own[:, -1], 1e-300)
    return found


def _weighted_squares(design: Matrix, weights: Matrix) -> Matrix:
    """Return X'WX (m, p, p) for the weights (n, m) of each variable."""
    p = design.shape[1]
    products = (design[:, :, None] * design[:, None, :]).reshape(len(design), p * p)
    found: Matrix = (weights.T @ products).reshape(-1, p, p)
    return found


def _solve(design: Matrix, weights: Matrix, wanted: Matrix) -> tuple[Matrix, Matrix]:
    """Return coefficients (p, m) of weighted least squares, and the inverses (m, p, p)."""
    inverse = np.linalg.inv(_weighted_squares(design, weights))
    right = (design.T @ (weights * wanted)).T
    found: Matrix = np.einsum('mpq,mq->pm', inverse, right)
    return found, np.asarray(inverse, float)


def _quadratic(design: Matrix, inverse: Matrix) -> Matrix:
    """Return x'Ax (n, m) of the rows of a design and matrices (m, p, p)."""
    p = design.shape[1]
    products = (design[:, :, None] * design[:, None, :]).reshape(len(design), p * p)
    found: Matrix = products @ inverse.reshape(-1, p * p).T
    return found


def _take_turns(
    values: Matrix, mask: Matrix, means: Matrix, spreads: Matrix
) -> tuple[Matrix, Matrix, Matrix, Matrix]:
    gammas = np.zeros((spreads.shape[1], values.shape[1]))
    for _ in range(ROUNDS):
        logs = spreads @ gammas
        weights = mask * np.exp(-logs)
        slopes, of_mean = _solve(means, weights, values)
        leverage = np.clip(weights * _quadratic(means, of_mean), 0, 0.99)
        squares = (values - means @ slopes) ** 2 * weights / (1 - leverage)
        counts = mask * (1 - leverage) / 2
        step, of_spread = _solve(spreads, counts, squares - 1)
        largest = np.abs(spreads @ step).max(axis=0)
        gammas = gammas + step * np.minimum(1, LARGEST_STEP / np.maximum(largest, 1e-12))
        if largest.max() < PRECISION:
            break
    return slopes, gammas, of_mean, of_spread


def judge(
    found: Norms, values: ArrayLike, mean_design: ArrayLike, spread_design: ArrayLike
) -> Deviation:
    """Say where observations stand among what is expected of their covariates.

    The variance of an observation is that of people plus that of the estimated mean. As the
    variance is estimated, too, the law is Student's, with as many degrees of freedom as give an
    estimated log-variance its error; ``z`` is the normal deviate of the same probability.

    Parameters
    ----------
    values : array (n, m)
        Observations that had no part in the fit.
    mean_design : array (n, p)
    spread_design : array (n, q)

    Examples
    --------
    >>> nothing = np.zeros((1, 1, 1))
    >>> sure = Norms(np.array([[3.0]]), np.array([[0.0]]), nothing, nothing)
    >>> judge(sure, [[4.0]], [[1.0]], [[1.0]]).z.round(3).tolist()
    [[1.0]]
    """
    data, means, spreads = (np.asarray(one, float) for one in (values, mean_design, spread_design))
    expected = means @ found.mean
    variance = np.exp(spreads @ found.spread) + _quadratic(means, found.mean_covariance)
    deviation = np.sqrt(variance)
    unsure = _quadratic(spreads, found.spread_covariance)
    # So large is never told from a normal law, and 0 has no inverse.
    dof = 2 / np.maximum(unsure, 2e-6)
    ratio = (data - expected) / deviation
    tail = stats.t.sf(np.abs(ratio), dof)
    z = np.sign(ratio) * np.clip(stats.norm.isf(tail), 0, FURTHEST)
    centile: Matrix = np.where(np.isfinite(z), stats.norm.cdf(z), np.nan)
    return Deviation(z, centile, expected, deviation)


def share_below(centiles: ArrayLike, levels: ArrayLike) -> Matrix:
    """Return the share of people (k, m) below each level: the level itself, if norms are right.

    >>> share_below([[0.1], [0.4], [0.6], [0.9]], [0.5]).tolist()
    [[0.5]]
    """
    data = np.asarray(centiles, float)
    known = np.isfinite(data)
    below = np.array([(data < level).sum(axis=0) for level in np.asarray(levels, float)])
    counts = known.sum(axis=0)
    shares: Matrix = np.where(counts > 0, below / np.maximum(counts, 1), np.nan)
    return shares
