"""T2* of echoes whose decay is known."""

from __future__ import annotations

import numpy as np
import pytest

from mriderived.core.echo_combination import fit_t2star, map_decay

TIMES = (0.012, 0.030, 0.048)


def echoes(t2star: np.ndarray, level: float = 1000, times: tuple[float, ...] = TIMES) -> list:
    with np.errstate(under='ignore'):
        return [(level * np.exp(-time / t2star)).astype(np.float32) for time in times]


def test_a_decay_without_noise_is_found() -> None:
    t2star = np.linspace(0.01, 0.1, 8).reshape(2, 2, 2)
    found = map_decay(echoes(t2star), TIMES)
    np.testing.assert_allclose(found.t2star, t2star, rtol=1e-4)
    assert found.misfit.max() < 1e-5
    np.testing.assert_array_equal(found.t2star, fit_t2star(echoes(t2star), TIMES))


def test_what_does_not_decay_or_too_fast_or_too_slowly_has_no_value() -> None:
    t2star, times = np.array([[[-0.05, 0.001, 0.9, 0.05]]]), (0.001, 0.002, 0.003)
    found = map_decay(echoes(t2star, times=times), times)
    assert (found.t2star[0, 0] > 0).tolist() == [False, False, False, True]
    assert np.isnan(found.misfit[0, 0]).tolist() == [True, True, True, False]
    # for the weights, the nearest plausible one stands in
    usual = fit_t2star(echoes(t2star, times=times), times)[0, 0]
    assert usual.tolist() == pytest.approx([0, 0.002, 0.5, 0.05], rel=1e-3)


def test_the_misfit_is_what_the_exponential_leaves() -> None:
    means = echoes(np.full((1, 1, 1), 0.05))
    means[1] *= 1.1
    found = map_decay(means, TIMES)
    assert 0.02 < float(found.misfit[0, 0, 0]) < 0.1


def test_two_echoes_have_no_misfit() -> None:
    found = map_decay(echoes(np.full((1, 1, 1), 0.04), times=TIMES[:2]), TIMES[:2])
    assert found.t2star[0, 0, 0] == pytest.approx(0.04, rel=1e-4)
    assert np.isnan(found.misfit).all()


def test_the_error_at_an_snr_of_100_is_small() -> None:
    """Of the mean of 20 volumes, as the measure takes it."""
    rng = np.random.default_rng(0)
    t2star = rng.uniform(0.02, 0.08, (20, 20, 20))
    means = [mean + rng.normal(0, 10 / np.sqrt(20), mean.shape) for mean in echoes(t2star)]
    found = map_decay([mean.astype(np.float32) for mean in means], TIMES).t2star
    assert np.median(np.abs(found / t2star - 1)) < 0.01
