"""Networks for hyperintensities: files and descriptions are read, and probabilities come back."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import ndimage

from flair_phantom import draw
from lesion_networks import Bright, Product, TwoClasses, write_lesion_network
from mriderived.interfaces.lesion_model import LesionModel, digest_model, read_lesion_model
from mriderived.interfaces.lesion_network import run_lesion_network
from mriderived.interfaces.network_weights import WeightsError
from mriderived.interfaces.rigid_files import save_rigid
from mriderived.interfaces.volumes import load, save

BALLS = [(15.0, 12.0, 8.0, 4.5), (-14.0, -16.0, -6.0, 3.5)]


@pytest.fixture
def scan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    monkeypatch.chdir(tmp_path)
    return write_scan()


def write_scan(spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> dict[str, Path]:
    phantom = draw(BALLS, 0.6, spacing=spacing, noise=2.0)
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = (-30, 12, 7)
    return {
        'flair': save(phantom.scan.flair, affine, 'flair.nii.gz'),
        'flair_mask': save(phantom.scan.brain.astype(np.uint8), affine, 'mask.nii.gz'),
        'truth': save(phantom.truth, affine, 'truth.nii.gz'),
    }


def find(model: LesionModel, scan: dict[str, Path], **more: Path) -> np.ndarray:
    return run_lesion_network(model, scan['flair'], scan['flair_mask'], 'cpu', 1, **more)


def dice(found: np.ndarray, truth: np.ndarray) -> float:
    one, two = found > 0.5, truth > 0.5
    return float(2 * (one & two).sum() / (one.sum() + two.sum()))


def test_the_defaults_and_what_a_description_says(tmp_path: Path) -> None:
    path = write_lesion_network(tmp_path / 'tiny.pt', Bright())
    model = read_lesion_model(path)
    assert (model.name, model.inputs, model.voxel_mm, model.patch, model.multiple) == (
        'tiny', 'FLAIR', (1.0, 1.0, 1.0), None, 16
    )  # fmt: skip
    assert model.sha256 == digest_model(path) and len(model.sha256) == 64
    said = {
        'Name': 'Tiny 2', 'ReferencesAndLinks': ['https://doi.org/10.1/x'],
        'Inputs': 'FLAIR+T1w', 'VoxelSize': [1, 1, 3], 'PatchSize': [64, 64, 32], 'Multiple': 8,
        'Intensity': 'range', 'Result': 'two classes',
    }  # fmt: skip
    path.with_suffix('.json').write_text(json.dumps(said))
    model = read_lesion_model(path)
    assert (model.inputs, model.voxel_mm, model.patch, model.multiple) == (
        'FLAIR+T1w', (1.0, 1.0, 3.0), (64, 64, 32), 8
    )  # fmt: skip
    assert model.to_json() == {
        'Name': 'Tiny 2', 'File': 'tiny.pt', 'SHA256': model.sha256,
        'ReferencesAndLinks': ['https://doi.org/10.1/x'],
    }  # fmt: skip


@pytest.mark.parametrize(('said', 'message'), [
    ({'Input': 'FLAIR'}, 'has Input, which is unknown; keys are Name, '),
    ({'Inputs': 'T2w'}, "Inputs is 'T2w', not one of FLAIR, FLAIR\\+T1w"),
    ({'VoxelSize': [1, 1]}, 'VoxelSize is .* not three numbers from 0.4 to 6'),
    ({'PatchSize': [64, 64, 6.5]}, 'PatchSize is .* not three numbers from 16 to 512'),
    ({'Multiple': 0}, 'Multiple is 0, not a whole number from 1 to 128'),
    ({'Result': 'maybe', 'Intensity': 1}, "Intensity is 1, .*; Result is 'maybe', not one of"),
    ({'Name': 3}, 'Name is no text'),
    ({'ReferencesAndLinks': 'x'}, 'ReferencesAndLinks is no list of texts'),
])  # fmt: skip
def test_every_fault_of_a_description_is_named(
    said: dict[str, object], message: str, tmp_path: Path
) -> None:
    path = write_lesion_network(tmp_path / 'tiny.pt', Bright(), **said)
    with pytest.raises(WeightsError, match=rf'tiny\.json.*{message}'):
        read_lesion_model(path)


def test_files_that_are_none_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r'gone\.pt is not there'):
        read_lesion_model(tmp_path / 'gone.pt')
    path = write_lesion_network(tmp_path / 'tiny.pt', Bright())
    path.with_suffix('.json').write_text('{')
    with pytest.raises(WeightsError, match=r'tiny\.json is no JSON'):
        read_lesion_model(path)
    path.with_suffix('.json').write_text('[]')
    with pytest.raises(WeightsError, match=r'tiny\.json holds no object'):
        read_lesion_model(path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(WeightsError, match=r'tiny\.pt is cut off or no network'):
        read_lesion_model(path)
    other = tmp_path / 'other.onnx'
    other.write_bytes(b'onnx')
    with pytest.raises(WeightsError, match='another format: a TorchScript archive is needed'):
        read_lesion_model(other)


@pytest.mark.parametrize(('module', 'said'), [
    (Bright(), {}),
    (Bright(is_sure=False), {'Result': 'evidence'}),
    (TwoClasses(), {'Result': 'two classes'}),
    (Bright(), {'PatchSize': [48, 48, 48]}),
    (Bright(level=1.04), {'Intensity': 'range'}),
], ids=['whole', 'evidence', 'two classes', 'patches', 'range'])  # fmt: skip
def test_what_is_bright_comes_back_where_it_was(
    module: torch.nn.Module, said: dict[str, object], scan: dict[str, Path], tmp_path: Path
) -> None:
    model = read_lesion_model(write_lesion_network(tmp_path / 'tiny.pt', module, **said))
    found = find(model, scan)
    assert found.shape == load(scan['flair']).shape
    assert found.dtype == np.float32 and found.min() >= 0 and found.max() <= 1
    assert dice(found, load(scan['truth'])) > 0.9


def test_other_voxels_are_averaged_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    scan = write_scan((1.0, 1.0, 3.0))
    path = write_lesion_network(tmp_path / 'tiny.pt', Bright(), VoxelSize=[1, 1, 1])
    found = find(read_lesion_model(path), scan)
    truth = load(scan['truth'])
    assert dice(found, truth) > 0.8
    centres = [ndimage.center_of_mass(each > 0.5) for each in (found, truth)]
    assert np.allclose(*centres, atol=0.5)


def test_patches_and_the_whole_agree(scan: dict[str, Path], tmp_path: Path) -> None:
    one = write_lesion_network(tmp_path / 'one.pt', Bright())
    two = write_lesion_network(tmp_path / 'two.pt', Bright(), PatchSize=[40, 40, 40])
    whole, parts = (find(read_lesion_model(path), scan) for path in (one, two))
    assert np.abs(whole - parts).max() < 1e-4


def test_a_t1w_is_the_second_channel(scan: dict[str, Path], tmp_path: Path) -> None:
    path = write_lesion_network(tmp_path / 'pair.pt', Product(), Inputs='FLAIR+T1w')
    model = read_lesion_model(path)
    with pytest.raises(ValueError, match=r'network pair\.pt needs a T1w image of the session'):
        find(model, scan)
    image, affine = load(scan['flair']), np.diag([1.0, 1, 1, 1])
    affine[:3, 3] = (-30, 12, 7)
    half = image.copy()
    half[: len(half) // 2] = 0.2 * image[: len(half) // 2]  # dark on the left
    moved = affine.copy()
    moved[0, 3] += 4
    t1w = save(half, moved, 't1w.nii.gz')
    shift = np.eye(4)
    shift[0, 3] = -4  # from mm of the T1w to those of the FLAIR
    found = find(model, scan, t1w=t1w, xfm_flair_to_t1w=save_rigid(shift, 'rigid.h5'))
    truth = load(scan['truth']) > 0.5
    sides = [truth & (np.arange(len(truth)) < len(truth) / 2)[:, None, None]]
    sides.append(truth & ~sides[0])
    assert (found[sides[0]] > 0.5).mean() < 0.05 < 0.8 < (found[sides[1]] > 0.5).mean()


@pytest.mark.parametrize(('module', 'message'), [
    (Bright(is_sure=False), 'gave values from -.* no probabilities; say in its description'),
    (TwoClasses(), r'tiny\.pt is another network: its output has the shape 1 × 2 ×'),
    (torch.nn.Conv3d(3, 1, 1), r'tiny\.pt failed on an input of shape \(1, '),
])  # fmt: skip
def test_another_network_is_refused_by_name(
    module: torch.nn.Module, message: str, scan: dict[str, Path], tmp_path: Path
) -> None:
    model = read_lesion_model(write_lesion_network(tmp_path / 'tiny.pt', module))
    with pytest.raises(WeightsError, match=message):
        find(model, scan)


def test_an_archive_that_is_no_network(scan: dict[str, Path], tmp_path: Path) -> None:
    path = write_lesion_network(tmp_path / 'tiny.pt', Bright())
    torch.save({'weight': torch.zeros(3)}, path)
    model = read_lesion_model(path)
    with pytest.raises(WeightsError, match=r'holds no network that torch can load; give another'):
        find(model, scan)
