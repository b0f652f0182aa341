"""The truth of synthetic BOLD runs must be true: known values, checked against the images."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from nibabel.affines import apply_affine
from scipy import ndimage

from mriderived.bids.bold_checks import check_bold
from mriderived.phantom.__main__ import main
from mriderived.phantom.bold import Bold, draw_bold, take_opposite, take_volumes
from mriderived.phantom.bold_files import ECHO_TIMES
from mriderived.phantom.bold_options import BoldOptions, interleaved_times
from mriderived.phantom.bold_scene import MEANS
from mriderived.phantom.bold_truth import BoldTruth
from mriderived.phantom.dataset import bold_truth, write_dataset
from mriderived.phantom.dataset import truth as head_truth
from mriderived.phantom.deformation import Deformation, draw_field, draw_matrix
from mriderived.phantom.echo_planar import Scene, scene_affine, scene_shape, take_volume
from mriderived.phantom.head_motion import draw_motion, motion_matrices
from mriderived.phantom.inhomogeneity import displace
from mriderived.phantom.networks import BAND, CORRELATION, NAMES, RADIUS_MM, SEEDS

QUIET = BoldOptions(
    voxel_mm=(5.0, 5.0, 5.0),
    volumes=40,
    motion_mm=0.0,
    motion_degrees=0.0,
    network_percent=0.0,
    csf_percent=0.0,
    white_percent=0.0,
    drift_percent=0.0,
    bias=0.0,
    field=0.0,
    tsnr=1e6,
)


def _draw(options: BoldOptions, seed: tuple[int, ...] = (1,)) -> Bold:
    rng = np.random.default_rng(5)
    return draw_bold(Deformation(draw_matrix(rng, 0.93, flip=False), draw_field(rng)), 0.93, seed,
                     options)  # fmt: skip


@pytest.fixture(scope='module')
def quiet() -> Bold:
    return _draw(QUIET)


@pytest.fixture(scope='module')
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('bold')
    options = BoldOptions(voxel_mm=(5.0, 5.0, 5.0), volumes=120, field_map='both')
    write_dataset(folder, participants=1, seed=3, voxel_mm=4.0, bold=True, bold_options=options)
    return folder


@pytest.fixture(scope='module')
def truth(dataset: Path) -> BoldTruth:
    return bold_truth(dataset, '01')


def test_contrast_is_fluid_over_grey_over_white_over_air(quiet: Bold) -> None:
    volume = list(take_volumes(quiet))[-1]
    grey, white, fluid = (volume[share > 0.98] for share in quiet.shares[:3])
    # a voxel is blurred by its neighbours, white matter least
    assert np.median(white) == pytest.approx(MEANS[1], rel=0.03)
    assert np.median(grey) == pytest.approx(MEANS[0], rel=0.03)
    assert np.median(fluid) == pytest.approx(MEANS[2], rel=0.1)
    assert volume[0].max() <= 1


def test_a_still_head_in_a_still_run_never_changes(quiet: Bold) -> None:
    volumes = list(take_volumes(quiet))
    # noise of a thousandth turns a few halves up or down
    np.testing.assert_allclose(volumes[-1], volumes[QUIET.unsteady], atol=1)
    first = [volume.sum() / volumes[-1].sum() for volume in volumes[: QUIET.unsteady]]
    assert first[0] > 1.5
    assert first[0] > first[1] > first[2] > 1.03


def test_noise_has_the_tsnr_of_grey_matter() -> None:
    bold = _draw(replace(QUIET, tsnr=60.0))
    series = np.stack(list(take_volumes(bold)), axis=-1)[..., QUIET.unsteady :].astype(float)
    inside = bold.shares[0] > 0.98
    found = series[inside].mean(axis=1) / series[inside].std(axis=1)
    # 37 volumes: the standard deviation of a voxel is known within 12 %, the median within 1 %
    assert np.median(found) == pytest.approx(60, rel=0.04)
    air = series[:2]
    assert air.mean() == pytest.approx(bold.sigma * np.sqrt(np.pi / 2), rel=0.03)


def test_a_head_that_moves_by_a_voxel_is_seen_a_voxel_further(quiet: Bold) -> None:
    slices = len(quiet.slice_times)
    still = np.zeros((quiet.scene.parts.shape[-1], slices))
    shift = np.eye(4)
    shift[:3, 3] = 1, -2, 0
    here, there = (
        take_volume(quiet.scene, quiet.displacement, move, np.ones(slices), still)
        for move in (np.eye(4), shift)
    )
    np.testing.assert_allclose(there[2:, :-3], here[1:-1, 2:-1], atol=0.05)


def test_distortion_moves_along_the_axis_and_keeps_the_sum(quiet: Bold) -> None:
    shape = quiet.hz.shape
    slices = len(quiet.slice_times)
    still = np.zeros((quiet.scene.parts.shape[-1], slices))
    shifted = displace(np.full(shape, 50, np.float32), 1, -0.04)
    seen = take_volume(quiet.scene, shifted, np.eye(4), np.ones(slices), still)
    flat = take_volume(quiet.scene, quiet.displacement, np.eye(4), np.ones(slices), still)
    # 50 Hz of j- in 40 ms: two voxels towards lower indices
    np.testing.assert_allclose(seen[:, 1:-4], flat[:, 3:-2], atol=0.5)
    bent = _draw(replace(QUIET, field=1.0)).displacement
    warped = take_volume(quiet.scene, bent, np.eye(4), np.ones(slices), still)
    inner = (slice(None), slice(None), slice(12, -8))
    assert warped[inner].sum() == pytest.approx(flat[inner].sum(), rel=0.005)
    assert np.abs(warped - flat)[inner].max() > 100


def test_the_inverse_of_a_displacement_leads_back() -> None:
    found = _draw(replace(QUIET, field=1.0)).displacement
    grid = np.indices(found.shift.shape, np.float32)
    grid[1] += found.back
    there = ndimage.map_coordinates(found.shift, grid, order=1, mode='nearest')
    assert np.abs(there + found.back).max() < 1e-3
    assert 1.5 < np.abs(found.shift).max() < 5
    with pytest.raises(ValueError, match='folds'):
        _draw(replace(QUIET, field=10.0))


def test_motion_starts_at_rest_and_reaches_what_was_asked_for() -> None:
    parameters = draw_motion(np.random.default_rng(1), 150, (3.0, 2.0), 3)
    assert parameters[0].tolist() == [0] * 6
    assert np.abs(parameters[:, :3]).max() == pytest.approx(3)
    assert np.degrees(np.abs(parameters[:, 3:]).max()) == pytest.approx(2)
    steps = np.abs(np.diff(parameters[:, :3], axis=0)).max(axis=1)
    assert 1 <= (steps > 8 * np.median(steps)).sum() <= 3
    centre = np.array([1.0, 2.0, 3.0])
    matrix = motion_matrices(parameters[60:61], centre)[0]
    np.testing.assert_allclose(
        matrix[:3, :3] @ centre + matrix[:3, 3], centre + parameters[60, :3]
    )


def test_slices_are_interleaved() -> None:
    assert interleaved_times(5, 2.0).tolist() == [0.0, 1.2, 0.4, 1.6, 0.8]


def test_planted_courses_have_exactly_the_planted_correlations(truth: BoldTruth) -> None:
    courses = truth.load_courses()[truth.unsteady :]
    np.testing.assert_allclose(np.corrcoef(courses.T), truth.correlation, atol=1e-6)
    np.testing.assert_allclose(courses.std(axis=0), BoldOptions().network_percent, rtol=1e-6)
    assert np.linalg.eigvalsh(CORRELATION).min() > 0.2
    power = np.abs(np.fft.rfft(truth.load_courses() - truth.load_courses().mean(0), axis=0)) ** 2
    hz = np.fft.rfftfreq(120, 2.0)
    inside = (hz >= BAND[0] - 1e-9) & (hz <= BAND[1] + 1e-9)
    assert power[inside].sum() / power.sum() > 1 - 1e-6


def test_networks_are_grey_matter_of_both_sides_where_the_template_has_their_seeds(
    dataset: Path, truth: BoldTruth
) -> None:
    shares = truth.load('networks')
    affine = nib.load(truth.networks).affine
    brain = truth.load('brain_mask') > 0
    to_t1w = np.linalg.inv(np.array(truth.t1w_to_bold))
    for number, name in enumerate(NAMES):
        volume = shares[..., number].sum() * 5**3
        balls = len(SEEDS[name]) * 4 / 3 * np.pi * RADIUS_MM**3
        # about a third of a ball is grey matter, balls may touch, and heads are small
        assert 0.1 * balls < volume < 0.6 * balls
        where = np.argwhere(shares[..., number] > 0.3)
        points = apply_affine(to_t1w, apply_affine(affine, where))
        there = head_truth(dataset, '01').deformation.to_template(points)
        nearest = np.min([np.linalg.norm(there - seed, axis=1) for seed in SEEDS[name]], axis=0)
        # half of a voxel may stick out
        assert nearest.max() < RADIUS_MM + 5
        assert 0.35 < (there[:, 0] < 0).mean() < 0.65
        assert brain[tuple(where.T)].mean() > 0.98
    assert shares.sum(axis=-1).max() <= 1 + 1e-5


def test_networks_follow_their_courses() -> None:
    bold = _draw(replace(QUIET, network_percent=2.0, volumes=60))
    series = np.stack(list(take_volumes(bold)), axis=-1).astype(float)[..., QUIET.unsteady :]
    wanted = bold.courses.networks[:, QUIET.unsteady :]
    for share, course in zip(bold.shares[3:], wanted, strict=True):
        inside = share > 0.6
        mean = series[inside].mean(axis=0)
        # slices see the course up to 1 s before or after
        assert np.corrcoef(mean, course)[0, 1] > 0.98
    outside = (bold.shares[3:].sum(axis=0) == 0) & (bold.shares[1] > 0.98)
    assert np.ptp(series[outside].mean(axis=0)) < 0.5


def test_slices_are_taken_at_their_own_times() -> None:
    options = replace(QUIET, network_percent=2.0, volumes=60)
    bold = _draw(options)
    part = bold.courses.parts[2]
    middle = bold.courses.networks[0] / 100
    k = int(np.abs(bold.slice_times - bold.slice_times.max() / 2).argmin())
    assert np.abs(part[:, k] - middle).max() < 0.1 * middle.std()
    late = int(bold.slice_times.argmax())
    early = int(bold.slice_times.argmin())
    # the last slice sees now what the first will see after its own time
    whole = np.interp(
        np.arange(59) * 2.0 + bold.slice_times[late], np.arange(60) * 2.0, part[:, early]
    )
    assert np.corrcoef(whole, part[:-1, late])[0, 1] > 0.99


def test_phase_is_that_of_the_field_and_wraps(dataset: Path, truth: BoldTruth) -> None:
    stored = nib.load(dataset / 'sub-01/fmap/sub-01_phasediff.nii.gz')
    phase = np.asarray(stored.dataobj) / 4096 * np.pi
    assert phase.min() < -3.1
    assert phase.max() > 3.1
    hz, image = truth.load('field'), nib.load(truth.field)
    where = np.argwhere(truth.load('brain_mask') > 0)
    voxels = apply_affine(np.linalg.inv(stored.affine) @ image.affine, where).round().astype(int)
    expected = hz[tuple(where.T)] * 2 * np.pi * (ECHO_TIMES[1] - ECHO_TIMES[0])
    away = phase[tuple(voxels.T)] - expected
    away -= 2 * np.pi * np.round(away / (2 * np.pi))
    # half a voxel of the steepest slope is about 0.5 rad; the noise 0.03
    assert np.sqrt(np.mean(away**2)) < 0.12
    assert (np.abs(expected) > np.pi).any()
    assert np.median(hz[truth.load('brain_mask') > 0]) == pytest.approx(0, abs=0.5)


def test_opposite_images_are_distorted_the_other_way() -> None:
    bold = _draw(replace(QUIET, field=1.0))
    forth = list(take_volumes(bold))[-1].astype(float)
    back = next(iter(take_opposite(bold, 1))).astype(float)
    flat = list(take_volumes(_draw(QUIET)))[-1].astype(float)
    column = (bold.shares[:3].sum(axis=0) > 0.5).any(axis=1)
    index = np.arange(forth.shape[1])[None, :, None]
    places = [(image * index).sum(axis=1) / np.maximum(image.sum(axis=1), 1)
              for image in (forth, back, flat)]  # fmt: skip
    moved, other = ((place - places[2])[column] for place in places[:2])
    assert np.corrcoef(moved, other)[0, 1] < -0.95
    assert np.abs(moved).max() > 0.3


def test_sidecars_lead_from_the_field_map_to_the_run(dataset: Path, truth: BoldTruth) -> None:
    run = json.loads((dataset / 'sub-01/func/sub-01_task-rest_bold.json').read_text())
    assert run['PhaseEncodingDirection'] == 'j-'
    assert run['B0FieldSource'] == ['pepolar', 'gre']
    assert len(run['SliceTiming']) == nib.load(truth.bold).shape[2]
    for name, source in (('phasediff', 'gre'), ('magnitude1', 'gre'), ('dir-PA_epi', 'pepolar')):
        sidecar = json.loads((dataset / f'sub-01/fmap/sub-01_{name}.json').read_text())
        assert sidecar['IntendedFor'] == ['bids::sub-01/func/sub-01_task-rest_bold.nii.gz']
        assert sidecar['B0FieldIdentifier'] == source


def test_the_run_passes_the_guards(dataset: Path, truth: BoldTruth) -> None:
    sidecar = json.loads((dataset / 'sub-01/func/sub-01_task-rest_bold.json').read_text())
    check = check_bold(truth.bold, sidecar)
    assert dict(check.flags) == {}
    assert check.volumes == 120
    assert check.slice_times == tuple(sidecar['SliceTiming'])


def test_truth_is_read_back_and_the_same_seed_gives_the_same_bits(
    dataset: Path, truth: BoldTruth, tmp_path: Path
) -> None:
    parameters, matrices = truth.load_motion()
    table = pd.read_csv(truth.motion, sep='\t', na_values='n/a')
    moved = np.abs(np.diff(parameters, axis=0)) @ [1, 1, 1, 50, 50, 50]
    np.testing.assert_allclose(table['framewise_displacement'][1:], moved, atol=1e-6)
    assert matrices.shape == (120, 4, 4)
    shift = truth.load('field') * -truth.readout_time
    np.testing.assert_allclose(truth.load('displacement'), shift, atol=1e-5)
    written = json.loads(
        (dataset / 'sourcedata/truth/sub-01/func/sub-01_task-rest_bold.json').read_text()
    )
    assert not Path(written['motion']).is_absolute()
    options = BoldOptions(voxel_mm=(5.0, 5.0, 5.0), volumes=120, field_map='both')
    write_dataset(tmp_path, participants=1, seed=3, voxel_mm=4.0, bold=True, bold_options=options,
                  threads=2)  # fmt: skip
    for path in ('func/sub-01_task-rest_bold.nii.gz', 'fmap/sub-01_dir-PA_epi.nii.gz'):
        assert (tmp_path / 'sub-01' / path).read_bytes() == (
            dataset / 'sub-01' / path
        ).read_bytes()


def test_options_that_make_no_sense_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r'field_map .other. is not gre, phases, epi, both or none'
    ):
        BoldOptions(field_map='other')
    with pytest.raises(ValueError, match='PhaseEncodingDirection'):
        BoldOptions(direction='y')
    with pytest.raises(ValueError, match='take at least 20 steady ones'):
        BoldOptions(volumes=20)


def test_dataset_with_bold_is_valid_bids(dataset: Path) -> None:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get('PATH', '')])
    validator = shutil.which('bids-validator-deno', path=path)
    if validator is None:
        pytest.skip('bids-validator-deno is not installed')
    done = subprocess.run([validator, str(dataset)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_command_adds_a_run_to_every_scan_only_when_asked(tmp_path: Path) -> None:
    assert main([str(tmp_path / 'plain'), '--participants', '1', '--voxel', '4']) == 0
    assert not list(tmp_path.glob('plain/**/func'))
    arguments = [
        '--participants',
        '1',
        '--voxel',
        '4',
        '--sessions',
        'a',
        '--bold',
        '--volumes',
        '40',
    ]
    assert main([str(tmp_path / 'full'), *arguments]) == 0
    assert bold_truth(tmp_path / 'full', '01', ses='a').bold.is_file()
    names = sorted(p.name for p in (tmp_path / 'full/sub-01/ses-a/fmap').glob('*.nii.gz'))
    stem = 'sub-01_ses-a_'
    assert names == [f'{stem}{s}.nii.gz' for s in ('magnitude1', 'magnitude2', 'phasediff')]


def test_the_fine_grid_holds_the_voxels_of_the_run(quiet: Bold) -> None:
    affine, shape = scene_affine(quiet.affine), scene_shape(quiet.hz.shape)
    assert quiet.scene.spline.shape == shape
    assert isinstance(quiet.scene, Scene)
    pair = apply_affine(affine, np.array([[8, 8, 8], [9, 9, 9]])).mean(axis=0)
    np.testing.assert_allclose(pair, quiet.affine[:3, 3])
