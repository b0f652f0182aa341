"""EPI of opposite phase encoding between which the head has moved."""

import numpy as np
import pytest
from epi_phantoms import SHAPE, distort, field_hz, head

from mriderived.core.epi_alignment import STILL_MM, align_encoded
from mriderived.core.epi_distortion import Encoded, estimate_distortion
from mriderived.core.rigid import rigid_matrix
from mriderived.core.sampling import resample

READOUT = 0.04
AFFINE = np.diag([2.5, 2.5, 2.5, 1.0])
CENTRE = AFFINE[:3, :3] @ ((np.array(SHAPE) - 1) / 2)


def pair(move):
    """Return two images; before the second the head, and its field with it, moved."""
    image, mask = head()
    matrix = rigid_matrix(np.array(move, float), CENTRE)
    there = np.linalg.inv(AFFINE) @ np.linalg.inv(matrix) @ AFFINE
    shift = field_hz() * np.float32(READOUT)
    rng = np.random.default_rng(0)
    noise = 0.02 * rng.normal(size=(2, *SHAPE)).astype(np.float32)
    moved = distort(resample(image, there, SHAPE), -resample(shift, there, SHAPE), 1)
    return [
        Encoded(np.abs(distort(image, shift, 1) + noise[0]), 'j', READOUT),
        Encoded(np.abs(moved + noise[1]), 'j-', READOUT),
    ], mask


def error(images, mask):
    found = estimate_distortion(images, threads=2)
    difference = (found.hz - field_hz())[mask] * READOUT
    return float(np.std(difference))


def test_a_head_that_moved_is_brought_back():
    images, mask = pair([1.5, 0.0, -3.0, np.radians(2.5), 0.0, np.radians(-2)])
    aligned = align_encoded(images, AFFINE, threads=2)
    assert aligned.moved_mm > 2
    before, after = error(images, mask), error(aligned.images, mask)
    assert before > 0.3  # voxels
    assert after < 0.15
    assert aligned.images[0] is images[0]


def test_a_still_head_is_left_as_it_is():
    images, _ = pair([0.0] * 6)
    aligned = align_encoded(images, AFFINE, threads=2)
    assert aligned.moved_mm < STILL_MM
    assert all(a is b for a, b in zip(aligned.images, images, strict=True))


def test_images_that_tell_no_field_are_refused_as_ever():
    images, _ = pair([0.0] * 6)
    with pytest.raises(ValueError, match='distorted alike'):
        align_encoded([images[0], images[1]._replace(direction='j')], AFFINE)
