"""Unwrapping: exact without noise, in any number of wraps and parts, and nearly so with it."""

import time

import numpy as np
import pytest
from epi_phantoms import SHAPE, field_hz, head

from mriderived.core.phase_unwrapping import count_jumps, unwrap, wrap

TURN = 2 * np.pi


def _phase(milliseconds):
    return TURN * milliseconds * 1e-3 * field_hz().astype(np.float64)


def test_wrapping_keeps_the_angle_and_its_interval():
    angles = np.linspace(-40, 40, 999)
    wrapped = wrap(angles)
    assert wrapped.min() >= -np.float32(np.pi)
    assert wrapped.max() <= np.float32(np.pi)
    np.testing.assert_allclose(np.exp(1j * wrapped), np.exp(1j * angles), atol=1e-5)


@pytest.mark.parametrize('milliseconds', [2.46, 10, 20])
def test_a_field_without_noise_is_found_exactly(milliseconds):
    _, mask = head()
    truth = _phase(milliseconds)
    turns = TURN * np.round(np.median(truth[mask]) / TURN)
    found = unwrap(wrap(truth), mask)
    np.testing.assert_allclose(found[mask], (truth - turns)[mask], atol=1e-4)
    assert not found[~mask].any()
    assert count_jumps(found, mask) == 0


def test_several_turns_are_in_that_field():
    _, mask = head()
    assert np.ptp(_phase(20)[mask]) > 3 * TURN
    assert count_jumps(wrap(_phase(20)), mask) > 1000


def test_noise_moves_few_voxels_by_a_turn():
    image, mask = head()
    noise = np.random.default_rng(2).normal(size=SHAPE)
    truth = _phase(10) + 0.6 * noise
    found = unwrap(wrap(truth), mask, image)
    off = np.abs(found - truth)[mask] > np.pi
    assert off.mean() < 1e-3


def test_a_band_without_signal_is_crossed_last():
    """Both halves are right on their own; the noise between must not tear either."""
    image, mask = head()
    truth = _phase(10)
    noisy = truth.copy()
    band = (slice(None), slice(34, 37))
    noisy[band] += np.random.default_rng(4).uniform(-np.pi, np.pi, SHAPE)[band]
    image = image.copy()
    image[band] *= 0.02
    found = unwrap(wrap(noisy), mask, image)
    for half in (slice(0, 34), slice(37, None)):
        inside = mask.copy()
        inside[:, : half.start or 0] = False
        if half.stop:
            inside[:, half.stop :] = False
        turns = np.round((found - truth)[inside] / TURN)
        assert np.mean(turns == np.median(turns)) > 0.999


def test_parts_that_do_not_touch_are_brought_to_one_level():
    mask = np.zeros((20, 20, 20), bool)
    mask[2:18, 2:18, 2:9] = mask[2:18, 2:18, 11:14] = True
    truth = np.linspace(0, 2.5, 20) * np.ones((20, 20, 1)) + 0.4
    wrapped = truth.copy()
    wrapped[:, :, 10:] += 2 * TURN
    found = unwrap(wrap(wrapped), mask)
    np.testing.assert_allclose(found[mask], truth[mask], atol=1e-5)


def test_a_whole_field_map_takes_less_than_two_seconds():
    shape = (96, 96, 63)
    _, mask = head(shape)
    phase = wrap(TURN * 0.01 * field_hz(shape))
    unwrap(phase[:8, :8, :8], np.ones((8, 8, 8), bool))  # compile
    start = time.process_time()
    unwrap(phase, mask)
    assert time.process_time() - start < 2


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda p, m: (p[1:], m), 'differ in shape'),
        (lambda p, m: (p, m & False), 'empty'),
        (lambda p, m: (np.where(m, np.nan, p), m), 'without a number'),
    ],
)
def test_what_cannot_be_unwrapped_is_refused(change, message):
    phase, mask = np.zeros((4, 4, 4), np.float32), np.ones((4, 4, 4), bool)
    with pytest.raises(ValueError, match=message):
        unwrap(*change(phase, mask))
