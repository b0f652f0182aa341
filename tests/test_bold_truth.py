"""The steps of BOLD against a run of which everything is known."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import nibabel as nb
import numpy as np
import pandas as pd
import pytest
from nibabel.affines import apply_affine

from bold_steps import Processed, acquire, process
from mriderived.bids.sidecar import write_json
from mriderived.core.denoising import denoise, make_design
from mriderived.core.epi_shift import turn_direction
from mriderived.core.field_alignment import Placed
from mriderived.core.rigid import rigid_matrix, rigid_parameters
from mriderived.core.sampling import resample
from mriderived.core.strategies import select_confounds
from mriderived.interfaces import epi_field
from mriderived.interfaces.denoising import denoise_run, read_confounds
from mriderived.interfaces.motion_files import read_motion
from mriderived.interfaces.rigid_files import load_rigid
from mriderived.interfaces.sink import remarks_file
from mriderived.interfaces.volumes import load, load_affine
from mriderived.phantom.bold_options import BoldOptions
from mriderived.phantom.bold_truth import BoldTruth
from mriderived.phantom.dataset import bold_truth, write_dataset
from mriderived.workflows.func_distortion import find_distortion
from mriderived.workflows.func_distortion_t1w import find_distortion_anyway
from mriderived.workflows.func_motion import estimate_motion
from mriderived.workflows.func_registration import coregister

pytestmark = pytest.mark.slow
OPTIONS = BoldOptions(voxel_mm=(4.0, 4.0, 4.0), volumes=240)
BAND = (0.01, 0.1)
#: A volume may be this far from its place, root mean square: mm and degrees.
MOTION_MM, MOTION_DEGREES = 0.05, 0.05


@pytest.fixture(scope='module')
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processed]:
    folder = tmp_path_factory.mktemp('bold_truth')
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        (head,) = write_dataset(
            folder / 'bids', participants=1, voxel_mm=2.0, bold=True, bold_options=OPTIONS
        )
        truth = bold_truth(folder / 'bids', '01')
        yield Processed(process(folder, truth, head), truth, head, folder)


def _apart(run: Processed) -> np.ndarray:
    """Where the reference lies in the head at rest, by volume: one matrix but for errors."""
    return _measure_apart(run.files['bold_motion'], run.bold)


def _measure_apart(motion: Path, truth: BoldTruth) -> np.ndarray:
    _, matrices, _ = read_motion(motion)
    there = np.linalg.inv(truth.load_motion()[1]) @ matrices
    return rigid_parameters(there, np.array(truth.centre))[truth.unsteady :]


def _reference(run: Processed) -> np.ndarray:
    return rigid_matrix(_apart(run).mean(axis=0), np.array(run.bold.centre))


def test_a_wrong_direction_of_the_phase_encoding_is_noticed(
    run: Processed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = json.loads((run.folder / 'acquisition.json').read_text())
    right = content['field_map']['run']['direction']
    content['field_map']['run']['direction'] = content['phase_direction'] = (
        right[0] if right.endswith('-') else f'{right}-'
    )
    monkeypatch.chdir(tmp_path)
    acquisition = tmp_path / 'acquisition.json'
    write_json(acquisition, content)
    flat = find_distortion(run.files['bold_distorted'], acquisition, 2)
    anatomy = (run.head.t1w, run.head.brain_mask, run.head.gm_probseg, run.head.wm_probseg)
    given = (flat.bold_reference, run.files['bold_distorted'], flat.bold_displacement, acquisition)
    wrong = coregister(*given, *anatomy).xfm_to_t1w
    (note,) = json.loads(remarks_file(wrong).read_text())['Notes']
    assert 'worse' in note
    assert 'than with the opposite direction' in note
    assert 'check PhaseEncodingDirection' in note
    said = json.loads(remarks_file(run.files['xfm']).read_text())
    assert said['Notes'] == []
    (row,) = pd.read_csv(run.files['fit'], sep='\t').to_dict('records')
    assert row['boundary_cost'] == pytest.approx(said['BoundaryCost'], abs=1e-4)
    assert row['boundary_cost'] < 0.5


def test_without_a_field_map_the_t1w_tells_most_of_the_displacement(
    run: Processed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    acquisition = tmp_path / 'acquisition.json'
    content = json.loads((run.folder / 'acquisition.json').read_text())
    write_json(acquisition, {**content, 'field_map': None})
    monkeypatch.chdir(tmp_path)
    anatomy = (run.head.t1w, run.head.brain_mask, run.head.gm_probseg, run.head.wm_probseg)
    flat = find_distortion_anyway(run.files['bold_distorted'], acquisition, *anatomy, 2)
    found, measured = load(flat.bold_displacement), load(run.files['bold_displacement'])
    inside = load(run.files['mask']) > 0
    # as everywhere, a shift of the whole head is the registration's
    assert measured[inside].std() > 0.4  # voxels
    assert np.corrcoef(found[inside], measured[inside])[0, 1] > 0.8
    assert (found - measured)[inside].std() < 0.75 * measured[inside].std()
    (note,) = json.loads(remarks_file(flat.bold_reference).read_text())['Notes'][-1:]
    assert 'told from the T1w image (--use-syn-sdc)' in note


def test_a_displacement_that_fits_no_better_is_not_applied(
    run: Processed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told to move along an axis along which nothing was displaced."""
    acquisition = tmp_path / 'acquisition.json'
    content = json.loads((run.folder / 'acquisition.json').read_text())
    write_json(acquisition, {**content, 'field_map': None, 'phase_direction': 'i'})
    monkeypatch.chdir(tmp_path)
    anatomy = (run.head.t1w, run.head.brain_mask, run.head.gm_probseg, run.head.wm_probseg)
    flat = find_distortion_anyway(run.files['bold_distorted'], acquisition, *anatomy, 2)
    assert not load(flat.bold_displacement).any()
    assert np.array_equal(load(flat.bold_reference), load(run.files['bold_distorted']))
    (note,) = json.loads(remarks_file(flat.bold_reference).read_text())['Notes'][-1:]
    assert 'does not fit the white matter better' in note


def test_a_run_without_a_t1w_says_why_nothing_was_displaced(
    run: Processed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    acquisition = tmp_path / 'acquisition.json'
    content = json.loads((run.folder / 'acquisition.json').read_text())
    write_json(acquisition, {**content, 'field_map': None})
    monkeypatch.chdir(tmp_path)
    flat = find_distortion_anyway(run.files['bold_distorted'], acquisition)
    (note,) = json.loads(remarks_file(flat.bold_reference).read_text())['Notes'][-1:]
    assert note.endswith('--use-syn-sdc needs a T1w image, and there is none.')
    assert not load(flat.bold_displacement).any()


def test_volumes_before_the_steady_state_are_counted(run: Processed) -> None:
    assert read_motion(run.files['bold_motion'])[2] == run.bold.unsteady == 3


def test_motion_is_recovered(run: Processed) -> None:
    errors = _apart(run) - _apart(run).mean(axis=0)
    spread = np.sqrt((errors**2).mean(axis=0))
    assert spread[:3].max() < MOTION_MM
    assert np.degrees(spread[3:]).max() < MOTION_DEGREES
    # the reference is where the head was at the start, within a tenth of a voxel
    assert np.linalg.norm(_apart(run).mean(axis=0)[:3]) < 0.4


def test_strong_motion_is_recovered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    options = replace(OPTIONS, volumes=80, motion_mm=3.0, motion_degrees=3.0)
    write_dataset(tmp_path / 'bids', participants=1, voxel_mm=4.0, bold=True, bold_options=options)
    truth = bold_truth(tmp_path / 'bids', '01')
    known = truth.load_motion()[1]
    assert np.ptp(known[:, :3, 3], axis=0).max() > 1.5
    apart = _measure_apart(estimate_motion(truth.bold, 2).bold_motion, truth)
    spread = np.sqrt(((apart - apart.mean(axis=0)) ** 2).mean(axis=0))
    assert spread[:3].max() < MOTION_MM
    assert np.degrees(spread[3:]).max() < MOTION_DEGREES


def test_framewise_displacement_is_close_to_the_truth(run: Processed) -> None:
    known = pd.read_csv(run.bold.motion, sep='\t', na_values='n/a')['framewise_displacement']
    table, _ = read_confounds(run.files['confounds'])
    found = table['framewise_displacement']
    steady = slice(run.bold.unsteady + 1, None)
    # six errors of 0.01 to 0.03 mm add up, and never cancel
    assert abs(found[steady].mean() - known[steady].mean()) < 0.04
    assert np.corrcoef(found[steady], known[steady])[0, 1] > 0.85
    assert np.abs(found - known)[steady].max() < 0.25
    jumps = np.flatnonzero(known > 0.5)
    assert jumps.size
    assert (found[jumps] > 0.35).all()


def test_displacement_is_recovered_from_the_field_map(run: Processed) -> None:
    inside = run.bold.load('brain_mask') > 0
    error = (load(run.files['bold_displacement']) - run.bold.load('displacement'))[inside]
    assert np.sqrt(np.mean(error**2)) < 0.1
    # beside a constant, which registration takes for a shift of the head
    assert error.std() < 0.04
    assert np.sqrt(np.mean(run.bold.load('displacement')[inside] ** 2)) > 0.4


@pytest.mark.parametrize(
    ('direction', 'field_map'), [('i-', 'gre'), ('j-', 'phases'), ('j', 'epi')]
)
def test_displacement_has_the_sign_of_any_direction(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, direction: str, field_map: str
) -> None:
    monkeypatch.chdir(tmp_path)
    options = BoldOptions(volumes=40, direction=direction, field_map=field_map, apart_mm=0)
    write_dataset(
        tmp_path / 'bids', participants=1, voxel_mm=4.0, bold=True, bold_options=options, threads=2
    )
    truth = bold_truth(tmp_path / 'bids', '01')
    acquisition = acquire(tmp_path)
    kinds = {'gre': 'phasediff', 'phases': 'phases', 'epi': 'epi'}
    assert acquisition['field_map']['kind'] == kinds[field_map]
    write_json(tmp_path / 'acquisition.json', acquisition)
    moved = estimate_motion(truth.bold, 2)
    flat = find_distortion(moved.bold_distorted, tmp_path / 'acquisition.json', 2)
    inside = truth.load('brain_mask') > 0
    known, found = truth.load('displacement')[inside], load(flat.bold_displacement)[inside]
    error = np.sqrt(np.mean((found - known) ** 2))
    print(f'{field_map}: {error:.3f} voxels')
    assert error < 0.1
    assert np.corrcoef(found, known)[0, 1] > 0.98


def test_epi_on_another_grid_tell_the_same_displacement(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stored with its axes exchanged and flipped, and finer along the phase encoding."""
    monkeypatch.chdir(tmp_path)
    options = BoldOptions(volumes=40, field_map='epi', apart_mm=0)
    write_dataset(
        tmp_path / 'bids', participants=1, voxel_mm=4.0, bold=True, bold_options=options, threads=2
    )
    truth = bold_truth(tmp_path / 'bids', '01')
    acquisition = acquire(tmp_path)
    for role, way in acquisition['field_map']['epi'].items():
        path = Path(acquisition['field_map']['files'][role])
        if path == truth.bold:
            continue
        way['direction'] = _store_otherwise(path, way['direction'])
        way['readout_time'] *= 1.25  # voxels are shorter, so that there are more of them
    write_json(tmp_path / 'acquisition.json', acquisition)
    moved = estimate_motion(truth.bold, 2)
    flat = find_distortion(moved.bold_distorted, tmp_path / 'acquisition.json', 2)
    inside = truth.load('brain_mask') > 0
    known, found = truth.load('displacement')[inside], load(flat.bold_displacement)[inside]
    assert np.std(found - known) < 0.15
    assert np.corrcoef(found, known)[0, 1] > 0.97


def _store_otherwise(path: Path, direction: str) -> str:
    """Write an image again on another grid; return its phase-encode direction there."""
    image = nb.load(path)
    finer = np.eye(4)
    finer[1, 1] = 0.8
    shape = np.array(image.shape[:3])
    shape[1] = shape[1] / 0.8
    data = np.asarray(image.dataobj, np.float32).reshape(*image.shape[:3], -1).mean(axis=3)
    affine = image.affine @ finer
    fine = resample(data, finer, tuple(shape))
    stored = nb.Nifti1Image(fine, affine).as_reoriented(nb.io_orientation(affine)[[1, 0, 2]])
    stored.to_filename(path)
    return turn_direction(direction, image.affine, stored.affine)


def test_the_t1w_is_found_in_the_run(run: Processed) -> None:
    inside = load(run.head.brain_mask) > 0
    points = apply_affine(load_affine(run.head.brain_mask), np.argwhere(inside)[::50])
    known = np.linalg.inv(_reference(run)) @ np.array(run.bold.t1w_to_bold)
    apart = apply_affine(load_rigid(run.files['xfm']), points) - apply_affine(known, points)
    assert np.sqrt((apart**2).sum(axis=1).mean()) < 0.8
    mask, brain = load(run.files['mask']) > 0, run.bold.load('brain_mask') > 0
    assert 2 * (mask & brain).sum() / (mask.sum() + brain.sum()) > 0.98


def test_one_interpolation_brings_every_volume_to_rest(run: Processed) -> None:
    series = np.asarray(load(run.files['series']), np.float32)[..., run.bold.unsteady :]
    raw = np.asarray(load(run.bold.bold), np.float32)[..., run.bold.unsteady :]
    brain = run.bold.load('brain_mask') > 0
    after, before = (
        float(np.median(each[brain].mean(axis=1) / each[brain].std(axis=1)))
        for each in (series, raw)
    )
    assert after > 1.3 * before


@pytest.mark.parametrize('strategy', ['24P', '24P+aCompCor', '36P'])
def test_planted_correlations_are_recovered(run: Processed, strategy: str) -> None:
    """Against the planted courses after the same projection, and against the planted matrix.

    Denoising takes most of the 480 s: of the planted courses themselves, about 50 degrees of
    freedom are left, so that a correlation r is known within (1 - r²) / √50 = 0.14.
    """
    files = run.files
    found = denoise_run(files['series'], files['mask'], files['confounds'], strategy, BAND, 2)
    table, metadata = read_confounds(files['confounds'])
    selection = select_confounds(strategy, table, metadata)
    design = make_design(selection.confounds, selection.keep, found.repetition_time, BAND)
    courses = np.ascontiguousarray(run.bold.load_courses().T, dtype=np.float32)
    expected = denoise(courses, design).series
    weights = run.bold.load('networks')[found.mask].T
    weights = np.where(weights > 0.4, weights, 0)
    means = weights @ np.nan_to_num(found.denoised.series)
    edges = np.triu_indices(len(courses), 1)
    measured, known = (np.corrcoef(each)[edges] for each in (means, expected))
    assert np.sqrt(np.mean((measured - known) ** 2)) < 0.05
    assert np.abs(measured - known).max() < 0.08
    left = found.denoised.degrees.left
    planted = np.array(run.bold.correlation)[edges]
    if strategy != '36P':
        # the mean of the brain holds some of every network, so 36P changes what is planted
        assert np.abs(np.arctanh(measured) - np.arctanh(planted)).max() < 3.5 / np.sqrt(left - 3)
    assert left > 40


def test_notes_tell_the_truth(run: Processed) -> None:
    remarks = json.loads(remarks_file(run.files['bold_reference']).read_text())
    notes = ' '.join(remarks['Notes'])
    assert 'Field map: phase difference of sub-01_phasediff.nii.gz' in notes
    strong = float(notes.partition('95 % of the brain within ')[2].partition(' Hz')[0])
    known = np.percentile(np.abs(run.bold.load('field')[run.bold.load('brain_mask') > 0]), 95)
    assert strong == pytest.approx(known, rel=0.25)


@pytest.mark.parametrize('move', [(4, -3, 3, 3, -2, 4), (-8, 5, 6, 6, 4, -5)])
def test_the_field_map_follows_a_head_that_moved_before_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, move: tuple[float, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    options = BoldOptions(volumes=40, apart_mm=0)
    write_dataset(
        tmp_path / 'bids', participants=1, voxel_mm=4.0, bold=True, bold_options=options, threads=2
    )
    truth = bold_truth(tmp_path / 'bids', '01')
    matrix = rigid_matrix(np.array([*move[:3], *np.radians(move[3:])]), np.array(truth.centre))
    for path in (tmp_path / 'bids' / 'sub-01' / 'fmap').glob('*.nii.gz'):
        image = nb.load(path)
        data, affine = np.asarray(image.dataobj), matrix @ image.affine
        moved_image = nb.Nifti1Image(data, affine)
        moved_image.set_sform(affine, 1)
        moved_image.set_qform(affine, 1)
        moved_image.to_filename(path)
    write_json(tmp_path / 'acquisition.json', acquire(tmp_path))
    moved = estimate_motion(truth.bold, 2)
    inside, known = truth.load('brain_mask') > 0, truth.load('displacement')

    def error() -> float:
        flat = find_distortion(moved.bold_distorted, tmp_path / 'acquisition.json', 2)
        return float(np.sqrt(np.mean((load(flat.bold_displacement) - known)[inside] ** 2)))

    after = error()
    (note,) = [n for n in json.loads(remarks_file(Path('boldref.nii.gz')).read_text())['Notes']
               if n.startswith('Distortion')]  # fmt: skip
    assert ', after it was moved with the head by up to ' in note
    monkeypatch.setattr(epi_field, 'place_field', lambda *given: Placed(np.eye(4), 0.0))
    before = error()
    print(f'displacement: {before:.3f} voxels as the scanner put it, {after:.3f} moved')
    assert after < 0.1
    assert before > 1.5 * after
