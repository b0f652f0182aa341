"""Smoothness: noise smoothed by a known kernel."""

import numpy as np
import pytest
from scipy import ndimage

from mriderived.core.smoothness import estimate_fwhm

TO_FWHM = np.sqrt(8 * np.log(2))


@pytest.fixture(scope='module')
def noise() -> np.ndarray:
    return np.random.default_rng(1).normal(size=(96, 96, 96))


@pytest.mark.parametrize('fwhm', [(3.0, 3.0, 3.0), (2.5, 4.0, 6.0)])
def test_the_kernel_is_found_within_three_percent(
    noise: np.ndarray, fwhm: tuple[float, ...]
) -> None:
    smooth = ndimage.gaussian_filter(noise, np.array(fwhm) / TO_FWHM, truncate=6)
    mask = np.zeros(noise.shape, bool)
    mask[8:-8, 8:-8, 8:-8] = True
    assert estimate_fwhm(smooth, mask) == pytest.approx(fwhm, rel=0.03)


def test_gain_and_offset_do_not_matter(noise: np.ndarray) -> None:
    smooth = ndimage.gaussian_filter(noise[:40, :40, :40], 1.5)
    mask = np.ones(smooth.shape, bool)
    np.testing.assert_allclose(
        estimate_fwhm(1000 + 50 * smooth, mask), estimate_fwhm(smooth, mask), rtol=1e-6
    )


def test_only_pairs_inside_the_mask_count(noise: np.ndarray) -> None:
    smooth = ndimage.gaussian_filter(noise[:40, :40, :40], 1.5)
    mask = np.zeros(smooth.shape, bool)
    mask[5:35, 5:35, 5:35] = True
    spoilt = np.where(mask, smooth, 1e6)
    assert estimate_fwhm(spoilt, mask) == estimate_fwhm(smooth, mask)


def test_what_cannot_be_had_is_nan() -> None:
    mask = np.ones((5, 5, 5), bool)
    assert np.isnan(estimate_fwhm(np.full((5, 5, 5), 3.0), mask)).all()
    assert np.isnan(estimate_fwhm(np.zeros((5, 5, 5)), ~mask)).all()
    slab = np.zeros((5, 5, 5), bool)
    slab[2] = True
    ramp = np.random.default_rng(0).normal(size=(5, 5, 5)).cumsum(axis=1)
    assert np.isnan(estimate_fwhm(ramp, slab)[0])
    assert np.isfinite(estimate_fwhm(ramp, slab)[1])
