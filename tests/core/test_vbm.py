"""Modulation and smoothing."""

import numpy as np
import pytest

from mriderived.core.vbm import modulate, smooth


@pytest.mark.parametrize('spacing', [(1.5, 1.5, 1.5), (1.0, 2.0, 3.0)])
def test_the_width_at_half_maximum_is_that_asked_for(spacing: tuple[float, ...]) -> None:
    point = np.zeros((61, 61, 61))
    point[30, 30, 30] = 1
    blurred = smooth(point, 12.0, spacing)
    for axis, size in enumerate(spacing):
        profile = np.moveaxis(blurred, axis, 0)[:, 30, 30]
        offset = (np.arange(61) - 30) * size
        right = np.interp(profile.max() / 2, profile[30:][::-1], offset[30:][::-1])
        assert 2 * right == pytest.approx(12.0, rel=0.02)
    assert blurred.sum() == pytest.approx(1.0, abs=1e-4)


def test_modulation_keeps_the_volume_of_a_uniform_zoom() -> None:
    native = np.zeros((60, 60, 60), np.float32)
    native[10:50, 10:50, 10:50] = 1
    shrunk = native[::2, ::2, ::2]  # half the size: each voxel stands for eight
    found = modulate(shrunk, np.full(shrunk.shape, np.log(8), np.float32))
    assert found.sum() == pytest.approx(native.sum(), rel=1e-5)
    assert found.max() == pytest.approx(8.0, rel=1e-5)


def test_interpolation_below_zero_is_cut() -> None:
    assert modulate(np.float32([-0.01]), np.float32([0.0])).tolist() == [0.0]
