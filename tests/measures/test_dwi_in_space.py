"""A series in a template space: directions turn with it, and a tensor fitted there is the same."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nb
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from dwi_datasets import spread
from mriderived.core.eddy_terms import still_motion
from mriderived.core.gradient_table import make_gradients
from mriderived.core.reorientation import finite_strain, fit_affine
from mriderived.core.series_route import Deformation
from mriderived.interfaces.bold_spaces import SpaceGrid
from mriderived.interfaces.dwi_acquisition import read_dwi_acquisition
from mriderived.interfaces.eddy_files import add_eddy, write_outliers
from mriderived.interfaces.gradient_tables import load_fsl, write_gradients
from mriderived.interfaces.rigid_files import save_rigid
from mriderived.interfaces.volumes import load, load_affine, save
from mriderived.measures.dwi_space import bring_dwi_to_space, turn_into_space
from mriderived.measures.tensor import write_tensor
from mriderived.workflows.func_motion import tabulate

SHAPE = (22, 22, 22)
AFFINE = np.diag([-3.0, 3, 3, 1])
AFFINE[:3, 3] = [31.5, -31.5, -31.5]
TURN = Rotation.from_euler('xyz', [8, -5, 20], degrees=True).as_matrix()
MAIN = np.array([0.8, 0.6, 0.0])
HEAD = Rotation.from_euler('x', 7, degrees=True).as_matrix()


def angle(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return acute angles in degrees."""
    return np.asarray(np.degrees(np.arccos(np.clip(np.abs((one * other).sum(-1)), 0, 1))))


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    monkeypatch.chdir(tmp_path)
    b = np.array([0.0, 0.0, *[1000.0] * 20])
    directions = np.vstack([np.zeros((2, 3)), spread(20)])
    tensor = 0.3e-3 * np.eye(3) + 1.4e-3 * np.outer(MAIN, MAIN)
    signal = 1000 * np.exp(-b * np.einsum('ni,ij,nj->n', directions, tensor, directions))
    series = np.broadcast_to(signal, (*SHAPE, len(b))).astype(np.float32)
    series[0, 0, 0] = 0  # a volume of one value is no image
    part = {
        'path': str(tmp_path / 'raw.nii.gz'), 'volumes': list(range(len(b))), 'b': b.tolist(),
        'directions': directions.tolist(), 'phase_direction': 'j', 'readout_time': 0.05,
    }  # fmt: skip
    content = {
        'repetition_time': 4.0, 'slice_times': None, 'slice_axis': 2, 'parts': [part],
        'field_map': None, 'notes': [],
    }  # fmt: skip
    (tmp_path / 'acquisition.json').write_text(json.dumps(content))
    acquisition = read_dwi_acquisition(tmp_path / 'acquisition.json')
    reference = series[..., 0]
    motion = still_motion(len(b), reference, 1)
    tabulated = add_eddy(tabulate(motion, 0), motion)
    tabulated.to_csv('motion.tsv', sep='\t', index=False, na_rep='n/a')
    space = np.zeros((70, 70, 70), np.uint8)
    space[22:48, 22:48, 22:48] = 1
    affine = np.eye(4)
    affine[:3, 3] = -35
    rigid, back = np.eye(4), np.eye(4)
    rigid[:3, :3] = HEAD
    back[:3, :3] = TURN * 1.1
    return {
        'dwi_denoised': save(series, AFFINE, 'denoised.nii.gz'),
        'dwi_gradients': write_gradients(make_gradients(b, directions), acquisition, 'g.tsv'),
        'dwi_distorted': save(reference, AFFINE, 'distorted.nii.gz'),
        'dwi_motion': tmp_path / 'motion.tsv',
        'dwi_outliers': write_outliers(motion.outliers, 'outliers.tsv'),
        'dwi_displacement': save(np.zeros(SHAPE, np.float32), AFFINE, 'shift.nii.gz'),
        'dwi_acquisition': tmp_path / 'acquisition.json',
        'dwi_bias': save(np.full(SHAPE, 2, np.float32), AFFINE, 'bias.nii.gz'),
        'xfm_dwi_to_t1w': save_rigid(rigid, 'dwi_to_t1w.h5'),
        'xfm_to_space': save_rigid(back, 't1w_to_space.h5'),
        'space_mask': save(space, affine, 'space.nii.gz'),
    }


def test_a_tensor_fitted_in_the_space_has_turned_with_it(files: dict[str, Path]) -> None:
    found = bring_dwi_to_space(**files)
    series, affine = load(found.dwi_in_space), load_affine(found.dwi_in_space)
    assert nb.load(found.dwi_in_space).header.get_zooms()[:3] == (2, 2, 2)
    inside = load(found.dwi_space_mask) > 0
    assert inside.sum() > 1500
    # divided by the field of the coil; a constant stays one through any interpolation
    np.testing.assert_allclose(series[inside][:, 0], 500, rtol=1e-4)
    np.testing.assert_allclose(load(found.dwi_space_reference)[inside], 500, rtol=1e-4)
    assert not series[~inside].any()
    tensor = write_tensor(
        found.dwi_in_space, found.dwi_space_bval, found.dwi_space_bvec, found.dwi_space_mask
    )
    expected = TURN.T @ HEAD.T @ MAIN
    main = np.asarray(nb.load(tensor.tensor_v1).dataobj)[inside]
    assert angle(main, expected).max() < 0.5
    l1, l2 = 1.7, 0.3
    fa = (l1 - l2) / np.sqrt(l1**2 + 2 * l2**2)
    np.testing.assert_allclose(load(tensor.tensor_fa)[inside], fa, atol=0.005)
    gradients = load_fsl(found.dwi_space_bval, found.dwi_space_bvec, affine)
    np.testing.assert_allclose(gradients.directions[2:], spread(20) @ HEAD @ TURN, atol=1e-5)


def test_the_rotation_of_a_shearing_map_is_the_nearest_one() -> None:
    stretch = np.array([[1.1, 0.05, 0.0], [0.05, 0.9, 0.1], [0.0, 0.1, 1.2]])  # symmetric
    np.testing.assert_allclose(finite_strain(TURN @ stretch), TURN, atol=1e-10)
    with pytest.raises(ValueError, match='reflects or flattens'):
        finite_strain(np.diag([-1.0, 1, 1]))


def test_a_smooth_deformation_hardly_changes_the_rotation() -> None:
    shape = (20, 24, 18)
    affine = np.diag([2.0, 2, 2, 1])
    space = SpaceGrid(np.ones(shape, bool), affine)
    voxels = np.indices(shape).reshape(3, -1)
    linear = (TURN @ voxels - voxels).reshape(3, *shape)
    bend = 0.5 * np.sin(12 * np.pi * np.indices(shape) / 20)[[1, 2, 0]]  # half a voxel, to and fro
    turned = turn_into_space(space, Deformation(linear + bend, affine), np.eye(4))
    apart = Rotation.from_matrix(turned @ TURN).magnitude()
    assert np.degrees(apart) < 0.5


def test_points_in_a_plane_tell_no_affine_map() -> None:
    points = np.random.default_rng(0).random((9, 3)) * [1, 1, 0]
    with pytest.raises(ValueError, match='lie in a plane'):
        fit_affine(points, points)
