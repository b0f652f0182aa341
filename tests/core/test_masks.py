import numpy as np
import pytest

from mriderived.core.masks import (
    clean_mask,
    find_box,
    find_foreground,
    is_brain_extracted,
    keep_largest,
    touched_faces,
)

SHAPE = (60, 70, 60)
SIZE = (3.0, 3.0, 3.0)


def _ball(radius_mm, centre=(30, 35, 34)):
    steps = [(np.arange(n) - c) * s for n, c, s in zip(SHAPE, centre, SIZE, strict=True)]
    x, y, z = np.meshgrid(*steps, indexing='ij')
    return x**2 + y**2 + z**2 < radius_mm**2


BRAIN, HEAD = _ball(68), _ball(84)


def test_only_the_largest_part_stays_and_its_holes_are_filled():
    speck, hole = (slice(0, 2),) * 3, (30, 35, 34)
    mask = BRAIN.copy()
    mask[speck], mask[hole] = True, False
    assert not keep_largest(mask)[speck].any()
    assert np.array_equal(clean_mask(mask), BRAIN)
    assert not clean_mask(np.zeros_like(BRAIN)).any()


def test_foreground_differs_from_the_commonest_value_of_the_faces():
    image = np.where(BRAIN, 5.0, -1.0)
    assert np.array_equal(find_foreground(image), BRAIN)


def test_a_brain_with_generous_rim_counts_as_extracted():
    assert is_brain_extracted(BRAIN, BRAIN, SIZE)
    assert is_brain_extracted(_ball(72), BRAIN, SIZE)


def test_a_head_is_none_however_much_of_it_is_zero():
    assert not is_brain_extracted(np.ones_like(HEAD), BRAIN, SIZE)
    assert not is_brain_extracted(HEAD, BRAIN, SIZE)
    defaced = HEAD.copy()
    defaced[:, 45:, :32] = False
    assert not is_brain_extracted(defaced, BRAIN, SIZE)
    cropped = HEAD.copy()
    cropped[:, :, :30] = False
    assert not is_brain_extracted(cropped, BRAIN & cropped, SIZE)


def test_box_and_touched_faces():
    box = find_box(BRAIN, (1, 1, 100))
    assert BRAIN[box].sum() == BRAIN.sum()
    assert (box[2].start, box[2].stop) == (0, SHAPE[2])
    assert touched_faces(BRAIN) == []
    assert touched_faces(BRAIN[:, :, 30:]) == ['bottom']
    with pytest.raises(ValueError, match='empty'):
        find_box(np.zeros_like(BRAIN), (0, 0, 0))
