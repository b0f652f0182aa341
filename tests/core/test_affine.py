"""Affine registration against known transforms: the error in mm over the whole brain."""

import numpy as np
import pytest

from mriderived.core.affine import Brain, coarsen, register_affine
from mriderived.core.filters import smooth
from mriderived.core.sampling import resample

SHAPE = (56, 66, 54)
GRID = np.array([[2.5, 0, 0, -70], [0, 2.5, 0, -82], [0, 0, 2.5, -66], [0, 0, 0, 1]])
#: Root of the mean squared distance, over the brain, that counts as found: a fifth of a voxel.
RMS_MM = 0.5


def _brain() -> np.ndarray:
    x, y, z = np.meshgrid(*(np.arange(n) - n / 2 for n in SHAPE), indexing='ij')
    inside = (x / 20) ** 2 + (y / 25) ** 2 + (z / 19) ** 2 < 1
    core = ((x - 2) / 12) ** 2 + (y / 17) ** 2 + ((z + 2) / 10) ** 2 < 1
    spot = ((x + 13) ** 2 + (y - 4) ** 2 + z**2 < 16) | (x**2 + (y - 18) ** 2 + z**2 < 16)
    image = np.where(inside, 0.6, 0) + np.where(core, 0.4, 0) + np.where(spot & inside, 0.5, 0)
    return smooth(100 * image.astype(np.float32), 0.7)


def _move(pitch: float, yaw: float, zoom: float, shift: tuple[float, float, float]) -> np.ndarray:
    c, s, d, t = np.cos(pitch), np.sin(pitch), np.cos(yaw), np.sin(yaw)
    about_x = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    about_z = np.array([[d, -t, 0], [t, d, 0], [0, 0, 1]])
    matrix = np.eye(4)
    matrix[:3, :3] = zoom * about_x @ about_z
    matrix[:3, 3] = shift
    return matrix


def _rms(found: np.ndarray, truth: np.ndarray) -> float:
    points = np.argwhere(_brain() > 20)
    in_mm = np.c_[points, np.ones(len(points))] @ GRID.T
    error = in_mm @ (found - truth).T
    return float(np.sqrt((error[:, :3] ** 2).sum(axis=1).mean()))


@pytest.mark.parametrize(
    ('pitch', 'yaw', 'zoom', 'shift'),
    [(0.1, -0.05, 0.93, (4, -6, 5)), (-0.2, 0.1, 1.08, (-8, 3, -4)), (0.45, 0.0, 1.0, (0, 5, 9))],
)
def test_rotation_shift_and_zoom_are_recovered(pitch, yaw, zoom, shift):
    truth = _move(pitch, yaw, zoom, shift)
    seen = resample(_brain(), np.linalg.inv(GRID) @ np.linalg.inv(truth) @ GRID, SHAPE)
    found = register_affine(Brain(_brain(), GRID), Brain(seen, GRID), threads=2)
    assert _rms(found, truth) < RMS_MM
    assert np.cbrt(np.linalg.det(found[:3, :3])) == pytest.approx(zoom, rel=0.01)


def test_equal_images_give_the_identity():
    found = register_affine(Brain(_brain(), GRID), Brain(_brain(), GRID), threads=2)
    assert _rms(found, np.eye(4)) < 0.01


def test_brightness_does_not_matter():
    truth = _move(0.1, 0, 1.05, (3, 0, -2))
    seen = resample(_brain(), np.linalg.inv(GRID) @ np.linalg.inv(truth) @ GRID, SHAPE)
    plain, bright = (
        register_affine(Brain(_brain(), GRID), Brain(np.float32(scale) * seen, GRID), threads=2)
        for scale in (1, 40)
    )
    assert _rms(bright, plain) < 0.01


def test_a_brain_of_another_size_than_any_head_is_refused():
    huge = GRID @ np.diag([3.0, 3, 3, 1])
    with pytest.raises(ValueError, match=r'stretches it by .*check the brain mask'):
        register_affine(Brain(_brain(), GRID), Brain(_brain(), huge), threads=2)


def test_coarse_images_keep_their_place_and_their_sum():
    fine = Brain(_brain(), GRID)
    coarse = coarsen(fine, 5.0)
    assert np.diag(coarse.affine)[:3] == pytest.approx([5, 5, 5])
    assert 8 * coarse.data.sum() == pytest.approx(fine.data.sum(), rel=0.005)
    centres = [
        brain.affine @ [*(np.argwhere(brain.data > 30).mean(axis=0)), 1]
        for brain in (fine, coarse)
    ]
    np.testing.assert_allclose(*centres, atol=0.5)
