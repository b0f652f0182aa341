"""What is done around deepmriprep's networks, on arrays."""

import numpy as np
import pytest
from scipy import ndimage

from mriderived.core.network_grid import (
    AFFINE,
    COARSE_SHAPE,
    HALF_SHAPE,
    HALVES,
    SHAPE,
    Blend,
    close_fractions,
    fill_holes,
    gaussian_weight,
    patch_boxes,
    scale_intensity,
    split_label,
)
from mriderived.core.partial_volume import Fractions
from mriderived.core.splines import resample_spline


def test_the_grid_fits_its_networks() -> None:
    assert tuple(2 * n for n in SHAPE) == tuple(3 * n for n in COARSE_SHAPE)
    for box in patch_boxes(HALVES, HALF_SHAPE):
        assert all(part.stop <= n for part, n in zip(box, SHAPE, strict=True))
    # the halves mirror one another
    assert HALVES[1][0] == SHAPE[0] - HALVES[0][0] - HALF_SHAPE[0]
    assert np.allclose(AFFINE @ [*SHAPE, 1], [84.5, 79.5, 96, 1])


def test_intensities_above_the_range_grow_slowly() -> None:
    image = np.concatenate([np.zeros(500), np.linspace(1, 100, 10_000), [1000]])
    scaled = scale_intensity(image.astype(np.float32))
    low, high = np.percentile(image[image > 0], (0.5, 99.5))
    assert scaled[0] == pytest.approx(-low / (high - low), rel=1e-5)
    assert scaled[-1] == pytest.approx(1 + np.log10((1000 - low) / (high - low)), rel=1e-5)


@pytest.mark.parametrize('value', [0, 3])
def test_a_flat_image_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match='no contrast on the grid of the networks'):
        scale_intensity(np.full((4, 4, 4), value, np.float32))


def test_a_blend_of_equal_patches_is_what_they_hold() -> None:
    blend = Blend((8, 8, 8), (5, 5, 5))
    for box in patch_boxes([(0, 0, 0), (2, 1, 3)], (5, 5, 5)):
        blend.add(box, np.full((5, 5, 5), 2, np.float32))
    found = blend.mean()
    assert np.allclose(found[:5, :5, :5], 2)
    assert np.allclose(found[2:7, 1:6, 3:], 2)
    assert found[7, 7, 7] == 0


def test_the_middle_of_a_patch_counts_most() -> None:
    weight = gaussian_weight((61, 61, 61))
    assert weight[30, 30, 30] == 1
    assert weight[0, 30, 30] == pytest.approx(np.exp(-0.5))


def test_only_holes_are_filled() -> None:
    label = np.zeros((9, 9, 9), np.float32)
    label[2:7, 2:7, 2:7] = 3
    label[4, 4, 4] = 0.2
    found = fill_holes(label)
    assert found[4, 4, 4] == 1
    found[4, 4, 4] = label[4, 4, 4]
    assert np.array_equal(found, label)


def test_labels_become_fractions() -> None:
    label = np.float32([0, 0.5, 1, 1.5, 2.25, 3, 3.4, -0.2])
    found = split_label(label, np.zeros(8, np.float32))
    assert np.allclose(found.csf, [0, 0.5, 1, 0.5, 0, 0, 0, 0])
    assert np.allclose(found.gm, [0, 0, 0, 0.5, 0.75, 0, 0, 0])
    assert np.allclose(found.wm, [0, 0, 0, 0, 0.25, 1, 1, 0])


def test_fractions_sum_to_one_in_the_mask() -> None:
    rng = np.random.default_rng(0)
    parts = Fractions(*(rng.uniform(-0.2, 1.2, 500).astype(np.float32) for _ in range(3)))
    mask = np.arange(500) < 400
    closed, background = close_fractions(parts, mask)
    total = sum(closed)
    assert np.allclose(total[mask], 1, atol=1e-6)
    assert (total[~mask] == 0).all()
    assert min(part.min() for part in closed) >= 0
    assert 0 < background < 0.2


def test_splines_reproduce_a_quadratic_and_leave_the_background() -> None:
    x, y, z = np.indices((20, 20, 20), dtype=np.float32)
    volume = (1 + x**2 / 10 + y - z / 2 + 20).astype(np.float32)
    matrix = np.diag([0.5, 0.5, 0.5, 1.0])
    matrix[:3, 3] = 6.25
    found = resample_spline(volume, matrix, (10, 10, 10))
    u, v, w = (6.25 + index / 2 for index in np.indices((10, 10, 10)))
    assert np.abs(found - (21 + u**2 / 10 + v - w / 2)).max() < 2e-2
    volume[:, :, 10:] = 0
    assert np.allclose(resample_spline(volume, np.eye(4), volume.shape)[:, :, 12:], 0)
    usual = ndimage.affine_transform(volume, np.eye(3), order=2, mode='mirror')
    found = resample_spline(volume, np.eye(4), volume.shape)
    inner = (slice(2, -2), slice(2, -2), slice(2, 7))
    assert np.allclose(found[inner], usual[inner], atol=0.05)
