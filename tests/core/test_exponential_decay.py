from __future__ import annotations

import numpy as np
import pytest
from relaxation_phantoms import cramer_rao, magnitude
from scipy.stats import rice

from mriderived.core.dephasing import dephasing, field_changes
from mriderived.core.echo_combination import fit_t2star
from mriderived.core.exponential_decay import fit_decay
from mriderived.core.fit_outcome import Outcome, count_outcomes
from mriderived.core.rician import noise_from_misfit, rician_moments

SPIN_ECHOES = np.arange(1, 11) * 0.01
GRADIENT_ECHOES = np.arange(1, 9) * 0.005


def decay(times):
    return lambda p: p[0] * np.exp(-times / p[1])


@pytest.mark.parametrize('time', [0.02, 0.08, 0.5])
def test_noiseless_decays_are_exact(time):
    signals = decay(SPIN_ECHOES)([300, time])[None]
    found = fit_decay(signals, SPIN_ECHOES)
    assert found.time[0] == pytest.approx(time, rel=1e-5)
    assert found.rate[0] == pytest.approx(1 / time, rel=1e-5)
    assert found.amplitude[0, 0] == pytest.approx(300, rel=1e-5)
    assert found.misfit[0] < 1e-6


@pytest.mark.parametrize(('times', 'time'), [(SPIN_ECHOES, 0.08), (GRADIENT_ECHOES, 0.03)])
def test_bias_and_spread_at_snr_50(times, time):
    truth, noise = [100.0, time], 2.0
    rows = magnitude(decay(times)(truth)[None], noise, 20_000)
    found = fit_decay(rows, times, noise=noise)
    assert (found.outcome == Outcome.FITTED).all()
    least = cramer_rao(decay(times), truth, noise)
    assert found.time.mean() == pytest.approx(time, rel=0.01)
    assert found.amplitude.mean() == pytest.approx(100, rel=0.01)
    assert found.time.std() / least[1] == pytest.approx(1, abs=0.08)
    assert found.amplitude.std() / least[0] == pytest.approx(1, abs=0.05)


def test_noise_floor_is_part_of_the_model():
    times, noise = np.arange(1, 13) * 0.01, 2.0
    rows = magnitude(decay(times)([100.0, 0.025])[None], noise, 20_000)
    plain = fit_decay(rows, times).time
    aware = fit_decay(rows, times, noise=noise).time
    assert np.median(plain) > 0.025 * 1.02  # the floor lengthens the decay
    assert np.median(aware) == pytest.approx(0.025, rel=0.005)


def test_rician_moments_agree_with_scipy():
    for ratio in (0.0, 0.3, 1.0, 2.5, 8.0, 10.001, 15.0, 29.0):
        mean, slope, variance = rician_moments(3 * ratio, 3.0)
        assert mean == pytest.approx(3 * rice.mean(ratio), rel=1e-9)
        assert variance == pytest.approx(9 * rice.var(ratio), rel=1e-6)
        ahead = rician_moments(3 * ratio + 1e-4, 3.0)[0]
        assert slope == pytest.approx((ahead - mean) / 1e-4, abs=1e-4)
    near = [np.array(rician_moments(ratio, 1.0)) for ratio in (10 - 1e-7, 10 + 1e-7)]
    assert near[1] == pytest.approx(near[0], abs=5e-7)
    assert rician_moments(30.001, 1.0)[0] == pytest.approx(rician_moments(29.999, 1.0)[0] + 0.002,
                                                           abs=1e-5)  # fmt: skip


def test_noise_from_what_a_fit_leaves():
    rows = magnitude(decay(SPIN_ECHOES)([100.0, 0.08])[None], 2.0, 20_000)
    rows[::10] += 20 * np.random.default_rng(1).random((2000, 10)).astype(np.float32)
    found = fit_decay(rows, SPIN_ECHOES)
    assert noise_from_misfit(found.misfit, rows, 2) == pytest.approx(2.0, rel=0.1)
    clean = noise_from_misfit(np.delete(found.misfit, np.s_[::10]),
                              np.delete(rows, np.s_[::10], axis=0), 2)  # fmt: skip
    assert clean == pytest.approx(2.0, rel=0.02)
    with pytest.raises(ValueError, match='leave nothing'):
        noise_from_misfit(found.misfit, rows, 10)


def test_contrasts_share_their_rate():
    times = np.r_[GRADIENT_ECHOES, GRADIENT_ECHOES[:6]]
    contrasts = np.repeat([0, 1], [8, 6])

    def model(p):
        return p[contrasts] * np.exp(-times * p[2])

    truth = [100.0, 60.0, 25.0]
    rows = magnitude(model(np.array(truth))[None], 2.0, 20_000)
    found = fit_decay(rows, times, contrasts=contrasts, noise=2.0)
    least = cramer_rao(model, truth, 2.0)
    assert found.rate.mean() == pytest.approx(25, rel=0.01)
    assert found.rate.std() / least[2] == pytest.approx(1, abs=0.06)
    assert found.amplitude.mean(axis=0) == pytest.approx([100, 60], rel=0.01)


def test_a_field_through_the_voxel_shortens_t2star_until_it_is_modelled():
    change = np.array([10.0])
    left = dephasing(change, GRADIENT_ECHOES)
    rows = decay(GRADIENT_ECHOES)([100, 0.04])[None] * left
    assert fit_decay(rows, GRADIENT_ECHOES).time[0] < 0.034
    found = fit_decay(rows, GRADIENT_ECHOES, modulation=left)
    assert found.time[0] == pytest.approx(0.04, rel=1e-4)


def test_changes_of_a_field_within_a_mask():
    field = np.add.outer(np.add.outer(4.0 * np.arange(5), -2.0 * np.arange(4)), 0.5 * np.arange(3))
    mask = np.ones(field.shape, bool)
    assert field_changes(field, mask) == pytest.approx(
        np.tile([4.0, -2.0, 0.5], (60, 1)), rel=1e-3
    )
    field[~(mask := field < 14)] = 1e6  # what lies outside does not count
    found = field_changes(field, mask)
    assert found.shape == (mask.sum(), 3)
    assert np.abs(found).max() == pytest.approx(4, rel=1e-3)
    with pytest.raises(ValueError, match='shape'):
        field_changes(field[:2], mask)


def test_voxels_without_a_decay_are_counted_not_clipped():
    rows = np.zeros((5, 10), np.float32)
    rows[1] = np.nan
    rows[2] = 100  # does not decay
    rows[3] = np.linspace(50, 100, 10)  # grows
    rows[4] = decay(SPIN_ECHOES)([100, 0.05])
    found = fit_decay(rows, SPIN_ECHOES)
    assert count_outcomes(found.outcome)['no_signal'] == 2
    assert count_outcomes(found.outcome)['fitted'] == 1
    assert np.isnan(found.time[:4]).all() and np.isnan(found.misfit[:4]).all()
    assert found.time[4] == pytest.approx(0.05, rel=1e-5)
    short = fit_decay(rows[4:], SPIN_ECHOES, bounds=(0.06, 1))
    assert short.outcome[0] == Outcome.IMPLAUSIBLE


def test_two_echoes_agree_with_the_combination_of_echoes():
    times = (0.012, 0.03)
    rows = decay(np.array(times))([500, 0.035])[None].astype(np.float32)
    theirs = fit_t2star([rows[:, e].reshape(1, 1, 1) for e in range(2)], times)
    found = fit_decay(rows, times)
    assert found.time[0] == pytest.approx(float(theirs[0, 0, 0]), rel=1e-4)
    assert np.isnan(found.misfit[0])


def test_results_do_not_depend_on_threads_or_order():
    rows = magnitude(decay(SPIN_ECHOES)([100.0, 0.08])[None], 2.0, 501)
    one = fit_decay(rows, SPIN_ECHOES, noise=2.0)
    two = fit_decay(rows, SPIN_ECHOES, noise=2.0, threads=2)
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
    back = fit_decay(rows[:, ::-1], SPIN_ECHOES[::-1], noise=2.0)
    assert back.time == pytest.approx(one.time, rel=1e-5)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'signals': np.ones((2, 3)), 'echo_times': [0.1, 0.2]}, 'for 2 images'),
        ({'signals': np.ones((2, 1)), 'echo_times': [0.1]}, 'needs 2 images'),
        ({'signals': np.ones((2, 2)), 'echo_times': [0.1, 0.1]}, 'two different echo times'),
        ({'signals': np.ones((2, 2)), 'echo_times': [0.1, -0.1]}, 'must not be negative'),
        ({'signals': np.ones((2, 2)), 'echo_times': [0.1, 0.2], 'contrasts': [0, 2]}, 'count'),
        ({'signals': np.ones((2, 2)), 'echo_times': [0.1, 0.2], 'noise': [1.0] * 3}, '3,'),
    ],
)
def test_what_cannot_be_fitted_is_refused(arguments, message):
    signals, times = arguments.pop('signals'), arguments.pop('echo_times')
    with pytest.raises(ValueError, match=message):
        fit_decay(signals, times, **arguments)
