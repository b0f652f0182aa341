from __future__ import annotations

import numpy as np
import pytest
from relaxation_phantoms import cramer_rao, magnitude

from mriderived.core.epg import echo_train
from mriderived.core.exponential_decay import fit_decay
from mriderived.core.fit_outcome import Outcome
from mriderived.core.spin_echo_t2 import fit_spin_echoes

SPACING, ECHOES = 0.01, 16


def turn_about_first(angle, vectors):
    c, s = np.cos(angle), np.sin(angle)
    return np.stack([vectors[0], c * vectors[1] - s * vectors[2], s * vectors[1] + c * vectors[2]])


def isochromats(t2, refocusing, t1=1.0, spins=512):
    """Return the echoes of many spins, each turned step by step."""
    phase = (np.arange(spins) + 0.5) / spins * 2 * np.pi
    spins_now = np.zeros((3, spins))
    spins_now[0] = np.sin(np.radians(refocusing / 2))

    def wait(m):
        m = m * np.exp(-SPACING / 2 / np.array([t2, t2, t1]))[:, None]
        c, s = np.cos(phase), np.sin(phase)
        return np.stack([c * m[0] - s * m[1], s * m[0] + c * m[1], m[2]])

    train = []
    for _ in range(ECHOES):
        spins_now = wait(turn_about_first(np.radians(refocusing), wait(spins_now)))
        train.append(spins_now[0].mean())
    return np.array(train)


@pytest.mark.parametrize('refocusing', [180, 144, 120, 60, 216])
def test_phase_graphs_agree_with_single_spins(refocusing):
    train = echo_train(0.08, refocusing, SPACING, ECHOES)
    assert np.abs(train - isochromats(0.08, refocusing)).max() < 1e-12


def test_perfect_refocusing_is_an_exponential():
    times = SPACING * np.arange(1, ECHOES + 1)
    train = echo_train([0.05, 0.2], 180, SPACING, ECHOES)
    assert train == pytest.approx(np.exp(-times / np.array([[0.05], [0.2]])), rel=1e-12)


def test_stimulated_echoes_lengthen_an_exponential_fit():
    train = echo_train(0.08, [144.0], SPACING, ECHOES)
    times = SPACING * np.arange(1, ECHOES + 1)
    assert fit_decay(train, times).time[0] / 0.08 == pytest.approx(1.067, abs=0.01)
    assert fit_spin_echoes(train, SPACING).time[0] == pytest.approx(0.08, rel=1e-4)


@pytest.mark.parametrize('t2', [0.02, 0.08, 0.5])
@pytest.mark.parametrize('transmit', [0.8, 0.9, 1.2])
def test_noiseless_trains_are_exact(t2, transmit):
    train = np.abs(200 * echo_train(t2, [180 * transmit], SPACING, ECHOES))
    known = fit_spin_echoes(train, SPACING, transmit=transmit)
    assert known.time[0] == pytest.approx(t2, rel=1e-4)
    assert known.amplitude[0] == pytest.approx(200, rel=1e-4)
    found = fit_spin_echoes(train, SPACING)
    assert found.time[0] == pytest.approx(t2, rel=1e-4)
    assert found.refocusing[0] == pytest.approx(180 * min(transmit, 2 - transmit), abs=0.05)
    assert found.misfit[0] < 1e-5


@pytest.mark.parametrize('transmit', [0.8, 1.0, 1.2])
@pytest.mark.parametrize('known', [True, False])
def test_bias_and_spread_at_snr_50(transmit, known):
    noise, truth = 2.0, [100.0, 0.08, 180 * transmit]
    train = 100 * echo_train(0.08, [truth[2]], SPACING, ECHOES)
    rows = magnitude(train, noise, 6000)
    found = fit_spin_echoes(rows, SPACING, noise=noise, transmit=transmit if known else None)
    fitted = found.time[found.outcome == Outcome.FITTED]
    assert len(fitted) >= 0.999 * len(rows)
    assert fitted.mean() == pytest.approx(0.08, rel=0.01)

    def model(p):
        return p[0] * echo_train(p[1], truth[2] if known else p[2], SPACING, ECHOES)

    if known or transmit != 1.0:  # at 180° the angle is at its bound
        least = cramer_rao(model, truth[:2] if known else truth, noise)
        assert fitted.std() / least[1] == pytest.approx(1, abs=0.1)


def test_a_nominal_angle_below_180():
    train = echo_train(0.08, [120 * 0.9], SPACING, ECHOES, nominal=120)
    found = fit_spin_echoes(train, SPACING, nominal=120, transmit=0.9)
    assert found.time[0] == pytest.approx(0.08, rel=1e-4)
    assert found.amplitude[0] == pytest.approx(1, rel=1e-4)


def test_voxels_without_a_train_and_threads():
    rows = magnitude(echo_train(0.08, [150.0], SPACING, ECHOES), 0.02, 100)
    rows[0], rows[1] = np.nan, 0
    rows[2] = np.linspace(1, 2, ECHOES)
    one, two = (fit_spin_echoes(rows, SPACING, threads=n) for n in (1, 2))
    assert all(np.array_equal(a, b, equal_nan=True) for a, b in zip(one, two, strict=True))
    assert one.outcome[:2].tolist() == [Outcome.NO_SIGNAL] * 2
    assert one.outcome[2] in (Outcome.IMPLAUSIBLE, Outcome.NO_SOLUTION)
    assert np.isnan(one.time[:3]).all()
    absent = fit_spin_echoes(rows[3:5], SPACING, transmit=[np.nan, 0.9])
    assert absent.outcome.tolist() == [Outcome.NO_SOLUTION, Outcome.FITTED]
    with pytest.raises(ValueError, match='needs 4 images'):
        fit_spin_echoes(np.ones((1, 3)), SPACING)
    with pytest.raises(ValueError, match='must be positive'):
        fit_spin_echoes(np.ones((1, 8)), 0.0)
