"""White-matter integrity: the largest kurtosis, the truth table, dipy."""

import nibabel as nb
import numpy as np
import pytest
from dwi_signals import add_noise, load_slice, spiral
from test_kurtosis import TABLE, crossings, fibres, truncated

from mriderived.core.kurtosis import apparent_kurtosis, fit_kurtosis
from mriderived.core.kurtosis_maximum import find_maximum
from mriderived.core.white_matter_integrity import is_aligned, measure_integrity

TRUTH = {'awf': 0.49, 'de_par': 2.26e-3, 'de_perp': 0.87e-3, 'da': 0.99e-3, 'tortuosity': 2.597701}


def noisy_crossings(voxels: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    fit = fit_kurtosis(add_noise(truncated(*crossings(voxels, seed)), 30, seed), TABLE)
    return fit.tensor, fit.kurtosis


def dipy_parameters(tensor: np.ndarray, kurtosis: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(tensor[:, [0, 1, 2, 1, 3, 4, 2, 4, 5]].reshape(-1, 3, 3))
    return np.hstack([values[:, ::-1], vectors[:, :, ::-1].reshape(-1, 9), kurtosis])


def test_truth_table_at_any_rotation() -> None:
    fit = fit_kurtosis(truncated(*fibres(300)), TABLE)
    found = measure_integrity(fit.tensor, fit.kurtosis, threads=2)
    assert found.valid.all() and not found.implausible.any()
    for name, value in TRUTH.items():
        np.testing.assert_allclose(getattr(found, name), value, rtol=3e-6, err_msg=name)


def test_maximum_of_noisy_crossings_is_that_of_a_dense_search() -> None:
    d, w = noisy_crossings(300, 1)
    found = find_maximum(d, w)
    dense = apparent_kurtosis(d, w, spiral(40_000)).max(axis=1)
    assert (found.value >= dense * (1 - 1e-9)).all()
    np.testing.assert_allclose(found.value, dense, rtol=2e-3)
    at = [
        apparent_kurtosis(d[n : n + 1], w[n : n + 1], found.direction[n : n + 1])
        for n in range(300)
    ]
    np.testing.assert_allclose(np.ravel(at), found.value, rtol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(found.direction, axis=1), 1)


def test_agrees_with_dipys_maximum() -> None:
    from dipy.reconst.dki import kurtosis_maximum

    d, w = noisy_crossings(60, 2)
    theirs = kurtosis_maximum(dipy_parameters(d, w), gtol=1e-5)
    ours = find_maximum(d, w).value
    np.testing.assert_allclose(ours, theirs, rtol=1e-4)
    assert (ours >= theirs - 1e-6).all()


def test_agrees_with_dipys_compartments() -> None:
    from dipy.reconst.dki_micro import diffusion_components

    fit = fit_kurtosis(add_noise(truncated(*fibres(100)), 5), TABLE)
    found = measure_integrity(fit.tensor, fit.kurtosis)
    parameters = dipy_parameters(fit.tensor, fit.kurtosis)
    outside, inside = diffusion_components(parameters, awf=found.awf.astype(float))
    assert found.valid.mean() > 0.9
    good = found.valid
    # of other directions, to which the noise fits a tensor in another way
    np.testing.assert_allclose(found.da[good], inside[good][:, [0, 2, 5]].sum(axis=1), rtol=0.01)
    mean = (found.de_par + 2 * found.de_perp)[good]
    np.testing.assert_allclose(mean, outside[good][:, [0, 2, 5]].sum(axis=1), rtol=0.001)


def test_threads_and_scale_change_nothing() -> None:
    d, w = noisy_crossings(1200, 3)
    one, two = find_maximum(d, w), find_maximum(d, w, threads=3)
    np.testing.assert_array_equal(one.direction, two.direction)
    np.testing.assert_allclose(find_maximum(d * 1000, w).value, one.value, rtol=1e-9)


def test_only_aligned_fibres_are_measured() -> None:
    d, w = crossings(50, 4)
    aligned = is_aligned(d)
    assert 5 < aligned.sum() < 45
    found = measure_integrity(d, w)
    assert np.isnan(found.awf[~aligned]).all()
    np.testing.assert_array_equal(found.valid | found.implausible, aligned)
    asked = measure_integrity(d, w, aligned=np.ones(50, bool))
    assert asked.valid.any()


def test_impossible_values_are_missing() -> None:
    d, w = fibres(4)
    w[0] *= -1
    w[1] *= 30
    d[2] = np.nan
    found = measure_integrity(d, w)
    assert found.valid.tolist() == [False, False, False, True]
    assert found.implausible.tolist() == [True, True, False, False]
    assert np.isnan(found.da[:3]).all()
    assert np.isnan(find_maximum(np.array([[1e-3, 0, 0, 1e-3, 0, -1e-3]]), w[3:]).value).all()


@pytest.mark.parametrize('seed', [5, 6])
def test_noise_leaves_the_fraction_near_the_truth(seed: int) -> None:
    fit = fit_kurtosis(add_noise(truncated(*fibres(500, seed)), 10, seed), TABLE)
    found = measure_integrity(fit.tensor, fit.kurtosis)
    assert np.median(found.awf[found.valid]) == pytest.approx(0.49, abs=0.04)
    assert np.median(found.de_perp[found.valid]) == pytest.approx(0.87e-3, rel=0.1)


@pytest.mark.real
def test_integrity_of_a_real_slice(test_data) -> None:
    series, gradients, folder, mask = load_slice(test_data)
    fit = fit_kurtosis(series, gradients, threads=2)
    found = measure_integrity(fit.tensor, fit.kurtosis, threads=2)
    assert 300 < found.valid.sum() < 600 and found.implausible.sum() < 10
    assert 0.38 < np.median(found.awf[found.valid]) < 0.52
    assert 2.0e-3 < np.median(found.de_par[found.valid]) < 2.9e-3
    assert 0.7e-3 < np.median(found.de_perp[found.valid]) < 1.0e-3
    assert 0.8e-3 < np.median(found.da[found.valid]) < 1.3e-3
    # another model of the same water, with its diffusivities fixed
    icvf = np.asarray(nb.load(folder / 'ref_ficvf.nii.gz').dataobj)[mask]
    assert np.corrcoef(found.awf[found.valid], icvf[found.valid])[0, 1] > 0.55
