"""Ordinary least squares of many variables on one design, and tests of contrasts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import linalg, stats

Matrix = NDArray[np.float64]

#: Singular values below this share of the largest one are none.
RANK_TOLERANCE = 1e-10
#: A residual sum of squares below this share of the total one is that of an exact fit.
EXACT = 1e-24
#: An observation of which the model leaves no more than this share determines its own prediction.
ALONE = 1e-10


class DesignError(ValueError):
    """A design that cannot be estimated; the message says which columns are to blame."""


class LinearFit(NamedTuple):
    """What least squares found for m variables, n observations and p columns of a design.

    ``coefficients`` (p, m); ``variance`` (m,) of the residuals; ``residuals`` (n, m);
    ``inverse`` (p, p) of X'X; ``design`` (n, p); ``dof`` = n - p.
    """

    coefficients: Matrix
    variance: Matrix
    residuals: Matrix
    inverse: Matrix
    design: Matrix
    dof: int


class ContrastTest(NamedTuple):
    """The test of one contrast in m variables, arrays (m,).

    ``lower`` and ``upper`` bound the effect at 95 %. ``partial_r2`` is the share of what the rest
    of the design leaves unexplained; ``d`` is the effect in standard deviations of the residuals
    (Cohen's d where the contrast is a difference of two groups).
    """

    effect: Matrix
    standard_error: Matrix
    t: Matrix
    p: Matrix
    lower: Matrix
    upper: Matrix
    partial_r2: Matrix
    d: Matrix
    dof: int


def check_design(design: ArrayLike, names: Sequence[str], least_dof: int = 1) -> None:
    """Raise :class:`DesignError` where a design (n, p) has no unique solution.

    Examples
    --------
    >>> check_design([[1, 2, 4], [1, 3, 6], [1, 5, 10], [1, 4, 8]], ['one', 'a', 'twice a'])
    Traceback (most recent call last):
    mriderived.core.linear_model.DesignError: 'twice a' follows from the other columns (a): \
leave one of them out
    """
    matrix = np.asarray(design, float)
    if not np.isfinite(matrix).all():
        bad = [name for name, fine in zip(names, np.isfinite(matrix).all(axis=0), strict=True)
               if not fine]  # fmt: skip
        raise DesignError(f'{", ".join(map(repr, bad))}: values are missing or infinite')
    for place in range(1, matrix.shape[1] + 1):
        part = matrix[:, :place]
        if _rank(part) == place:
            continue
        name, last = names[place - 1], matrix[:, place - 1]
        if not last.any():
            raise DesignError(f'{name!r} is 0 for everybody: leave it out')
        others = _explain(part[:, :-1], last, names)
        if place > matrix.shape[0]:
            raise DesignError(
                f'{matrix.shape[0]} observations do not determine {matrix.shape[1]} coefficients: '
                'leave terms out'
            )
        if not others:
            raise DesignError(f'{name!r} is the same for everybody: leave it out')
        raise DesignError(
            f'{name!r} follows from the other columns ({", ".join(others)}): leave one of them out'
        )
    dof = matrix.shape[0] - matrix.shape[1]
    if dof < least_dof:
        raise DesignError(
            f'{matrix.shape[0]} observations leave {dof} degrees of freedom for '
            f'{matrix.shape[1]} coefficients, and {least_dof} are needed: leave terms out'
        )


def _rank(matrix: Matrix) -> int:
    scale = np.linalg.norm(matrix, axis=0)
    return int(np.linalg.matrix_rank(matrix / np.where(scale > 0, scale, 1), tol=RANK_TOLERANCE))


def _explain(before: Matrix, column: Matrix, names: Sequence[str]) -> list[str]:
    """Name the columns, but the constant one, of which a column is a sum."""
    weights = np.linalg.lstsq(before, column, rcond=None)[0]
    share = np.abs(weights) * np.linalg.norm(before, axis=0) / np.linalg.norm(column)
    constant = np.ptp(before, axis=0) == 0
    return [names[k] for k in range(before.shape[1]) if share[k] > 1e-8 and not constant[k]]


def fit_linear(values: ArrayLike, design: ArrayLike) -> LinearFit:
    """Fit m variables at once by ordinary least squares.

    Parameters
    ----------
    values : array (n, m)
        One column per variable; none may be missing.
    design : array (n, p)
        Of full rank; see :func:`check_design`.

    Raises
    ------
    DesignError
        Where there are no more observations than coefficients.

    Notes
    -----
    One QR decomposition serves all variables, which are centred by no more than the design asks
    for. Agrees with the certified values of the NIST Statistical Reference Datasets.

    Examples
    --------
    >>> fit = fit_linear([[1.0], [3.0], [5.0], [7.5]], [[1, 0], [1, 1], [1, 2], [1, 3]])
    >>> np.round(fit.coefficients[:, 0], 3).tolist(), fit.dof
    ([0.9, 2.15], 2)
    """
    matrix, wanted = np.asarray(design, float), np.asarray(values, float)
    dof = matrix.shape[0] - matrix.shape[1]
    if dof < 1:
        raise DesignError(
            f'{matrix.shape[0]} observations do not determine {matrix.shape[1]} coefficients '
            'and a variance: leave terms out'
        )
    scale = np.linalg.norm(matrix, axis=0)
    basis, upper = linalg.qr(matrix / scale, mode='economic')
    coefficients = linalg.solve_triangular(upper, basis.T @ wanted)
    residuals = wanted - (matrix / scale) @ coefficients
    # A second step on what the first left takes off its rounding.
    more = linalg.solve_triangular(upper, basis.T @ residuals)
    coefficients += more
    residuals -= (matrix / scale) @ more
    root = linalg.solve_triangular(upper, np.eye(len(upper)))
    inverse = (root @ root.T) / np.outer(scale, scale)
    squares = (residuals**2).sum(axis=0)
    squares[squares <= EXACT * (wanted**2).sum(axis=0)] = 0
    return LinearFit(coefficients / scale[:, None], squares / dof, residuals, inverse, matrix, dof)


def test_contrast(fit: LinearFit, contrast: ArrayLike, *, is_robust: bool = False) -> ContrastTest:
    """Test a weighted sum of coefficients against 0 in every variable, two-sided.

    Parameters
    ----------
    contrast : array (p,)
    is_robust
        Standard errors of type HC3, which hold where the variance of the residuals differs
        between observations (MacKinnon and White 1985, doi:10.1016/0304-4076(85)90158-7).

    Notes
    -----
    A variable that the design fits exactly has no t and no p (NaN), nor has a constant one. A
    robust error does not exist where one observation alone determines the contrast, such as the
    only one of its site: its residual is 0 whatever it is.
    """
    weights = np.asarray(contrast, float)
    effect = weights @ fit.coefficients
    spread = float(weights @ fit.inverse @ weights)
    variance = fit.variance * spread
    if is_robust:
        variance = robust_shares(fit, weights[None])[:, 0] ** 2 @ fit.residuals**2
    error = np.sqrt(variance)
    unknown = fit.variance == 0
    with np.errstate(divide='ignore', invalid='ignore'):
        t = np.where(unknown, np.nan, effect / error)
        classical = np.where(unknown, np.nan, effect / np.sqrt(fit.variance * spread))
        d = np.where(unknown, np.nan, effect / np.sqrt(fit.variance))
    half = stats.t.ppf(0.975, fit.dof) * error
    return ContrastTest(
        effect,
        error,
        t,
        2 * stats.t.sf(np.abs(t), fit.dof),
        effect - half,
        effect + half,
        classical**2 / (classical**2 + fit.dof),
        d,
        fit.dof,
    )


def robust_shares(fit: LinearFit, weights: Matrix) -> Matrix:
    """Return what a residual of each observation adds to each of q contrasts (n, q), as of HC3.

    The whole column is NaN of a contrast that one observation alone determines.
    """
    pull = fit.design @ fit.inverse
    left = 1 - (pull * fit.design).sum(axis=1)
    own = pull @ weights.T
    alone = left < ALONE
    size = np.abs(own).max(axis=0)
    own[alone] = np.where(np.abs(own[alone]) > np.sqrt(ALONE) * size, np.nan, 0.0)
    shares: Matrix = own / np.where(alone, 1, left)[:, None]
    return np.where(np.isnan(shares).any(axis=0), np.nan, shares)


test_contrast.__test__ = False  # type: ignore[attr-defined]
