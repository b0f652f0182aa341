"""Field maps of a head that moved before the run."""

import numpy as np
import pytest
from epi_phantoms import SHAPE, distort, field_hz, head

from mriderived.core.epi_shift import shift_map
from mriderived.core.field_alignment import STILL_MM, FieldImage, Readout, place_field
from mriderived.core.field_cleaning import resample_field
from mriderived.core.rigid import rigid_matrix

READOUT = Readout('j', 0.04)
AFFINE = np.diag([2.5, 2.5, 2.5, 1.0])
CENTRE = AFFINE[:3, :3] @ ((np.array(SHAPE) - 1) / 2)


def scan(move):
    """Return a field map of another contrast, after which the head moved, the EPI, the brain."""
    image, mask = head()
    rng = np.random.default_rng(0)
    noise = 0.02 * rng.normal(size=(2, *SHAPE)).astype(np.float32)
    magnitude = np.abs(np.where(mask, 2.2 - image, 0) + noise[0]).astype(np.float32)
    matrix = rigid_matrix(np.array(move, float), CENTRE)
    epi = np.abs(distort(image, field_hz() * np.float32(0.04), 1) + noise[1])
    return FieldImage(field_hz(), magnitude, mask, matrix @ AFFINE), epi, mask, matrix


def error(field, matrix, mask):
    """Return the root mean square of what is wrong with the displacement, in voxels."""
    hz = resample_field(field.hz, field.affine, matrix @ AFFINE, SHAPE)
    apart = (shift_map(hz, *READOUT) - shift_map(field_hz(), *READOUT))[mask]
    return float(np.sqrt(np.mean(apart**2)))


@pytest.mark.parametrize('move', [(3, -2, 4, 0.05, -0.04, 0.06), (-6, 4, 7, -0.1, 0.08, 0.05)])
def test_the_field_follows_a_head_that_moved(move):
    field, epi, mask, matrix = scan(move)
    placed = place_field(field, epi, mask, AFFINE, READOUT)
    before, after = error(field, np.eye(4), mask), error(field, placed.matrix, mask)
    assert before > 0.3
    assert after < 0.1
    points = np.argwhere(mask) @ AFFINE[:3, :3].T
    apart = points @ (placed.matrix - matrix)[:3, :3].T + (placed.matrix - matrix)[:3, 3]
    assert np.sqrt((apart**2).sum(axis=1).mean()) < 0.6
    known = points @ (matrix - np.eye(4))[:3, :3].T + matrix[:3, 3]
    assert placed.moved_mm == pytest.approx(np.linalg.norm(known, axis=1).max(), abs=0.8)


def test_a_head_that_lay_still_is_left_alone():
    field, epi, mask, _ = scan([0.3, 0, 0.2, 0, 0, 0])
    placed = place_field(field, epi, mask, AFFINE, READOUT)
    np.testing.assert_array_equal(placed.matrix, np.eye(4))
    assert placed.moved_mm < STILL_MM


def test_images_of_nothing_are_refused():
    field, epi, mask, _ = scan([0.0] * 6)
    with pytest.raises(ValueError, match='do not overlap'):
        place_field(field, np.ones_like(epi), mask, AFFINE, READOUT)
