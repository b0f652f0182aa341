"""Cubic splines of volumes and averages of blocks, against scipy and numpy."""

import numpy as np
import pytest
from scipy import ndimage

from mriderived.core.filters import block_mean
from mriderived.core.splines import find_covered, resample_cubic

#: Oblique: from voxels of the new grid to voxels of the volume.
MATRIX = np.array(
    [[0.9, 0.1, 0, -1.1], [-0.1, 0.8, 0.05, 1.9], [0, 0.1, 0.95, -0.7], [0, 0, 0, 1]]
)


@pytest.mark.parametrize('shape', [(14, 17, 12), (9, 4, 3), (5, 6, 1)])
def test_it_is_the_spline_of_scipy_within_the_field_of_view(shape: tuple[int, ...]) -> None:
    volume = np.random.default_rng(0).random(shape, np.float32)
    where = np.tensordot(MATRIX[:3, :3], np.indices(shape), axes=1)
    where += MATRIX[:3, 3, None, None, None]
    expected = ndimage.map_coordinates(volume, where, order=3, mode='mirror')
    sizes = np.array(shape)[:, None, None, None]
    inside = ((where >= -0.5) & (where <= sizes - 0.5)).all(axis=0)
    found = resample_cubic(volume, MATRIX, shape)
    np.testing.assert_allclose(found, np.where(inside, expected, 0), atol=2e-6)
    assert np.array_equal(find_covered(shape, MATRIX, shape), inside)
    assert inside.any()
    assert not inside.all()


def test_any_number_of_threads_gives_the_same_bits() -> None:
    volume = np.random.default_rng(1).random((14, 17, 12), np.float32)
    once, again = (resample_cubic(volume, MATRIX, (11, 12, 13), threads) for threads in (1, 3))
    assert np.array_equal(once, again)


def test_blocks_are_averaged_and_incomplete_ones_left_out() -> None:
    volume = np.random.default_rng(2).random((7, 8, 9), np.float32)
    expected = volume[:6, :8, :9].reshape(3, 2, 2, 4, 9, 1).mean(axis=(1, 3, 5))
    np.testing.assert_allclose(block_mean(volume, (2, 4, 1)), expected, rtol=1e-5)
    assert block_mean(volume, (1, 1, 1)) is volume
