"""Composites: what ITK does with them is what the registration found, both ways."""

from pathlib import Path
from typing import NamedTuple

import ants
import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

from mriderived.core.filters import smooth
from mriderived.core.registration import Alignment, to_brain
from mriderived.core.sampling import resample
from mriderived.interfaces.transforms import affine_transform, field_transform, write_composite
from mriderived.interfaces.volumes import load, save
from mriderived.workflows import anat_registration
from mriderived.workflows.anat_registration import RegistrationFiles, register_to_space

#: Farthest that a point may land from where our own mapping puts it.
TOLERANCE_MM = 0.01
SHAPE = (44, 52, 42)
GRID = np.array([[3.0, 0, 0, -66], [0, 3, 0, -78], [0, 0, 3, -60], [0, 0, 0, 1]])
#: From mm of the template to mm of the scan.
MOVE = np.array([[1.04, 0.06, 0, 4], [-0.06, 0.96, 0.1, -3], [0, -0.1, 1.02, 5], [0, 0, 0, 1]])


def _turn(angle: float, first: int, second: int) -> np.ndarray:
    matrix = np.eye(4)
    matrix[first, first] = matrix[second, second] = np.cos(angle)
    matrix[first, second], matrix[second, first] = -np.sin(angle), np.sin(angle)
    return matrix


#: Oblique about two axes and anisotropic, with its axes at right angles.
NATIVE = _turn(0.15, 0, 1) @ _turn(-0.2, 1, 2) @ np.diag([2.4, 2.6, 3.5, 1])
NATIVE[:3, 3] = -NATIVE[:3, :3] @ [28, 30, 19]
NATIVE_SHAPE = (60, 64, 40)


def _brain(bump: float = 0.0) -> np.ndarray:
    """A lopsided brain: a bright spot marks its left."""
    x, y, z = np.meshgrid(*(np.arange(n) - n / 2 for n in SHAPE), indexing='ij')
    inside = (x / 15) ** 2 + (y / (19 + bump)) ** 2 + (z / 14) ** 2 < 1
    core = (x / 9) ** 2 + (y / 12) ** 2 + (z / (8 - bump / 2)) ** 2 < 1
    spot = (x + 10) ** 2 + (y - 3) ** 2 + z**2 < 9
    image = np.where(inside, 0.6, 0) + np.where(core, 0.4, 0) + np.where(spot, 0.5, 0)
    return smooth(100 * image.astype(np.float32), 0.7)


class Registered(NamedTuple):
    found: Alignment
    files: RegistrationFiles
    t1w: Path
    template: Path
    #: Points of the brain, in mm (RAS) of the scan.
    points: np.ndarray

    def to_scan(self, points: np.ndarray) -> np.ndarray:
        moved = _displace(self.found.warp.fixed_to_moving, points, self.found.grid)
        return _apply(self.found.affine, moved)

    def to_space(self, points: np.ndarray) -> np.ndarray:
        moved = _apply(np.linalg.inv(self.found.affine), points)
        return _displace(self.found.warp.moving_to_fixed, moved, self.found.grid)


def _apply(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    return points @ matrix[:3, :3].T + matrix[:3, 3]


def _displace(field: np.ndarray, points: np.ndarray, grid: np.ndarray) -> np.ndarray:
    voxels = _apply(np.linalg.inv(grid), points)
    moved = [ndimage.map_coordinates(part, voxels.T, order=1, mode='nearest') for part in field]
    return _apply(grid, voxels + np.stack(moved, axis=1))


def _by_itk(points: np.ndarray, xfm: Path) -> np.ndarray:
    """Move points (RAS) with the file; a point goes the other way than an image."""
    lps = pd.DataFrame(points * [-1, -1, 1], columns=['x', 'y', 'z'])
    moved = ants.apply_transforms_to_points(3, lps, [str(xfm)])
    return moved.to_numpy()[:, :3] * [-1, -1, 1]


def _warp_by_itk(moving: Path, fixed: Path, xfm: Path) -> np.ndarray:
    images = (ants.image_read(str(path)) for path in (fixed, moving))
    return ants.apply_transforms(*images, [str(xfm)], interpolator='linear').numpy()


@pytest.fixture(scope='module')
def registered(tmp_path_factory: pytest.TempPathFactory) -> Registered:
    """Run the step on a moved and deformed brain, and keep what it found."""
    kept = []

    def keep(*arguments):
        kept.append(align(*arguments))
        return kept[-1]

    align = anat_registration.align
    there = np.linalg.inv(GRID) @ np.linalg.inv(MOVE) @ NATIVE
    scan = resample(_brain(2), there, NATIVE_SHAPE)
    brain = scan > 20
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp('registered'))
        patch.setattr(anat_registration, 'align', keep)
        t1w, template = save(scan, NATIVE, 't1w.nii'), save(_brain(), GRID, 'template.nii')
        mask = save(brain.astype(np.uint8), NATIVE, 'mask.nii')
        files = register_to_space(t1w, mask, mask, mask, template, 2, True)
    points = _apply(NATIVE, np.argwhere(brain)[::7].astype(float))
    return Registered(kept[0], files, t1w, template, points)


def test_the_deformation_is_worth_testing(registered: Registered) -> None:
    inside = _brain() > 20
    assert np.abs(registered.found.warp.fixed_to_moving[:, inside]).max() > 0.5
    assert np.abs(registered.to_space(registered.points) - registered.points).max() > 10


def test_points_go_where_our_own_mapping_puts_them(registered: Registered) -> None:
    in_space = registered.to_space(registered.points)
    found = _by_itk(registered.points, registered.files.xfm_from_space)
    assert np.abs(found - in_space).max() < TOLERANCE_MM
    back = _by_itk(in_space, registered.files.xfm_to_space)
    assert np.abs(back - registered.to_scan(in_space)).max() < TOLERANCE_MM


def test_one_composite_undoes_the_other(registered: Registered) -> None:
    in_space = _by_itk(registered.points, registered.files.xfm_from_space)
    back = _by_itk(in_space, registered.files.xfm_to_space)
    error = np.linalg.norm(back - registered.points, axis=1)
    assert np.median(error) < 0.05
    assert error.max() < 0.3  # a tenth of a voxel


def test_images_are_the_same_on_either_grid(registered: Registered) -> None:
    _, files, t1w, template, _ = registered
    in_space = load(files.t1w_in_space)
    brain = in_space > 20
    theirs = _warp_by_itk(t1w, template, files.xfm_to_space)
    np.testing.assert_allclose(theirs[brain], in_space[brain], atol=0.1)  # of 100
    ours = to_brain(load(template), NATIVE, NATIVE_SHAPE, registered.found)
    theirs = _warp_by_itk(template, t1w, files.xfm_from_space)
    np.testing.assert_allclose(theirs[ours > 20], ours[ours > 20], atol=0.1)


def test_volumes_change_as_the_jacobian_says(registered: Registered) -> None:
    voxels = np.argwhere(_brain() > 20)[::50]
    steps = np.concatenate([np.eye(3), -np.eye(3)])
    around = _apply(GRID, (voxels[:, None] + steps).reshape(-1, 3).astype(float))
    moved = _by_itk(around, registered.files.xfm_to_space).reshape(-1, 6, 3)
    gradient = (moved[:, :3] - moved[:, 3:]) / 6.0  # mm in the scan per mm of the template
    expected = load(registered.files.log_jacobian)[tuple(voxels.T)]
    np.testing.assert_allclose(np.log(np.linalg.det(gradient)), expected, atol=0.003)


@pytest.fixture
def composite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[np.ndarray, Path]:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(1)
    noise = [smooth(rng.normal(size=SHAPE).astype(np.float32), 4) for _ in range(3)]
    field = 20 * np.stack(noise)
    parts = [field_transform(field, GRID), affine_transform(MOVE)]
    return field, write_composite(parts, 'xfm.h5')


def test_composites_are_a_third_of_plain_doubles(composite, tmp_path: Path) -> None:
    field, path = composite
    assert path.stat().st_size < 0.37 * 8 * field.size
    assert [found.name for found in tmp_path.iterdir()] == ['xfm.h5']


@pytest.mark.parametrize('precision', ['float', 'double'])
def test_composites_are_read_in_either_precision(composite, precision: str) -> None:
    field, path = composite
    transform = ants.read_transform(str(path), precision=precision)
    assert transform.transform_type == 'CompositeTransform'
    point = np.array([6.0, -9.0, 12.0])
    expected = _apply(MOVE, _displace(field, point[None], GRID))[0]
    moved = np.array(transform.apply_to_point(point * [-1, -1, 1])) * [-1, -1, 1]
    np.testing.assert_allclose(moved, expected, atol=TOLERANCE_MM)


def test_a_transform_that_cannot_be_written_is_an_error(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'xfm.h5').mkdir()
    with pytest.raises(RuntimeError, match='H5Fcreate failed'):
        write_composite([affine_transform(MOVE)], 'xfm.h5')
