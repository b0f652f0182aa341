"""A seed in template coordinates, and maps and series in a template space, with known moves."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import nibabel as nb
import numpy as np
import pandas as pd
import pytest

from mriderived.interfaces.bold_spaces import STEP_MM, read_space_grid
from mriderived.interfaces.rigid_files import save_rigid
from mriderived.interfaces.sink import remarks_file
from mriderived.interfaces.volumes import load, load_affine
from mriderived.measures.seed_map import write_seed_map
from mriderived.measures.space_maps import bring_map
from mriderived.workflows.func_motion import MATRIX
from mriderived.workflows.func_series import resample_bold
from mriderived.workflows.func_spaces import bring_to_space
from mriderived.workflows.func_t1w_space import bring_to_t1w

#: The posterior cingulate hub of Andrews-Hanna et al. 2010 in mm of MNI152.
SEED_MM = (-8.0, -56.0, 26.0)
#: BOLD voxels of 3 mm around the seed; the T1w lies 5 mm to the right of the template, and BOLD
#: 4 mm in front of the T1w.
SHAPE, LENGTH = (20, 22, 18), 80
T1W_SHIFT, BOLD_SHIFT = np.array([5.0, 0, 0]), np.array([0, 4.0, 0])


def shift(by: np.ndarray) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, 3] = by
    return matrix


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    monkeypatch.chdir(tmp_path)
    affine = np.diag([3.0, 3, 3, 1])
    affine[:3, 3] = np.array(SEED_MM) + T1W_SHIFT + BOLD_SHIFT - 3 * np.array(SHAPE) // 2
    nb.Nifti1Image(np.ones(SHAPE, np.uint8), affine).to_filename('mask.nii.gz')
    template = np.diag([1.0, 1, 1, 1])
    template[:3, 3] = np.array(SEED_MM) - 20
    space = np.zeros((40, 40, 40), np.uint8)
    space[8:32, 8:32, 8:32] = 1
    nb.Nifti1Image(space, template).to_filename('space.nii.gz')
    return {
        'bold_mask': tmp_path / 'mask.nii.gz',
        'xfm_bold_to_t1w': save_rigid(shift(BOLD_SHIFT), 'bold_to_t1w.h5'),
        'xfm_to_space': save_rigid(shift(T1W_SHIFT), 't1w_to_space.h5'),
        'space_mask': tmp_path / 'space.nii.gz',
    }


def seed_place(files: dict[str, Path]) -> np.ndarray:
    """Return the voxel of BOLD in which the seed lies."""
    in_bold = np.array(SEED_MM) + T1W_SHIFT + BOLD_SHIFT
    return np.linalg.inv(load_affine(files['bold_mask']))[:3] @ [*in_bold, 1.0]


def test_voxels_that_share_the_course_of_the_seed_stand_out(files: dict[str, Path]) -> None:
    rng = np.random.default_rng(0)
    data = rng.normal(size=(*SHAPE, LENGTH)).astype(np.float32)
    course = rng.normal(size=LENGTH)
    place = np.rint(seed_place(files)).astype(int)
    ball = tuple(slice(p - 3, p + 4) for p in place)
    data[ball] = 0.2 * data[ball] + course
    data[2:4, 2:4, 2:4] = 0.75 * rng.normal(size=(2, 2, 2, LENGTH)) + course
    nb.Nifti1Image(data, load_affine(files['bold_mask'])).to_filename('denoised.nii.gz')
    inputs = {name: files[name] for name in ('bold_mask', 'xfm_bold_to_t1w', 'xfm_to_space')}
    path = write_seed_map(Path('denoised.nii.gz').absolute(), **inputs).default_mode
    z = load(path)
    assert z[2:4, 2:4, 2:4].mean() == pytest.approx(np.arctanh(0.8), abs=0.1)
    far = np.ones(SHAPE, bool)
    far[ball] = False
    far[2:4, 2:4, 2:4] = False
    assert abs(z[far].mean()) < 0.01
    assert z[far].std() == pytest.approx(1 / np.sqrt(LENGTH - 3), rel=0.05)
    assert json.loads(remarks_file(path).read_text())['SeedVoxels'] == pytest.approx(33, abs=8)


def test_a_seed_without_signal_fails(files: dict[str, Path]) -> None:
    affine = load_affine(files['bold_mask'])
    affine[:3, 3] += 100
    nb.Nifti1Image(np.ones(SHAPE, np.uint8), affine).to_filename('far.nii.gz')
    nb.Nifti1Image(np.ones((*SHAPE, 9), np.float32), affine).to_filename('denoised.nii.gz')
    with pytest.raises(ValueError, match='only 0 voxels of the seed'):
        write_seed_map(
            Path('denoised.nii.gz').absolute(),
            Path('far.nii.gz').absolute(),
            files['xfm_bold_to_t1w'],
            files['xfm_to_space'],
        )


def ramp(affine: np.ndarray) -> np.ndarray:
    """Return 100 plus the x and twice the y coordinate in mm."""
    points = np.indices(SHAPE).reshape(3, -1).T @ affine[:3, :3].T + affine[:3, 3]
    return (200 + points[:, 0] + 2 * points[:, 1]).reshape(SHAPE).astype(np.float32)


def expected(path: Path, apart: np.ndarray = T1W_SHIFT + BOLD_SHIFT) -> np.ndarray:
    """Return what the ramp of BOLD is at the voxels of a space that lies so far from it."""
    affine = load_affine(path)
    shape = nb.load(path).shape[:3]
    points = np.indices(shape).reshape(3, -1).T @ affine[:3, :3].T + affine[:3, 3]
    points = points + apart
    return (200 + points[:, 0] + 2 * points[:, 1]).reshape(shape)


def test_a_map_keeps_its_values_in_the_space(files: dict[str, Path]) -> None:
    affine = load_affine(files['bold_mask'])
    values = ramp(affine)
    values[:, :, :7] = 0  # no value there, which must not darken its neighbours
    nb.Nifti1Image(values, affine).to_filename('map.nii.gz')
    places = [files[name] for name in ('xfm_bold_to_t1w', 'xfm_to_space', 'space_mask')]
    path = bring_map(Path('map.nii.gz').absolute(), *places).in_space
    found = load(path)
    assert nb.load(path).header.get_zooms()[:3] == (STEP_MM,) * 3
    there = found != 0
    assert 500 < there.sum() < 12**3
    assert found[there] == pytest.approx(expected(path)[there], abs=0.05)
    middle = tuple(slice(n // 2 - 2, n // 2 + 2) for n in found.shape)
    assert found[middle] == pytest.approx(expected(path)[middle], abs=0.05)


def test_a_map_whose_missing_values_are_nan_comes_to_a_space(files: dict[str, Path]) -> None:
    affine = load_affine(files['bold_mask'])
    values = ramp(affine)
    lacking = values.copy()
    lacking[:, :, :7] = np.nan
    lacking[8:12] = 0  # a value like others: it pulls its neighbours down
    nb.Nifti1Image(lacking, affine).to_filename('nan.nii.gz')
    lacking[:, :, :7] = 0
    nb.Nifti1Image(lacking, affine).to_filename('zero.nii.gz')
    places = [files[name] for name in ('xfm_bold_to_t1w', 'xfm_to_space', 'space_mask')]
    counted = load(
        bring_map(Path('nan.nii.gz').absolute(), *places, is_zero_missing=False).in_space
    )
    left_out = load(bring_map(Path('zero.nii.gz').absolute(), *places).in_space)
    assert np.isfinite(counted).all()
    both = (counted != 0) & (left_out != 0)
    assert (counted[both] <= left_out[both] + 1e-3).all()
    assert (counted[both] < left_out[both] - 1).any()


def write_moving_run() -> tuple[Path, ...]:
    """Write a ramp that moves by a voxel of 3 mm more in each of three volumes."""
    affine = load_affine(Path('mask.nii.gz'))
    still = ramp(affine)
    data = np.stack([np.roll(still, t, axis=0) for t in range(3)], axis=-1)
    nb.Nifti1Image(data, affine).to_filename('raw.nii.gz')
    moves = [shift(np.array([3.0 * t, 0, 0]))[:3].ravel() for t in range(3)]
    motion = pd.DataFrame(moves, columns=list(MATRIX))
    motion.assign(steady=1, spoilt=0).to_csv('motion.tsv', sep='\t', index=False)
    nb.Nifti1Image(np.zeros(SHAPE, np.float32), affine).to_filename('shift.nii.gz')
    here = Path.cwd()
    Path('acquisition.json').write_text(json.dumps({
        'repetition_time': 2.5, 'slice_times': None, 'slice_axis': 2, 'phase_direction': None,
        'task': 'rest', 'echoes': [{'path': str(here / 'raw.nii.gz'), 'echo_time': None}],
        'events': None, 'field_map': None, 'notes': [],
    }))  # fmt: skip
    return tuple(
        here / name for name in ('raw.nii.gz', 'acquisition.json', 'motion.tsv', 'shift.nii.gz')
    )


def check_still(path: Path, truth: Callable[[Path], np.ndarray]) -> None:
    found = load(path)
    assert nb.load(path).header.get_zooms()[3] == 2.5
    middle = tuple(slice(n // 2 - 3, n // 2 + 3) for n in found.shape[:3])
    for t in range(3):
        assert found[(*middle, t)] == pytest.approx(truth(path)[middle], abs=0.1)


def test_a_series_is_brought_to_the_space_with_its_motion(files: dict[str, Path]) -> None:
    places = [files[name] for name in ('xfm_bold_to_t1w', 'xfm_to_space', 'space_mask')]
    moving = write_moving_run()
    made = bring_to_space(*moving, *places)
    check_still(made.bold_in_space, expected)
    series, mask = load(made.bold_in_space), load(made.bold_space_mask)
    np.testing.assert_allclose(load(made.bold_space_reference), series.mean(axis=3), rtol=1e-5)
    np.testing.assert_array_equal(
        load_affine(made.bold_space_mask), load_affine(made.bold_in_space)
    )
    np.testing.assert_array_equal(mask > 0, series.any(axis=3))
    assert 500 < mask.sum() < 13**3


def test_the_reference_in_a_space_is_of_the_steady_state(files: dict[str, Path]) -> None:
    places = [files[name] for name in ('xfm_bold_to_t1w', 'xfm_to_space', 'space_mask')]
    moving = write_moving_run()
    motion = pd.read_csv('motion.tsv', sep='\t').assign(steady=[0, 0, 1])
    motion.to_csv('motion.tsv', sep='\t', index=False)
    made = bring_to_space(*moving, *places)
    last = load(made.bold_in_space)[..., 2]
    np.testing.assert_allclose(load(made.bold_space_reference), last, rtol=1e-5)


def test_the_mask_in_a_space_leaves_out_what_was_not_seen(files: dict[str, Path]) -> None:
    far = load_affine(files['space_mask'])
    far[2, 3] += 18
    nb.Nifti1Image(load(files['space_mask']), far).to_filename('far.nii.gz')
    places = (files['xfm_bold_to_t1w'], files['xfm_to_space'], Path('far.nii.gz').absolute())
    mask = load(bring_to_space(*write_moving_run(), *places).bold_space_mask)
    planes = mask.any(axis=(0, 1))
    grid = read_space_grid(places[2]).mask.any(axis=(0, 1))
    # BOLD ends about 27 mm above the seed, the brain of this space 30 mm.
    assert grid.sum() - 4 <= planes.sum() < grid.sum()
    assert not planes[np.flatnonzero(grid)[-1]]


def stretch(affine: np.ndarray) -> tuple[Path, ...]:
    """Write an even run that was stretched by a tenth along the phase encoding."""
    moving = write_moving_run()
    nb.Nifti1Image(np.full((*SHAPE, 3), 100, np.float32), affine).to_filename('raw.nii.gz')
    shifts = np.broadcast_to(0.1 * (np.arange(SHAPE[1]) - 11)[:, None], SHAPE).astype(np.float32)
    nb.Nifti1Image(shifts, affine).to_filename('shift.nii.gz')
    motion = pd.DataFrame([np.eye(4)[:3].ravel()] * 3, columns=list(MATRIX))
    motion.assign(steady=1, spoilt=0).to_csv('motion.tsv', sep='\t', index=False)
    acquisition = json.loads(moving[1].read_text()) | {'phase_direction': 'j'}
    moving[1].write_text(json.dumps(acquisition))
    return moving


def test_what_was_stretched_is_as_much_brighter_when_it_is_undone(files: dict[str, Path]) -> None:
    """Stretching thins the signal out; undoing it brings it together again."""
    run = stretch(load_affine(files['bold_mask']))
    places = [files[name] for name in ('xfm_bold_to_t1w', 'xfm_to_space', 'space_mask')]
    # Both write a file of the same name here.
    own = load(resample_bold(*run).bold_preproc)
    for found in (own, load(bring_to_space(*run, *places).bold_in_space)):
        middle = tuple(slice(n // 2 - 2, n // 2 + 2) for n in found.shape[:3])
        assert found[middle] == pytest.approx(110, rel=0.005)


def test_a_series_is_brought_to_the_t1w_with_its_motion(files: dict[str, Path]) -> None:
    brain = np.diag([1.0, 1, 1.5, 1])
    brain[:3, 3] = np.array(SEED_MM) + T1W_SHIFT - [20, 20, 30]
    mask = np.zeros((40, 40, 40), np.uint8)
    mask[8:32, 8:32, 12:28] = 1
    nb.Nifti1Image(mask, brain).to_filename('brain.nii.gz')
    moving = write_moving_run()
    made = bring_to_t1w(*moving, files['xfm_bold_to_t1w'], Path('brain.nii.gz').absolute())
    check_still(made.bold_in_t1w, partial(expected, apart=BOLD_SHIFT))
    assert nb.load(made.bold_in_t1w).header.get_zooms()[:3] == (3, 3, 3)
    inside = load(made.bold_in_t1w_mask)
    assert inside.sum() * 27 == pytest.approx(mask.sum() * 1.5, rel=0.15)
    assert not load(made.bold_in_t1w)[inside == 0].any()
    for path in made:
        assert json.loads(remarks_file(path).read_text())['Resolution'].startswith('3 mm')
    mean = load(made.bold_in_t1w).mean(axis=3)
    np.testing.assert_allclose(load(made.bold_in_t1w_reference), mean, rtol=1e-5)
