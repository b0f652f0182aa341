"""Template maps and coordinates on the grid of a scan."""

from pathlib import Path

import ants
import nibabel as nb
import numpy as np
import pytest

from mriderived.interfaces.template_maps import warp_template

#: A template grid that is stored with x flipped, as real ones are.
SPACE = np.array([[-3.0, 0, 0, 60], [0, 3, 0, -75], [0, 0, 3, -54], [0, 0, 0, 1]])
SHAPE = (41, 51, 41)
#: From mm of the scan to mm of the space (RAS).
TRUTH = np.array([[0.9, 0.1, 0, 4], [-0.1, 0.95, 0, -6], [0, 0.05, 1.1, 3], [0, 0, 0, 1]])


def world_to_maps(world: np.ndarray) -> np.ndarray:
    """Return three smooth maps of the space at points (..., 3)."""
    scaled = world / np.array([60.0, 75, 60])
    return np.stack([0.5 + 0.3 * scaled[..., i] for i in range(3)], axis=-1)


@pytest.fixture
def template(tmp_path: Path) -> Path:
    world = np.moveaxis(np.indices(SHAPE), 0, -1) @ SPACE[:3, :3].T + SPACE[:3, 3]
    path = tmp_path / 'template.nii.gz'
    nb.Nifti1Image(world_to_maps(world).astype(np.float32), SPACE).to_filename(path)
    return path


@pytest.fixture
def xfm(tmp_path: Path) -> Path:
    flip = np.diag([-1.0, -1, 1, 1])
    lps = flip @ TRUTH @ flip
    transform = ants.create_ants_transform('AffineTransform', 'float', 3, matrix=lps[:3, :3],
                                           translation=list(lps[:3, 3]))  # fmt: skip
    path = tmp_path / 'from_space.mat'
    ants.write_transform(transform, str(path))
    return path


def test_maps_and_affine_are_those_of_the_transform(template: Path, xfm: Path) -> None:
    affine = np.array([[1.5, 0, 0, -40], [0, 1.2, -0.3, -50], [0, 0.2, 2, -30], [0, 0, 0, 1]])
    brain = np.zeros((50, 70, 36), bool)
    brain[6:44, 10:60, 5:31] = True
    result = warp_template(brain, affine, template, xfm)
    np.testing.assert_allclose(result.voxel_to_space, TRUTH @ affine, atol=2e-3)
    indices = np.argwhere(brain)
    world = indices @ (TRUTH @ affine)[:3, :3].T + (TRUTH @ affine)[:3, 3]
    expected = world_to_maps(world)
    for i, warped in enumerate(result.maps):
        assert warped.shape == (38, 50, 26)
        np.testing.assert_allclose(warped.ravel(), expected[:, i], atol=1e-4)
