"""Test of several contrasts at once, such as all levels of a factor, in many variables."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from mriderived.core.linear_model import DesignError, LinearFit, robust_shares

Matrix = NDArray[np.float64]


class JointTest(NamedTuple):
    """The test of q contrasts at once in m variables, arrays (m,).

    ``f`` has ``tested`` and ``dof`` degrees of freedom; ``partial_r2`` is the share that the
    contrasts explain of what the rest of the design leaves.
    """

    f: Matrix
    p: Matrix
    partial_r2: Matrix
    tested: int
    dof: int


def test_jointly(fit: LinearFit, contrasts: ArrayLike, *, is_robust: bool = False) -> JointTest:
    """Test in every variable whether several weighted sums of coefficients are all 0.

    Parameters
    ----------
    contrasts : array (q, p)
        One row of weights per contrast; none follows from the others.
    is_robust
        Wald's test with a covariance of type HC3 in place of the equal variances that F assumes
        (MacKinnon and White 1985, doi:10.1016/0304-4076(85)90158-7), over q, against the same F.

    Raises
    ------
    DesignError
        Where a contrast follows from the others.

    Notes
    -----
    A variable that the design fits exactly has no F (NaN), nor has a robust test of what one
    observation alone determines. With one contrast, F is t².

    Examples
    --------
    >>> from mriderived.core.linear_model import fit_linear
    >>> design = [[1, 0, 0], [1, 0, 0], [1, 1, 0], [1, 1, 0], [1, 0, 1], [1, 0, 1]]
    >>> fit = fit_linear([[1.0], [2], [3], [4], [5], [6]], design)
    >>> found = test_jointly(fit, [[0, 1, 0], [0, 0, 1]])
    >>> round(float(found.f[0]), 6), found.tested, found.dof
    (16.0, 2, 3)
    """
    weights = np.atleast_2d(np.asarray(contrasts, float))
    count = len(weights)
    if np.linalg.matrix_rank(weights) < count:
        raise DesignError('the rows of the contrast follow from each other: leave one out')
    effects = weights @ fit.coefficients
    unknown = fit.variance == 0
    scale = np.where(unknown, np.nan, fit.variance)
    spread = weights @ fit.inverse @ weights.T
    squares = (effects * np.linalg.solve(spread, effects)).sum(axis=0) / scale
    partial = squares / (squares + fit.dof)
    if is_robust:
        squares = np.where(unknown, np.nan, _robust_squares(fit, weights, effects))
    f = squares / count
    return JointTest(f, stats.f.sf(f, count, fit.dof), partial, count, fit.dof)


def _robust_squares(fit: LinearFit, weights: Matrix, effects: Matrix) -> Matrix:
    """Return Wald's statistic (m,) with the HC3 covariance of the contrasts."""
    share = robust_shares(fit, weights)
    if np.isnan(share).any():
        return np.full(effects.shape[1], np.nan)
    covariance = np.einsum('nq,nr,nm->mqr', share, share, fit.residuals**2, optimize=True)
    # What is fitted exactly has no covariance; the caller writes no F for it.
    exact = fit.variance == 0
    covariance[exact] = np.eye(len(weights))
    solved = np.linalg.solve(covariance, effects.T[:, :, None])[:, :, 0]
    return np.asarray((effects.T * solved).sum(axis=1))


test_jointly.__test__ = False  # type: ignore[attr-defined]
