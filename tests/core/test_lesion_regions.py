"""How much of a region a lesion covers, and which part of the lesion."""

import numpy as np
import pytest

from mriderived.core.lesion_regions import cover_regions, label_parts

INDEX = np.array([1, 2, 3, 9])


def regions() -> np.ndarray:
    found = np.zeros((30, 20, 20), np.int32)
    found[:10], found[10:20], found[20:] = 1, 2, 3
    return found


def test_shares_with_a_rim_of_2_mm() -> None:
    lesion = np.zeros((30, 20, 20), bool)
    lesion[:4] = True
    found = cover_regions(lesion, [regions()], INDEX, (1.0, 1.0, 1.0))
    assert found['share'].tolist() == [0.6, 0, 0, 0]
    assert found['part'].tolist() == [1, 0, 0, 0]
    coarse = cover_regions(lesion, [regions()], INDEX, (4.0, 1.0, 1.0))
    assert coarse['share'].tolist() == [0.4, 0, 0, 0]  # the next slice is farther than 2 mm


def test_what_was_expected_counts_where_nothing_is_left() -> None:
    lesion = np.zeros((30, 20, 20), bool)
    lesion[10:20] = True
    left = np.where(lesion, 0, regions())
    found = cover_regions(lesion, [regions(), left], INDEX, (1.0, 1.0, 1.0))
    assert found['share'].tolist() == pytest.approx([0.2, 1, 0.2, 0])


def test_each_region_has_the_part_that_covers_most_of_it() -> None:
    lesion = np.zeros((30, 20, 20), bool)
    lesion[0:2, :5, :5] = lesion[25:] = True
    assert label_parts(lesion)[26, 0, 0] == 1
    found = cover_regions(lesion, [regions()], INDEX, (1.0, 1.0, 1.0))
    assert found['part'].tolist() == [2, 0, 1, 0]


def test_without_a_lesion_nothing_is_covered() -> None:
    found = cover_regions(np.zeros((30, 20, 20), bool), [regions()], INDEX, (1.0, 1.0, 1.0))
    assert found['share'].tolist() == [0, 0, 0, 0]
