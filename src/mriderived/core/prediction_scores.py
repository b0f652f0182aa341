"""How good predictions are, how their error goes with the truth, and what they rest on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import mean_absolute_error, r2_score, roc_auc_score

Matrix = NDArray[np.float64]


def score_numbers(target: Matrix, predicted: Matrix, corrected: Matrix) -> dict[str, float]:
    """Score predicted numbers.

    Parameters
    ----------
    target, predicted : array (n,)
    corrected : array (n,)
        Predictions without the dependence of their error on the target.

    Returns
    -------
    dict
        ``r2`` (coefficient of determination), ``mae`` and ``mae_of_mean`` (unit of the target),
        ``r``, and the correlations ``r_error_target`` and ``r_corrected_error_target``.

    Examples
    --------
    >>> found = score_numbers(np.array([1.0, 2, 3]), np.array([1.0, 2, 4]), np.array([1.0, 2, 4]))
    >>> round(found['r2'], 3), round(found['mae'], 3)
    (0.5, 0.333)
    """
    return {
        'r2': float(r2_score(target, predicted)),
        'mae': float(mean_absolute_error(target, predicted)),
        'mae_of_mean': float(np.abs(target - target.mean()).mean()),
        'r': float(np.corrcoef(target, predicted)[0, 1]),
        'r_error_target': float(np.corrcoef(target, predicted - target)[0, 1]),
        'r_corrected_error_target': float(np.corrcoef(target, corrected - target)[0, 1]),
    }


def score_classes(target: NDArray[np.int64], predicted: Matrix) -> dict[str, float]:
    """Score probabilities of the second of two classes.

    Parameters
    ----------
    target : array (n,)
        0 or 1.
    predicted : array (n,)
        Probability of 1.

    Returns
    -------
    dict
        ``auc`` (area under the curve), ``balanced_accuracy`` at a probability of 0.5, and
        ``brier`` (mean squared error).

    Examples
    --------
    >>> score_classes(np.array([0, 0, 1, 1]), np.array([0.0, 1.0, 1.0, 1.0]))
    {'auc': 0.75, 'balanced_accuracy': 0.75, 'brier': 0.25}
    """
    said = predicted >= 0.5
    right = [float((said[target == one] == bool(one)).mean()) for one in (0, 1)]
    return {
        'auc': float(roc_auc_score(target, predicted)),
        'balanced_accuracy': float(np.mean(right)),
        'brier': float(((predicted - target) ** 2).mean()),
    }


def error_line(target: Matrix, predicted: Matrix) -> tuple[float, float]:
    """Return slope and level of the error (predicted less true) over the target, arrays (n,).

    >>> slope, level = error_line(np.array([0.0, 10, 20]), np.array([5.0, 10, 15]))
    >>> round(slope, 6), round(level, 6)
    (-0.5, 5.0)
    """
    slope, level = np.polyfit(target, predicted - target, 1)
    return float(slope), float(level)


def pattern(features: Matrix, predicted: Matrix) -> Matrix:
    """Return the correlation (m,) of each feature (n, m) with a prediction (n,).

    Missing values count as the mean of the feature; a feature that does not vary has 0.

    References
    ----------
    Haufe et al. 2014, doi:10.1016/j.neuroimage.2013.10.067.

    Examples
    --------
    >>> pattern(np.array([[1.0, 5], [2, 5], [3, 5]]), np.array([0.1, 0.2, 0.3])).round(6).tolist()
    [1.0, 0.0]
    """
    filled = np.where(np.isfinite(features), features, np.nanmean(features, axis=0))
    own = filled - filled.mean(axis=0)
    other = predicted - predicted.mean()
    size = np.linalg.norm(own, axis=0) * np.linalg.norm(other)
    return np.asarray(np.where(size > 0, own.T @ other / np.where(size > 0, size, 1), 0.0))
