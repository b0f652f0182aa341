from __future__ import annotations

import numpy as np
import pytest
from relaxation_phantoms import cramer_rao, magnitude

from mriderived.core.fit_outcome import Outcome, count_outcomes
from mriderived.core.variable_flip_angle import fit_flip_angles, spoiled_signal

TR = 0.0237
ANGLES = [3.0, 6.0, 12.0, 20.0]


def test_two_angles_are_exact():
    signals = 1000 * spoiled_signal(1.0, [[6, 21]], TR)
    found = fit_flip_angles(signals, [6, 21], TR)
    assert round(float(found.time[0]), 4) == 1.0000
    assert found.density[0] == pytest.approx(1000, rel=1e-5)
    assert np.isnan(found.misfit[0])


def test_small_angles_would_be_biased_by_one_percent():
    one, two = 1000 * spoiled_signal(1.0, [6, 21], TR)

    def rate(first, second):
        return 0.5 * (one * first / TR - two * second / TR) / (two / second - one / first)

    small = np.radians([6, 21])
    # small angles make R1 1.1 % too low; tangents, with the first order of TR, 0.005 %
    assert rate(*small) == pytest.approx(0.9891, abs=1e-4)
    assert rate(*(2 * np.tan(small / 2))) == pytest.approx(0.99995, abs=1e-5)


@pytest.mark.parametrize('t1', [0.3, 0.9, 1.4, 4.0])
@pytest.mark.parametrize('transmit', [0.8, 1.0, 1.2])
def test_noiseless_signals_are_exact(t1, transmit):
    signals = 500 * spoiled_signal(t1, np.array([ANGLES]) * transmit, TR)
    found = fit_flip_angles(signals, ANGLES, TR, transmit=transmit)
    assert found.time[0] == pytest.approx(t1, rel=1e-4)
    assert found.rate[0] == pytest.approx(1 / t1, rel=1e-4)
    assert found.density[0] == pytest.approx(500, rel=1e-4)
    assert found.misfit[0] < 1e-5


def test_a_transmit_field_that_is_left_out_counts_twice():
    signals = 500 * spoiled_signal(1.0, np.array([ANGLES]) * 1.1, TR)
    assert fit_flip_angles(signals, ANGLES, TR).time[0] == pytest.approx(1.21, abs=0.02)


@pytest.mark.parametrize('transmit', [0.8, 1.0, 1.2])
def test_bias_and_spread_at_snr_50(transmit):
    seen = np.array(ANGLES) * transmit

    def model(p):
        return p[1] * spoiled_signal(p[0], seen, TR)

    truth = [1.0, 1000.0]
    noise = model(truth).max() / 50
    rows = magnitude(model(truth)[None], noise, 40_000)
    found = fit_flip_angles(rows, ANGLES, TR, transmit=transmit)
    assert (found.outcome == Outcome.FITTED).all()
    least = cramer_rao(model, truth, noise)
    assert found.time.mean() == pytest.approx(1.0, rel=0.01)
    assert found.density.mean() == pytest.approx(1000, rel=0.01)
    assert found.time.std() / least[0] == pytest.approx(1, abs=0.05)


def test_voxels_without_t1_are_counted_and_threads_agree():
    rows = magnitude(1000 * spoiled_signal(1.0, [ANGLES], TR), 2.0, 50)
    rows[0], rows[1] = 0, np.nan
    rows[2] = 100 * np.sin(np.radians(ANGLES))  # never saturates
    rows[3] = 1000 * spoiled_signal(30.0, ANGLES, TR)
    one, two = (fit_flip_angles(rows, ANGLES, TR, threads=n) for n in (1, 2))
    assert all(np.array_equal(a, b, equal_nan=True) for a, b in zip(one, two, strict=True))
    counts = count_outcomes(one.outcome)
    assert (counts['no_signal'], counts['fitted']) == (2, 46)
    assert one.outcome[3] == Outcome.IMPLAUSIBLE
    assert np.isnan(one.time[:4]).all()
    absent = fit_flip_angles(rows[4:5], ANGLES, TR, transmit=[0.0])
    assert absent.outcome[0] == Outcome.NO_SOLUTION


def test_what_cannot_be_fitted_is_refused():
    with pytest.raises(ValueError, match='two different flip angles'):
        fit_flip_angles(np.ones((1, 2)), [6, 6], TR)
    with pytest.raises(ValueError, match='two different flip angles'):
        fit_flip_angles(np.ones((1, 2)), [6, 21], 0)
    with pytest.raises(ValueError, match='for 3 images'):
        fit_flip_angles(np.ones((1, 2)), [6, 8, 21], TR)
