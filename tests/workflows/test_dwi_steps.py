"""The steps of diffusion, one after the other, on a phantom without T1w, against its truth."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nb
import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

from mriderived.config import Config
from mriderived.core.gradient_orientation import TableRanking, candidate_transforms
from mriderived.core.sampling import resample
from mriderived.interfaces.dwi_acquisition import read_dwi_acquisition
from mriderived.interfaces.dwi_sampling import find_shares, tell_shares
from mriderived.interfaces.eddy_files import read_eddy
from mriderived.interfaces.gradient_tables import load_fsl, read_gradients, save_fsl
from mriderived.interfaces.sink import remarks_file
from mriderived.interfaces.volumes import load, load_affine
from mriderived.measures.tensor import TensorFiles, write_tensor
from mriderived.phantom.dataset import dwi_truth, write_dataset
from mriderived.phantom.dwi_options import DwiOptions
from mriderived.phantom.dwi_truth import DwiTruth
from mriderived.workflows import dwi_gradients
from mriderived.workflows.dwi_denoising import denoise_dwi
from mriderived.workflows.dwi_distortion import DistortionFiles, find_dwi_distortion
from mriderived.workflows.dwi_gradients import check_gradients
from mriderived.workflows.dwi_motion import MotionFiles, estimate_dwi_motion
from mriderived.workflows.dwi_series import SeriesFiles, resample_dwi
from mriderived.workflows.func_mask import mask_epi
from mriderived.workflows.sources import find_sources

pytestmark = pytest.mark.slow
OPTIONS = DwiOptions(
    voxel_mm=(4.0, 4.0, 4.0),
    shells=((1000.0, 16),),
    b0s=3,
    motion_mm=2.0,
    motion_degrees=2.0,
    eddy_voxels=0.6,
    dropouts=2,
    snr=40.0,
)


class Run(NamedTuple):
    """The files of all steps of one run, and its truth."""

    raw: Path
    acquisition: Path
    denoised: Path
    gradients: Path
    motion: MotionFiles
    distortion: DistortionFiles
    mask: Path
    series: SeriesFiles
    tensor: TensorFiles
    truth: DwiTruth


def remarks(path: Path) -> dict[str, Any]:
    return dict(json.loads(remarks_file(path).read_text()))


@pytest.fixture(scope='module')
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp('dwi')
    write_dataset(folder / 'raw', participants=1, voxel_mm=6.0, dwi=True, dwi_options=OPTIONS)
    truth = dwi_truth(folder / 'raw', '01')
    out = folder / 'out'
    config = Config(folder / 'raw', out, out / 'work')
    (source,) = find_sources(config, '01', ('dwi',), is_hashed=False)
    acquisition = folder / 'acquisition.json'
    acquisition.write_text(json.dumps(source.acquisition))
    raw = source.image.path
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        denoised = denoise_dwi(raw, acquisition).dwi_denoised
        gradients = check_gradients(denoised, acquisition).dwi_gradients
        motion = estimate_dwi_motion(raw, gradients, acquisition)
        distortion = find_dwi_distortion(motion.dwi_distorted, acquisition)
        mask = mask_epi(distortion.dwi_reference, what='diffusion').mask
        series = resample_dwi(
            denoised, gradients, *motion, distortion.dwi_displacement, acquisition,
            distortion.dwi_reference, mask,
        )  # fmt: skip
        tensor = write_tensor(series.dwi_preproc, series.dwi_bval, series.dwi_bvec, mask)
    return Run(raw, acquisition, denoised, gradients, motion, distortion, mask, series, tensor,
               truth)  # fmt: skip


def inside(run: Run) -> np.ndarray:
    """Return the brain without its rim, where interpolation mixes it with the skull."""
    return np.asarray(ndimage.binary_erosion(run.truth.load('brain_mask') > 0, iterations=2))


def test_the_field_map_of_the_phantom_is_found(run: Run) -> None:
    said = remarks(run.distortion.dwi_reference)
    assert said['SusceptibilityDistortionCorrection'] == 'opposite phase encoding'
    assert any(note.startswith('Field map: opposite phase-encode EPI') for note in said['Notes'])


def test_displacement_is_that_of_the_field(run: Run) -> None:
    wrong = load(run.distortion.dwi_displacement) - in_reference(run, 'displacement')
    assert np.sqrt((wrong[inside(run)] ** 2).mean()) < 0.1  # voxels; about 0.03
    assert np.percentile(np.abs(wrong[inside(run)]), 95) < 0.15


def test_the_brain_is_found_without_a_t1w(run: Run) -> None:
    mask, brain = load(run.mask) > 0, run.truth.load('brain_mask') > 0
    assert 2 * (mask & brain).sum() / (mask.sum() + brain.sum()) > 0.85


def rest_to_reference(run: Run) -> np.ndarray:
    """Return the matrix from mm of the head at rest to mm of the reference, about."""
    found = read_eddy(run.motion.dwi_motion, run.motion.dwi_outliers, run.motion.dwi_distorted)
    _, true = run.truth.load_motion()
    unweighted = np.flatnonzero(run.truth.load_table()['b'] == 0)
    return np.mean([np.linalg.inv(found.matrices[n]) @ true[n] for n in unweighted], axis=0)


def in_reference(run: Run, name: str) -> np.ndarray:
    """Return an image of the truth where the head lies in the reference, about."""
    return move_to_reference(run, run.truth.load(name))


def move_to_reference(run: Run, image: np.ndarray) -> np.ndarray:
    affine = load_affine(run.mask)
    to_rest = np.linalg.inv(affine) @ np.linalg.inv(rest_to_reference(run)) @ affine
    return np.asarray(resample(np.ascontiguousarray(image), to_rest, image.shape))


def white_matter(run: Run) -> np.ndarray:
    """Return voxels with nothing but white matter, which may cross."""
    return inside(run) & (move_to_reference(run, run.truth.load('tissue')[..., 1]) > 0.95)


def test_anisotropy_is_that_of_the_truth(run: Run) -> None:
    white = run.truth.load('tissue')[..., 1] > 0.99
    where = inside(run) & white & (run.truth.load('share') < 0.01)
    assert where.sum() > 300
    wrong = (load(run.tensor.tensor_fa) - in_reference(run, 'fa'))[where]
    # voxels of 4 mm were interpolated once, among fibres of other directions
    assert np.median(np.abs(wrong)) < 0.03
    assert abs(np.median(wrong)) < 0.03


def test_anisotropy_is_that_of_the_series_without_artefacts(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    affine = load_affine(run.mask)
    nb.Nifti1Image(run.truth.load('clean'), affine).to_filename(tmp_path / 'clean.nii.gz')
    given, _ = read_gradients(run.gradients)
    tables = save_fsl(given, affine, 'clean')
    clean = load(write_tensor(tmp_path / 'clean.nii.gz', *tables, run.mask).tensor_fa)
    wanted = move_to_reference(run, clean)
    wrong = (load(run.tensor.tensor_fa) - wanted)[white_matter(run)]
    assert abs(wrong.mean()) <= 0.02  # the region; about 0.013
    assert np.median(np.abs(wrong)) <= 0.02  # its voxels; about 0.018


def test_lost_slices_are_found(run: Run) -> None:
    found = pd.read_csv(run.motion.dwi_outliers, sep='\t').to_numpy() > 0
    lost = run.truth.load_outliers(found.shape[1])
    assert found[lost].all()
    assert found.sum() <= lost.sum() + 2
    assert remarks(run.series.dwi_preproc)['SlicesReplaced'] == found.sum()


def test_the_table_of_the_series_has_turned_with_the_head(run: Run) -> None:
    affine = load_affine(run.series.dwi_preproc)
    found = load_fsl(run.series.dwi_bval, run.series.dwi_bvec, affine)
    given, _ = read_gradients(run.gradients)
    np.testing.assert_allclose(found.b, given.b)
    _, matrices = run.truth.load_motion()
    to_rest = np.swapaxes(matrices[:, :3, :3], 1, 2)
    turns = rest_to_reference(run)[:3, :3] @ to_rest
    expected = np.einsum('nij,nj->ni', turns, given.directions)[given.shell > 0]
    cosine = np.abs((found.directions[given.shell > 0] * expected).sum(axis=1))
    assert np.degrees(np.arccos(np.clip(cosine, 0, 1))).max() < 0.5
    assert nb.load(run.series.dwi_preproc).shape[3] == len(found)


def test_a_phantom_whose_fibres_do_not_tell_is_told_so(run: Run) -> None:
    (note,) = remarks(run.gradients)['Notes']
    assert note == (
        'Gradient table: its axes could not be checked: the best two tables are as good as each '
        'other.'
    )


def test_a_wrong_table_fails_with_the_right_one_or_is_fixed(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    flip = np.diag([1.0, -1, 1])
    others = [each for each in candidate_transforms() if not np.array_equal(each, flip)]
    coherence = np.linspace(0.5, 0.2, 24)
    ranking = TableRanking('wrong', np.array([flip, *others]), coherence, 0.1, 9.0, 1)
    monkeypatch.setattr(dwi_gradients, 'rank_tables', lambda *_: ranking)
    with pytest.raises(ValueError, match=r'where y reversed .*\.bvec .*--fix-gradients'):
        check_gradients(run.denoised, run.acquisition)
    fixed = check_gradients(run.denoised, run.acquisition, is_fixed=True).dwi_gradients
    found, _ = read_gradients(fixed)
    given, _ = read_gradients(run.gradients)
    np.testing.assert_allclose(found.directions, given.directions * [1, -1, 1], atol=1e-6)
    (note,) = remarks(fixed)['Notes']
    assert note.endswith('It was taken (--fix-gradients).')


@pytest.mark.real
def test_a_wrong_sign_of_a_real_series_is_found(
    test_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    raw = test_data / 'siemens-xa30'
    config = Config(raw, tmp_path / 'out', tmp_path / 'work')
    source, *_ = find_sources(config, '01', ('dwi',), is_hashed=False)
    content = dict(source.acquisition)
    content['parts'] = content['parts'][:1]  # the opposite series is another part
    acquisition = tmp_path / 'acquisition.json'
    acquisition.write_text(json.dumps(content))
    check_gradients(source.image.path, acquisition)
    # the grid is nearly straight, so that the third axis of the world is the third of the array
    (part,) = content['parts']
    part['directions'] = (np.array(part['directions']) * [1, 1, -1]).tolist()
    acquisition.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r'fibres run on better .* where z reversed'):
        check_gradients(source.image.path, acquisition)


def test_readouts_of_parts_scale_their_displacement(run: Run, tmp_path: Path) -> None:
    content = json.loads(run.acquisition.read_text())
    first = content['parts'][0]
    content['parts'].append({**first, 'readout_time': first['readout_time'] / 2})
    path = tmp_path / 'two.json'
    path.write_text(json.dumps(content))
    found = find_shares(read_dwi_acquisition(path), np.array([0, 1, 1]))
    np.testing.assert_allclose(found, [1, 0.5, 0.5])
    assert list(tell_shares(read_dwi_acquisition(path))) == []


def test_parts_of_the_opposite_direction_are_displaced_the_other_way(
    run: Run, tmp_path: Path
) -> None:
    content = json.loads(run.acquisition.read_text())
    first = content['parts'][0]
    turned = {'j': 'j-', 'j-': 'j'}[first['phase_direction']]
    content['parts'].append({**first, 'phase_direction': turned, 'readout_time': None})
    path = tmp_path / 'opposite.json'
    path.write_text(json.dumps(content))
    acquisition = read_dwi_acquisition(path)
    np.testing.assert_allclose(find_shares(acquisition, np.array([0, 1])), [1, -1])
    (note,) = tell_shares(acquisition)
    assert 'is not known: they were taken to be the same, as parts of one acquisition are' in note
