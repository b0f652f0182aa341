"""Confounds and filter in one projection: truth, leakage, degrees of freedom."""

import numpy as np
import pytest

from mriderived.core.denoising import (
    Degrees,
    TooFewDegreesError,
    denoise,
    make_design,
    stop_band,
)

FRAMES, TR = 300, 2.0
TIME = TR * np.arange(FRAMES)
KEEP = np.ones(FRAMES, bool)
NONE = np.zeros((FRAMES, 0))


def wave(frequency: float, phase: float = 0.0) -> np.ndarray:
    return np.cos(2 * np.pi * frequency * TIME + phase)


def naive_residual(series: np.ndarray, design: np.ndarray, keep: np.ndarray) -> np.ndarray:
    rows = design[keep]
    values = series[:, keep].astype(np.float64).T
    return (values - rows @ np.linalg.lstsq(rows, values, rcond=1e-10)[0]).T


@pytest.mark.parametrize('band', [(0.01, 0.08), (0.01, None), (None, 0.1), None])
@pytest.mark.parametrize('censored', [0, 40])
def test_the_projection_is_that_of_least_squares(
    band: tuple[float | None, float | None] | None, censored: int
) -> None:
    rng = np.random.default_rng(0)
    keep = KEEP.copy()
    keep[rng.choice(FRAMES, censored, replace=False)] = False
    confounds = rng.normal(size=(FRAMES, 9))
    series = rng.normal(1000, 5, (60, FRAMES)).astype(np.float32)
    found = denoise(series, make_design(confounds, keep, TR, band))
    filters = stop_band(FRAMES, TR, band or (None, None))
    expected = naive_residual(series, np.hstack([filters, confounds]), keep)
    assert found.series.dtype == np.float32
    np.testing.assert_allclose(found.series, expected, atol=2e-6)


def test_what_is_in_the_band_stays_and_the_rest_goes() -> None:
    rng = np.random.default_rng(1)
    confound = rng.normal(size=FRAMES)
    inside = [wave(0.02 + 0.01 * n, n) for n in range(5)]
    outside = 5 * wave(0.15) + 3 * wave(0.004, 1.0) + 0.02 * TIME + 4 * confound
    series = np.float32([900 + part + outside for part in inside])
    design = make_design(confound[:, None], KEEP, TR, (0.01, 0.08))
    clean = denoise(series, design).series
    for part, row in zip(inside, clean, strict=True):
        assert np.corrcoef(part, row)[0, 1] > 0.94
    spectrum = np.abs(np.fft.rfft(clean * np.hanning(FRAMES))) ** 2
    frequency = np.arange(spectrum.shape[1]) / (FRAMES * TR)
    beyond = (frequency > 0.09) | (frequency < 0.005)
    assert spectrum[:, beyond].sum() < 0.002 * spectrum.sum()


def test_no_trace_of_the_confounds_is_left_in_the_band() -> None:
    rng = np.random.default_rng(2)
    confounds = rng.normal(size=(FRAMES, 12))
    series = (confounds @ rng.normal(size=(12, 40)) + rng.normal(size=(FRAMES, 40))).T
    clean = denoise(series.astype(np.float32), make_design(confounds, KEEP, TR)).series
    correlation = np.corrcoef(np.vstack([clean, confounds.T]))[:40, 40:]
    assert np.abs(correlation).max() < 1e-5


def test_what_a_censored_frame_holds_has_no_influence() -> None:
    rng = np.random.default_rng(3)
    keep = KEEP.copy()
    keep[[0, 50, 51, 52, 200, 299]] = False
    confounds = rng.normal(size=(FRAMES, 6))
    series = rng.normal(1000, 5, (10, FRAMES)).astype(np.float32)
    spoilt, moved = series.copy(), confounds.copy()
    spoilt[:, ~keep] = 1e7
    spoilt[3, 50] = np.nan
    moved[~keep] = -1e3
    clean = denoise(series, make_design(confounds, keep, TR)).series
    again = denoise(spoilt, make_design(moved, keep, TR)).series
    np.testing.assert_array_equal(clean, again)
    assert clean.shape == (10, FRAMES - 6)


def test_a_spike_would_leak_if_it_were_not_censored() -> None:
    series = np.float32([1000 + wave(0.03)])
    series[0, 150] += 500
    keep = np.arange(FRAMES) != 150
    clean = denoise(series, make_design(NONE, keep, TR)).series[0]
    # Beside a gap the wave is drawn to zero, but nothing of the spike is there.
    assert np.abs(clean).max() < 1.2
    assert np.corrcoef(clean, wave(0.03)[keep])[0, 1] > 0.98
    leaky = denoise(series, make_design(NONE, KEEP, TR)).series[0]
    assert np.abs(leaky - wave(0.03))[[148, 152]].min() > 20


def test_degrees_of_freedom_are_counted() -> None:
    rng = np.random.default_rng(4)
    confounds = rng.normal(size=(FRAMES, 5))
    confounds = np.hstack([confounds, confounds[:, :1] * 3 + 7, np.full((FRAMES, 1), 4.0)])
    keep = KEEP.copy()
    keep[:10] = False
    band = stop_band(FRAMES, TR, (0.01, None)).shape[1]
    found = make_design(confounds, keep, TR, (0.01, None)).degrees
    assert found == Degrees(FRAMES, 10, 5, band, FRAMES - 10 - 5 - band)
    assert make_design(confounds, keep, TR, None).degrees == Degrees(FRAMES, 10, 5, 1, 284)


def test_a_confound_inside_the_stop_band_costs_nothing() -> None:
    drift = np.cos(np.pi * (np.arange(FRAMES) + 0.5) / FRAMES)[:, None]
    assert make_design(drift, KEEP, TR).degrees.confounds == 0


def test_variance_in_the_band_falls_with_the_degrees_of_freedom() -> None:
    rng = np.random.default_rng(5)
    series = rng.normal(size=(400, FRAMES)).astype(np.float32)
    keep = KEEP.copy()
    keep[rng.choice(FRAMES, 30, replace=False)] = False
    found = denoise(series, make_design(rng.normal(size=(FRAMES, 9)), keep, TR))
    power = np.square(found.series, dtype=np.float64).sum(axis=1).mean()
    assert power == pytest.approx(found.degrees.left, rel=0.03)


def test_too_few_degrees_of_freedom_are_an_error() -> None:
    keep = KEEP.copy()
    keep[:80] = False
    with pytest.raises(TooFewDegreesError, match=r'left \(80 censored, .* 15 are needed') as error:
        make_design(np.random.default_rng(6).normal(size=(FRAMES, 36)), keep, TR)
    assert error.value.degrees.left < 15
    with pytest.raises(TooFewDegreesError, match='0 of 300 degrees of freedom'):
        make_design(NONE, ~KEEP, TR)


def test_impossible_designs_are_refused() -> None:
    with pytest.raises(ValueError, match='no frequency of 300 frames every 2 s lies'):
        make_design(NONE, KEEP, TR, (0.3, 0.4))
    with pytest.raises(ValueError, match='the confounds have 4 frames and the mask 300'):
        make_design(np.zeros((4, 1)), KEEP, TR)
    holes = np.zeros((FRAMES, 1))
    holes[7] = np.nan
    with pytest.raises(ValueError, match='in a frame that follows a kept one'):
        make_design(holes, KEEP, TR)
    with pytest.raises(ValueError, match='the series has 9 frames and the design 300'):
        denoise(np.zeros((1, 9), np.float32), make_design(NONE, KEEP, TR))


def test_a_missing_first_difference_and_a_missing_voxel_stay_where_they_are() -> None:
    rng = np.random.default_rng(7)
    confounds = rng.normal(size=(FRAMES, 2))
    confounds[0, 1] = np.nan
    series = rng.normal(size=(3, FRAMES)).astype(np.float32)
    series[1, 9] = np.nan
    clean = denoise(series, make_design(confounds, KEEP, TR)).series
    assert np.isnan(clean[1]).all()
    assert np.isfinite(clean[[0, 2]]).all()


@pytest.mark.parametrize('columns', [6, 200])
def test_a_constant_voxel_is_nothing(columns: int) -> None:
    confounds = np.random.default_rng(9).normal(size=(FRAMES, columns))
    series = np.full((2, FRAMES), 1234.567, np.float32)
    series[1, 3] = 9e6
    keep = np.arange(FRAMES) != 3
    found = denoise(series, make_design(confounds, keep, TR, None)).series
    np.testing.assert_array_equal(found, 0)


def test_threads_change_no_bit() -> None:
    rng = np.random.default_rng(8)
    series = rng.normal(size=(5000, FRAMES)).astype(np.float32)
    design = make_design(rng.normal(size=(FRAMES, 24)), KEEP, TR)
    one, three = (denoise(series, design, threads).series for threads in (1, 3))
    np.testing.assert_array_equal(one, three)
