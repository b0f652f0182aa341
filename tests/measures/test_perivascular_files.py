"""Perivascular spaces: tubes of known place in a synthetic cerebrum, and none in one without."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import nibabel as nb
import numpy as np
import pandas as pd
import pytest

from mriderived.bids.dataset import Image
from mriderived.core.rigid import rigid_matrix
from mriderived.interfaces.rigid_files import save_rigid
from mriderived.measures.perivascular_spaces import (
    NEEDS,
    PERIVASCULAR_SPACES,
    PerivascularFiles,
    draw_spaces,
    find_perivascular_spaces,
)
from mriderived.measures.perivascular_spaces_contrast import (
    draw_contrast_spaces,
    find_contrast_spaces,
)
from mriderived.measures.perivascular_spaces_t2w import draw_bright_spaces, find_bright_spaces
from mriderived.workflows.scopes import explain_scope
from mriderived.workflows.sources import Source

SIZE, COUNT = 76, 14
AFFINE = np.diag([-1.0, 1, 1, 1])


class Tube(NamedTuple):
    centre: np.ndarray
    direction: np.ndarray
    length: float


def cerebrum() -> tuple[np.ndarray, np.ndarray]:
    """Return structures and gyri: white matter in a shell of cortex, a ventricle, a nucleus."""
    x, y, z = np.indices((SIZE,) * 3) - (SIZE - 1) / 2
    away = np.sqrt(x**2 + y**2 + z**2)
    structures = np.where(away < 36, np.where(x > 0, 3, 42), 0)
    structures[away < 32] = np.where(x > 0, 2, 41)[away < 32]
    structures[(np.abs(x) < 5) & (np.abs(y) < 12) & (np.abs(z) < 4)] = 4
    structures[(np.abs(x - 18) < 6) & (np.abs(y) < 8) & (np.abs(z) < 6)] = 12
    gyri = structures.copy()
    gyri[structures == 3] = np.where(y > 0, 1028, 1011)[structures == 3]
    gyri[structures == 42] = np.where(y > 0, 2028, 2011)[structures == 42]
    return structures.astype(np.int32), gyri.astype(np.int32)


def plant(white: np.ndarray, seed: int) -> tuple[np.ndarray, list[Tube]]:
    """Return the share of fluid in each voxel, and the tubes of 2 to 3 voxels."""
    rng = np.random.default_rng(seed)
    share = np.zeros(white.shape, np.float32)
    tubes: list[Tube] = []
    steps = (np.arange(3) + 0.5) / 3 - 0.5
    while len(tubes) < COUNT:
        centre, direction = rng.uniform(8, SIZE - 8, 3), rng.normal(size=3)
        direction /= np.linalg.norm(direction)
        tube = Tube(centre, direction, rng.uniform(7, 11))
        line = np.rint(centre + np.linspace(-7, 7, 15)[:, None] * direction).astype(int)
        if not (white[tuple(line.T)]).all() or any(
            np.linalg.norm(centre - other.centre) < 14 for other in tubes
        ):
            continue
        low = np.floor(centre - 8).astype(int)
        axes = [(np.arange(a, a + 17)[:, None] + steps).ravel() - c
                for a, c in zip(low, centre, strict=True)]  # fmt: skip
        x, y, z = np.meshgrid(*axes, indexing='ij', sparse=True)
        along = x * direction[0] + y * direction[1] + z * direction[2]
        away = x**2 + y**2 + z**2 - along**2
        inside = (away < (rng.uniform(2, 3) / 2) ** 2) & (np.abs(along) < tube.length / 2)
        part = inside.reshape(17, 3, 17, 3, 17, 3).mean(axis=(1, 3, 5))
        share[tuple(slice(a, a + 17) for a in low)] += part
        tubes.append(tube)
    return share, tubes


def write(folder: Path, share: np.ndarray) -> dict[str, Path]:
    structures, gyri = cerebrum()
    image = np.select(
        [np.isin(structures, (2, 41)), structures == 4, structures == 0], [100.0, 25, 10], 70
    )
    image = image - 40 * share + np.random.default_rng(9).normal(0, 3, image.shape)
    maps = {
        't1w': image.astype(np.float32),
        'brain_mask': (structures > 0).astype(np.uint8),
        'csf_probseg': (structures == 4).astype(np.float32),
        'structures_dseg': structures,
        'lesion_dseg': np.zeros(structures.shape, np.uint8),
        'atlas_dseg': gyri,
    }
    paths = {name: folder / f'{name}.nii.gz' for name in maps}
    for name, values in maps.items():
        nb.Nifti1Image(values, AFFINE).to_filename(paths[name])
    return paths


class Found(NamedTuple):
    paths: dict[str, Path]
    files: PerivascularFiles
    share: np.ndarray
    tubes: list[Tube]


@pytest.fixture(scope='module')
def planted(tmp_path_factory: pytest.TempPathFactory) -> Found:
    folder = tmp_path_factory.mktemp('planted')
    deep = np.isin(cerebrum()[0], (2, 41))
    for _ in range(4):  # the middle of a tube lies away from cortex and ventricle
        deep &= np.all([np.roll(deep, way, axis) for axis in range(3) for way in (-1, 1)], axis=0)
    share, tubes = plant(deep, 3)
    paths = write(folder, share)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return Found(paths, find_perivascular_spaces(**paths, threads=1), share, tubes)


def find_recall(mask_file: Path, tubes: list[Tube]) -> float:
    """Return of how many tubes the mask covers half of the middle line."""
    mask = np.asarray(nb.load(mask_file).dataobj) > 0
    hits = 0
    for tube in tubes:
        steps = np.linspace(0.5 - tube.length / 2, tube.length / 2 - 0.5, 15)
        points = np.rint(tube.centre + steps[:, None] * tube.direction).astype(int)
        hits += mask[tuple(points.T)].mean() >= 0.5
    return hits / len(tubes)


def test_tubes_of_two_voxels_are_found(planted: Found) -> None:
    assert find_recall(planted.files.pvs_mask, planted.tubes) >= 0.8
    objects = pd.read_csv(planted.files.pvs_objects, sep='\t')
    centres = objects[['x', 'y', 'z']].to_numpy() * np.diag(AFFINE)[:3]
    near = [min(np.linalg.norm(c - t.centre) for t in planted.tubes) < 6 for c in centres]
    assert len(near) - sum(near) <= 1
    assert objects['volume'].sum() == pytest.approx(planted.share.sum(), rel=0.25)
    assert objects['diameter'].between(1, 4).all()


def test_the_summary_adds_up(planted: Found) -> None:
    row = pd.read_csv(planted.files.pvs_morph, sep='\t').iloc[0]
    objects = pd.read_csv(planted.files.pvs_objects, sep='\t')
    assert list(row.index) == [c.name for c in PERIVASCULAR_SPACES.output('pvs_morph').columns]
    assert row['count'] == len(objects)
    assert row['volume'] == pytest.approx(objects['volume'].sum())
    sides = ('white_matter_L', 'white_matter_R', 'basal_ganglia_L', 'basal_ganglia_R')
    for column in ('count', 'volume', 'length'):
        assert sum(row[f'{side}_{column}'] for side in sides) == pytest.approx(row[column])
    assert row['frontal_L_count'] + row['occipital_L_count'] == row['white_matter_L_count']
    assert row['frontal_L_count'] == (objects['region'] == 'frontal_L').sum() > 0
    assert row['volume_fraction'] == pytest.approx(row['volume'] / row['searched_volume'])
    remarks = json.loads(planted.files.pvs_morph.with_name('summary.remarks.json').read_text())
    assert remarks['VoxelSize'] == [1, 1, 1]
    assert remarks['Experimental'].startswith('Experimental')
    assert remarks['MissingReasons']['temporal_L_diameter'].startswith('there is no')
    assert np.isnan(row['temporal_L_diameter']) and row['temporal_L_count'] == 0


def test_bright_tubes_of_a_t2w_on_a_grid_of_its_own(
    planted: Found, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    scan = nb.load(planted.paths['t1w'])
    turned = np.ascontiguousarray(np.transpose(np.asarray(scan.dataobj)[:, ::-1], (2, 0, 1)))
    axes = np.zeros((4, 4))  # from voxels of the T2w to those of the T1w
    axes[2, 0] = axes[0, 1] = axes[3, 3] = 1
    axes[1, 2], axes[1, 3] = -1, SIZE - 1
    move = rigid_matrix(np.array([3.0, -2, 5, 0.1, 0.05, -0.1]), np.zeros(3))
    affine = move @ AFFINE @ axes
    nb.Nifti1Image(150 - turned, affine).to_filename(tmp_path / 't2w.nii.gz')
    nb.Nifti1Image((turned > 0).astype(np.uint8), affine).to_filename(tmp_path / 'seen.nii.gz')
    others = {name: path for name, path in planted.paths.items() if name != 't1w'}
    bright = find_bright_spaces(
        t2w=tmp_path / 't2w.nii.gz',
        t2w_mask=tmp_path / 'seen.nii.gz',
        xfm_t2w_to_t1w=save_rigid(move, 'to_t1w.h5'),
        **others,
        threads=1,
    )
    there, here = (
        np.asarray(nb.load(path).dataobj) > 0
        for path in (bright.pvs_t2w_mask, planted.files.pvs_mask)
    )
    same = np.transpose(there, (1, 2, 0))[:, ::-1]
    assert 2 * (same & here).sum() / (same.sum() + here.sum()) > 0.97
    mine, its = (
        pd.read_csv(path, sep='\t').iloc[0]
        for path in (bright.pvs_t2w_morph, planted.files.pvs_morph)
    )
    assert mine['frontal_L_count'] == its['frontal_L_count']
    assert mine['volume'] == pytest.approx(its['volume'], rel=0.05)
    shown = draw_bright_spaces(tmp_path / 't2w.nii.gz', tmp_path / 'seen.nii.gz', bright[0])
    assert len(shown) == 1


class Pair(NamedTuple):
    """Paths of a T1w and a T2w of one head, as the measures of both want them."""

    t2w: dict[str, Path]
    contrast: dict[str, Path]


def write_pair(folder: Path, share: np.ndarray) -> Pair:
    """Write a pair whose T2w has a contrast, a grid of half a voxel aside and noise of its own."""
    paths = write(folder, share)
    structures, _ = cerebrum()
    image = np.select(
        [np.isin(structures, (2, 41)), structures == 4, structures == 0], [60.0, 220, 3], 85
    )
    image = image + 50 * share + np.random.default_rng(4).normal(0, 2.5, image.shape)
    moved = AFFINE.copy()
    moved[:3, 3] = (4, -3, 2)
    rigid = np.eye(4)
    rigid[:3, 3] = (4, -3, 2)
    nb.Nifti1Image(image.astype(np.float32), moved).to_filename(folder / 't2w.nii.gz')
    seen = (structures > 0).astype(np.uint8)
    nb.Nifti1Image(seen, moved).to_filename(folder / 't2w_mask.nii.gz')
    both = paths | {
        't2w': folder / 't2w.nii.gz',
        't2w_mask': folder / 't2w_mask.nii.gz',
        'xfm_t2w_to_t1w': save_rigid(rigid, 'to_t1w.h5'),
    }
    return Pair({name: path for name, path in both.items() if name != 't1w'}, both)


def run_pair(pair: Pair, contrast: str, **more: Path) -> tuple[Path, ...]:
    if contrast == 'T2w':
        return find_bright_spaces(**pair.t2w, **more, threads=1)
    return find_contrast_spaces(**pair.contrast, **more, threads=1)


@pytest.mark.parametrize('contrast', ['T2w', 'T1w/T2w'])
def test_tubes_are_found_in_every_contrast_and_not_in_lesions(
    contrast: str, planted: Found, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    pair = write_pair(tmp_path, planted.share)
    mask, morph, objects = run_pair(pair, contrast)
    assert find_recall(mask, planted.tubes) >= 0.8
    listed = pd.read_csv(objects, sep='\t')
    centres = listed[['x', 'y', 'z']].to_numpy()
    if contrast == 'T2w':
        centres = centres - (4, -3, 2)
    centres = centres * np.diag(AFFINE)[:3]
    near = [min(np.linalg.norm(c - t.centre) for t in planted.tubes) < 6 for c in centres]
    assert len(near) - sum(near) <= 5
    row = pd.read_csv(morph, sep='\t').iloc[0]
    assert row['volume'] == pytest.approx(planted.share.sum(), rel=0.3)
    assert row['frontal_L_count'] > 0
    # hyperintensities of a FLAIR, on the grid of the T1w: the tubes themselves
    flagged = nb.Nifti1Image((planted.share > 0.1).astype(np.uint8), AFFINE)
    flagged.to_filename(tmp_path / 'wmh.nii.gz')
    left = np.asarray(
        nb.load(run_pair(pair, contrast, wmh_mask=tmp_path / 'wmh.nii.gz')[0]).dataobj
    )
    assert left.sum() < 0.1 * row['volume']


@pytest.mark.parametrize('contrast', ['T2w', 'T1w/T2w'])
def test_none_in_the_other_contrasts(
    contrast: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    pair = write_pair(tmp_path, np.zeros((SIZE,) * 3, np.float32))
    files = run_pair(pair, contrast)
    assert pd.read_csv(files[1], sep='\t').iloc[0]['count'] <= 5
    if contrast != 'T2w':
        shown = {name: pair.contrast[name] for name in ('t1w', 't2w', 't2w_mask')}
        xfm = pair.contrast['xfm_t2w_to_t1w']
        drawn = draw_contrast_spaces(**shown, xfm_t2w_to_t1w=xfm, pvs_contrast_mask=files[0])
        assert len(drawn) == 1


def test_a_picture(planted: Found) -> None:
    shown = {name: planted.paths[name] for name in ('t1w', 'brain_mask', 'structures_dseg')}
    assert len(draw_spaces(**shown, pvs_mask=planted.files.pvs_mask)) == 1


def test_none_where_there_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    paths = write(tmp_path, np.zeros((SIZE,) * 3, np.float32))
    files = find_perivascular_spaces(**{name: paths[name] for name in NEEDS}, threads=2)
    row = pd.read_csv(files.pvs_morph, sep='\t').iloc[0]
    assert row['count'] <= 1
    assert np.isnan(row['frontal_L_count'])
    reasons = json.loads((tmp_path / 'summary.remarks.json').read_text())['MissingReasons']
    assert reasons['frontal_L_count'] == 'lobes need the atlas DesikanKilliany'


def test_hyperintensities_are_left_out(
    planted: Found, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = np.asarray(nb.load(planted.files.pvs_mask).dataobj)
    marked = tmp_path / 'wmh.nii.gz'
    nb.Nifti1Image(found, AFFINE).to_filename(marked)
    files = find_perivascular_spaces(**planted.paths, wmh_mask=marked, threads=1)
    left = np.asarray(nb.load(files.pvs_mask).dataobj)
    assert not (left & found).any() and left.sum() < 0.1 * found.sum()


@pytest.mark.parametrize(('edge', 'is_refused'), [(1.2, False), (1.5, True)])
def test_large_voxels_are_not_available(edge: float, is_refused: bool, tmp_path: Path) -> None:
    path = tmp_path / 'sub-01_T1w.nii.gz'
    nb.Nifti1Image(np.zeros((4, 4, 4), np.float32), np.diag([1, 1, edge, 1])).to_filename(path)
    image = Image(path, {'sub': '01'}, 'anat', 'T1w', '.nii.gz')
    source = Source(image, 'sub-01/anat/sub-01_T1w.nii.gz')
    reason = explain_scope(PERIVASCULAR_SPACES, source)
    assert bool(reason) == is_refused
    if is_refused:
        assert reason == 'voxels of 1 x 1 x 1.5 mm are too large for it; 1.2 mm at most'


def test_it_says_that_it_is_experimental() -> None:
    assert PERIVASCULAR_SPACES.is_opt_in
    for output in PERIVASCULAR_SPACES.outputs:
        assert 'experimental' in output.description
