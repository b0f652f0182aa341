from __future__ import annotations

import numpy as np
import pytest
from relaxation_phantoms import cramer_rao, magnitude, signed

from mriderived.core.fit_outcome import Outcome, count_outcomes
from mriderived.core.inversion_recovery import fit_inversion_recovery
from mriderived.core.look_locker import correct_readout, restore_sign
from mriderived.core.recovery_sign import find_usual_inversion, fit_magnitudes

TIMES = np.array([0.05, 0.2, 0.4, 0.7, 1.1, 1.7, 2.5])
#: 5(3)3: the times since inversion of the images of a heart at 60 beats per minute, in s.
MOLLI = np.array([0.1, 0.18, 1.1, 1.18, 2.1, 2.18, 3.1, 4.1])


def recovery(times):
    return lambda p: p[1] + p[2] * np.exp(-times / p[0])


@pytest.mark.parametrize('t1', [0.3, 0.9, 1.4, 3.0])
@pytest.mark.parametrize('slope', [-200.0, -170.0, -110.0])
@pytest.mark.parametrize('is_magnitude', [True, False])
def test_noiseless_recoveries_are_exact(t1, slope, is_magnitude):
    signals = recovery(TIMES)([t1, 100, slope])[None]
    rows = np.abs(signals) if is_magnitude else signals
    found = fit_inversion_recovery(rows, TIMES, is_magnitude=is_magnitude)
    assert found.time[0] == pytest.approx(t1, rel=1e-4)
    assert found.rate[0] == pytest.approx(1 / t1, rel=1e-4)
    assert found.offset[0] == pytest.approx(100, rel=1e-4)
    assert found.slope[0] == pytest.approx(slope, rel=1e-4)
    assert found.efficiency[0] == pytest.approx(-slope / 100, rel=2e-4)
    assert found.misfit[0] < 1e-5


@pytest.mark.parametrize('is_magnitude', [True, False])
@pytest.mark.parametrize('t1', [0.9, 1.4])
def test_bias_and_spread_at_snr_50(t1, is_magnitude):
    truth, noise = [t1, 100.0, -190.0], 2.0
    signals = recovery(TIMES)(truth)[None]
    rows = magnitude(np.abs(signals), noise, 20_000) if is_magnitude else signed(
        signals, noise, 20_000)  # fmt: skip
    found = fit_inversion_recovery(rows, TIMES, is_magnitude=is_magnitude)
    assert (found.outcome == Outcome.FITTED).all()
    least = cramer_rao(recovery(TIMES), truth, noise)
    assert found.time.mean() == pytest.approx(t1, rel=0.01)
    assert found.offset.mean() == pytest.approx(100, rel=0.01)
    assert found.time.std() / least[0] == pytest.approx(1, abs=0.08)


def train_of_readouts(t1, flip_angle, spacing=0.003):
    """Return the signals of a recovery with an excitation every ``spacing``, and their times."""
    cosine, left = np.cos(np.radians(flip_angle)), np.exp(-spacing / t1)
    m, seen = -1.0, []
    for _ in range(1200):
        seen.append(m * np.sin(np.radians(flip_angle)))
        m = 1 + (m * cosine - 1) * left
    return np.array(seen), spacing * np.arange(1200)


@pytest.mark.parametrize('t1', [0.9, 1.4])
def test_readout_that_drives_the_recovery(t1):
    seen, times = train_of_readouts(t1, 3.0)
    pick = np.arange(20, 1200, 100)
    found = fit_inversion_recovery(np.abs(seen[pick])[None], times[pick])
    assert found.time[0] < 0.8 * t1  # T1*, as it is
    assert correct_readout(found).time[0] == pytest.approx(t1, rel=0.01)


def test_bias_and_spread_of_molli_at_snr_50():
    truth, noise = [1.0, 100.0, -190.0], 2.0
    rows = magnitude(np.abs(recovery(MOLLI)(truth))[None], noise, 20_000)
    found = correct_readout(fit_inversion_recovery(rows, MOLLI))
    assert np.nanmean(found.time) == pytest.approx(0.9, rel=0.01)

    def model(p):  # in terms of T1: T1* = T1 / (B / A - 1)
        star = p[0] / (-p[2] / p[1] - 1)
        return p[1] + p[2] * np.exp(-MOLLI / star)

    least = cramer_rao(model, [0.9, 100.0, -190.0], noise)
    assert np.nanstd(found.time) / least[0] == pytest.approx(1, abs=0.1)
    assert found.rate == pytest.approx(1 / found.time, rel=1e-5)


def test_phase_gives_the_sign_back():
    signals = recovery(TIMES)([1.0, 100, -190])[None]
    phase = np.where(signals < 0, np.pi, 0) + 0.8
    again = restore_sign(np.abs(signals), phase, phase[:, -1])
    assert again == pytest.approx(signals.astype(np.float32))


def test_voxels_without_t1_are_counted_threads_and_order():
    rows = magnitude(np.abs(recovery(TIMES)([1.0, 100, -190]))[None], 2.0, 60)
    rows[0], rows[1] = 0, np.nan
    rows[2] = 100
    rows[3] = np.abs(recovery(TIMES)([20.0, 100, -190]))
    one, two = (fit_inversion_recovery(rows, TIMES, threads=n) for n in (1, 2))
    assert all(np.array_equal(a, b, equal_nan=True) for a, b in zip(one, two, strict=True))
    back = fit_inversion_recovery(rows[:, ::-1], TIMES[::-1])
    assert np.array_equal(back.time, one.time, equal_nan=True)
    counts = count_outcomes(one.outcome)
    assert (counts['no_signal'], counts['fitted']) == (2, 56)
    assert np.isnan(one.time[:4]).all()
    later = correct_readout(one)
    assert (later.outcome[:4] == one.outcome[:4]).all()


def test_what_cannot_be_fitted_is_refused():
    with pytest.raises(ValueError, match='4 different inversion times'):
        fit_inversion_recovery(np.ones((1, 4)), [0.1, 0.1, 0.5, 1.0])
    with pytest.raises(ValueError, match='needs 4 images'):
        fit_inversion_recovery(np.ones((1, 3)), [0.1, 0.5, 1.0])
    with pytest.raises(ValueError, match='needs 3 images'):
        fit_inversion_recovery(np.ones((1, 2)), [0.1, 0.5], is_magnitude=False)


def test_signs_that_noise_turned_are_found_by_the_usual_efficiency():
    times = np.array([0.05, 0.4, 1.1, 2.5])  # the third is near the null of many
    rng = np.random.default_rng(0)
    truth = rng.uniform(0.8, 2.0, 20_000)
    signals = 100 - 200 * np.exp(-times / truth[:, None])
    noise = 2 * rng.standard_normal((2, *signals.shape))
    rows = np.hypot(signals + noise[0], noise[1])
    alone = fit_inversion_recovery(rows, times).time / truth - 1
    helped = fit_magnitudes(rows, times).time / truth - 1
    assert (np.abs(alone) > 0.5).mean() > 2e-3
    assert (np.abs(helped) > 0.5).mean() < 1e-3
    assert np.nanmean(helped) == pytest.approx(0, abs=0.01)
    usual = find_usual_inversion(fit_inversion_recovery(rows, times), rows)
    assert usual is not None
    assert usual.efficiency == pytest.approx(2, rel=0.01)
    assert usual.noise == pytest.approx(2, rel=0.1)


def test_what_is_usual_changes_nothing_that_signals_tell():
    """Voxels of another efficiency keep their T1 where no image is near its null."""
    rows = magnitude(np.abs(recovery(TIMES)([0.9, 100.0, -190.0]))[None], 2.0, 2000)
    rows[:100] = np.abs(recovery(TIMES)([0.9, 100.0, -130.0]))
    first = fit_inversion_recovery(rows, TIMES)
    second = fit_magnitudes(rows, TIMES)
    assert second.time[:100] == pytest.approx(0.9, rel=1e-3)
    assert np.array_equal(second.time[100:], first.time[100:])
    # threads and order
    two = fit_magnitudes(rows[::-1], TIMES, threads=2)
    assert np.array_equal(two.time[::-1], second.time)
