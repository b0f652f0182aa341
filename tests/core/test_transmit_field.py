from __future__ import annotations

import numpy as np
import pytest
from relaxation_phantoms import magnitude

from mriderived.core.fit_outcome import Outcome
from mriderived.core.transmit_field import (
    field_from_angles,
    field_from_double_angle,
    field_from_two_delays,
)


def two_delays(field, t1=1.0, nominal=60.0, delays=(0.02, 0.1)):
    """Return the steady state of two alternating delays, without approximation."""
    cosine = np.cos(np.radians(nominal * field))
    left = [np.exp(-delay / t1) for delay in delays]
    below = 1 - left[0] * left[1] * cosine**2
    first = (1 - left[1] + (1 - left[0]) * left[1] * cosine) / below
    second = (1 - left[0] + (1 - left[1]) * left[0] * cosine) / below
    return np.sin(np.radians(nominal * field)) * np.array([[first, second]])


@pytest.mark.parametrize('field', [0.8, 1.0, 1.2])
def test_noiseless_fields(field):
    angle = np.radians(60 * field)
    double = field_from_double_angle([[np.sin(angle), np.sin(2 * angle)]], 60)
    assert double.field[0] == pytest.approx(field, rel=1e-5)
    # two delays that are not short next to T1 cost 0.7 %
    delays = field_from_two_delays(two_delays(field), (0.02, 0.1), 60)
    assert delays.field[0] == pytest.approx(field, rel=0.01)
    longer = field_from_two_delays(two_delays(field, t1=100.0), (0.02, 0.1), 60)
    assert longer.field[0] == pytest.approx(field, rel=1e-4)


@pytest.mark.parametrize('field', [0.8, 1.0, 1.2])
def test_bias_and_spread_at_snr_50(field):
    angle = np.radians(60 * field)
    signals = 100 * np.array([[np.sin(angle), np.sin(2 * angle)]])
    noise = signals.max() / 50
    found = field_from_double_angle(magnitude(np.abs(signals), noise, 20_000)
                                    * np.sign(signals), 60)  # fmt: skip
    assert np.nanmean(found.field) == pytest.approx(field, rel=0.01)
    # d(angle) = d(S2 / 2 S1) / sin(angle), by the variances of both signals
    cosine = np.cos(angle)
    spread = np.sqrt(noise**2 * (0.25 + cosine**2)) / signals[0, 0] / np.sin(angle)
    assert np.nanstd(found.field) == pytest.approx(spread / np.radians(60), rel=0.05)


def test_what_has_no_field_is_counted():
    rows = [[0, 0], [1, 3], [np.nan, 1], [1.0, 0.2], [1.0, 1.999]]
    found = field_from_double_angle(rows, 60)
    assert found.outcome.tolist() == [
        Outcome.NO_SIGNAL,
        Outcome.NO_SOLUTION,
        Outcome.NO_SIGNAL,
        Outcome.FITTED,
        Outcome.IMPLAUSIBLE,
    ]
    assert np.isnan(found.field[[0, 1, 2, 4]]).all()
    given = field_from_angles([0.0, 800, 40, np.nan], 80, scale=10)
    assert given.outcome.tolist() == [
        Outcome.NO_SIGNAL,
        Outcome.FITTED,
        Outcome.IMPLAUSIBLE,
        Outcome.NO_SIGNAL,
    ]
    assert given.field[1] == 1.0


def test_what_cannot_be_measured_is_refused():
    with pytest.raises(ValueError, match='between 0 and 180'):
        field_from_double_angle([[1, 1]], 0)
    with pytest.raises(ValueError, match='must be longer'):
        field_from_two_delays([[1, 1]], (0.1, 0.02), 60)
    with pytest.raises(ValueError, match='for 2 images'):
        field_from_double_angle([[1, 1, 1]], 60)
    with pytest.raises(ValueError, match='must be positive'):
        field_from_angles([1.0], 0)
