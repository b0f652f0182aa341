"""The grid, the scale and the patches of a network for lesions."""

from __future__ import annotations

import numpy as np
import pytest

from mriderived.core.network_volume import MARGIN, place_patches, plan_grid, scale_to_brain


def test_voxels_of_the_same_size_are_not_interpolated() -> None:
    brain = np.zeros((50, 60, 41), bool)
    brain[7:31, 10:50, 5:36] = True
    grid = plan_grid(brain, (0.9, 1.0, 1.1), (0.9, 1.0, 1.1), 8)
    assert np.array_equal(grid.to_image[:3, :3], np.eye(3))
    assert np.array_equal(grid.to_image[:3, 3], np.round(grid.to_image[:3, 3]))


@pytest.mark.parametrize('least', [(1, 1, 1), (96, 64, 32)])
def test_the_brain_lies_within_the_grid(least: tuple[int, int, int]) -> None:
    brain = np.zeros((50, 60, 12), bool)
    brain[7:31, 10:50, 2:11] = True
    grid = plan_grid(brain, (1.0, 1.0, 4.0), (1.5, 0.8, 1.2), 16, least)
    assert all(edge % 16 == 0 for edge in grid.shape)
    assert all(a >= b for a, b in zip(grid.shape, least, strict=True))
    ends = np.array([[7, 10, 2], [30, 49, 10]], float)
    there = (ends - grid.to_image[:3, 3]) / np.diag(grid.to_image)[:3]
    assert (there > MARGIN - 3).all()
    assert (there < np.array(grid.shape) - MARGIN + 3).all()


@pytest.mark.parametrize(('shape', 'patch'), [
    ((48, 32, 80), (32, 32, 32)), ((50, 33, 32), (32, 32, 32)), ((16, 16, 16), (16, 16, 16)),
])  # fmt: skip
def test_patches_cover_the_grid_and_overlap(
    shape: tuple[int, int, int], patch: tuple[int, int, int]
) -> None:
    seen = np.zeros(shape, int)
    for corner in place_patches(shape, patch):
        box = tuple(slice(a, a + n) for a, n in zip(corner, patch, strict=True))
        assert seen[box].shape == patch
        seen[box] += 1
    assert seen.min() >= 1
    edges = [np.diff(sorted({c[axis] for c in place_patches(shape, patch)})) for axis in range(3)]
    assert all((each <= patch[axis] // 2).all() for axis, each in enumerate(edges))


def test_intensities_of_the_brain_are_scaled() -> None:
    image = np.random.default_rng(0).normal(500, 20, (20, 20, 20)).astype(np.float32)
    brain = np.zeros(image.shape, bool)
    brain[3:17, 3:17, 3:17] = True
    standard = scale_to_brain(image, brain, 'standard')
    assert standard[brain].mean() == pytest.approx(0, abs=1e-3)
    assert standard[brain].std() == pytest.approx(1, abs=1e-3)
    ranged = scale_to_brain(image, brain, 'range')
    assert np.percentile(ranged[brain], (0.5, 99.5)) == pytest.approx([0, 1], abs=1e-3)
    assert not standard[~brain].any() and not ranged[~brain].any()
    assert np.allclose(scale_to_brain(7 * image, brain, 'standard'), standard, atol=1e-3)
    with pytest.raises(ValueError, match='no contrast on the grid of the network'):
        scale_to_brain(np.ones_like(image), brain, 'range')
