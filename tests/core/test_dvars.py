"""DVARS against the formula written out voxel by voxel."""

from pathlib import Path

import nibabel as nb
import numpy as np
import pytest
from nipype.algorithms import confounds

from mriderived.core.dvars import compute_dvars
from mriderived.core.series import BLOCK


def naive(series: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    values = series.astype(np.float64) / np.median(series.astype(np.float64)) * 1000
    kept, deviations, expected = [], [], []
    for row in values:
        low, high = (np.percentile(row, share, method='lower') for share in (25, 75))
        if high == low:
            continue
        centred = row - row.mean()
        rho = np.sum(centred[1:] * centred[:-1]) / np.sum(centred * centred)
        kept.append(np.diff(row))
        expected.append(np.sqrt(2 * (1 - rho)) * (high - low) / 1.349)
        deviations.append(kept[-1] / expected[-1])
    raw = np.sqrt(np.mean(np.square(kept), axis=0))
    return raw, raw / np.mean(expected), np.sqrt(np.mean(np.square(deviations), axis=0))


@pytest.fixture
def series() -> np.ndarray:
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(BLOCK + 300, 61))
    noise[:, 1:] += 0.4 * noise[:, :-1]
    level = rng.uniform(400, 1500, (len(noise), 1))
    result = (level + noise * rng.uniform(1, 30, (len(noise), 1))).astype(np.float32)
    result[17] = 800
    result[:, 30] += 40
    return result


def test_all_forms_agree_with_the_formula(series: np.ndarray) -> None:
    found = compute_dvars(series)
    for form, expected in zip(found, naive(series), strict=True):
        assert np.isnan(form[0])
        np.testing.assert_allclose(form[1:], expected, rtol=1e-6)


def test_all_forms_agree_with_nipype(
    series: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The package that estimates the autocorrelation there is not installed; its formula is short.
    def estimate(row: np.ndarray, order: int) -> np.ndarray:
        return np.array([np.sum(row[1:] * row[:-1]) / np.sum(row * row)])

    monkeypatch.setattr(confounds, '_AR_est_YW', estimate)
    paths = tmp_path / 'bold.nii', tmp_path / 'mask.nii'
    mask = np.ones((len(series), 1, 1), np.uint8)
    for path, data in zip(paths, (series[:, None, None], mask), strict=True):
        nb.Nifti1Image(data, np.eye(4)).to_filename(path)
    standardised, raw, voxelwise = confounds.compute_dvars(*map(str, paths), True)
    found = compute_dvars(series)
    for form, expected in zip(found, (raw, standardised, voxelwise), strict=True):
        np.testing.assert_allclose(form[1:], expected, rtol=1e-4)


def test_the_unit_of_intensity_does_not_matter(series: np.ndarray) -> None:
    for form, scaled in zip(compute_dvars(series), compute_dvars(series * 8), strict=True):
        np.testing.assert_allclose(form, scaled, rtol=1e-9)


def test_threads_change_no_bit(series: np.ndarray) -> None:
    for one, two in zip(compute_dvars(series, 1), compute_dvars(series, 3), strict=True):
        np.testing.assert_array_equal(one, two)


def test_a_jump_of_the_whole_brain_stands_out(series: np.ndarray) -> None:
    std = compute_dvars(series).std_dvars
    assert set(np.argsort(std[1:])[-2:] + 1) == {30, 31}
    assert std[30] > 1.5


def test_a_voxel_with_missing_values_is_left_out(series: np.ndarray) -> None:
    spoilt = series.copy()
    spoilt[5, 3] = np.nan
    found = compute_dvars(spoilt).std_dvars[1:]
    expected = compute_dvars(np.delete(series, 5, axis=0)).std_dvars[1:]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_what_has_no_dvars_is_refused() -> None:
    with pytest.raises(ValueError, match='has 2 frames, and 3 are needed'):
        compute_dvars(np.ones((4, 2), np.float32))
    with pytest.raises(ValueError, match='no voxel changes over time'):
        compute_dvars(np.ones((4, 9), np.float32))
    damaged = np.random.default_rng(1).normal(size=(4, 9)).astype(np.float32)
    damaged[:, 3] = np.nan
    with pytest.raises(ValueError, match='no voxel is finite in all frames'):
        compute_dvars(damaged)
    with pytest.raises(ValueError, match='median intensity is 0'):
        compute_dvars(np.zeros((4, 9), np.float32))
