"""The steps of quantitative MRI on a synthetic head, against its truth."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import nibabel as nb
import numpy as np
import pandas as pd
import pytest
from nibabel.affines import apply_affine
from numpy.typing import NDArray

from mriderived.config import Config
from mriderived.interfaces.qmri_images import read_matrices
from mriderived.interfaces.rigid_files import load_rigid
from mriderived.interfaces.sink import remarks_file
from mriderived.phantom.head import HeadOptions, draw_head
from mriderived.phantom.qmri import QmriOptions, QmriTruth, write_qmri
from mriderived.phantom.qmri_signals import MPM, weighted_signal
from mriderived.workflows.qmri_alignment import AlignmentFiles, align_collection
from mriderived.workflows.qmri_field import map_field
from mriderived.workflows.qmri_mask import mask_collection
from mriderived.workflows.qmri_phase import align_phase
from mriderived.workflows.qmri_registration import coregister_collection
from mriderived.workflows.sources import find_sources

pytestmark = pytest.mark.slow

OPTIONS = QmriOptions(voxel_mm=4.0, t1w_mm=3.0, snr=50.0, transmit='TB1DAM', has_t1w=False)


class Scene(NamedTuple):
    """A collection after its alignment, its acquisition and its truth."""

    acquisition: Path
    files: AlignmentFiles
    truth: QmriTruth


def prepare(folder: Path, suffix: str, options: QmriOptions = OPTIONS) -> Scene:
    truth = write_qmri(folder / 'raw', '01', (suffix,), options)
    config = Config(folder / 'raw', folder / 'out', folder / 'out' / 'work')
    (source,) = find_sources(config, '01', ('qmri',))
    assert source.fault == ''
    acquisition = folder / 'acquisition.json'
    acquisition.write_text(json.dumps(source.acquisition))
    return Scene(acquisition, align_collection(acquisition), truth)


@pytest.fixture(scope='module')
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    folder = tmp_path_factory.mktemp('mts')
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return prepare(folder, 'MTS')


def data(path: Path) -> NDArray[np.float32]:
    return np.asarray(nb.load(path).dataobj, np.float32)


def distance(first: NDArray[np.float64], second: NDArray[np.float64], truth: QmriTruth) -> float:
    """Return how far two transforms move the brain apart, on average in mm."""
    points = apply_affine(truth.affine, np.argwhere(truth.substance.brain)[::50])
    apart = apply_affine(first, points) - apply_affine(second, points)
    return float(np.sqrt((apart**2).sum(axis=1)).mean())


def test_acquisitions_are_brought_to_the_reference(scene: Scene) -> None:
    matrices, are_moved = read_matrices(scene.files.qmri_motion)
    table = pd.read_csv(scene.files.qmri_motion, sep='\t')
    assert table['image'].tolist() == [
        'sub-01_flip-1_mt-off_MTS.nii.gz',
        'sub-01_flip-2_mt-off_MTS.nii.gz',
        'sub-01_flip-1_mt-on_MTS.nii.gz',
    ]
    assert are_moved.tolist() == [False, True, True]
    for found, true in zip(matrices, scene.truth.matrices['MTS'], strict=True):
        # a twentieth of a voxel of 4 mm
        assert distance(found, true, scene.truth) < 0.2


def test_the_series_holds_what_would_have_been_seen_at_rest(scene: Scene) -> None:
    series = data(scene.files.qmri_series)
    substance = scene.truth.substance
    inner = substance.shares[1] > 0.95
    still = scene.truth.factors['MTS'] * substance.pd
    for index, (_, angle, period, pulse, _) in enumerate(MPM):
        expected = weighted_signal(substance, scene.truth.b1, angle, period, pulse)
        expected *= scene.truth.factors['MTS']
        assert still[inner].mean() > expected[inner].mean()
        relative = series[..., index][inner] / expected[inner] - 1
        assert abs(np.median(relative)) < 0.01


def test_what_rings_below_0_is_counted(scene: Scene) -> None:
    remarks = json.loads(remarks_file(scene.files.qmri_series).read_text())
    still, *moved = remarks['NegativeSetToZeroShare']
    assert still == 0
    series = data(scene.files.qmri_series)
    for number, share in enumerate(moved, 1):
        # beyond the field of view is 0 as well
        assert 0 < share <= (series[..., number] == 0).mean()


def test_the_field_is_brought_to_the_collection(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    mask = tmp_path / 'mask.nii.gz'
    brain = scene.truth.substance.brain
    nb.Nifti1Image(brain.astype(np.uint8), scene.truth.affine).to_filename(mask)
    found = map_field(scene.files.qmri_reference, mask, scene.acquisition)
    error = data(found.qmri_b1)[brain] / scene.truth.b1[brain] - 1
    assert np.abs(error).max() < 0.05
    assert np.percentile(np.abs(error), 95) < 0.01
    np.testing.assert_allclose(data(found.qmri_tb1map), 100 * data(found.qmri_b1), rtol=1e-6)
    remarks = json.loads((tmp_path / 'b1.remarks.json').read_text())
    assert remarks['EstimationAlgorithm'] == 'double angle'
    assert remarks['VoxelsWithoutValue'] == 0


def test_the_brain_is_found_without_a_t1w(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = data(mask_collection(scene.files.qmri_reference, scene.acquisition).qmri_mask) > 0
    brain = scene.truth.substance.brain
    assert 2 * (found & brain).sum() / (found.sum() + brain.sum()) > 0.95


def test_other_body_parts_have_no_brain(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    content = json.loads(scene.acquisition.read_text()) | {'body_part': 'HEART'}
    path = tmp_path / 'heart.json'
    path.write_text(json.dumps(content))
    found = data(mask_collection(scene.files.qmri_reference, path).qmri_mask) > 0
    assert found.sum() > 1.2 * scene.truth.substance.brain.sum()
    remarks = json.loads((tmp_path / 'mask.remarks.json').read_text())
    assert remarks['Type'] == 'ROI'


def test_phase_goes_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    options = replace(OPTIONS, snr=2000.0, transmit='')
    scene = prepare(tmp_path, 'MEGRE', options)
    found = align_phase(scene.files.qmri_reference, scene.files.qmri_motion, scene.acquisition)
    phase = data(found.qmri_phase)
    hertz = 40.0 * (scene.truth.b1 - 1) / 0.2
    brain = scene.truth.substance.brain
    for index, time in enumerate((0.004, 0.009)):
        turn = np.exp(1j * (phase[..., index] - 2 * np.pi * hertz * time))
        assert np.percentile(np.abs(np.angle(turn[brain])), 95) < 5e-3


def test_the_t1w_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    scene = prepare(tmp_path, 'MTR', replace(OPTIONS, transmit='', motion_mm=0, motion_degrees=0))
    head = draw_head(HeadOptions(voxel_mm=(3.0,) * 3))
    shares = head.counts.astype(np.float32) / head.cells
    images = {
        't1w': head.t1w / head.bias, 'brain_mask': head.brain_mask.astype(np.uint8),
        'gm_probseg': shares[0], 'wm_probseg': shares[1],
    }  # fmt: skip
    for name, values in images.items():
        nb.Nifti1Image(values, head.affine).to_filename(tmp_path / f'{name}.nii.gz')
    paths = {name: tmp_path / f'{name}.nii.gz' for name in images}
    found = coregister_collection(scene.files.qmri_reference, **paths)
    matrix = load_rigid(found.xfm_qmri_to_t1w)
    # an eighth of a voxel of 4 mm
    assert distance(matrix, scene.truth.t1w_to_qmri, scene.truth) < 0.5
    assert distance(np.eye(4), scene.truth.t1w_to_qmri, scene.truth) > 1.0
    fit = pd.read_csv(found.qmri_coregistration, sep='\t')
    assert fit['mutual_information'].item() > 1.05
