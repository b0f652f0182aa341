"""The plane between the hemispheres, and the frame of the commissures."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from mriderived.core.midsagittal import align_commissures, find_midsagittal_plane
from mriderived.core.rigid import rigid_matrix


def draw(matrix: np.ndarray, uneven: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw two ellipsoids with spots that are alike on both sides; ``matrix`` moves the head."""
    spacing = 2.0
    affine = np.diag([spacing, spacing, spacing, 1.0])
    affine[:3, 3] = -spacing * np.array([45, 50, 42])
    voxels = np.indices((91, 101, 85)).reshape(3, -1)
    mm = affine[:3, :3] @ voxels + affine[:3, 3:]
    x, y, z = np.linalg.inv(matrix)[:3, :3] @ (mm - matrix[:3, 3:])
    brain = (x / 62) ** 2 + (y / 78) ** 2 + (z / 58) ** 2 < 1
    rng = np.random.default_rng(0)
    image = 100.0 * brain
    for _ in range(60):
        a, b, c = rng.uniform((5, -60, -45), (50, 60, 45))
        for side in (-1, 1):
            gone = np.exp(-((np.abs(x) - a) ** 2 + (y - b) ** 2 + (z - c) ** 2) / 60)
            image -= np.where(side * x > 0, 40 * gone * (1 + uneven * side * rng.normal()), 0)
    image = image + rng.normal(0, 4, image.shape)
    shape = (91, 101, 85)
    image = np.where(brain, image, 0).reshape(shape).astype(np.float32)
    return image, affine, brain.reshape(shape)


MOVES = [(0, 0, 0, 0, 0, 0), (6, -4, 3, 0.1, 0.12, -0.15), (-9, 5, 5, -0.2, -0.1, 0.2)]


@pytest.mark.parametrize('numbers', MOVES)
@pytest.mark.parametrize('uneven', [0.0, 0.3])
def test_plane_moves_with_the_head(numbers: tuple[float, ...], uneven: float) -> None:
    matrix = rigid_matrix(np.array(numbers), np.zeros(3))
    found = find_midsagittal_plane(*draw(matrix, uneven))
    normal = matrix[:3, 0]
    assert np.degrees(np.arccos(min(found.normal @ normal, 1.0))) < 0.3
    assert abs((found.point - matrix[:3, 3]) @ normal) < 0.3
    assert found.correlation > 0.7


def test_a_flipped_head_has_the_mirrored_plane() -> None:
    image, affine, brain = draw(rigid_matrix(np.array(MOVES[1], float), np.zeros(3)), 0.3)
    mirror = np.diag([-1.0, 1, 1, 1])
    one = find_midsagittal_plane(image, affine, brain)
    two = find_midsagittal_plane(image, mirror @ affine, brain)
    wanted = one.normal * (1, -1, -1)
    assert np.degrees(np.arccos(min(two.normal @ wanted, 1.0))) < 0.1
    assert abs((two.point - one.point * (-1, 1, 1)) @ two.normal) < 0.1


def test_start_helps_a_head_that_lies_on_its_side() -> None:
    matrix = rigid_matrix(np.array([3, 0, 0, 0, 0.9, 0.0]), np.zeros(3))
    image, affine, brain = draw(matrix)
    found = find_midsagittal_plane(image, affine, brain, start=matrix[:3, 0] + (0.1, 0.1, 0))
    assert np.degrees(np.arccos(min(found.normal @ matrix[:3, 0], 1.0))) < 0.3


def test_commissures_define_a_frame() -> None:
    rng = np.random.default_rng(3)
    for _ in range(5):
        matrix = rigid_matrix(rng.uniform(-0.5, 0.5, 6) * (40, 40, 40, 1, 1, 1), np.zeros(3))
        ac, pc = (matrix @ [0, y, 0, 1] for y in (0, -27.9))
        tilted = matrix[:3, :3] @ [1, 0.04, -0.03]
        found = align_commissures(ac[:3], pc[:3], tilted)
        assert np.allclose(found[:3, :3] @ found[:3, :3].T, np.eye(3), atol=1e-12)
        assert np.linalg.det(found[:3, :3]) == pytest.approx(1)
        assert np.allclose(found @ ac, [0, 0, 0, 1], atol=1e-9)
        assert np.allclose(found @ pc, [0, -27.9, 0, 1], atol=1e-9)
        assert (found[:3, :3] @ matrix[:3, 0])[0] > 0.99


def test_bad_input() -> None:
    image = np.ones((20, 20, 20), np.float32)
    with pytest.raises(ValueError, match='brain mask is empty'):
        find_midsagittal_plane(image, np.eye(4), image < 0)
    noise = np.random.default_rng(0).normal(size=(44, 44, 44))
    lumps = ndimage.gaussian_filter(noise, 1.5).astype(np.float32)
    with pytest.raises(ValueError, match='no plane divides the brain into like halves'):
        find_midsagittal_plane(lumps, np.diag([3.0, 3, 3, 1]), lumps > -9)
    with pytest.raises(ValueError, match=r'0\.00 mm apart'):
        align_commissures(np.ones(3), np.ones(3), np.eye(3)[0])
    with pytest.raises(ValueError, match='not in the midsagittal plane'):
        align_commissures(np.array([20.0, 0, 0]), np.zeros(3), np.eye(3)[0])
