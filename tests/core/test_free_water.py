"""Free water: known mixtures, dipy, one shell refused."""

import nibabel as nb
import numpy as np
import pytest
from dwi_signals import add_noise, dipy_table, load_slice, rotations, table, tensors

from mriderived.core.free_water import fit_free_water, free_water_volumes
from mriderived.core.tensor import fit_tensor, tensor_basis
from mriderived.core.tensor_measures import measure_tensor

TABLE = table({500: 32, 1500: 32}, b0=6)
EIGENVALUES = np.array([1.6, 0.5, 0.3]) * 1e-3


def mixtures(fractions: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    truth = tensors(EIGENVALUES, rotations(len(fractions), seed))
    tissue = np.exp(-truth @ (TABLE.b[:, None] * tensor_basis(TABLE.directions)).T)
    water = np.exp(-TABLE.b * 3e-3)
    return truth, 1000 * ((1 - fractions[:, None]) * tissue + fractions[:, None] * water)


def test_known_mixtures_are_recovered() -> None:
    fractions = np.linspace(0, 0.85, 300)
    truth, signals = mixtures(fractions)
    found = fit_free_water(signals, TABLE, threads=2)
    np.testing.assert_allclose(found.fraction, fractions, atol=1e-4)
    np.testing.assert_allclose(found.tensor * 1e3, truth * 1e3, atol=1e-3)
    np.testing.assert_allclose(found.s0, 1000, rtol=1e-4)
    # the plain tensor takes the water for less anisotropy
    plain = measure_tensor(fit_tensor(signals, TABLE).tensor)
    free = measure_tensor(found.tensor)
    assert plain.fa[-1] < 0.4 and free.fa[-1] == pytest.approx(free.fa[0], abs=1e-3)


def test_noise_and_threads() -> None:
    fractions = np.repeat([0.1, 0.4, 0.7], 300)
    _, signals = mixtures(fractions, 1)
    noisy = add_noise(signals, 12, 1)
    found = fit_free_water(noisy, TABLE)
    np.testing.assert_array_equal(fit_free_water(noisy, TABLE, threads=3).tensor, found.tensor)
    medians = [np.median(found.fraction[fractions == f]) for f in (0.1, 0.4, 0.7)]
    np.testing.assert_allclose(medians, [0.1, 0.4, 0.7], atol=0.04)
    scaled = fit_free_water(noisy * 8, TABLE)
    np.testing.assert_allclose(scaled.fraction, found.fraction, atol=1e-4)


def test_agrees_with_dipy() -> None:
    from dipy.reconst.fwdti import FreeWaterTensorModel

    fractions = np.linspace(0.05, 0.7, 30)
    _, signals = mixtures(fractions, 2)
    noisy = add_noise(signals, 5, 2)
    theirs = FreeWaterTensorModel(dipy_table(TABLE)).fit(noisy)
    found = fit_free_water(noisy, TABLE)
    np.testing.assert_allclose(found.fraction, theirs.f, atol=1e-3)
    fa = measure_tensor(found.tensor).fa
    np.testing.assert_allclose(fa, theirs.fa, atol=1e-3)


def test_water_and_nothing() -> None:
    signals = np.vstack([1000 * np.exp(-TABLE.b * 3e-3), np.zeros(len(TABLE))])
    found = fit_free_water(signals, TABLE)
    assert found.fraction[0] == 1 and np.isnan(found.tensor).all()
    assert np.isnan(found.fraction[1]) and found.fitted.tolist() == [True, False]


def test_one_shell_is_refused() -> None:
    with pytest.raises(ValueError, match=r'free water needs two shells .* look the same'):
        free_water_volumes(table({1000: 60}))
    with pytest.raises(ValueError, match='two shells'):
        free_water_volumes(table({1000: 30, 3000: 60}))
    with pytest.raises(ValueError, match='six directions'):
        free_water_volumes(table({500: 3, 1500: 3}, b0=0))
    wide = table({1000: 30, 2000: 30, 3000: 30})
    np.testing.assert_array_equal(free_water_volumes(wide), wide.b <= 2000)


@pytest.mark.real
def test_free_water_of_a_real_slice_is_where_noddi_finds_it(test_data) -> None:
    series, gradients, folder, mask = load_slice(test_data)
    assert free_water_volumes(gradients).all()
    found = fit_free_water(series, gradients, threads=2)
    water = np.asarray(nb.load(folder / 'ref_fiso.nii.gz').dataobj)[mask]
    fitted = found.fitted
    assert fitted.mean() > 0.98
    assert np.corrcoef(found.fraction[fitted], water[fitted])[0, 1] > 0.94
