"""CompCor against a plain singular value decomposition, and planted components."""

import nibabel as nb
import numpy as np
import pytest
from nipype.algorithms.confounds import compute_noise_components

from mriderived.core.compcor import (
    anatomical_compcor,
    decompose,
    find_noisiest,
    temporal_compcor,
)
from mriderived.core.drift import constant_and_drift, cosine_drift

TR = 2.0
FRAMES = 150


@pytest.fixture
def series() -> np.ndarray:
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(900, FRAMES))
    planted = rng.normal(size=(2, FRAMES))
    noise[:300] += 3 * rng.normal(size=(300, 1)) * planted[0]
    noise[300:600] += 3 * rng.normal(size=(300, 1)) * planted[1]
    drift = np.linspace(-20, 20, FRAMES) * rng.normal(size=(900, 1))
    return (1000 + drift + noise).astype(np.float32)


def masks() -> tuple[np.ndarray, np.ndarray]:
    place = np.arange(900)
    return place < 300, (place >= 300) & (place < 600)


def naive_drift(frames: int, period: float = 128.0) -> np.ndarray:
    order = int(np.floor(2 * frames * TR / period))
    columns = [np.ones(frames)]
    for k in range(1, order):
        columns.append(np.cos(np.pi / frames * (np.arange(frames) + 0.5) * k))
    return np.array(columns).T


def test_cosines_agree_with_the_formula_and_are_orthonormal() -> None:
    found = cosine_drift(FRAMES, TR)
    np.testing.assert_allclose(found, np.sqrt(2 / FRAMES) * naive_drift(FRAMES)[:, 1:], atol=1e-12)
    basis = constant_and_drift(FRAMES, TR)
    np.testing.assert_allclose(basis.T @ basis, np.eye(basis.shape[1]), atol=1e-12)
    shifted = cosine_drift(FRAMES, TR, dummies=4)
    np.testing.assert_array_equal(shifted[:4], 0)
    np.testing.assert_allclose(shifted[4:], cosine_drift(FRAMES - 4, TR), atol=1e-15)
    assert cosine_drift(20, TR).shape == (20, 0)


def test_impossible_drifts_are_refused() -> None:
    with pytest.raises(ValueError, match='the repetition time is 0 s'):
        cosine_drift(100, 0)
    with pytest.raises(ValueError, match='5 of 5 frames cannot be before the steady state'):
        cosine_drift(5, TR, dummies=5)


def test_components_agree_with_a_singular_value_decomposition(series: np.ndarray) -> None:
    mask = masks()[0]
    found = decompose(series, mask, TR, dummies=3)
    data = series[mask, 3:].astype(np.float64).T
    design = naive_drift(FRAMES - 3)
    data -= design @ np.linalg.lstsq(design, data, rcond=None)[0]
    data /= data.std(axis=0)
    vectors, values, _ = np.linalg.svd(data, full_matrices=False)
    count = len(found.singular_values)
    assert count == FRAMES - 3 - design.shape[1]
    np.testing.assert_allclose(found.singular_values, values[:count], rtol=1e-6)
    np.testing.assert_array_equal(found.courses[:3], 0)
    cosines = np.abs(np.sum(found.courses[3:, :5] * vectors[:, :5], axis=0))
    np.testing.assert_allclose(cosines, 1, atol=1e-6)


def test_components_are_those_of_nipype(series: np.ndarray) -> None:
    mask = masks()[1]
    images = (series[:, None, None].astype(np.float64), mask[:, None, None].astype(np.uint8))
    data, region = (nb.Nifti1Image(values, np.eye(4)) for values in images)
    expected, _, metadata = compute_noise_components(
        data.get_fdata(), [region], 0.5, 'cosine', period_cut=128, repetition_time=TR
    )
    found = anatomical_compcor(series, ~mask & False, mask, TR)
    columns = [name for name in found.columns if name.startswith('w_')]
    assert len(columns) == expected.shape[1]
    for column, course in zip(columns, expected.T, strict=True):
        assert abs(found.columns[column] @ course) == pytest.approx(1, abs=1e-6)
    share = [found.metadata[name]['CumulativeVarianceExplained'] for name in columns]
    known = metadata['cumulative_variance_explained'][: len(columns)]
    np.testing.assert_allclose(share, known, rtol=1e-9)


def test_each_mask_finds_its_planted_component(series: np.ndarray) -> None:
    csf, wm = masks()
    found = anatomical_compcor(series, csf, wm, TR)
    names = list(found.columns)
    assert {name[:10] for name in names} == {'c_comp_cor', 'w_comp_cor', 'a_comp_cor'}
    assert 'c_comp_cor_00' in names and 'a_comp_cor_01' in names
    assert found.notes == ()
    first, second = (found.columns[f'{prefix}_comp_cor_00'] for prefix in 'cw')
    both = np.column_stack([found.columns['a_comp_cor_00'], found.columns['a_comp_cor_01']])
    for own in (first, second):
        assert np.linalg.norm(both.T @ own) > 0.98


def test_metadata_says_what_fmriprep_says(series: np.ndarray) -> None:
    found = anatomical_compcor(series, *masks(), TR)
    entry = found.metadata['w_comp_cor_00']
    assert list(entry) == [
        'Method',
        'Mask',
        'SingularValue',
        'VarianceExplained',
        'CumulativeVarianceExplained',
        'Retained',
    ]
    assert (entry['Method'], entry['Mask'], entry['Retained']) == ('aCompCor', 'WM', True)
    of_wm = [part for part in found.metadata.values() if part['Mask'] == 'WM']
    assert sum(part['VarianceExplained'] for part in of_wm) == pytest.approx(1, abs=1e-9)
    kept = [part['CumulativeVarianceExplained'] for part in of_wm if part['Retained']]
    assert kept[-1] >= 0.5
    assert len(kept) == 1 or kept[-2] < 0.5
    dropped = [name for name in found.metadata if name.startswith('dropped_')]
    assert dropped == [f'dropped_{number}' for number in range(len(dropped))]
    assert not any(name in found.columns for name in dropped)


def test_the_noisiest_voxels_make_tcompcor(series: np.ndarray) -> None:
    rng = np.random.default_rng(1)
    noisy = rng.choice(900, 18, replace=False)
    planted = rng.normal(size=FRAMES)
    series[noisy] += (60 * planted).astype(np.float32)
    brain = np.ones(900, bool)
    assert set(np.flatnonzero(find_noisiest(series, brain))) == set(noisy)
    found = temporal_compcor(series, brain, TR)
    assert found.metadata['t_comp_cor_00']['Method'] == 'tCompCor'
    basis = constant_and_drift(FRAMES, TR)
    clean = planted - basis @ (basis.T @ planted)
    course = found.columns['t_comp_cor_00']
    assert abs(course @ clean) / np.linalg.norm(clean) > 0.99


def test_bad_voxels_and_small_masks_do_no_harm(series: np.ndarray) -> None:
    csf, wm = masks()
    spoilt = series.copy()
    spoilt[0, 5] = np.nan
    spoilt[1] = 1234.567
    clean = csf.copy()
    clean[:2] = False
    np.testing.assert_allclose(
        decompose(spoilt, csf, TR).singular_values,
        decompose(series, clean, TR).singular_values,
        rtol=1e-9,
    )
    few = np.zeros(900, bool)
    few[:4] = True
    found = anatomical_compcor(series, few, wm, TR)
    assert found.notes == ('aCompCor: the CSF mask has 4 voxels, 5 are needed',)
    assert 'c_comp_cor_00' not in found.columns
    assert 'w_comp_cor_00' in found.columns
    assert temporal_compcor(series, few, TR).notes[0].startswith('tCompCor: only')
