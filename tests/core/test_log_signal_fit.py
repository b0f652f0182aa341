"""Weighted fits of ln S: against plain least squares, with signals that have no logarithm."""

import numpy as np
import pytest

from mriderived.core.log_signal_fit import fit_log_signal

DESIGN = np.column_stack([-np.linspace(0, 2.5, 30), np.linspace(0, 2.5, 30) ** 2, np.ones(30)])
TRUTH = np.array([1.2, 0.15, 6.0])


def noisy(voxels: int, seed: int = 0) -> np.ndarray:
    clean = np.exp(DESIGN @ TRUTH)
    return np.abs(clean + np.random.default_rng(seed).normal(scale=8, size=(voxels, 30)))


def plain(signal: np.ndarray, iterations: int) -> np.ndarray:
    logarithm = np.log(signal)
    weight = np.ones(30)
    for step in range(iterations + 1):
        found = np.linalg.lstsq(DESIGN * weight[:, None], logarithm * weight, rcond=None)[0]
        weight = np.exp(DESIGN @ found)
        assert step <= iterations
    return found


@pytest.mark.parametrize('iterations', [0, 1, 2, 3])
def test_agrees_with_a_plain_loop(iterations: int) -> None:
    signals = noisy(700)
    found = fit_log_signal(signals, DESIGN, iterations)
    expected = np.array([plain(signal, iterations) for signal in signals])
    np.testing.assert_allclose(found.coefficients, expected, rtol=1e-9, atol=1e-10)
    assert found.fitted.all() and not found.floored.any()


def test_weights_make_estimates_more_precise() -> None:
    error = [
        fit_log_signal(noisy(4000), DESIGN, iterations).coefficients - TRUTH
        for iterations in (0, 2)
    ]
    plain_fit, weighted = (np.sqrt((one**2).mean(axis=0)) for one in error)
    assert (weighted < 0.75 * plain_fit)[:2].all()
    assert np.abs(error[1].mean(axis=0)).max() < 0.004


def test_scale_and_threads() -> None:
    signals = noisy(1111).astype(np.float32)
    expected = fit_log_signal(signals, DESIGN)
    scaled = fit_log_signal(signals * np.float32(1024), DESIGN).coefficients
    np.testing.assert_allclose(scaled[:, :2], expected.coefficients[:, :2], atol=1e-10)
    np.testing.assert_allclose(scaled[:, 2], expected.coefficients[:, 2] + np.log(1024))
    threads = fit_log_signal(signals, DESIGN, threads=3)
    np.testing.assert_array_equal(threads.coefficients, expected.coefficients)


def test_signals_without_a_logarithm_are_raised_and_counted() -> None:
    signals = noisy(5)
    signals[1, 3], signals[1, 4], signals[2, 5], signals[3] = 0, -2, np.nan, 0
    signals[4, 2:] = 0
    found = fit_log_signal(signals, DESIGN)
    assert found.floored.tolist() == [0, 2, 1, 30, 28]
    assert found.fitted.tolist() == [True, True, True, False, False]
    assert np.isnan(found.coefficients[3:]).all()
    raised = signals[1].copy()
    raised[3:5] = raised[raised > 0].min()
    expected = fit_log_signal(raised[None], DESIGN).coefficients
    np.testing.assert_allclose(found.coefficients[1], expected[0], rtol=1e-12)


def test_wild_signals_do_no_harm_to_others() -> None:
    signals = noisy(300)
    expected = fit_log_signal(signals, DESIGN).coefficients
    signals[7, ::2], signals[8] = 1e30, 1e-30
    found = fit_log_signal(signals, DESIGN)
    others = np.delete(np.arange(300), [7, 8])
    np.testing.assert_array_equal(found.coefficients[others], expected[others])
    assert np.isfinite(found.coefficients[8]).all()


def test_no_voxels() -> None:
    assert fit_log_signal(np.empty((0, 30)), DESIGN).coefficients.shape == (0, 3)


def test_designs_that_do_not_determine_are_refused() -> None:
    with pytest.raises(ValueError, match='2 volumes do not determine the 3 coefficients'):
        fit_log_signal(np.ones((1, 2)), DESIGN[:2])
    with pytest.raises(ValueError, match='signals of shape'):
        fit_log_signal(np.ones((1, 29)), DESIGN)
