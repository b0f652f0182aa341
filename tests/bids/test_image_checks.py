"""Every fault has a file made for it; the message must name the file and the remedy."""

from __future__ import annotations

import gzip
import itertools
import os
import pickle
import time
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from mriderived.bids.image_checks import BadImageError, check_image, load_clean
from mriderived.bids.orientation import compare_affines

SHAPE = (48, 56, 52)
VOXEL = 4.0


def _head(shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    """A ball of 80 mm with some texture, far from the borders (4 mm voxels)."""
    centre = (np.array(shape) - 1) / 2
    grid = np.indices(shape)
    radius = np.sqrt(sum((VOXEL * (grid[i] - centre[i])) ** 2 for i in range(3)))
    texture = 200 + 3 * grid[0] + 2 * grid[1] + grid[2]
    return np.where(radius < 80, texture, 5 + grid[0] % 3).astype(np.int16)


def _image(data: np.ndarray | None = None, affine: np.ndarray | None = None) -> nib.Nifti1Image:
    affine = np.diag([VOXEL, VOXEL, VOXEL, 1.0]) if affine is None else affine
    return nib.Nifti1Image(_head() if data is None else data, affine)


def _save(image: nib.Nifti1Image, path: Path) -> Path:
    nib.save(image, path)
    return path


def _patched(path: Path, **fields: object) -> Path:
    """Write the head uncompressed, then change header fields in the file itself."""
    raw = bytearray(_image().to_bytes())
    header = nib.Nifti1Header(bytes(raw[:348]))
    for name, value in fields.items():
        header[name] = value
    raw[:348] = header.binaryblock
    path.write_bytes(raw)
    return path


def _gz(path: Path, change: Callable[[bytes], bytes]) -> Path:
    path.write_bytes(change(gzip.compress(_image().to_bytes())))
    return path


def _flip_bytes(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes(255 - b for b in data[middle : middle + 64]) + data[middle + 64 :]


def _annexed(path: Path) -> Path:
    path.symlink_to('../../.git/annex/objects/aa/bb/MD5E-s1--c.nii.gz/MD5E-s1--c.nii.gz')
    return path


def _broken_link(path: Path) -> Path:
    path.symlink_to('nowhere.nii.gz')
    return path


def _written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def _stored(path: Path, data: np.ndarray, affine: np.ndarray | None = None) -> Path:
    return _save(_image(data, affine), path)


def _with_nan(share: float) -> np.ndarray:
    data = _head().astype(np.float32)
    inside = np.argwhere(data > 100)
    for index in inside[:: int(1 / share)]:
        data[tuple(index)] = np.nan
    return data


def _rgb(path: Path) -> Path:
    return _save(nib.Nifti1Image(np.zeros(SHAPE, [(c, 'u1') for c in 'RGB']), np.eye(4)), path)


SINGULAR = np.diag([4.0, 0.0, 4.0, 1.0])
FAULTS: dict[str, tuple[str, Callable[[Path], Path], str, str]] = {
    'annex link': ('a.nii.gz', _annexed, 'git-annex', 'datalad get'),
    'annex pointer': (
        'a.nii.gz',
        lambda p: _written(p, b'/annex/objects/MD5E-s123--abc.nii.gz\n'),
        'git-annex',
        'datalad get',
    ),
    'lfs pointer': (
        'a.nii.gz',
        lambda p: _written(p, b'version https://git-lfs.github.com/spec/v1\noid sha256:0\n'),
        'git-lfs',
        'git lfs pull',
    ),
    'broken link': ('a.nii.gz', _broken_link, 'nowhere.nii.gz', 'Restore'),
    'missing': ('a.nii.gz', lambda p: p, 'no such file', 'Check the path'),
    'folder': ('a.nii.gz', lambda p: p.mkdir() or p, 'folder', 'again'),
    'other name': ('a.mgz', lambda p: _written(p, b'x'), 'does not end in .nii', 'dcm2niix'),
    'empty': ('a.nii.gz', lambda p: _written(p, b''), '0 bytes', 'again'),
    'empty gzip': ('a.nii.gz', lambda p: _written(p, gzip.compress(b'')), 'not a NIfTI', 'DICOM'),
    'truncated gzip': ('a.nii.gz', lambda p: _gz(p, lambda d: d[:-2000]), 'truncated', 'again'),
    'no checksum': ('a.nii.gz', lambda p: _gz(p, lambda d: d[:-4]), 'truncated', 'again'),
    'corrupt gzip': ('a.nii.gz', lambda p: _gz(p, _flip_bytes), 'corrupt', 'again'),
    'wrong checksum': (
        'a.nii.gz',
        lambda p: _gz(p, lambda d: d[:-8] + bytes(4) + d[-4:]),
        'corrupt',
        'again',
    ),
    'text': ('a.nii', lambda p: _written(p, b'hello world ' * 100), 'hello world', 'source'),
    'text as gz': ('a.nii.gz', lambda p: _written(p, b'<html>404</html>' * 50), '404', 'source'),
    'DICOM': (
        'a.nii',
        lambda p: _written(p, bytes(128) + b'DICM' + bytes(999)),
        'DICOM',
        'source',
    ),
    'not compressed': (
        'a.nii.gz',
        lambda p: _written(p, _image().to_bytes()),
        'not compressed',
        'Rename it to .nii',
    ),
    'compressed': (
        'a.nii',
        lambda p: _gz(p, lambda d: d),
        'compressed but',
        'Rename it to .nii.gz',
    ),
    'short header': (
        'a.nii',
        lambda p: _written(p, _image().to_bytes()[:200]),
        'inside its header',
        'again',
    ),
    'short data': (
        'a.nii',
        lambda p: _written(p, _image().to_bytes()[:-10]),
        'the header promises',
        'again',
    ),
    'short data in gz': (
        'a.nii.gz',
        lambda p: _written(p, gzip.compress(_image().to_bytes()[:-10])),
        'the header promises',
        'again',
    ),
    'ANALYZE': ('a.nii', lambda p: _patched(p, magic=b''), 'ANALYZE', 'DICOM'),
    'pair': ('a.nii', lambda p: _patched(p, magic=b'ni1'), 'pair', 'DICOM'),
    'no dimensions': ('a.nii', lambda p: _patched(p, dim=[0] * 8), 'dimensions', 'DICOM'),
    'negative dimension': (
        'a.nii',
        lambda p: _patched(p, dim=[3, 48, -56, 52, 1, 1, 1, 1]),
        'dimensions',
        'DICOM',
    ),
    'unknown type': ('a.nii', lambda p: _patched(p, datatype=9999), 'data type', 'DICOM'),
    'infinite slope': (
        'a.nii',
        lambda p: _patched(p, scl_slope=2.0, scl_inter=np.inf),
        'header is not valid',
        'DICOM',
    ),
    'NaN sform': (
        'a.nii',
        lambda p: _patched(p, srow_x=[np.nan, 0, 0, 0]),
        'NaN or infinite',
        'Correct the header',
    ),
    'infinite offset': (
        'a.nii',
        lambda p: _patched(p, srow_z=[0, 0, 4, np.inf]),
        'NaN or infinite',
        'Correct the header',
    ),
    'singular sform': (
        'a.nii',
        lambda p: _patched(p, srow_x=[0, 4, 0, 0]),
        'singular',
        'Correct the header',
    ),
    'no rotation': (
        'a.nii',
        lambda p: _patched(p, sform_code=0, qform_code=1, quatern_b=3.0),
        'not a rotation',
        'Correct the header',
    ),
    'voxel of 0': (
        'a.nii',
        lambda p: _patched(p, pixdim=[1, 4, 0, 4, 0, 0, 0, 0]),
        'impossible voxel sizes',
        'Correct the header',
    ),
    'negative voxel': (
        'a.nii',
        lambda p: _patched(p, pixdim=[1, 4, -4, 4, 0, 0, 0, 0]),
        'impossible voxel sizes',
        'Correct the header',
    ),
    'NaN voxel': (
        'a.nii',
        lambda p: _patched(p, pixdim=[1, 4, np.nan, 4, 0, 0, 0, 0]),
        'impossible voxel sizes',
        'Correct the header',
    ),
    'tiny voxels': (
        'a.nii',
        lambda p: _stored(p, _head(), np.diag([0.1, 0.1, 0.1, 1])),
        'implausible',
        'in mm',
    ),
    'huge voxels': (
        'a.nii',
        lambda p: _stored(p, _head(), np.diag([11.0, 11, 11, 1])),
        'implausible',
        'in mm',
    ),
    'metres': (
        'a.nii',
        lambda p: _patched(
            p,
            xyzt_units=1,
            pixdim=[1, 0.004, 0.004, 0.004, 0, 0, 0, 0],
            srow_x=[0.004, 0, 0, 0],
            srow_y=[0, 0.004, 0, 0],
            srow_z=[0, 0, 0.004, 0],
        ),
        'unit meter',
        'in mm',
    ),
    'small field of view': (
        'a.nii',
        lambda p: _stored(p, _head(), np.diag([1.0, 1, 1, 1])),
        'field of view',
        'Correct the header',
    ),
    'large field of view': (
        'a.nii',
        lambda p: _stored(p, np.resize(_head(), (200, 20, 20)), np.diag([4.0, 4, 4, 1])),
        'field of view',
        'Correct the header',
    ),
    'all zero': ('a.nii', lambda p: _stored(p, np.zeros(SHAPE, np.int16)), 'same value', 'source'),
    'constant': ('a.nii', lambda p: _stored(p, np.full(SHAPE, 7, 'u1')), 'same value', 'source'),
    'all NaN': (
        'a.nii',
        lambda p: _stored(p, np.full(SHAPE, np.nan, np.float32)),
        'no voxel holds a number',
        'source',
    ),
    'NaN in the head': (
        'a.nii',
        lambda p: _stored(p, _with_nan(0.01)),
        'inside the head',
        'source',
    ),
    'beyond float32': (
        'a.nii',
        lambda p: _stored(p, _head().astype(np.float64) * 1e300),
        'beyond any scanner',
        'source',
    ),
    '4D': (
        'a.nii',
        lambda p: _stored(p, np.stack([_head()] * 3, axis=-1)),
        'three dimensions',
        'run-1',
    ),
    '2D': ('a.nii', lambda p: _stored(p, _head()[:, :, 20]), 'a slice', 'stack of slices'),
    'one slice': ('a.nii', lambda p: _stored(p, _head()[:, :, 20:21]), 'a slice', '.bidsignore'),
    'RGB': ('a.nii', _rgb, 'RGB', 'scan it was made from'),
    'complex': ('a.nii', lambda p: _stored(p, _head().astype('c8')), 'complex', 'magnitude'),
}


#: Faults of the values alone, which loading does not look for again.
ONLY_CHECKED = ('all zero', 'constant', 'all NaN', 'NaN in the head', 'beyond float32')


@pytest.mark.parametrize('fault', FAULTS)
def test_fault_is_refused_and_named(fault: str, tmp_path: Path) -> None:
    name, make, reason, remedy = FAULTS[fault]
    path = make(tmp_path / name)
    with pytest.raises(BadImageError) as caught:
        check_image(path)
    assert caught.value.path == path
    assert str(path) in str(caught.value)
    assert reason in caught.value.reason
    assert remedy in caught.value.remedy
    if fault not in ONLY_CHECKED:
        with pytest.raises(BadImageError, match=path.name):
            load_clean(path)


@pytest.mark.skipif(os.geteuid() == 0, reason='root may read everything')
def test_forbidden_file_is_refused(tmp_path: Path) -> None:
    path = _save(_image(), tmp_path / 'a.nii')
    path.chmod(0)
    with pytest.raises(BadImageError, match='may not be read'):
        check_image(path)


def test_error_survives_pickling(tmp_path: Path) -> None:
    error = BadImageError(tmp_path / 'a.nii', 'wrong', 'Mend it.')
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_plain_head_has_neither_notes_nor_flags(tmp_path: Path) -> None:
    data = np.kron(_head(), np.ones((3, 3, 3), np.int16))
    size = VOXEL / 3
    path = _save(_image(data, np.diag([size, size, size, 1.0])), tmp_path / 'a.nii.gz')
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
    path = _stored(tmp_path / 'a.nii', _head()[..., None, None])
    assert _flags(path) == {'squeezed': 'yes'}
    assert load_clean(path)[0].shape == SHAPE


def test_few_missing_values_are_counted_and_set_to_zero(tmp_path: Path) -> None:
    data = _head().astype(np.float32)
    data[0, :3, 0] = np.nan
    data[24, 28, 26] = np.inf
    path = _stored(tmp_path / 'a.nii', data)
    assert _flags(path) == {'missing_values': 4.0}
    loaded, _ = load_clean(path)
    expected = np.where(np.isfinite(data), data, 0)
    np.testing.assert_array_equal(loaded, expected)


def test_missing_background_of_a_stripped_brain_is_accepted(tmp_path: Path) -> None:
    data = np.where(_head() > 100, _head(), np.nan).astype(np.float32)
    path = _stored(tmp_path / 'a.nii', data)
    assert _flags(path) == {'missing_values': float(np.isnan(data).sum())}


def test_no_codes_are_flagged_as_a_guess(tmp_path: Path) -> None:
    path = _patched(tmp_path / 'a.nii', sform_code=0, qform_code=0)
    assert _flags(path) == {'no_orientation': 'yes', 'left_handed': 'yes'}
    assert dict(check_image(path).rows)['Orientation from'] == 'none'
    np.testing.assert_allclose(load_clean(path)[1][:3, :3], np.diag([VOXEL] * 3))


def test_conflict_of_codes_reports_the_angle_and_the_sform_wins(tmp_path: Path) -> None:
    image = _image()
    turned = nib.affines.from_matvec(
        VOXEL * nib.eulerangles.euler2mat(z=np.radians(10)), [3.0, 0.0, 0.0]
    )
    image.set_qform(turned, code=1)
    image.set_sform(np.diag([VOXEL, VOXEL, VOXEL, 1.0]), code=1)
    path = _save(image, tmp_path / 'a.nii')
    flags = _flags(path)
    assert flags.keys() == {'qform_sform_conflict'}
    assert flags['qform_sform_conflict'] == pytest.approx(10, abs=0.01)
    np.testing.assert_allclose(load_clean(path)[1], np.diag([VOXEL, VOXEL, VOXEL, 1.0]))


def test_equal_codes_are_no_conflict(tmp_path: Path) -> None:
    image = _image()
    image.set_qform(image.affine, code=1)
    assert _flags(_save(image, tmp_path / 'a.nii')) == {}


def test_only_qform_is_used(tmp_path: Path) -> None:
    image = _image()
    turned = nib.affines.from_matvec(VOXEL * nib.eulerangles.euler2mat(x=np.radians(20)))
    image.set_sform(None, code=0)
    image.set_qform(turned, code=1)
    path = _save(image, tmp_path / 'a.nii')
    assert _flags(path) == {'oblique': 20.0}
    np.testing.assert_allclose(load_clean(path)[1], turned, atol=1e-5)


def test_invalid_qform_gives_way_to_the_sform(tmp_path: Path) -> None:
    path = _patched(tmp_path / 'a.nii', qform_code=1, quatern_b=3.0)
    assert _flags(path) == {'invalid_qform': 'yes'}


def test_mirrored_pair_is_half_a_turn() -> None:
    mirror = np.diag([-1.0, 1.0, 1.0, 1.0])
    assert compare_affines(np.eye(4), mirror, (3, 3, 3)) == (180.0, 2.0)


def test_voxel_sizes_that_disagree(tmp_path: Path) -> None:
    path = _patched(tmp_path / 'a.nii', pixdim=[1, 2, 4, 4, 0, 0, 0, 0])
    assert _flags(path) == {'voxel_size_mismatch': 0.5}


def test_unit_of_metres_with_sizes_of_mm(tmp_path: Path) -> None:
    assert _flags(_patched(tmp_path / 'a.nii', xyzt_units=1)) == {'units': 'meter'}


@pytest.mark.parametrize(
    ('size', 'flag'),
    [
        ((4.0, 4.0, 4.0), {'low_resolution': 4.0}),
        ((1.9, 4.0, 4.0), {'anisotropic': 2.11}),
        ((2.5, 2.5, 4.0), {'anisotropic': 1.6}),
    ],
)
def test_coarse_voxels(tmp_path: Path, size: tuple[float, ...], flag: dict[str, float]) -> None:
    path = _stored(tmp_path / 'a.nii', _head(), np.diag([*size, 1.0]))
    flags = check_image(path).flags
    assert {name: flags.get(name) for name in flag} == flag


def test_shear_and_negative_values_and_labels(tmp_path: Path) -> None:
    affine = np.diag([VOXEL, VOXEL, VOXEL, 1.0])
    affine[0, 1] = 1.5
    assert 'shear' in _flags(_stored(tmp_path / 'a.nii', _head(), affine))
    negative = _flags(_stored(tmp_path / 'b.nii', _head() - np.int16(250)))
    assert negative['negative_values'] == pytest.approx((_head() < 250).mean(), abs=0.001)
    labels = _flags(_stored(tmp_path / 'c.nii', (_head() > 100).astype('u1')))
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
    turned = _turn(_image(_head()[cut]), axes)
    assert _flags(_save(turned, tmp_path / 'a.nii'))['cropped'] == side


def test_neck_may_be_cut_but_a_low_image_may_not(tmp_path: Path) -> None:
    neck = _stored(tmp_path / 'a.nii', _head()[:, :, 15:])
    assert 'cropped' not in _flags(neck)
    slab = _stored(tmp_path / 'b.nii', _head()[:, :, 28:])
    assert _flags(slab)['cropped'] == 'height'


def _turn(image: nib.Nifti1Image, axes: str) -> nib.Nifti1Image:
    change = nib.orientations.ornt_transform(
        nib.io_orientation(image.affine), nib.orientations.axcodes2ornt(tuple(axes))
    )
    return image.as_reoriented(change)


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
    image = _turn(_image(_head(), affine), axes)
    path = _save(image, tmp_path / 'a.nii')
    data, found = load_clean(path)
    np.testing.assert_array_equal(data, _head())
    np.testing.assert_allclose(found, affine, atol=1e-4)
    assert dict(check_image(path).rows)['Orientation'] == axes
    is_left_handed = np.linalg.det(image.affine) < 0
    assert ('left_handed' in check_image(path).flags) == is_left_handed


@pytest.mark.parametrize('name', ['a.nii', 'a.nii.gz'])
@pytest.mark.parametrize(
    'dtype', ['u1', 'i1', 'i2', '>i2', 'u2', 'i4', 'u4', 'i8', 'f4', '>f4', 'f8']
)
def test_every_type_gives_the_same_volume(tmp_path: Path, dtype: str, name: str) -> None:
    data = (_head() // 8).astype(dtype)
    image = nib.Nifti1Image(data, np.diag([4.0, 4.0, 4.0, 1.0]), dtype=data.dtype)
    if dtype.startswith('>'):
        header = nib.Nifti1Header(endianness='>')
        header.set_data_dtype(data.dtype)
        image = nib.Nifti1Image(data, np.diag([4.0, 4.0, 4.0, 1.0]), header)
    path = _save(image, tmp_path / name)
    loaded, _ = load_clean(path)
    np.testing.assert_array_equal(loaded, _head() // 8)
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
    path = _patched(tmp_path / 'a.nii', scl_slope=slope, scl_inter=intercept)
    np.testing.assert_allclose(load_clean(path)[0], expected(_head()), rtol=1e-6)
    np.testing.assert_allclose(load_clean(path)[0], nib.load(path).get_fdata(), rtol=1e-6)


def test_second_nifti_version(tmp_path: Path) -> None:
    path = tmp_path / 'a.nii.gz'
    nib.save(nib.Nifti2Image(_head(), np.diag([4.0, 4.0, 4.0, 1.0])), path)
    np.testing.assert_array_equal(load_clean(path)[0], _head())


def test_one_head_of_1_mm_takes_less_than_2_seconds(tmp_path: Path) -> None:
    data = np.random.default_rng(0).integers(0, 30, (192, 256, 256), dtype=np.int16)
    data[30:160, 40:210, 40:230] += 200
    path = _stored(tmp_path / 'a.nii.gz', data, np.eye(4))
    start = time.process_time()
    check_image(path)
    assert time.process_time() - start < 2


def _real(name: str) -> Path:
    root = os.environ.get('MRIDERIVED_TEST_DATA')
    shared = Path(root) if root else Path(__file__).parents[3] / 'shared' / 'data'
    path = shared / name
    if not path.exists():
        pytest.skip(f'{path} is not there')
    return path


@pytest.mark.real
@pytest.mark.parametrize(
    ('name', 'flags'),
    [
        ('aomic/sub-0001/anat/sub-0001_T1w.nii.gz', {}),
        ('philips-enh/sub-01/anat/sub-01_T1w.nii.gz', {}),
        ('ds002748/sub-01/anat/sub-01_T1w.nii.gz', {'left_handed': 'yes'}),
        ('ds002748/sub-54/anat/sub-54_T1w.nii.gz', {'left_handed': 'yes'}),
        ('pumi-minitest/sub-001/anat/sub-001_T1w.nii.gz', {'low_resolution': 2.0}),
        ('siemens-xa30/sub-01/anat/sub-01_T1w.nii.gz', {'low_resolution': 2.0}),
        ('open-ms/longitudinal/raw/patient04/study1_T1W.nii.gz', {'anisotropic': 3.3}),
    ],
)
def test_real_scans_pass_with_the_right_flags(name: str, flags: dict[str, str | float]) -> None:
    path = _real(name)
    assert dict(check_image(path).flags) == flags
    data, affine = load_clean(path)
    canonical = nib.as_closest_canonical(nib.load(path))
    np.testing.assert_array_equal(data, canonical.get_fdata(dtype=np.float32))
    np.testing.assert_allclose(affine, canonical.affine, atol=1e-6)


@pytest.mark.real
def test_real_block_of_tissue_and_series_are_refused() -> None:
    with pytest.raises(BadImageError, match='field of view'):
        check_image(_real('wias-mpm/inst/extdata/t1w_1.nii.gz'))
    with pytest.raises(BadImageError, match='three dimensions'):
        check_image(_real('pumi-minitest/sub-001/func/sub-001_task-rest_bold.nii.gz'))


@pytest.mark.real
def test_real_head_cut_at_the_top_is_flagged(tmp_path: Path) -> None:
    image = nib.load(_real('aomic/sub-0001/anat/sub-0001_T1w.nii.gz'))
    path = _save(image.slicer[:, :, :177], tmp_path / 'a.nii.gz')  # 20 mm of the head are gone
    assert check_image(path).flags['cropped'] == 'superior'
