"""ALFF and fALFF: sines, noise, bands, censored frames."""

import numpy as np
import pytest

from mriderived.core.alff import find_bins, measure_alff
from mriderived.core.gap_filling import Filler

FRAMES, TR = 200, 2.0
TIME = TR * np.arange(FRAMES)


def naive(series: np.ndarray, low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
    alff, falff = [], []
    for row in series.astype(np.float64):
        amplitudes, inside = [], []
        for k in range(1, FRAMES // 2 + 1):
            turn = np.exp(-2j * np.pi * k * np.arange(FRAMES) / FRAMES)
            scale = 1 if k == FRAMES / 2 else 2
            amplitudes.append(scale * abs(np.sum(row * turn)) / FRAMES)
            inside.append(low <= k / (FRAMES * TR) <= high)
        chosen = np.array(amplitudes)[inside]
        alff.append(chosen.mean())
        falff.append(chosen.sum() / np.sum(amplitudes))
    return np.array(alff), np.array(falff)


@pytest.fixture(scope='module')
def noise() -> np.ndarray:
    return np.random.default_rng(0).normal(1000, 3, (4000, FRAMES)).astype(np.float32)


def test_both_maps_agree_with_the_formula(noise: np.ndarray) -> None:
    found = measure_alff(noise[:20], TR)
    alff, falff = naive(noise[:20], 0.01, 0.08)
    np.testing.assert_allclose(found.alff, alff, rtol=1e-6)
    np.testing.assert_allclose(found.falff, falff, rtol=1e-6)


@pytest.mark.parametrize('definition', ['amplitude', 'deviation'])
def test_a_sine_in_the_band_is_all_of_it(definition: str) -> None:
    series = np.float32([7 * np.sin(2 * np.pi * 0.05 * TIME + 1)])
    found = measure_alff(series, TR, definition=definition)  # type: ignore[arg-type]
    assert found.falff[0] == pytest.approx(1, abs=1e-5)
    outside = np.float32([7 * np.sin(2 * np.pi * 0.15 * TIME + 1)])
    found = measure_alff(outside, TR, definition=definition)  # type: ignore[arg-type]
    assert found.falff[0] == pytest.approx(0, abs=1e-5)


def test_the_unit_is_that_of_the_series() -> None:
    series = np.float32([7 * np.sin(2 * np.pi * 0.05 * TIME)])
    found = measure_alff(series, TR)
    assert found.alff[0] * found.bins == pytest.approx(7, rel=1e-5)
    deviation = measure_alff(series, TR, definition='deviation').alff[0]
    assert deviation == pytest.approx(series[0].std(ddof=1, dtype=np.float64), rel=1e-5)
    assert measure_alff(5 * series, TR).alff[0] == pytest.approx(5 * found.alff[0], rel=1e-5)


def test_white_noise_has_the_share_of_bins(noise: np.ndarray) -> None:
    found = measure_alff(noise, TR)
    assert (found.bins, found.all_bins, found.band) == (29, 100, (0.01, 0.08))
    assert found.falff.mean() == pytest.approx(0.291, abs=0.002)
    deviation = measure_alff(noise, TR, definition='deviation')
    assert np.sqrt(np.square(deviation.falff).mean()) == pytest.approx(0.539, abs=0.002)
    assert deviation.alff.mean() == pytest.approx(3 * 0.538, rel=0.01)


def test_the_deviation_is_that_of_the_filtered_series(noise: np.ndarray) -> None:
    series = noise[:5].astype(np.float64)
    spectrum = np.fft.rfft(series)
    frequency = np.arange(101) / (FRAMES * TR)
    spectrum[:, (frequency < 0.01) | (frequency > 0.08)] = 0
    filtered = np.fft.irfft(spectrum)
    found = measure_alff(noise[:5], TR, definition='deviation')
    np.testing.assert_allclose(found.alff, filtered.std(axis=1, ddof=1), rtol=1e-6)
    np.testing.assert_allclose(found.falff, filtered.std(axis=1) / series.std(axis=1), rtol=1e-6)


def test_the_band_ends_at_the_nyquist_frequency() -> None:
    bins, band = find_bins(100, 10.0)
    assert band == (0.01, 0.05)
    assert bins[-1] == 50
    with pytest.raises(
        ValueError, match=r'\(Nyquist frequency 0.05 Hz\) lies between 0.1 and 0.2'
    ):
        find_bins(100, 10.0, (0.1, 0.2))
    with pytest.raises(ValueError, match='no frequency of 20 frames every 1 s'):
        find_bins(20, 1.0, (0.01, 0.04))


def test_constant_and_missing_voxels() -> None:
    series = np.full((2, FRAMES), 1234.567, np.float32)
    series[1, 4] = np.nan
    for definition in ('amplitude', 'deviation'):
        found = measure_alff(series, TR, definition=definition)  # type: ignore[arg-type]
        assert found.alff[0] == 0 and np.isnan(found.falff[0])
        assert np.isnan(found.alff[1]) and np.isnan(found.falff[1])


def pink(voxels: int, seed: int) -> np.ndarray:
    """Return noise whose power falls with frequency, plus a wave in the band."""
    rng = np.random.default_rng(seed)
    spectrum = np.fft.rfft(rng.normal(size=(voxels, FRAMES)))
    spectrum[:, 1:] /= np.sqrt(np.arange(1, 101)) / 5
    spectrum[:, 0] = 0
    return (
        1000 + np.fft.irfft(spectrum) + np.sin(0.1 * np.pi * TIME + rng.normal(size=(voxels, 1)))
    )


@pytest.mark.parametrize('kind', ['white', 'pink'])
@pytest.mark.parametrize('share', [0.1, 0.3])
@pytest.mark.parametrize('definition', ['amplitude', 'deviation'])
def test_censored_frames_hardly_change_either_map(
    kind: str, share: float, definition: str, noise: np.ndarray
) -> None:
    series = noise if kind == 'white' else pink(2000, 1).astype(np.float32)
    keep = np.random.default_rng(2).random(FRAMES) > share
    spoilt = series.copy()
    spoilt[:, ~keep] += 500
    truth = measure_alff(series, TR, definition=definition)  # type: ignore[arg-type]
    found = measure_alff(spoilt, TR, definition=definition, keep=keep)  # type: ignore[arg-type]
    tolerance = 0.01 if share < 0.2 else 0.02
    assert found.alff.mean() == pytest.approx(truth.alff.mean(), rel=tolerance)
    assert found.falff.mean() == pytest.approx(truth.falff.mean(), rel=tolerance)


def test_what_a_censored_frame_holds_has_no_influence() -> None:
    series = pink(50, 3).astype(np.float32)
    keep = np.arange(FRAMES) % 9 > 0
    spoilt = series.copy()
    spoilt[:, ~keep] = 1e8
    found = measure_alff(series, TR, keep=keep)
    for other in (spoilt, series[:, keep]):
        again = measure_alff(other, TR, keep=keep)
        np.testing.assert_array_equal(found.alff, again.alff)
        np.testing.assert_array_equal(found.falff, again.falff)


def test_a_gap_is_filled_with_the_course_of_a_wave_and_the_mean_of_noise(
    noise: np.ndarray,
) -> None:
    keep = np.ones(FRAMES, bool)
    keep[[30, 31, 90, 150]] = False
    waves = np.float32([100 + np.sin(0.1 * np.pi * TIME + n) for n in range(8)])
    filled = Filler(waves, keep).fill(waves)
    np.testing.assert_allclose(filled, waves, atol=0.05)
    filled = Filler(noise, keep).fill(noise[:100])
    assert np.abs(filled[:, ~keep] - 1000).max() < 1.0
    with pytest.raises(ValueError, match='only 40% of frames are kept, 50% are needed'):
        Filler(noise, np.arange(FRAMES) < 80)
    with pytest.raises(ValueError, match='200 frames and the mask 10, 10 kept'):
        Filler(noise, keep[:10])
    with pytest.raises(ValueError, match='200 frames and the mask 10'):
        measure_alff(noise, TR, keep=keep[:10])


def test_threads_change_no_bit(noise: np.ndarray) -> None:
    keep = np.arange(FRAMES) != 7
    one, three = (measure_alff(noise, TR, keep=keep, threads=n) for n in (1, 3))
    np.testing.assert_array_equal(one.alff, three.alff)
    np.testing.assert_array_equal(one.falff, three.falff)
