"""Noise is removed from series whose truth is known, and its level is found."""

import numpy as np
import pytest

from mriderived.core.mppca import denoise
from mriderived.core.mppca_patches import count_components

SIGMA = 3.0


def _series(size: int = 18, volumes: int = 40, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return tensor-like signals that vary smoothly in space, with and without noise."""
    rng = np.random.default_rng(seed)
    directions = rng.normal(size=(volumes, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    b = np.repeat([0, 1000, 2500], [4, (volumes - 4) // 2, volumes - 4 - (volumes - 4) // 2])
    x, y, z = np.indices((size,) * 3) / 4
    fibre = np.stack([np.sin(x + y / 2), np.cos(y - z / 3), np.sin(0.7 * z + x)], axis=-1)
    fibre /= np.linalg.norm(fibre, axis=-1, keepdims=True)
    cosine = fibre @ directions.T
    baseline = 100 + 60 * (np.sin(2 * x) > 0.3) * (np.cos(z * 1.5) > 0)
    truth = baseline[..., None] * np.exp(-b * (0.4e-3 + 1.0e-3 * cosine**2))
    noise = SIGMA * rng.standard_normal(truth.shape)
    return truth.astype(np.float32), (truth + noise).astype(np.float32)


def _rms(difference: np.ndarray) -> float:
    return float(np.sqrt((difference.astype(float) ** 2).mean()))


def test_two_thirds_of_the_noise_are_removed_and_its_level_is_found() -> None:
    truth, noisy = _series()
    found = denoise(noisy)
    assert _rms(found.series - truth) < 0.42 * SIGMA
    assert np.median(found.sigma) == pytest.approx(SIGMA, rel=0.03)
    assert 3 < np.median(found.components) < 12
    # what was removed is noise: as large as it, and without a trace of the image
    removed = noisy - found.series
    assert abs(np.corrcoef(removed.ravel(), truth.ravel())[0, 1]) < 0.02


def test_shrinkage_and_a_stride_of_one_lower_the_error() -> None:
    truth, noisy = _series(12)
    error = {
        (stride, shrink): _rms(denoise(noisy, stride=stride, shrink=shrink).series - truth)
        for stride in (1, 2)
        for shrink in (True, False)
    }
    assert error[1, True] < error[2, True] < error[2, False]
    assert error[2, True] < error[1, False]


def test_in_place_gives_the_same_in_the_memory_of_the_series() -> None:
    _, noisy = _series(13)
    mask = np.ones(noisy.shape[:3], bool)
    mask[:, :2] = False
    apart = denoise(noisy, mask)
    series = noisy.copy()
    found = denoise(series, mask, in_place=True)
    assert found.series is series
    np.testing.assert_array_equal(series, apart.series)
    np.testing.assert_array_equal(found.sigma, apart.sigma)
    np.testing.assert_array_equal(series[:, :2], noisy[:, :2])
    with pytest.raises(ValueError, match='only a contiguous series'):
        denoise(noisy[::2], in_place=True)


def test_threads_do_not_change_a_bit() -> None:
    _, noisy = _series(13)
    one, three = (denoise(noisy, threads=threads) for threads in (1, 3))
    for first, second in zip(one, three, strict=True):
        np.testing.assert_array_equal(first, second)


def test_pure_noise_has_no_components() -> None:
    noise = np.random.default_rng(1).standard_normal((15, 15, 15, 60)).astype(np.float32)
    found = denoise(noise)
    assert found.components.mean() < 0.2
    assert found.sigma.mean() == pytest.approx(1, abs=0.02)
    assert _rms(found.series) < 0.1


def test_a_series_without_noise_stays() -> None:
    truth, _ = _series(10)
    found = denoise(truth)
    assert _rms(found.series - truth) < 2e-3 * truth.max()


def test_more_volumes_than_voxels_in_a_patch() -> None:
    truth, noisy = _series(8, volumes=150)
    found = denoise(noisy, edge=5)
    assert _rms(found.series - truth) < 0.45 * SIGMA
    assert np.median(found.sigma) == pytest.approx(SIGMA, rel=0.05)
    # by default a patch grows with the number of volumes
    assert _rms(denoise(noisy).series - truth) < 0.4 * SIGMA


def test_voxels_outside_the_mask_stay_and_do_not_count() -> None:
    truth, noisy = _series(14)
    mask = np.zeros(noisy.shape[:3], bool)
    mask[2:12, 2:12, 3:11] = True
    spoilt = noisy.copy()
    spoilt[~mask] = 1e4 * np.random.default_rng(2).random(spoilt[~mask].shape)
    found = denoise(spoilt, mask)
    np.testing.assert_array_equal(found.series[~mask], spoilt[~mask])
    assert _rms((found.series - truth)[mask]) < 0.45 * SIGMA
    assert not found.sigma[~mask].any()
    assert np.median(found.sigma[mask]) == pytest.approx(SIGMA, rel=0.05)


def test_air_set_to_zero_does_not_lower_the_noise_level() -> None:
    _, noisy = _series(14)
    noisy[:7] = 0
    found = denoise(noisy)
    assert np.median(found.sigma[7:]) == pytest.approx(SIGMA, rel=0.05)
    assert not found.series[:7].any()


def test_a_few_lonely_voxels_stay_and_their_noise_is_unknown() -> None:
    _, noisy = _series(12)
    mask = np.zeros(noisy.shape[:3], bool)
    mask[:2, :2, :2] = True
    found = denoise(noisy, mask)
    np.testing.assert_array_equal(found.series, noisy)
    assert np.isnan(found.sigma[mask]).all()


def test_a_single_slice() -> None:
    truth, noisy = _series(20)
    found = denoise(noisy[:, :, 4:5])
    assert _rms(found.series - truth[:, :, 4:5]) < 0.7 * SIGMA


def test_components_are_counted_as_the_law_says() -> None:
    rng = np.random.default_rng(3)
    noise = 2 * rng.standard_normal((343, 60))
    signal = rng.standard_normal((343, 4)) @ rng.standard_normal((4, 60)) * 5
    values = np.linalg.eigvalsh((signal + noise).T @ (signal + noise))
    kept, variance = count_components(values, 343)
    assert kept == 4
    assert variance == pytest.approx(4, rel=0.03)


@pytest.mark.parametrize(
    ('series', 'options', 'said'),
    [
        (np.ones((6, 6, 6), np.float32), {}, 'four axes'),
        (np.ones((6, 6, 6, 7), np.float32), {}, '7 volumes is too short .* takes 10 or more'),
        (np.zeros((6, 6, 6, 12), np.float32), {}, 'no voxel of the mask holds a signal'),
        (np.ones((6, 6, 6, 12), np.float32), {'mask': np.ones((5, 6, 6), bool)}, 'mask has shape'),
        (np.ones((6, 6, 6, 12), np.float32), {'stride': 6}, 'leaves gaps'),
    ],
)
def test_what_cannot_be_denoised_is_said(series, options, said) -> None:
    with pytest.raises(ValueError, match=said):
        denoise(series, **options)
