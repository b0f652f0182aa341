"""Calibration of predictions: that of an independent fit, and of what was planted."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.special import expit, logit

from mriderived.core.prediction_scores import calibration, platt, score_classes, score_numbers


def draw(odds: np.ndarray, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).random(len(odds)) < expit(odds)).astype(int)


def test_calibration_is_that_of_a_logistic_regression() -> None:
    odds = np.random.default_rng(1).normal(0.3, 2, 300)
    true = draw(0.6 * odds - 0.2)
    expected = sm.Logit(true, sm.add_constant(odds)).fit(disp=0).params
    found = calibration(true, expit(odds))
    assert found is not None
    np.testing.assert_allclose(found, expected[::-1], atol=1e-3)


@pytest.mark.parametrize(('factor', 'slope'), [(1.0, 1.0), (2.0, 0.5), (0.25, 4.0)])
def test_what_dares_too_much_has_a_slope_below_one(factor: float, slope: float) -> None:
    odds = np.random.default_rng(2).normal(0, 1.5, 20000)
    found = calibration(draw(odds), expit(factor * odds))
    assert found is not None
    assert found[0] == pytest.approx(slope, rel=0.05) and abs(found[1]) < 0.05


def test_without_a_line_there_is_no_calibration() -> None:
    true = np.repeat([0, 1], 10)
    assert calibration(true, np.full(20, 0.4)) is None
    assert calibration(true, np.linspace(0, 1, 20)) is None
    tied = np.r_[np.linspace(0.1, 0.5, 10), np.linspace(0.5, 0.9, 10)]
    assert calibration(true, tied) is None
    assert 'calibration_slope' not in score_classes(true, np.linspace(0, 1, 20))
    age = np.linspace(20, 80, 20)
    assert 'calibration_slope' not in score_numbers(age, np.full(20, 50.0), age / 2)
    found = score_numbers(age, 50 + (age - 50) / 4, age / 2)
    assert found['calibration_slope'] == pytest.approx(4)


def test_distances_become_probabilities_that_can_be_taken_by_their_word() -> None:
    """Distances of any unit, of classes of unequal size."""
    distance = np.random.default_rng(3).normal(0, 1, 20000)
    true = draw(2 * distance - 1, seed=4)
    said = platt(1e-3 * distance[:10000], true[:10000], 1e-3 * distance[10000:])
    np.testing.assert_allclose(logit(said), 2 * distance[10000:] - 1, atol=0.35)
    found = calibration(true[10000:], said)
    assert found is not None
    assert found[0] == pytest.approx(1, abs=0.06) and abs(found[1]) < 0.08
