"""Atlases are delivered in the default space, the same every time."""

import hashlib
from pathlib import Path

import nibabel as nb
import numpy as np
import pytest

from mriderived.spaces import CONTEXT, DEFAULT_SPACE, get_atlas, get_space, prepare_atlas
from mriderived.spaces.labels import read_table
from mriderived.spaces.transform import WARP_FILE, load_warp, map_points, sample_labels


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp('atlases')


def tissue_at(labels: np.ndarray, affine: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Mean GM, WM and CSF of the space's tissue template in voxels of the chosen labels."""
    tissues = nb.as_closest_canonical(nb.load(get_space(DEFAULT_SPACE).tissues))
    voxels = np.argwhere(np.isin(labels, chosen))[::5]
    matrix = np.linalg.inv(tissues.affine) @ affine
    found = np.rint(voxels @ matrix[:3, :3].T + matrix[:3, 3]).astype(int)
    data = np.asarray(tissues.dataobj)
    return data[tuple(np.clip(found, 0, np.array(data.shape[:3]) - 1).T)].mean(axis=0)


def test_the_shipped_warp_is_the_one_that_was_checked() -> None:
    warp = load_warp()
    assert WARP_FILE.stat().st_size < 2 * 2**20
    digest = hashlib.sha256(np.ascontiguousarray(warp.displacement).tobytes()).hexdigest()
    assert digest == 'a457c4fd342056133f9e6bacb431d6c9c413d29f7df6623c70d2446d67ad5ae5'
    assert float(np.abs(warp.displacement).max()) < 12  # mm


def test_the_warp_aligns_the_two_brains() -> None:
    """Correlation inside the brain rises by a tenth and more."""
    fixed, moving = (
        nb.as_closest_canonical(nb.load(get_space(name).brain))
        for name in (DEFAULT_SPACE, 'MNI152NLin6Asym')
    )
    voxels = np.argwhere(np.asarray(fixed.dataobj) > 0)[::200]
    points = (voxels @ fixed.affine[:3, :3].T + fixed.affine[:3, 3]).T
    here = np.asarray(fixed.dataobj)[tuple(voxels.T)]
    there = np.asarray(moving.dataobj).astype(np.int32)
    to_voxel = np.linalg.inv(moving.affine)
    before, after = (
        np.corrcoef(here, sample_labels(there, to_voxel, p))[0, 1]
        for p in (points, map_points(points, load_warp()))
    )
    assert before < 0.80
    assert after > 0.89


def test_desikan_killiany_lies_in_the_default_space(folder: Path) -> None:
    atlas = get_atlas('DesikanKilliany')
    assert atlas.space == DEFAULT_SPACE != atlas.source_space
    image = nb.load(prepare_atlas(atlas, folder))
    labels, table = np.asarray(image.dataobj), read_table(atlas.table)
    assert image.shape == (193, 229, 193)
    assert nb.aff2axcodes(image.affine) == ('R', 'A', 'S')
    assert set(np.unique(labels)) == {0, *table['index']}
    for tissue, place, least in (('cortex', 0, 0.65), ('white', 1, 0.77), ('csf', 2, 0.72),
                                 ('brainstem', 1, 0.85), ('cerebellum', 0, 0.70)):  # fmt: skip
        chosen = table['index'][table['tissue'] == tissue].to_numpy()
        assert tissue_at(labels, image.affine, chosen)[place] > least, tissue
    for hemisphere, sign in (('L', -1), ('R', 1)):
        mine = np.isin(labels, table['index'][table['hemisphere'] == hemisphere])
        x = np.argwhere(mine)[::11] @ image.affine[0, :3] + image.affine[0, 3]
        assert (np.sign(x) == sign).mean() > 0.99


def test_delivery_is_reproducible(folder: Path) -> None:
    path = prepare_atlas(get_atlas('DesikanKilliany'), folder)
    data = np.ascontiguousarray(np.asarray(nb.load(path).dataobj, dtype=np.int32))
    assert (
        hashlib.sha256(data.tobytes()).hexdigest()
        == 'd1f28d905336cb77919830cfaae5b32b90e39fcd6fb8dad13629034060ef1ca3'
    )


def test_it_is_made_once(folder: Path) -> None:
    atlas = get_atlas('DesikanKilliany')
    path = prepare_atlas(atlas, folder)
    made = path.stat().st_mtime_ns
    assert prepare_atlas(atlas, folder) == path
    assert path.stat().st_mtime_ns == made
    assert not list(folder.glob('.*'))


def test_an_atlas_of_the_cortex_knows_what_lies_beside_it(folder: Path) -> None:
    atlas = get_atlas('Schaefer200')
    labels = np.asarray(nb.load(prepare_atlas(atlas, folder)).dataobj)
    affine = nb.load(prepare_atlas(atlas, folder)).affine
    assert set(np.unique(labels)) == {CONTEXT, *range(201)}
    # The middle of the left thalamus, the cerebellum and the brain stem; cortex is cortex.
    points = np.array([[-10, -20, 8], [-40, -70, -38], [0, -28, -30]], float).T
    assert (sample_labels(labels, np.linalg.inv(affine), points) == CONTEXT).all()
    original = np.asarray(nb.as_closest_canonical(nb.load(atlas.image)).dataobj)
    assert (labels[original > 0] == original[original > 0]).all()
