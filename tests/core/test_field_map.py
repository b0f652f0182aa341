"""From stored phase to Hz on the grid of the EPI image."""

import numpy as np
import pytest
from epi_phantoms import SHAPE, field_hz, head

from mriderived.core.field_cleaning import demean, extend, replace_outliers, resample_field
from mriderived.core.field_map import field_from_phase, phase_difference, scale_phase, to_hertz
from mriderived.core.phase_unwrapping import wrap

TIMES = (0.00492, 0.00738)


def _wrapped(time):
    """Return the phase at an echo time, with an offset of the coil that differs by place."""
    x = np.indices(SHAPE)[0] / SHAPE[0]
    return wrap(2 * np.pi * time * field_hz().astype(np.float64) + 4 * x)


@pytest.mark.parametrize(
    ('coding', 'store'),
    [
        ('signed 13 bit', lambda p: np.floor(p / np.pi * 2048) * 2),
        ('12 bit', lambda p: np.floor((p + np.pi) / np.pi * 2048)),
        ('signed 12 bit', lambda p: np.floor(p / np.pi * 2048)),
        ('milliradians', lambda p: np.round(1000 * p)),
        ('radians', lambda p: p),
        ('radians', lambda p: p % (2 * np.pi)),
    ],
)
def test_the_scale_of_the_phase_is_told_from_its_range(coding, store):
    phase = np.random.default_rng(0).uniform(-np.pi, np.pi, (20, 20, 20)).astype(np.float32)
    found, name = scale_phase(store(phase))
    assert name == coding
    assert np.abs(wrap(found - phase)).max() < 2e-3  # a step of the 12 bits


@pytest.mark.parametrize(
    ('values', 'message'),
    [([0, 0, 0], 'constant'), ([np.nan], 'constant'), ([-900, 900], 'no known scale'),
     ([0, 300], 'no known scale'), ([-20000, 20000], 'convert it to radians')],
)  # fmt: skip
def test_a_range_of_no_scale_is_refused(values, message):
    with pytest.raises(ValueError, match=message):
        scale_phase(np.array(values, float))


def test_a_phase_difference_gives_the_field_within_one_percent():
    image, mask = head()
    difference = phase_difference(_wrapped(TIMES[0]), _wrapped(TIMES[1]))
    air = np.random.default_rng(0).uniform(-np.pi, np.pi, SHAPE)
    difference = np.where(mask, difference, air)
    stored = np.floor(difference / np.pi * 2048) * 2  # as Siemens writes it
    found = field_from_phase(scale_phase(stored)[0], TIMES, mask, image)
    truth = field_hz()
    error = np.abs(found.hz - truth)[mask]
    assert np.sqrt((error**2).mean()) < 0.01 * np.sqrt((truth[mask] ** 2).mean())
    assert error.max() < 0.01 * np.abs(truth[mask]).max()
    assert (found.outliers, found.jumps) == (0, 0)


def test_a_long_echo_difference_wraps_and_is_as_right():
    _, mask = head()
    times = (0.005, 0.017)
    difference = phase_difference(_wrapped(times[0]), _wrapped(times[1]))
    found = field_from_phase(difference, times, mask)
    np.testing.assert_allclose(found.hz[mask], field_hz()[mask], atol=0.01)


@pytest.mark.parametrize('times', [(0.005, 0.005), (0.007, 0.005), (4.92, 7.38)])
def test_impossible_echo_times_are_refused(times):
    with pytest.raises(ValueError, match='in seconds'):
        field_from_phase(np.zeros((3, 3, 3), np.float32), times, np.ones((3, 3, 3), bool))


def test_outliers_are_replaced_and_the_rest_is_left():
    _, mask = head()
    field = np.where(mask, field_hz(), 0).astype(np.float32)
    spiky = field.copy()
    places = np.argwhere(mask)[::997]
    spiky[tuple(places.T)] += 400
    cleaned, count = replace_outliers(spiky, mask)
    # at the edge of the mask the true field may leave its neighbours' median as well
    assert len(places) <= count < 1.2 * len(places) + 5
    assert np.abs(cleaned - field)[tuple(places.T)].max() < 15
    assert np.mean(cleaned != spiky) < 1e-3
    assert np.array_equal(replace_outliers(spiky, mask, threads=3)[0], cleaned)


def test_a_field_goes_on_beyond_its_mask_without_an_edge():
    _, mask = head()
    field = np.where(mask, field_hz(), 0).astype(np.float32)
    found = extend(field, mask, 0.0)
    assert np.array_equal(found[mask], field[mask])
    steps = max(np.abs(np.diff(found, axis=a)).max() for a in range(3))
    inside = max(np.abs(np.diff(field_hz(), axis=a)).max() for a in range(3))
    assert steps < 3 * inside
    assert found.min() >= field[mask].min()
    assert found.max() <= field[mask].max()
    smoothed = extend(field, mask, 1.0)
    assert np.sqrt(((smoothed - field)[mask] ** 2).mean()) < 0.05 * field[mask].std()


def test_the_median_of_the_mask_becomes_zero():
    _, mask = head()
    found, median = demean(field_hz() + 40, mask)
    assert median == pytest.approx(40 + np.median(field_hz()[mask]), abs=1e-4)
    assert np.median(found[mask]) == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize(('units', 'factor'), [('Hz', 1), ('rad/s', 0.1591549), ('T', 42577478.5)])
def test_units_become_hertz(units, factor):
    assert to_hertz(np.ones((1, 1, 1), np.float32), units).item() == pytest.approx(factor)


def test_an_unknown_unit_is_refused():
    with pytest.raises(ValueError, match='ppm: Units must be one of Hz, rad/s, T'):
        to_hertz(np.ones((1, 1, 1), np.float32), 'ppm')


@pytest.mark.parametrize('flip', [False, True])
def test_another_grid_gets_the_field_of_its_place_in_the_world(flip):
    angle = np.deg2rad(12)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0],
                     [0, 0, 1]])  # fmt: skip
    affine = np.diag([3.0, 3, 4, 1])
    affine[:3, 3] = -90, -100, -70
    target = np.eye(4)
    target[:3, :3] = turn @ np.diag([-2.0 if flip else 2.0, 2, 2])
    target[:3, 3] = turn @ [40.0 if flip else -40.0, -40, -40]
    slope = np.array([0.5, -0.3, 0.2])

    def at(matrix, shape):
        where = np.tensordot(matrix[:3, :3], np.indices(shape), axes=1)
        return np.tensordot(slope, where + matrix[:3, 3, None, None, None], axes=1)

    field = at(affine, (60, 66, 36)).astype(np.float32)
    found = resample_field(field, affine, target, (40, 40, 40))
    np.testing.assert_allclose(found, at(target, (40, 40, 40)), atol=1e-3)
