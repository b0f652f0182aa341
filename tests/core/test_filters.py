"""Separable filters against scipy's."""

import numpy as np
import pytest
from scipy import ndimage

from mriderived.core.filters import box_mean, convolve, gaussian, smooth

VOLUME = np.random.default_rng(0).random((23, 18, 21), np.float32)
TOLERANCE = 1e-5


@pytest.mark.parametrize('sigma', [0.4, 1.0, 2.5, 6.0])
def test_gaussian_is_that_of_scipy(sigma):
    radius = int(np.ceil(3 * sigma))
    expected = ndimage.gaussian_filter(VOLUME, sigma, mode='nearest', radius=radius)
    np.testing.assert_allclose(smooth(VOLUME, sigma), expected, atol=TOLERANCE)


def test_each_axis_has_its_own_width_and_zero_leaves_it_alone():
    expected = ndimage.gaussian_filter(
        VOLUME, (0.8, 0, 2), mode='nearest', radius=(3, 0, 6), axes=(0, 1, 2)
    )
    np.testing.assert_allclose(smooth(VOLUME, (0.8, 0, 2)), expected, atol=TOLERANCE)


def test_box_mean_is_that_of_scipy():
    expected = ndimage.uniform_filter(VOLUME, (3, 5, 7), mode='nearest')
    np.testing.assert_allclose(box_mean(VOLUME, (1, 2, 3)), expected, atol=TOLERANCE)


def test_a_kernel_is_normalised_and_as_wide_as_asked():
    kernel = gaussian(3.0).astype(float)
    assert kernel.sum() == pytest.approx(1, abs=1e-6)
    offsets = np.arange(kernel.size) - kernel.size // 2
    assert np.sqrt((kernel * offsets**2).sum()) == pytest.approx(3, rel=0.02)  # cut at 3 sigma


def test_the_input_is_neither_changed_nor_returned():
    before = VOLUME.copy()
    same = smooth(VOLUME, 0)
    assert np.array_equal(same, VOLUME)
    assert not np.shares_memory(same, VOLUME)
    smooth(VOLUME, 2)
    assert np.array_equal(before, VOLUME)


def test_memory_order_does_not_matter():
    np.testing.assert_array_equal(smooth(np.asfortranarray(VOLUME), 1.5), smooth(VOLUME, 1.5))


def test_any_number_of_threads_gives_the_same_bits():
    kernels = [gaussian(2.0)] * 3
    one = convolve(VOLUME, kernels, 1)
    assert all(np.array_equal(one, convolve(VOLUME, kernels, threads)) for threads in (2, 5, 40))
