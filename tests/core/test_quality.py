"""Every formula against its closed value."""

import numpy as np
import pytest
from scipy import stats

from mriderived.core import quality, quality_tissue
from mriderived.core.quality import Summary, summarise

N = 400_000


def tissue(mean: float, sd: float, seed: int) -> Summary:
    return summarise(np.random.default_rng(seed).normal(mean, sd, N))


@pytest.fixture(scope='module')
def wm() -> Summary:
    return tissue(1000, 50, 1)


@pytest.fixture(scope='module')
def gm() -> Summary:
    return tissue(700, 70, 2)


@pytest.fixture(scope='module')
def air() -> Summary:
    return summarise(np.random.default_rng(3).rayleigh(20, N))


def test_summary_of_a_normal_distribution(wm: Summary) -> None:
    expected = Summary(1000, 1000, 50, 50, 0, 1000 - 82.243, 1000 + 82.243, N)
    np.testing.assert_allclose(wm, expected, rtol=0.005, atol=0.03)


def test_summary_of_few_values_says_only_how_many() -> None:
    summary = summarise(np.arange(9.0), minimum=10)
    assert summary.n == 9
    assert all(np.isnan(value) for value in summary[:-1])


def test_summary_of_one_value_has_no_kurtosis() -> None:
    summary = summarise(np.full(50, 3.0))
    assert (summary.stdv, summary.mad, summary.median) == (0, 0, 3)
    assert np.isnan(summary.k)


def test_ratios_of_known_distributions(wm: Summary, gm: Summary, air: Summary) -> None:
    assert quality.cjv(wm, gm) == pytest.approx(120 / 300, rel=0.01)
    air_sd = 20 * np.sqrt((4 - np.pi) / 2)
    noise = np.sqrt(air_sd**2 + 50**2 + 70**2)
    assert quality.cnr(wm, gm, air) == pytest.approx(300 / noise, rel=0.01)
    assert quality.snr(wm) == pytest.approx(20, rel=0.01)


def test_dietrich_finds_the_gaussian_noise_behind_rayleigh_air(wm: Summary, air: Summary) -> None:
    # the scaled MAD of Rayleigh noise is 1.4 % above its standard deviation
    spread = float(
        stats.median_abs_deviation(stats.rayleigh.ppf(np.linspace(0.0005, 0.9995, 1000)))
    )
    exact = 1000 / 20 * quality.RAYLEIGH_SD / (spread * quality.MAD_TO_SD)
    assert quality.snr_dietrich(wm, air) == pytest.approx(exact, rel=0.01)
    assert quality.snr_dietrich(wm, air) == pytest.approx(1000 / 20, rel=0.025)


def test_dietrich_does_not_depend_on_the_unit_of_intensity(wm: Summary, air: Summary) -> None:
    small = [Summary(*(v / 1e4 for v in s[:4]), s.k, s.p05 / 1e4, s.p95 / 1e4, s.n)
             for s in (wm, air)]  # fmt: skip
    assert quality.snr_dietrich(*small) == pytest.approx(quality.snr_dietrich(wm, air))


def test_equal_tissues_and_no_noise_have_no_ratio(wm: Summary) -> None:
    flat = summarise(np.full(500, 9.0))
    assert np.isnan(quality.cjv(wm, wm))
    assert np.isnan(quality.snr(flat))
    assert np.isnan(quality.snr_dietrich(wm, flat))
    assert np.isnan(quality.snr(summarise(np.ones(1))))


def test_entropy_focus_has_its_closed_values() -> None:
    one = np.zeros((10, 10, 10), np.float32)
    one[3, 4, 5] = 7
    assert quality.entropy_focus(one) == pytest.approx(0, abs=1e-6)
    assert quality.entropy_focus(np.full((10, 10, 10), 3, np.float32)) == pytest.approx(1)
    # m equal voxels of n: sqrt(m) ln sqrt(m) over sqrt(n) ln sqrt(n)
    some = np.zeros(10_000)
    some[:100] = 5
    assert quality.entropy_focus(some) == pytest.approx(10 * np.log(10) / (100 * np.log(100)))
    assert np.isnan(quality.entropy_focus(np.zeros(100)))


def test_entropy_focus_does_not_depend_on_gain_and_ignores_negatives() -> None:
    image = np.random.default_rng(0).rayleigh(size=5000)
    assert quality.entropy_focus(1e5 * image) == pytest.approx(quality.entropy_focus(image))
    padded = np.concatenate([image, np.zeros(5000)])
    assert quality.entropy_focus(np.concatenate([image, np.full(5000, -4.0)])) == pytest.approx(
        quality.entropy_focus(padded)
    )


def test_energy_ratio_feels_a_small_artefact() -> None:
    head, air = np.full(1000, 10.0), np.ones(1000)
    assert quality.energy_ratio(head, air) == pytest.approx(100)
    air[:10] = 10
    assert quality.energy_ratio(head, air) == pytest.approx(100 / 1.99)
    assert np.isnan(quality.energy_ratio(head, np.zeros(9)))
    assert np.isnan(quality.energy_ratio(head, np.empty(0)))


def test_white_matter_to_max() -> None:
    image = np.concatenate([np.full(9990, 600.0), np.full(10, 1000.0)])
    assert quality.wm_to_max(600, image) == pytest.approx(0.6)


def test_nonuniformity_of_a_known_field() -> None:
    field = np.linspace(0.8, 1.2, 100_001)
    corrected = np.random.default_rng(0).uniform(500, 1000, field.size)
    for gain in (1.0, 7.0):
        median, spread = quality.nonuniformity(gain * field * corrected, corrected)
        assert median == pytest.approx(1, abs=1e-6)
        assert spread == pytest.approx(0.36, abs=1e-6)
    assert np.isnan(quality.nonuniformity(np.zeros(500), np.ones(500))).all()


def test_tissue_shares() -> None:
    crisp = np.repeat([0.0, 1.0], [70, 30])
    mixed = np.array([0.5] * 20 + [1.0] * 10)
    assert quality_tissue.volume_fractions([crisp, mixed]) == pytest.approx((0.6, 0.4))
    assert quality_tissue.residual_partial_volume(crisp) == 0
    assert quality_tissue.residual_partial_volume(mixed) == pytest.approx(0.5)
    wider = np.concatenate([mixed, np.zeros(10_000)])
    assert quality_tissue.residual_partial_volume(wider) == pytest.approx(0.5)
    assert np.isnan(quality_tissue.residual_partial_volume(np.zeros(9)))


def test_overlap_of_maps() -> None:
    first, second = np.array([1.0, 1, 0, 0]), np.array([0.0, 1, 1, 0])
    assert quality_tissue.fuzzy_jaccard(first, first) == 1
    assert quality_tissue.fuzzy_jaccard(first, second) == pytest.approx(1 / 3)
    assert np.isnan(quality_tissue.fuzzy_jaccard(np.zeros(3), np.zeros(3)))
