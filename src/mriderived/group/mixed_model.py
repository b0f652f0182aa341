"""A linear model with a random intercept per participant, for repeated sessions."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from statsmodels.regression.mixed_linear_model import MixedLM
from statsmodels.tools.sm_exceptions import ConvergenceWarning, SingularMatrixWarning

from mriderived.core.joint_test import JointTest
from mriderived.core.linear_model import ContrastTest

Matrix = NDArray[np.float64]


class MixedError(ValueError):
    """The likelihood has no maximum that could be found."""


def fit_mixed(
    values: Matrix, design: Matrix, people: NDArray[Any], weights: Iterable[Matrix]
) -> list[ContrastTest | JointTest]:
    """Fit values (n,) by restricted likelihood, and test contrasts (p,) or several at once (q, p).

    The values must vary beyond what the design explains.

    Raises
    ------
    MixedError
        The fit did not converge.
    """
    scale = float(values.std())
    model = MixedLM(values / scale, design, people)
    with warnings.catch_warnings():
        for category in (ConvergenceWarning, SingularMatrixWarning):
            warnings.simplefilter('ignore', category)
        fit = model.fit(reml=True)
        if not fit.converged:
            # Where participants hardly differ, the maximum is at a variance of 0, where slopes
            # mislead the usual searches.
            fit = model.fit(reml=True, method=['powell'])
    if not fit.converged:
        raise MixedError('the likelihood of the mixed model has no maximum that can be found')
    return [
        _test_rows(fit, weight) if weight.ndim == 2 else _test_one(fit, weight, scale)
        for weight in weights
    ]


def _covariance(fit: Any, terms: int) -> Matrix:
    return np.asarray(fit.cov_params(), float)[:terms, :terms]


def _test_one(fit: Any, weight: Matrix, scale: float) -> ContrastTest:
    """Return Wald's test of a contrast of fixed effects, which is of normal deviates."""
    effect = float(weight @ fit.fe_params)
    error = float(np.sqrt(weight @ _covariance(fit, len(weight)) @ weight))
    p = float(2 * stats.norm.sf(abs(effect / error)))
    half = float(stats.norm.ppf(0.975)) * error
    residual = float(np.sqrt(fit.scale + float(np.asarray(fit.cov_re).sum())))
    return ContrastTest(
        effect=np.array([effect * scale]),
        standard_error=np.array([error * scale]),
        t=np.array([effect / error]),
        p=np.array([p]),
        lower=np.array([(effect - half) * scale]),
        upper=np.array([(effect + half) * scale]),
        partial_r2=np.array([np.nan]),
        d=np.array([effect / residual]),
        dof=0,
    )


def _test_rows(fit: Any, weights: Matrix) -> JointTest:
    """Return Wald's test of several contrasts: over its degrees of freedom, as F of very many."""
    effects = weights @ np.asarray(fit.fe_params, float)
    spread = weights @ _covariance(fit, weights.shape[1]) @ weights.T
    squares = float(effects @ np.linalg.solve(spread, effects))
    count = len(weights)
    return JointTest(
        np.array([squares / count]), np.array([stats.chi2.sf(squares, count)]),
        np.array([np.nan]), count, 0,
    )  # fmt: skip
