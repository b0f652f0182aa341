"""Maps of the seeds of several networks: where the seeds are, and what is made of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel as nb
import numpy as np
import pandas as pd
import pytest

from mriderived.interfaces.rigid_files import save_rigid
from mriderived.interfaces.sink import remarks_file
from mriderived.interfaces.volumes import load, load_affine
from mriderived.measures.registry import find_measures
from mriderived.measures.seed_map import SEED_MM
from mriderived.measures.seed_maps import SEED_MAPS, SEEDS, write_seed_maps
from mriderived.spaces import get_atlas, prepare_atlas

#: Field → place, and the beginning of the names of Schaefer's regions of the network.
EXPECTED = {
    'visual_network': ((-16, -74, 7), 'Vis'),
    'motor_network': ((-41, -20, 62), 'SomMot'),
    'dorsal_attention_network': ((-22, -8, 54), 'DorsAttn'),
    'salience_network': ((-5, 15, 32), 'SalVentAttn'),
    'control_network': ((-40, 50, 7), 'Cont'),
}
SHAPE, LENGTH = (34, 44, 26), 60
SHIFT = np.array([3.0, -4, 5])


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """A brain of BOLD on voxels of 4 mm, which lies ``SHIFT`` off the template."""
    monkeypatch.chdir(tmp_path)
    affine = np.diag([4.0, 4, 4, 1])
    affine[:3, 3] = np.array([-68.0, -100, -20]) + SHIFT
    nb.Nifti1Image(np.ones(SHAPE, np.uint8), affine).to_filename('mask.nii.gz')
    move = np.eye(4)
    move[:3, 3] = SHIFT
    return {
        'bold_mask': tmp_path / 'mask.nii.gz',
        'xfm_bold_to_t1w': save_rigid(move, 'bold_to_t1w.h5'),
        'xfm_to_space': save_rigid(np.eye(4), 't1w_to_space.h5'),
    }


def write_series(mask: Path) -> tuple[Path, np.ndarray, np.ndarray]:
    """Write noise; each voxel within 9 mm of a seed has the course of that seed."""
    affine = load_affine(mask)
    rng = np.random.default_rng(0)
    data = rng.normal(size=(*SHAPE, LENGTH))
    courses = rng.normal(size=(len(SEEDS), LENGTH))
    courses = (courses - courses.mean(axis=1, keepdims=True)) / courses.std(axis=1, keepdims=True)
    voxels = np.moveaxis(np.indices(SHAPE), 0, -1) @ affine[:3, :3].T + affine[:3, 3]
    near = np.array(
        [np.linalg.norm(voxels - mm - SHIFT, axis=-1) <= 9 for mm, _ in EXPECTED.values()]
    )
    for place, course in zip(near, courses, strict=True):
        data[place] = 0.75 * data[place] + course
    nb.Nifti1Image(data.astype(np.float32), affine).to_filename('denoised.nii.gz')
    return Path('denoised.nii.gz').absolute(), near, courses


def said(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(remarks_file(path).read_text())
    return found


def test_each_seed_finds_its_own_network(files: dict[str, Path]) -> None:
    denoised, near, _ = write_series(files['bold_mask'])
    found = write_seed_maps(denoised, **files)
    assert found._fields == tuple(EXPECTED) == tuple(seed.field for seed in SEEDS)
    for number, path in enumerate(found):
        z = load(path)
        others = near.any(axis=0) & ~near[number]
        # r = 0.8 with the course itself, of which z is 1.1; its seed has some noise.
        assert z[near[number]].mean() > 0.9
        assert abs(z[others].mean()) < 0.35
        assert z[near[number]].mean() > z[others].mean() + 0.7
        assert said(path)['Notes'] == []
        assert 5 <= said(path)['SeedVoxels'] <= 25


def test_a_seed_out_of_sight_has_an_empty_map_and_a_note(files: dict[str, Path]) -> None:
    denoised, _, _ = write_series(files['bold_mask'])
    mask = np.ones(SHAPE, np.uint8)
    mask[:, :10] = 0  # behind of y = -60
    nb.Nifti1Image(mask, load_affine(files['bold_mask'])).to_filename('mask.nii.gz')
    found = write_seed_maps(denoised, **files)
    assert not load(found.visual_network).any()
    assert said(found.visual_network)['Notes'] == [
        'No map of the visual network: 0 voxels of its seed have a signal.'
    ]
    assert load(found.motor_network).any()
    nb.Nifti1Image(np.eye(*SHAPE[:2], dtype=np.uint8)[..., None] * np.eye(1, 26, dtype=np.uint8),
                   load_affine(files['bold_mask'])).to_filename('mask.nii.gz')  # fmt: skip
    with pytest.raises(ValueError, match='no seed of a network has a signal'):
        write_seed_maps(denoised, **files)


def test_seeds_are_well_inside_of_their_networks(tmp_path: Path) -> None:
    atlas = get_atlas('Schaefer200')
    image = nb.load(prepare_atlas(atlas, tmp_path))
    labels = np.asarray(image.dataobj)
    table = pd.read_csv(atlas.table, sep='\t')
    names = dict(zip(table['index'], table['name'], strict=True))
    voxels = np.argwhere(labels > 0)
    places = voxels @ image.affine[:3, :3].T + image.affine[:3, 3]
    ours = {seed.field: seed.mm for seed in SEEDS}
    assert ours == {field: mm for field, (mm, _) in EXPECTED.items()}
    for mm, network in (*EXPECTED.values(), (SEED_MM, 'Default')):
        near = voxels[np.linalg.norm(places - np.array(mm), axis=1) <= 6]
        found = [f'H_{network}' in names[labels[tuple(voxel)]] for voxel in near]
        assert np.mean(found) >= 0.85, (network, np.mean(found))


def test_its_name_asks_for_tables_and_spaces_as_well() -> None:
    family = [m.name for m in find_measures() if m.scope.family == SEED_MAPS.name]
    assert len(family) == 1 + 2 * len(SEEDS)
    assert {'seed_maps', 'motor_network_regions'} <= set(family)
    assert all(m.is_opt_in for m in find_measures() if m.name in family)
