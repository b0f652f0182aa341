"""Implausible voxels: replaced by neighbours, or left where there are none."""

import numpy as np

from mriderived.core.voxel_repair import repair_voxels

SHAPE = (7, 8, 9)
MASK = np.ones(SHAPE, bool)


def ramp() -> np.ndarray:
    x = np.arange(7, dtype=np.float32)[:, None, None] + np.zeros(SHAPE, np.float32)
    return np.stack([x, 10 * x])


def test_single_voxels_take_the_median_of_their_neighbours() -> None:
    maps, bad = ramp(), np.zeros(SHAPE, bool)
    bad[3, 4, 5] = bad[1, 1, 1] = True
    maps[:, bad] = 1e6
    found = repair_voxels(maps, bad, MASK)
    np.testing.assert_array_equal(found.maps, ramp())
    np.testing.assert_array_equal(found.repaired, bad)
    assert not found.left.any() and maps.max() == 1e6


def test_other_voxels_do_not_change_and_holes_fill_from_outside() -> None:
    bad = np.zeros(SHAPE, bool)
    bad[2:5, 3:6, 3:6] = True
    found = repair_voxels(ramp(), bad, MASK)
    np.testing.assert_array_equal(found.maps[:, ~bad], ramp()[:, ~bad])
    np.testing.assert_array_equal(found.repaired, bad)
    np.testing.assert_allclose(found.maps[0, 3, 4, 4], 3, atol=0.5)


def test_voxels_outside_the_mask_do_not_count() -> None:
    mask = np.zeros(SHAPE, bool)
    mask[3, 4, 3:7] = True
    bad = np.zeros(SHAPE, bool)
    bad[3, 4, 5] = bad[0, 0, 0] = True
    found = repair_voxels(ramp(), bad, mask)
    assert np.isnan(found.maps[:, 3, 4, 5]).all()
    assert found.left.sum() == 1 and found.left[3, 4, 5]
    assert found.maps[0, 0, 0, 0] == 0 and not found.repaired.any()


def test_missing_values_are_no_neighbours() -> None:
    maps, bad = ramp(), np.zeros(SHAPE, bool)
    bad[3, 4, 5] = True
    maps[:, 4] = np.nan
    found = repair_voxels(maps, bad, MASK)
    # nine neighbours have 2, eight have 3
    np.testing.assert_array_equal(found.maps[:, 3, 4, 5], [2, 20])
