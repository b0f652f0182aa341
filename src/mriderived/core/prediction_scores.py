"""How good predictions are, how their error goes with the truth, and what they rest on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit
from sklearn.linear_model import LogisticRegression
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
        the correlations ``r_error_target`` and ``r_corrected_error_target``, and, where the
        prediction varies, ``r`` and ``calibration_slope`` of the truth over the prediction (1
        where a step of the prediction is one of the truth).

    Examples
    --------
    >>> found = score_numbers(np.array([1.0, 2, 3]), np.array([1.0, 2, 4]), np.array([1.0, 2, 4]))
    >>> round(found['r2'], 3), round(found['mae'], 3)
    (0.5, 0.333)
    """
    varies = np.ptp(predicted) > 1e-9 * np.abs(predicted).max()
    return {
        'r2': float(r2_score(target, predicted)),
        'mae': float(mean_absolute_error(target, predicted)),
        'mae_of_mean': float(np.abs(target - target.mean()).mean()),
        'r_error_target': float(np.corrcoef(target, predicted - target)[0, 1]),
        'r_corrected_error_target': float(np.corrcoef(target, corrected - target)[0, 1]),
        **(_line(target, predicted) if varies else {}),
    }


def _line(target: Matrix, predicted: Matrix) -> dict[str, float]:
    slope = float(np.polyfit(predicted, target, 1)[0])
    return {'r': float(np.corrcoef(target, predicted)[0, 1]), 'calibration_slope': slope}


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
        ``auc`` (area under the curve), ``balanced_accuracy`` at a probability of 0.5,
        ``brier`` (mean squared error), and of :func:`calibration` ``calibration_slope`` and
        ``calibration_level``, which are left out where there is no such line.

    Examples
    --------
    >>> found = score_classes(np.array([0, 0, 1, 1]), np.array([0.1, 0.6, 0.5, 0.9]))
    >>> [round(found[name], 3) for name in ('auc', 'balanced_accuracy', 'brier')]
    [0.75, 0.75, 0.158]
    """
    said = predicted >= 0.5
    right = [float((said[target == one] == bool(one)).mean()) for one in (0, 1)]
    line = calibration(target, predicted)
    return {
        'auc': float(roc_auc_score(target, predicted)),
        'balanced_accuracy': float(np.mean(right)),
        'brier': float(((predicted - target) ** 2).mean()),
        **({'calibration_slope': line[0], 'calibration_level': line[1]} if line else {}),
    }


def calibration(target: NDArray[np.int64], predicted: Matrix) -> tuple[float, float] | None:
    """Return how the log odds of the truth follow those that were said, slope and level.

    1 and 0 are probabilities that can be taken by their word; a slope below 1 is of those that
    dare too much, above 1 too little. None where a probability divides the classes without an
    error (but for ties), or is the same for all.

    References
    ----------
    Cox 1958, doi:10.1093/biomet/45.3-4.562; Van Calster et al. 2019,
    doi:10.1186/s12916-019-1466-7.

    Examples
    --------
    Of 80 whose probability was said to be 0.2 and 0.8, it is true of a quarter and three quarters:

    >>> said = np.repeat([0.2, 0.8], 40)
    >>> true = np.r_[np.repeat([0, 1], [30, 10]), np.repeat([0, 1], [10, 30])]
    >>> slope, level = calibration(true, said)
    >>> round(slope, 3), abs(round(level, 3))
    (0.792, 0.0)
    """
    odds = logit(np.clip(predicted, 1e-9, 1 - 1e-9))
    first, second = odds[target == 0], odds[target == 1]
    is_divided = first.max() <= second.min() or second.max() <= first.min()
    if np.ptp(odds) < 1e-9 or is_divided:
        return None
    scale = float(odds.std())
    fitted = LogisticRegression(C=np.inf, max_iter=1000, tol=1e-8).fit(
        odds[:, None] / scale, target
    )
    return float(fitted.coef_[0, 0]) / scale, float(fitted.intercept_[0])


def platt(distances: Matrix, target: NDArray[np.int64], others: Matrix) -> Matrix:
    """Return the probability of the second class at the distances (k,) of others.

    It follows from the distances (n,) and classes of people whom their models had not seen, by
    the rule of Platt (in: Advances in Large Margin Classifiers, 1999, pp. 61-74), with his
    targets, which stay finite where the classes are apart.

    Examples
    --------
    >>> platt(np.repeat([-1.0, 1.0], 8), np.repeat([0, 1], 8), np.array([-1, 0, 1.0])).round(3)
    array([0.1, 0.5, 0.9])
    """
    counts = np.array([(target == 0).sum(), (target == 1).sum()])
    share = np.where(target == 1, (counts[1] + 1) / (counts[1] + 2), 1 / (counts[0] + 2))
    scale = max(float(distances.std()), 1e-12)
    fitted = LogisticRegression(C=np.inf, max_iter=1000).fit(
        np.tile(distances / scale, 2)[:, None],
        np.repeat([1, 0], len(distances)),
        np.concatenate([share, 1 - share]),
    )
    return np.asarray(fitted.predict_proba(others[:, None] / scale)[:, 1], float)


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
