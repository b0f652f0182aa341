"""The start of a series: how many volumes are before the steady state."""

import numpy as np
import pytest

from mriderived.core.steady_state import count_unsteady, mean_signal


def _signal(extra: list[float], count: int = 120) -> np.ndarray:
    signal = 1000 + np.random.default_rng(0).normal(0, 2, count)
    signal[: len(extra)] += extra
    return signal


@pytest.mark.parametrize(
    ('extra', 'expected'),
    [([], 0), ([300], 1), ([300, 120, 50, 20], 4), ([300, 0, 50], 1), ([-40], 1)],
)
def test_outliers_at_the_start_are_counted_until_the_first_that_is_none(extra, expected) -> None:
    assert count_unsteady(_signal(extra)) == expected


def test_an_outlier_in_the_middle_does_not_count() -> None:
    signal = _signal([])
    signal[20] += 500
    assert count_unsteady(signal) == 0


def test_only_the_first_fifty_volumes_are_judged() -> None:
    signal = _signal([20])
    signal[50:] += 1000
    assert count_unsteady(signal) == 1


def test_a_constant_signal_and_a_single_volume_are_steady() -> None:
    assert count_unsteady(np.full(30, 7.0)) == 0
    assert count_unsteady(np.array([7.0])) == 0


def test_a_signal_that_is_not_finite_is_named() -> None:
    with pytest.raises(ValueError, match='volume 3'):
        count_unsteady(np.array([1, 2, 3, np.nan, 5]))
    with pytest.raises(ValueError, match='one number per volume'):
        count_unsteady(np.zeros((4, 3)))


def test_the_mean_signal_leaves_out_what_is_not_finite() -> None:
    series = np.ones((3, 4, 5, 60), np.float32) * np.arange(60, dtype=np.float32)
    series[0, 0, 0] = np.nan
    series[..., 2] = np.inf
    found = mean_signal(series)
    assert found.shape == (50,)
    assert np.isnan(found[2])
    np.testing.assert_allclose(np.delete(found, 2), np.delete(np.arange(50), 2))
