"""Distortion from the T1w image alone, and registration along one axis."""

import numpy as np
import pytest
from epi_phantoms import SHAPE, distort, field_hz, head

from mriderived.core.diffeomorphism import Channel, Schedule, register
from mriderived.core.epi_shift import unwarp
from mriderived.core.epi_syn import invert_contrast, register_to_t1w
from mriderived.core.filters import smooth


@pytest.mark.parametrize('axis', [0, 1])
def test_registration_can_be_kept_to_one_axis(axis):
    image, _ = head()
    image = image / image.max()
    axes = tuple(float(a == axis) for a in range(3))
    schedule = Schedule((4, 2), (10, 5), axes=axes)
    found = register([Channel(image, smooth(np.roll(image, 1, axis), 0.5))], schedule)
    for field in found[:2]:
        others = [field[a] for a in range(3) if a != axis]
        assert not np.any(others)
        assert np.abs(field[axis]).max() > 0.3


def test_most_of_the_displacement_is_found_from_the_other_contrast():
    """T2*-like: what is dark in one image is bright in the other."""
    image, mask = head()
    shift = np.float32(0.03) * field_hz()
    epi = np.where(mask, 2 - image, 0).clip(0).astype(np.float32)
    seen = distort(epi, shift, 1)
    seen_brain = distort(mask.astype(np.float32), shift, 1) > 0.5
    found = register_to_t1w(seen, seen_brain, image, mask, 1, threads=2)
    before = np.sqrt((shift[mask] ** 2).mean())
    after = np.sqrt(((found.shift - shift)[mask] ** 2).mean())
    assert before > 0.8  # voxels
    assert after < 0.5 * before
    corrected = unwarp(seen, found.shift, 1)
    gain = [np.corrcoef(one[mask], epi[mask])[0, 1] for one in (seen, corrected)]
    assert gain[1] > gain[0] + 0.05


def test_an_empty_or_constant_brain_is_refused():
    image, mask = head()
    with pytest.raises(ValueError, match='is empty'):
        invert_contrast(image, mask & False)
    with pytest.raises(ValueError, match='constant'):
        invert_contrast(np.ones(SHAPE, np.float32), mask)
    with pytest.raises(ValueError, match='differ in shape'):
        register_to_t1w(image, mask, image[1:], mask[1:], 1)
    with pytest.raises(ValueError, match='of the EPI image is empty'):
        register_to_t1w(image, mask & False, image, mask, 1)
