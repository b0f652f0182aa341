from __future__ import annotations

import numpy as np
import pytest
from relaxation_phantoms import cramer_rao

from mriderived.core.fit_outcome import Outcome, count_outcomes
from mriderived.core.mp2rage import (
    combine_phase,
    fit_uniform,
    uniform_from_integers,
    uniform_image,
)
from mriderived.core.mp2rage_signal import Protocol, simulate

AT_3T = Protocol(5.0, (0.7, 2.5), (4.0, 5.0), 0.007, 80, 80)


def by_steps(t1, protocol, cycles=30):
    """Return both signals of a magnetisation that goes through every pulse."""
    angles = np.radians(protocol.flip_angles)
    m, spacing = 1.0, protocol.echo_spacing

    def wait(m, gap):
        return 1 + (m - 1) * np.exp(-gap / t1)

    count = protocol.before + protocol.after
    first, second = protocol.inversion_times
    gaps = [
        first - protocol.before * spacing,
        second - first - count * spacing,
        protocol.repetition_time - second - protocol.after * spacing,
    ]
    signals = [0.0, 0.0]
    for _ in range(cycles):
        m = wait(-protocol.efficiency * m, gaps[0])
        for train in range(2):
            for pulse in range(count):
                if pulse == protocol.before:
                    signals[train] = m * np.sin(angles[train])
                m = wait(m * np.cos(angles[train]), spacing)
            m = wait(m, gaps[train + 1])
    return signals


@pytest.mark.parametrize('t1', [0.3, 1.0, 2.5])
def test_steady_state_agrees_with_single_pulses(t1):
    protocol = AT_3T._replace(before=50, after=70)
    first, second = simulate(t1, protocol)
    assert (float(first), float(second)) == pytest.approx(tuple(by_steps(t1, protocol)), rel=1e-9)


def test_combination_of_images_that_differ_in_phase():
    second = 8 * np.exp(0.5j)
    assert float(uniform_image(3.0, second)) == pytest.approx(0.2885, abs=5e-5)
    # complex squares are not what is meant
    assert (3 * second / (9 + second**2)).real == pytest.approx(0.3204, abs=5e-5)
    turned = uniform_image(combine_phase(3.0, 1.0), combine_phase(8.0, 1.5))
    assert float(turned) == pytest.approx(0.2885, abs=5e-5)
    assert np.isnan(uniform_image(0.0, 0.0))
    assert uniform_from_integers([0, 2047.5, 4095]).tolist() == [-0.5, 0, 0.5]


@pytest.mark.parametrize('transmit', [0.8, 1.0, 1.013, 1.2])
def test_noiseless_images_are_exact(transmit):
    truth = np.array([0.4, 0.85, 1.3, 2.0, 3.5])
    seen = uniform_image(*simulate(truth, AT_3T, transmit))
    found = fit_uniform(seen, AT_3T, transmit=transmit)
    assert (found.outcome == Outcome.FITTED).all()
    assert found.time == pytest.approx(truth, rel=5e-4)
    assert found.rate == pytest.approx(1 / truth, rel=5e-4)


def test_what_the_field_costs_when_it_is_left_out():
    seen = uniform_image(*simulate([0.85, 1.3], AT_3T, 1.2))
    without = fit_uniform(seen, AT_3T).time
    assert (np.abs(without / [0.85, 1.3] - 1) > 0.02).all()


@pytest.mark.parametrize('transmit', [0.8, 1.0, 1.2])
@pytest.mark.parametrize('t1', [0.85, 1.3])
def test_bias_and_spread_at_snr_50(t1, transmit):
    rng = np.random.default_rng(0)
    signals = np.stack(simulate(t1, AT_3T, transmit))
    noise = np.abs(signals).max() / 50

    def draw(signal):
        return signal * np.exp(0.7j) + noise * (
            rng.standard_normal(20_000) + 1j * rng.standard_normal(20_000)
        )

    found = fit_uniform(uniform_image(draw(signals[0]), draw(signals[1])), AT_3T,
                        transmit=transmit)  # fmt: skip
    assert (found.outcome == Outcome.FITTED).mean() > 0.999
    assert np.nanmean(found.time) == pytest.approx(t1, rel=0.01)
    least = cramer_rao(
        lambda p: p[1] * np.stack(simulate(p[0], AT_3T, transmit)), [t1, 1.0], noise
    )
    assert np.nanstd(found.time) / least[0] == pytest.approx(1, abs=0.1)


def test_values_that_no_t1_gives_are_counted():
    seen = np.array([0.6, -0.6, np.nan, 0.1, 0.1])
    field = np.array([1, 1, 1, 1, 2.5])
    one, two = (fit_uniform(seen, AT_3T, transmit=field, threads=n) for n in (1, 2))
    assert np.array_equal(one.time, two.time, equal_nan=True)
    assert count_outcomes(one.outcome) == {
        'fitted': 1,
        'no_signal': 1,
        'no_solution': 2,
        'implausible': 1,
    }
    assert np.isnan(one.time[[0, 1, 2, 4]]).all()
    with pytest.raises(ValueError, match='do not fit'):
        fit_uniform(seen, AT_3T._replace(repetition_time=2.6))


def test_an_inversion_is_of_96_percent_where_nothing_else_is_known():
    assert AT_3T.efficiency == 0.96  # Marques et al. 2010
