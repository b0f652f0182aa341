"""Which way and how far: the signs for every direction and for flipped arrays."""

import numpy as np
import pytest
from epi_phantoms import SHAPE, distort, field_hz, head

from mriderived.core.epi_shift import (
    phase_axis,
    shift_map,
    turn_direction,
    unwarp,
)

READOUT = 0.03
DIRECTIONS = ('i', 'i-', 'j', 'j-', 'k', 'k-')


@pytest.mark.parametrize('direction', DIRECTIONS)
def test_a_positive_field_moves_signal_along_the_direction(direction):
    """One bright voxel 40 Hz off resonance, encoded by hand: line by line, as the scanner does."""
    axis, sign = phase_axis(direction)
    size, hz, spacing = 32, 40.0, 0.001
    lines = np.arange(size) - size // 2
    times = sign * lines * spacing
    # k-space of a voxel at 16, its phase growing at 40 Hz, blips upwards for a positive sign
    signal = np.exp(-2j * np.pi * lines * 16 / size) * np.exp(-2j * np.pi * hz * times)
    image = np.abs(np.fft.ifft(np.fft.ifftshift(signal)))
    shape = [1, 1, 1]
    shape[axis] = size
    shift = shift_map(np.full(shape, hz, np.float32), direction, spacing * (size - 1))
    assert image.argmax() - 16 == round(shift.flat[0] * size / (size - 1))
    assert np.sign(shift.flat[0]) == sign


@pytest.mark.parametrize('direction', DIRECTIONS)
def test_the_image_comes_back(direction):
    image, mask = head()
    axis, _ = phase_axis(direction)
    shift = shift_map(field_hz(), direction, READOUT)
    seen = distort(image, shift, axis)
    found = unwarp(seen, shift, axis)
    wrong = unwarp(seen, -shift, axis)
    assert np.corrcoef(found[mask], image[mask])[0, 1] > 0.97
    assert np.corrcoef(wrong[mask], image[mask])[0, 1] < 0.85
    assert found.sum() == pytest.approx(image.sum(), rel=0.01)


@pytest.mark.parametrize('direction', ['i', 'i-', 'j', 'j-'])
@pytest.mark.parametrize('flips', [(-1, 1, 1), (1, -1, 1), (-1, -1, -1)])
def test_a_flipped_array_holds_the_same_correction(direction, flips):
    """Flip the distorted image and its affine: the direction turns, the result is the flipped."""
    image, _ = head()
    axis, _ = phase_axis(direction)
    affine = np.diag([2.5, 2.5, 3, 1.0])
    turned = affine.copy()
    cut = tuple(slice(None, None, f) for f in flips)
    for a, f in enumerate(flips):
        if f < 0:
            turned[a, 3] = affine[a, a] * (SHAPE[a] - 1)
            turned[a, a] *= -1
    seen = distort(image, shift_map(field_hz(), direction, READOUT), axis)
    plain = unwarp(seen, shift_map(field_hz(), direction, READOUT), axis)
    other = turn_direction(direction, affine, turned)
    assert (other != direction) == (flips[axis] < 0)
    shift = shift_map(np.ascontiguousarray(field_hz()[cut]), other, READOUT)
    again = unwarp(np.ascontiguousarray(seen[cut]), shift, phase_axis(other)[0])
    np.testing.assert_allclose(again[cut], plain, atol=1e-4)
    # in mm of the world nothing has changed
    world = shift_map(field_hz(), direction, READOUT) * affine[axis, axis]
    np.testing.assert_allclose((shift * turned[axis, axis])[cut], world, atol=1e-5)


def test_exchanged_axes_exchange_the_direction():
    affine = np.diag([-2.0, 2, 3, 1])
    turned = affine[:, [1, 0, 2, 3]]
    assert turn_direction('i', affine, turned) == 'j'
    assert turn_direction('j-', affine, turned) == 'i-'
    assert turn_direction('i', affine, np.diag([2.0, 2, 3, 1])) == 'i-'


def test_an_oblique_array_keeps_its_direction():
    angle = np.deg2rad(30)
    affine = np.eye(4)
    affine[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    flipped = affine @ np.diag([1, -1, 1, 1])
    assert turn_direction('j-', affine, affine) == 'j-'
    assert turn_direction('j-', affine, flipped) == 'j'


def test_any_number_of_threads_gives_the_same_bits():
    image, _ = head()
    shift = shift_map(field_hz(), 'i', READOUT)
    assert np.array_equal(unwarp(image, shift, 0), unwarp(image, shift, 0, threads=3))


@pytest.mark.parametrize('direction', ['AP', 'y', '', 'j+', '-j'])
def test_other_directions_are_refused(direction):
    with pytest.raises(ValueError, match='not one of i, j, k, i-, j-, k-'):
        phase_axis(direction)


@pytest.mark.parametrize('time', [0.0, -0.03, 30.0, np.nan])
def test_impossible_readout_times_are_refused(time):
    with pytest.raises(ValueError, match='readout time'):
        shift_map(np.zeros((1, 1, 1), np.float32), 'j', time)
