"""Tensor, kurtosis, integrity and free water as files: values, missing voxels, remarks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel as nb
import numpy as np
import pytest

from mriderived.core.gradient_table import Gradients, make_gradients
from mriderived.core.kurtosis_maximum import half_sphere
from mriderived.interfaces.gradient_tables import save_fsl
from mriderived.interfaces.series import save_masked
from mriderived.interfaces.sink import remarks_file
from mriderived.interfaces.volumes import load, save
from mriderived.measures.free_water import FREE_WATER, write_free_water
from mriderived.measures.kurtosis import write_kurtosis
from mriderived.measures.tensor import write_tensor
from mriderived.measures.wmti import WMTI, write_wmti

SHAPE = (7, 6, 5)
#: Oblique, right-handed and of unequal voxels: directions must come back in world axes.
AFFINE = np.eye(4)
AFFINE[:3, :3] = [[1.6, -1.2, 0], [1.2, 1.6, 0], [0, 0, 2.5]]
MASK = np.zeros(SHAPE, bool)
MASK[1:6, 1:5, 1:4] = True
AXIS = np.array([0.48, 0.6, 0.64])
DEAD = (3, 3, 2)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def table(*shells: float) -> Gradients:
    b = np.concatenate([np.zeros(3), *(np.full(30, b) for b in shells)])
    return make_gradients(b, np.concatenate([np.zeros((3, 3)), *[half_sphere(30)] * len(shells)]))


def write_scan(gradients: Gradients, signals: np.ndarray) -> tuple[Path, Path, Path, Path]:
    """Write one signal (n,) in all voxels of the mask but one, which has none."""
    values = np.tile(signals, (int(MASK.sum()), 1))
    values[np.flatnonzero(MASK).searchsorted(np.ravel_multi_index(DEAD, SHAPE))] = 0
    series = save_masked(values.astype(np.float32), MASK, AFFINE, 1.0, 'dwi.nii.gz')
    files = save_fsl(gradients, AFFINE, 'dwi')
    return series, files.bval, files.bvec, save(MASK.astype(np.uint8), AFFINE, 'mask.nii.gz')


def fibre(gradients: Gradients) -> np.ndarray:
    """Return the signal of sticks along AXIS (49 %) and of water around them, up to b²."""
    cosine = (gradients.directions @ AXIS) ** 2
    inside, outside = 0.99e-3 * cosine, 0.87e-3 + 1.39e-3 * cosine
    mean, variance = 0.49 * inside + 0.51 * outside, 0.49 * 0.51 * (inside - outside) ** 2
    return 1000 * np.exp(-gradients.b * mean + gradients.b**2 * variance / 2)


def said(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(remarks_file(path).read_text())
    return found


def is_alive() -> np.ndarray:
    alive = MASK.copy()
    alive[DEAD] = False
    return alive


def test_tensor_files() -> None:
    gradients = table(1000)
    cosine = (gradients.directions @ AXIS) ** 2
    signals = 1000 * np.exp(-gradients.b * (0.3e-3 + 1.4e-3 * cosine))
    found = write_tensor(*write_scan(gradients, signals))
    alive = is_alive()
    np.testing.assert_allclose(load(found.tensor_fa)[alive], 0.799022, atol=1e-4)
    np.testing.assert_allclose(load(found.tensor_md)[alive] * 1e3, 0.766667, atol=1e-4)
    np.testing.assert_allclose(load(found.tensor_s0)[alive], 1000, rtol=1e-4)
    v1 = np.asarray(nb.load(found.tensor_v1).dataobj)[alive]
    np.testing.assert_allclose(np.abs(v1 @ AXIS), 1, atol=1e-4)
    tensor = np.asarray(nb.load(found.tensor_tensor).dataobj)[alive]
    truth = 0.3e-3 * np.eye(3) + 1.4e-3 * np.outer(AXIS, AXIS)
    expected = truth[[0, 0, 0, 1, 1, 2], [0, 1, 2, 1, 2, 2]]
    np.testing.assert_allclose(tensor, np.tile(expected, (alive.sum(), 1)), atol=2e-7)
    assert not load(found.tensor_fa)[~alive].any()
    remarks = said(found.tensor_fa)
    assert remarks['VoxelsNotFitted'] == 1 and remarks['Shells'] == [0, 1000]


def test_a_tensor_of_high_b_values_is_flagged() -> None:
    gradients = table(2500)
    found = write_tensor(*write_scan(gradients, fibre(gradients)))
    (note,) = said(found.tensor_fa)['Notes']
    assert note.startswith('The tensor was fitted up to b = 2500 s/mm²')
    for path in found:
        remarks = said(path)
        assert remarks['LargestB'] == 2500, path
        assert remarks['Warning'] == note, path
        assert remarks['Notes'] == ([note] if path == found.tensor_fa else []), path


def test_sidecars_of_a_tensor_of_low_b_values_have_no_warning() -> None:
    gradients = table(1000, 2000)
    for path in write_tensor(*write_scan(gradients, fibre(gradients))):
        assert said(path)['LargestB'] == 1000
        assert 'Warning' not in said(path)


def test_kurtosis_files() -> None:
    gradients = table(1000, 2000)
    found = write_kurtosis(*write_scan(gradients, fibre(gradients)))
    alive = is_alive()
    truth = {'mk': 1.480102, 'ak': 0.450844, 'rk': 2.882353, 'kfa': 0.307888, 'mkt': 1.080329}
    for name, value in truth.items():
        values = load(getattr(found, f'dki_{name}'))[alive]
        np.testing.assert_allclose(values, value, atol=1e-4, err_msg=name)
    assert not load(found.dki_mk)[~alive].any()


def test_implausible_kurtosis_is_replaced_by_that_of_fitted_neighbours() -> None:
    gradients = table(1000, 2000)
    scan = write_scan(gradients, fibre(gradients))
    values = np.array(nb.load(scan[0]).dataobj, np.float32)
    # a signal that falls ever faster: negative kurtosis, beside a voxel without signal
    values[3, 3, 1] = 1000 * np.exp(-1e-3 * gradients.b - 0.4e-6 * gradients.b**2)
    spoilt = save(values, AFFINE, 'spoilt.nii.gz')
    found = write_kurtosis(spoilt, *scan[1:])
    mk = load(found.dki_mk)
    assert mk[3, 3, 1] == pytest.approx(mk[1, 1, 1], abs=1e-3)
    remarks = said(found.dki_mk)
    assert remarks['VoxelsReplaced'] == 1 and remarks['VoxelsWithoutValue'] == 0


def test_integrity_files() -> None:
    gradients = table(1000, 2000)
    scan = write_scan(gradients, fibre(gradients))
    found = write_wmti(*scan)
    alive = is_alive()
    truth = (0.49, 2.26e-3, 0.87e-3, 0.99e-3, 2.597701)
    for path, value in zip(found, truth, strict=True):
        np.testing.assert_allclose(load(path)[alive], value, rtol=1e-4, err_msg=path.name)
        assert not load(path)[~alive].any()
    remarks = said(found.wmti_awf)
    assert remarks['VoxelsWithValue'] == alive.sum()
    assert any('Only 59 voxels' in note for note in remarks['Notes'])
    assert any('White matter is not known' in note for note in remarks['Notes'])


def test_integrity_keeps_to_white_matter() -> None:
    gradients = table(1000, 2000)
    scan = write_scan(gradients, fibre(gradients))
    white = np.zeros(SHAPE, np.float32)
    white[2, 2, 2], white[2, 2, 3] = 0.9, 0.4
    found = write_wmti(*scan, dwi_wm=save(white, AFFINE, 'wm.nii.gz'))
    assert (load(found.wmti_awf) > 0).sum() == 1 and load(found.wmti_awf)[2, 2, 2] > 0
    assert not any('not known' in note for note in said(found.wmti_awf)['Notes'])


def test_free_water_files() -> None:
    gradients = table(500, 1500)
    cosine = (gradients.directions @ AXIS) ** 2
    tissue = np.exp(-gradients.b * (0.3e-3 + 1.4e-3 * cosine))
    signals = 1000 * (0.7 * tissue + 0.3 * np.exp(-gradients.b * 3e-3))
    found = write_free_water(*write_scan(gradients, signals))
    alive = is_alive()
    np.testing.assert_allclose(load(found.fwtensor_fwf)[alive], 0.3, atol=1e-3)
    np.testing.assert_allclose(load(found.fwtensor_fa)[alive], 0.799, atol=2e-3)
    assert said(found.fwtensor_fwf)['VoxelsNotFitted'] == 1


def test_one_shell_is_refused_with_its_reason() -> None:
    gradients = table(1000)
    scan = write_scan(gradients, fibre(gradients))
    with pytest.raises(ValueError, match='free water needs two shells'):
        write_free_water(*scan)
    for function in (write_kurtosis, write_wmti):
        with pytest.raises(ValueError, match='kurtosis needs two shells'):
            function(*scan)


def test_declarations() -> None:
    assert FREE_WATER.is_opt_in and not WMTI.is_opt_in
    for measure in (FREE_WATER, WMTI):
        assert measure.source == 'dwi' and measure.scope.least_shells == 2
        assert {output.suffix for output in measure.outputs} == {'dwimap'}
