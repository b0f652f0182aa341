"""What is unusual in an image is flagged with a note, and the image is used."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from ball_images import SHAPE, VOXEL, draw_ball, make_image, patch_header, save_image, store, turn

from mriderived.bids.image_checks import check_image, load_clean
from mriderived.bids.orientation import compare_affines


def test_plain_head_has_neither_notes_nor_flags(tmp_path: Path) -> None:
    data = np.kron(draw_ball(), np.ones((3, 3, 3), np.int16))
    size = VOXEL / 3
    path = save_image(make_image(data, np.diag([size, size, size, 1.0])), tmp_path / 'a.nii.gz')
    check = check_image(path)
    assert check.notes == ()
    assert dict(check.flags) == {}
    rows = dict(check.rows)
    assert rows['Orientation'] == 'RAS'
    assert rows['Matrix'] == '144 × 168 × 156'
    assert rows['Voxel size (mm)'] == '1.33 × 1.33 × 1.33'
    assert rows['Data type'] == 'int16'
    assert rows['qform, sform code'] == '0, 2'


def _flags(path: Path) -> dict[str, str | float]:
    check = check_image(path)
    assert len(check.notes) == len(check.flags)
    return {name: value for name, value in check.flags.items() if name != 'low_resolution'}


def test_single_volume_is_squeezed(tmp_path: Path) -> None:
    path = store(tmp_path / 'a.nii', draw_ball()[..., None, None])
    assert _flags(path) == {'squeezed': 'yes'}
    assert load_clean(path)[0].shape == SHAPE


def test_few_missing_values_are_counted_and_set_to_zero(tmp_path: Path) -> None:
    data = draw_ball().astype(np.float32)
    data[0, :3, 0] = np.nan
    data[24, 28, 26] = np.inf
    path = store(tmp_path / 'a.nii', data)
    assert _flags(path) == {'missing_values': 4.0}
    loaded, _ = load_clean(path)
    expected = np.where(np.isfinite(data), data, 0)
    np.testing.assert_array_equal(loaded, expected)


def test_missing_background_of_a_stripped_brain_is_accepted(tmp_path: Path) -> None:
    data = np.where(draw_ball() > 100, draw_ball(), np.nan).astype(np.float32)
    path = store(tmp_path / 'a.nii', data)
    assert _flags(path) == {'missing_values': float(np.isnan(data).sum())}


def test_no_codes_are_flagged_as_a_guess(tmp_path: Path) -> None:
    path = patch_header(tmp_path / 'a.nii', sform_code=0, qform_code=0)
    assert _flags(path) == {'no_orientation': 'yes', 'left_handed': 'yes'}
    assert dict(check_image(path).rows)['Orientation from'] == 'none'
    np.testing.assert_allclose(load_clean(path)[1][:3, :3], np.diag([VOXEL] * 3))


def test_conflict_of_codes_reports_the_angle_and_the_sform_wins(tmp_path: Path) -> None:
    image = make_image()
    turned = nib.affines.from_matvec(
        VOXEL * nib.eulerangles.euler2mat(z=np.radians(10)), [3.0, 0.0, 0.0]
    )
    image.set_qform(turned, code=1)
    image.set_sform(np.diag([VOXEL, VOXEL, VOXEL, 1.0]), code=1)
    path = save_image(image, tmp_path / 'a.nii')
    flags = _flags(path)
    assert flags.keys() == {'qform_sform_conflict'}
    assert flags['qform_sform_conflict'] == pytest.approx(10, abs=0.01)
    np.testing.assert_allclose(load_clean(path)[1], np.diag([VOXEL, VOXEL, VOXEL, 1.0]))


def test_equal_codes_are_no_conflict(tmp_path: Path) -> None:
    image = make_image()
    image.set_qform(image.affine, code=1)
    assert _flags(save_image(image, tmp_path / 'a.nii')) == {}


def test_only_qform_is_used(tmp_path: Path) -> None:
    image = make_image()
    turned = nib.affines.from_matvec(VOXEL * nib.eulerangles.euler2mat(x=np.radians(20)))
    image.set_sform(None, code=0)
    image.set_qform(turned, code=1)
    path = save_image(image, tmp_path / 'a.nii')
    assert _flags(path) == {'oblique': 20.0}
    np.testing.assert_allclose(load_clean(path)[1], turned, atol=1e-5)


def test_invalid_qform_gives_way_to_the_sform(tmp_path: Path) -> None:
    path = patch_header(tmp_path / 'a.nii', qform_code=1, quatern_b=3.0)
    assert _flags(path) == {'invalid_qform': 'yes'}


def test_mirrored_pair_is_half_aturn() -> None:
    mirror = np.diag([-1.0, 1.0, 1.0, 1.0])
    assert compare_affines(np.eye(4), mirror, (3, 3, 3)) == (180.0, 2.0)


def test_voxel_sizes_that_disagree(tmp_path: Path) -> None:
    path = patch_header(tmp_path / 'a.nii', pixdim=[1, 2, 4, 4, 0, 0, 0, 0])
    assert _flags(path) == {'voxel_size_mismatch': 0.5}


def test_unit_of_metres_with_sizes_of_mm(tmp_path: Path) -> None:
    assert _flags(patch_header(tmp_path / 'a.nii', xyzt_units=1)) == {'units': 'meter'}


@pytest.mark.parametrize(
    ('size', 'flag'),
    [
        ((4.0, 4.0, 4.0), {'low_resolution': 4.0}),
        ((1.9, 4.0, 4.0), {'anisotropic': 2.11}),
        ((2.5, 2.5, 4.0), {'anisotropic': 1.6}),
    ],
)
def test_coarse_voxels(tmp_path: Path, size: tuple[float, ...], flag: dict[str, float]) -> None:
    path = store(tmp_path / 'a.nii', draw_ball(), np.diag([*size, 1.0]))
    flags = check_image(path).flags
    assert {name: flags.get(name) for name in flag} == flag


def test_shear_and_negative_values_and_labels(tmp_path: Path) -> None:
    affine = np.diag([VOXEL, VOXEL, VOXEL, 1.0])
    affine[0, 1] = 1.5
    assert 'shear' in _flags(store(tmp_path / 'a.nii', draw_ball(), affine))
    negative = _flags(store(tmp_path / 'b.nii', draw_ball() - np.int16(250)))
    assert negative['negative_values'] == pytest.approx((draw_ball() < 250).mean(), abs=0.001)
    labels = _flags(store(tmp_path / 'c.nii', (draw_ball() > 100).astype('u1')))
    assert labels['few_intensities'] == 2


@pytest.mark.parametrize(
    ('cut', 'side'),
    [
        ((slice(14, None), slice(None), slice(None)), 'left'),
        ((slice(None, -14), slice(None), slice(None)), 'right'),
        ((slice(None), slice(18, None), slice(None)), 'posterior'),
        ((slice(None), slice(None, -18), slice(None)), 'anterior'),
        ((slice(None), slice(None), slice(None, -16)), 'superior'),
    ],
)
@pytest.mark.parametrize('axes', ['RAS', 'LPI', 'PSR'])
def test_cropped_side_is_named(
    tmp_path: Path, cut: tuple[slice, ...], side: str, axes: str
) -> None:
    turned = turn(make_image(draw_ball()[cut]), axes)
    assert _flags(save_image(turned, tmp_path / 'a.nii'))['cropped'] == side


def test_neck_may_be_cut_but_a_low_image_may_not(tmp_path: Path) -> None:
    neck = store(tmp_path / 'a.nii', draw_ball()[:, :, 15:])
    assert 'cropped' not in _flags(neck)
    slab = store(tmp_path / 'b.nii', draw_ball()[:, :, 28:])
    assert _flags(slab)['cropped'] == 'height'
