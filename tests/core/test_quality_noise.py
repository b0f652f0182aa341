"""Noise in air: coil noise is recognised, and what is not coil noise."""

import numpy as np
import pytest
from scipy import stats

from mriderived.core import quality_noise


def chi(coils: int, sigma: float, n: int, seed: int = 0) -> np.ndarray:
    samples = np.random.default_rng(seed).normal(0, sigma, (2 * coils, n))
    return np.sqrt((samples**2).sum(axis=0))


@pytest.mark.parametrize(('coils', 'sigma'), [(1, 3.0), (4, 10.0), (16, 0.2)])
def test_coil_noise_is_recognised(coils: int, sigma: float) -> None:
    fit = quality_noise.fit_noise(chi(coils, sigma, 200_000))
    assert fit is not None
    assert fit.coils == pytest.approx(coils, rel=0.05)
    assert fit.sigma == pytest.approx(sigma, rel=0.03)
    # sampling error of 100 bins of 200,000 voxels
    assert fit.misfit < 0.015
    assert fit.observed.sum() == pytest.approx(1)
    assert fit.expected.sum() == pytest.approx(1)


def test_index_two_grows_with_what_is_not_noise() -> None:
    noise = chi(1, 5.0, 300_000)
    spoilt = noise.copy()
    spoilt[:30_000] += 30
    clean, dirty = quality_noise.fit_noise(noise), quality_noise.fit_noise(spoilt)
    assert clean is not None and dirty is not None
    # a tenth of the voxels is in the tail beyond need, and at most as many are missing elsewhere
    assert 0.1 < dirty.misfit - clean.misfit < 0.2


def test_index_two_has_no_unit() -> None:
    values = np.concatenate([chi(1, 5.0, 50_000), np.random.default_rng(1).uniform(0, 40, 5_000)])
    small, large = quality_noise.fit_noise(values), quality_noise.fit_noise(1000 * values)
    assert small is not None and large is not None
    assert large.misfit == pytest.approx(small.misfit, rel=1e-6)


def test_rounding_does_not_matter_as_long_as_it_is_fine() -> None:
    noise = chi(1, 5.0, 300_000)
    exact, rounded = quality_noise.fit_noise(noise), quality_noise.fit_noise(np.round(noise))
    assert exact is not None and rounded is not None
    assert rounded.coils == pytest.approx(exact.coils, rel=0.03)
    assert rounded.sigma == pytest.approx(exact.sigma, rel=0.03)
    assert rounded.misfit < 0.02
    assert quality_noise.fit_noise(np.round(noise / 5)) is None


def test_quantiles_of_continuous_data_are_numpys() -> None:
    values = np.random.default_rng(0).normal(size=5001)
    np.testing.assert_allclose(
        quality_noise.quantiles(values, (0.1, 0.5)), np.quantile(values, (0.1, 0.5))
    )


def test_quantiles_of_rounded_data_are_those_before_rounding() -> None:
    shares = (0.25, 0.5, 0.75)
    values = np.round(stats.norm.rvs(50, 4, size=200_000, random_state=0))
    np.testing.assert_allclose(
        quality_noise.quantiles(values, shares), stats.norm.ppf(shares, 50, 4), atol=0.05
    )


def test_too_few_or_empty_air_has_no_fit() -> None:
    assert quality_noise.fit_noise(chi(1, 3.0, 999)) is None
    assert quality_noise.fit_noise(np.zeros(5000)) is None
    assert quality_noise.fit_noise(np.full(5000, 2.0)) is None
    assert np.isnan(quality_noise.artefact_share(0, 0))
