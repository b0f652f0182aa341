"""Labels on a coarser grid."""

from __future__ import annotations

import numpy as np
import pytest

from mriderived.core.label_votes import measure_overlap, vote_labels


def test_each_voxel_takes_the_label_that_fills_most_of_it() -> None:
    rng = np.random.default_rng(0)
    fine = rng.integers(0, 4, (12, 9, 15)).astype(np.int32)
    scale = np.diag([3.0, 3, 3, 1])
    scale[:3, 3] = 1
    found = vote_labels(fine, scale, (4, 3, 5))
    for place in np.ndindex(4, 3, 5):
        block = fine[tuple(slice(3 * i, 3 * i + 3) for i in place)]
        counts = np.bincount(block.ravel(), minlength=4)
        assert found[place] == counts.argmax(), place


def test_the_same_grid_gives_the_same_labels_and_threads_change_nothing() -> None:
    labels = np.random.default_rng(1).integers(0, 90, (7, 8, 9)).astype(np.int32)
    assert np.array_equal(vote_labels(labels, np.eye(4), labels.shape), labels)
    turned = np.eye(4)
    turned[:3, :3] = [[0.9, -0.3, 0], [0.3, 0.9, 0.1], [0, -0.1, 1.1]]
    one, three = (vote_labels(labels, turned, (9, 9, 9), threads) for threads in (1, 3))
    assert np.array_equal(one, three)


def test_there_are_no_labels_outside_of_the_image() -> None:
    shifted = np.eye(4)
    shifted[0, 3] = 2
    found = vote_labels(np.full((4, 2, 2), 5, np.int32), shifted, (4, 2, 2))
    assert found[:, 0, 0].tolist() == [5, 5, 0, 0]


def test_overlap_is_the_share_of_voxels_in_the_mask() -> None:
    labels = np.zeros((10, 10, 10), np.int32)
    labels[:5], labels[5:] = 2, 9
    mask = np.zeros((5, 5, 5), bool)
    mask[:, :, :3] = True
    mask[3:] = False
    scale = np.diag([0.5, 0.5, 0.5, 1])
    scale[:3, 3] = -0.25
    found = measure_overlap(labels, scale, mask, np.array([9, 2, 4]))
    assert found[:2] == pytest.approx([0.12, 0.6])
    assert np.isnan(found[2])


def test_overlap_of_labels_beyond_the_grid_is_nothing() -> None:
    far = np.eye(4)
    far[:3, 3] = 50
    found = measure_overlap(
        np.ones((3, 3, 3), np.int32), far, np.ones((3, 3, 3), bool), np.array([1])
    )
    assert found.tolist() == [0.0]
