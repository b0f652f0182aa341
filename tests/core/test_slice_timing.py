"""Slice timing: slow sines and straight lines are reproduced, bad vectors are refused."""

import numpy as np
import pytest

from mriderived.core.slice_timing import check_slice_times, correct_slice_timing

REPETITION = 2.0
SLICES = 9
#: Interleaved: even slices first.
TIMES = np.argsort(np.argsort([*range(0, SLICES, 2), *range(1, SLICES, 2)])) * (2.0 / SLICES)


def _acquire(wave, times=TIMES, repetition=REPETITION, volumes=120, axis=2):
    """Return a series whose slices are acquired at their times."""
    moments = np.arange(volumes) * repetition + np.asarray(times)[:, None]
    shape = [3, 4, 3, volumes]
    shape[axis] = len(times)
    places = [1, 1, 1, volumes]
    places[axis] = len(times)
    series = wave(moments).reshape(places) * np.ones(shape)
    return series.astype(np.float32)


def _middle(times):
    return (min(times) + max(times)) / 2


@pytest.mark.parametrize('repetition', [0.8, 2.0, 3.0])
def test_a_slow_sine_is_reproduced(repetition: float) -> None:
    times = TIMES * repetition / REPETITION
    found = correct_slice_timing(
        _acquire(lambda t: np.sin(2 * np.pi * 0.05 * t + 0.4), times, repetition),
        times,
        repetition,
    )
    moments = np.arange(120) * repetition + _middle(times)
    expected = np.sin(2 * np.pi * 0.05 * moments + 0.4)
    error = np.abs(found - expected)
    assert error[..., 6:-6].max() < 0.005
    assert error.max() < 0.2  # the first and last volumes are extrapolated


def test_a_straight_line_is_exact_to_its_ends() -> None:
    found = correct_slice_timing(_acquire(lambda t: 5 + 0.25 * t), TIMES, REPETITION)
    expected = 5 + 0.25 * (np.arange(120) * REPETITION + _middle(TIMES))
    np.testing.assert_allclose(found, np.broadcast_to(expected, found.shape), atol=2e-5)


def test_slices_of_one_multiband_group_move_alike() -> None:
    times = np.tile([0.0, 0.6, 0.2, 0.4], 3)
    found = correct_slice_timing(
        _acquire(lambda t: np.sin(0.3 * t), times, 0.8), times, 0.8, reference=0.0
    )
    assert np.array_equal(found[:, :, :4], found[:, :, 4:8])
    expected = np.sin(0.3 * np.arange(120) * 0.8)
    assert np.abs(found - expected)[..., 4:-4].max() < 1e-3


@pytest.mark.parametrize('axis', [0, 1])
def test_slices_may_lie_along_any_axis(axis: int) -> None:
    found = correct_slice_timing(
        _acquire(lambda t: 3.0 * t, axis=axis), TIMES, REPETITION, axis=axis
    )
    expected = 3.0 * (np.arange(120) * REPETITION + _middle(TIMES))
    np.testing.assert_allclose(found, np.broadcast_to(expected, found.shape), rtol=1e-5)


def test_volumes_before_the_steady_state_are_copied_and_not_used() -> None:
    series = _acquire(lambda t: 100 + 0.5 * t)
    series[..., :3] = 1000
    found = correct_slice_timing(series, TIMES, REPETITION, skip=3)
    assert np.array_equal(found[..., :3], series[..., :3])
    expected = 100 + 0.5 * (np.arange(120) * REPETITION + _middle(TIMES))
    np.testing.assert_allclose(
        found[..., 3:], np.broadcast_to(expected[3:], found[..., 3:].shape), rtol=1e-5
    )


def test_a_spike_reaches_its_neighbours_only() -> None:
    series = np.full((2, 2, SLICES, 60), 100, np.float32)
    series[..., 30] += 50
    away = np.abs(correct_slice_timing(series, TIMES, REPETITION) - 100)
    assert away[..., :20].max() < 1e-3
    assert away[..., 41:].max() < 1e-3


def test_a_spoilt_volume_reaches_no_other() -> None:
    clean = _acquire(lambda t: 100 + np.sin(2 * np.pi * 0.03 * t))
    spoilt = np.zeros(120, bool)
    spoilt[[30, 60, 61, 119]] = True
    found = []
    for size in (50, 5000):
        series = clean.copy()
        series[..., spoilt] += size
        found.append(correct_slice_timing(series, TIMES, REPETITION, spoilt=spoilt))
    assert np.array_equal(found[0][..., ~spoilt], found[1][..., ~spoilt])
    expected = correct_slice_timing(clean, TIMES, REPETITION)
    assert np.abs(found[0] - expected)[..., ~spoilt].max() < 0.12
    # a volume that is spoilt shows what it showed
    assert found[1][..., 60].min() > 2000


def test_it_writes_where_it_is_told_and_the_same_for_any_number_of_threads(tmp_path) -> None:
    series = np.random.default_rng(0).random((5, 4, SLICES, 30), np.float32)
    out = np.memmap(tmp_path / 'out', np.float32, 'w+', shape=series.shape, order='F')
    found = correct_slice_timing(series, TIMES, REPETITION, out=out, threads=3)
    assert found is out
    assert np.array_equal(out, correct_slice_timing(series, TIMES, REPETITION))


def test_equal_times_change_nothing() -> None:
    series = np.random.default_rng(0).random((5, 4, 3, 30), np.float32)
    assert np.array_equal(correct_slice_timing(series, np.full(3, 0.7), 2.0), series)


@pytest.mark.parametrize(
    ('times', 'slices', 'repetition', 'reason'),
    [
        ([0, 1], 3, 2.0, 'SliceTiming has 2 entries, but the image has 3 slices'),
        ([0, 500, 1000], 3, 2.0, 'in milliseconds'),
        ([0, 1, 2.5], 3, 2.0, 'reaches 2.5 s, after the end of a volume'),
        ([0, 1, -0.5], 3, 2.0, 'negative or not finite'),
        ([0, 1, np.nan], 3, 2.0, 'negative or not finite'),
        ([0, 1, 1.5], 3, 0.0, 'RepetitionTime is 0.0'),
    ],
)
def test_bad_times_are_refused_with_the_reason(times, slices, repetition, reason) -> None:
    with pytest.raises(ValueError, match=reason):
        check_slice_times(times, slices, repetition)


def test_too_few_volumes_and_a_reference_outside_are_refused() -> None:
    series = np.zeros((2, 2, SLICES, 6), np.float32)
    with pytest.raises(
        ValueError, match='at least 4 volumes in the steady state, but there are 3'
    ):
        correct_slice_timing(series, TIMES, REPETITION, skip=3)
    with pytest.raises(ValueError, match='it must be from 0 to 1'):
        correct_slice_timing(series, TIMES, REPETITION, reference=1.5)
