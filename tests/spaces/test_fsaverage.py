"""fsaverage5 lies where the cortex of the default space is, each hemisphere on its side."""

import nibabel as nb
import numpy as np
import pytest
from scipy.spatial import cKDTree

from mriderived.core.surface_mesh import vertex_normals
from mriderived.spaces import get_atlas, prepare_atlas
from mriderived.spaces.fsaverage import MNI305_TO_MNI152, Side, load_fsaverage, read_midthickness
from mriderived.spaces.labels import read_table
from mriderived.spaces.transform import load_warp, map_points

SIDES: tuple[Side, ...] = ('L', 'R')


@pytest.fixture(scope='module')
def cortices(tmp_path_factory: pytest.TempPathFactory) -> dict[str, cKDTree]:
    """Return the voxels of cortex of either side, in mm."""
    atlas = get_atlas('DesikanKilliany')
    image = nb.load(prepare_atlas(atlas, tmp_path_factory.mktemp('atlas')))
    table = read_table(atlas.table)
    labels = np.asarray(image.dataobj)
    found = {}
    for side in SIDES:
        mine = table['index'][(table['tissue'] == 'cortex') & (table['hemisphere'] == side)]
        assert len(mine) > 30
        voxels = np.argwhere(np.isin(labels, mine))
        found[side] = cKDTree(nb.affines.apply_affine(image.affine, voxels))
    return found


@pytest.mark.parametrize('side', SIDES)
def test_cortex_lies_on_cortex_of_its_own_side(cortices: dict[str, cKDTree], side: Side) -> None:
    mesh = load_fsaverage(side)
    other = 'R' if side == 'L' else 'L'
    points = mesh.midthickness[mesh.is_cortex]
    own, far = (cortices[name].query(points)[0] for name in (side, other))
    assert (own <= 3).mean() > 0.95
    assert np.median(own) < 0.7  # within half a voxel's diagonal, that is inside
    # no vertex is on the other side of the midline; nearer to the other side's cortex are only a
    # few at the midline, most where the medial wall begins below the corpus callosum
    assert (np.sign(points[:, 0]) == (-1 if side == 'L' else 1)).all()
    assert (far < own).mean() < 0.001
    assert (np.abs(points[far < own, 0]) < 6).all()


@pytest.mark.parametrize('side', SIDES)
def test_the_warp_is_inverted_exactly(side: Side) -> None:
    points = MNI305_TO_MNI152[:3, :3] @ read_midthickness(side).T + MNI305_TO_MNI152[:3, 3:]
    back = map_points(load_fsaverage(side).midthickness.T, load_warp())
    assert np.linalg.norm(back - points, axis=0).max() < 0.01


@pytest.mark.parametrize('side', SIDES)
def test_meshes_are_whole(side: Side) -> None:
    mesh = load_fsaverage(side)
    assert mesh.midthickness.shape == mesh.inflated.shape == (10242, 3)
    assert mesh.triangles.shape == (20480, 3)
    assert sorted(set(mesh.triangles.ravel())) == list(range(10242))
    # the medial wall takes 6 % of the vertices
    assert mesh.is_cortex.mean() == pytest.approx(0.94, abs=0.01)
    middle = mesh.midthickness.mean(axis=0)
    normals = vertex_normals(mesh.midthickness, mesh.triangles)
    outward = (normals * (mesh.midthickness - middle)).sum(axis=1) > 0
    assert outward.mean() > 0.65  # of a folded surface; 0.5 would be chance
    a, b, c = np.moveaxis(mesh.midthickness[mesh.triangles], 1, 0)
    millilitres = np.einsum('nd,nd->', a, np.cross(b, c)) / 6000
    assert 300 < millilitres < 600  # positive: triangles are counter-clockwise from outside
    # sulci lie deeper than gyri: nearer to the middle
    far = np.linalg.norm(mesh.midthickness - middle, axis=1)
    assert far[mesh.sulcal_depth > 0].mean() < far[mesh.sulcal_depth < 0].mean() - 3
