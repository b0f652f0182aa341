"""Rigid registration of images of one session whose contrasts differ."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from mriderived.core.contrast_alignment import align_contrast
from mriderived.core.rigid import rigid_matrix
from mriderived.core.splines import resample_cubic

AFFINE = np.diag([3.0, 3.0, 3.0, 1.0])
CENTRE = np.array([72.0, 72.0, 72.0])


@pytest.fixture(scope='module')
def head() -> NDArray[np.float32]:
    """Return smooth lumps within an ellipsoid, in a dark field."""
    rng = np.random.default_rng(3)
    lumps = ndimage.gaussian_filter(rng.standard_normal((48, 48, 48)), 2.0)
    x, y, z = np.indices((48, 48, 48)) - 23.5
    ball = (x / 16) ** 2 + (y / 19) ** 2 + (z / 17) ** 2 < 1
    values = np.where(ball, 100 + 30 * lumps / lumps.std(), 0)
    return ndimage.gaussian_filter(np.clip(values, 0, None), 0.5).astype(np.float32)


def moved(image: NDArray[np.float32], matrix: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the image of the head after a move from mm of the reference to mm of it."""
    back = np.linalg.inv(AFFINE) @ np.linalg.inv(matrix) @ AFFINE
    return resample_cubic(image, back, image.shape)


def error(
    found: NDArray[np.float64], truth: NDArray[np.float64], mask: NDArray[np.bool_]
) -> float:
    points = np.argwhere(mask)[::50] * 3.0
    apart = (found - truth)[:3, :3] @ points.T + (found - truth)[:3, 3:]
    return float(np.sqrt((apart**2).sum(axis=0)).mean())


@pytest.mark.parametrize(
    'contrast',
    [lambda v: v, lambda v: 250 - v, lambda v: np.abs(v - 100), lambda v: 5000 / (v + 30)],
    ids=['same', 'reversed', 'null', 'inverse'],
)
def test_motion_is_found_whatever_the_contrast(
    head: NDArray[np.float32], contrast: object
) -> None:
    truth = rigid_matrix(np.array([2.0, -1.5, 1.0, 0.03, -0.02, 0.04]), CENTRE)
    mask = head > 20
    image = np.asarray(contrast(moved(head, truth)), np.float32)  # type: ignore[operator]
    image += np.random.default_rng(1).standard_normal(image.shape).astype(np.float32) * 2
    found = align_contrast(head, AFFINE, mask, image, AFFINE)
    assert error(np.eye(4), truth, mask) > 2.0
    assert error(found.matrix, truth, mask) < 0.3
    assert found.after > found.before


def test_images_at_rest_stay_there(head: NDArray[np.float32]) -> None:
    mask = head > 20
    found = align_contrast(head, AFFINE, mask, 250 - head, AFFINE)
    assert error(found.matrix, np.eye(4), mask) < 0.03


def test_images_that_do_not_overlap_are_refused(head: NDArray[np.float32]) -> None:
    far = AFFINE.copy()
    far[:3, 3] = 900
    with pytest.raises(ValueError, match='do not overlap'):
        align_contrast(head, AFFINE, head > 20, head, far)
