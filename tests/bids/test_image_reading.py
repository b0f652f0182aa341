"""However an image is stored, the same volume is read from it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from ball_images import draw_ball, make_image, patch_header, save_image, turn

from mriderived.bids.image_checks import check_image, load_clean

ALL_AXES = [
    ''.join(pair[side] for pair, side in zip(order, sides, strict=True))
    for order in itertools.permutations(['LR', 'PA', 'IS'])
    for sides in itertools.product((0, 1), repeat=3)
]


def test_there_are_48_orientations() -> None:
    assert len(set(ALL_AXES)) == 48


@pytest.mark.parametrize('axes', ALL_AXES)
def test_every_orientation_gives_the_same_volume(tmp_path: Path, axes: str) -> None:
    affine = nib.affines.from_matvec(np.diag([4.0, 3.8, 4.2]), [-90.0, -100.0, -80.0])
    image = turn(make_image(draw_ball(), affine), axes)
    path = save_image(image, tmp_path / 'a.nii')
    data, found = load_clean(path)
    np.testing.assert_array_equal(data, draw_ball())
    np.testing.assert_allclose(found, affine, atol=1e-4)
    assert dict(check_image(path).rows)['Orientation'] == axes
    is_left_handed = np.linalg.det(image.affine) < 0
    assert ('left_handed' in check_image(path).flags) == is_left_handed


@pytest.mark.parametrize('name', ['a.nii', 'a.nii.gz'])
@pytest.mark.parametrize(
    'dtype', ['u1', 'i1', 'i2', '>i2', 'u2', 'i4', 'u4', 'i8', 'f4', '>f4', 'f8']
)
def test_every_type_gives_the_same_volume(tmp_path: Path, dtype: str, name: str) -> None:
    data = (draw_ball() // 8).astype(dtype)
    image = nib.Nifti1Image(data, np.diag([4.0, 4.0, 4.0, 1.0]), dtype=data.dtype)
    if dtype.startswith('>'):
        header = nib.Nifti1Header(endianness='>')
        header.set_data_dtype(data.dtype)
        image = nib.Nifti1Image(data, np.diag([4.0, 4.0, 4.0, 1.0]), header)
    path = save_image(image, tmp_path / name)
    loaded, _ = load_clean(path)
    np.testing.assert_array_equal(loaded, draw_ball() // 8)
    assert loaded.dtype == np.float32
    assert check_image(path).path == path


@pytest.mark.parametrize(
    ('slope', 'intercept', 'expected'),
    [
        (0.0, 0.0, lambda x: x),
        (np.nan, np.nan, lambda x: x),
        (0.0, 5.0, lambda x: x),
        (2.0, 0.0, lambda x: 2 * x),
        (0.5, -3.0, lambda x: 0.5 * x - 3),
    ],
)
def test_slope_and_intercept(
    tmp_path: Path, slope: float, intercept: float, expected: Callable[[np.ndarray], np.ndarray]
) -> None:
    path = patch_header(tmp_path / 'a.nii', scl_slope=slope, scl_inter=intercept)
    np.testing.assert_allclose(load_clean(path)[0], expected(draw_ball()), rtol=1e-6)
    np.testing.assert_allclose(load_clean(path)[0], nib.load(path).get_fdata(), rtol=1e-6)


def test_second_nifti_version(tmp_path: Path) -> None:
    path = tmp_path / 'a.nii.gz'
    nib.save(nib.Nifti2Image(draw_ball(), np.diag([4.0, 4.0, 4.0, 1.0])), path)
    np.testing.assert_array_equal(load_clean(path)[0], draw_ball())
