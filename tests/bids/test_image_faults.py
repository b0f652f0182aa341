"""Every fault has a file made for it; the message must name the file and the remedy."""

from __future__ import annotations

import gzip
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ball_images import (
    SHAPE,
    annexed,
    ball_with_nan,
    broken_link,
    damage_gzip,
    draw_ball,
    flip_bytes,
    make_image,
    patch_header,
    save_image,
    store,
    store_rgb,
    write_bytes,
)

from mriderived.bids.image_checks import BadImageError, check_image, load_clean

SINGULAR = np.diag([4.0, 0.0, 4.0, 1.0])
FAULTS: dict[str, tuple[str, Callable[[Path], Path], str, str]] = {
    'annex link': ('a.nii.gz', annexed, 'git-annex', 'datalad get'),
    'annex pointer': (
        'a.nii.gz',
        lambda p: write_bytes(p, b'/annex/objects/MD5E-s123--abc.nii.gz\n'),
        'git-annex',
        'datalad get',
    ),
    'lfs pointer': (
        'a.nii.gz',
        lambda p: write_bytes(p, b'version https://git-lfs.github.com/spec/v1\noid sha256:0\n'),
        'git-lfs',
        'git lfs pull',
    ),
    'broken link': ('a.nii.gz', broken_link, 'nowhere.nii.gz', 'Restore'),
    'missing': ('a.nii.gz', lambda p: p, 'no such file', 'Check the path'),
    'folder': ('a.nii.gz', lambda p: p.mkdir() or p, 'folder', 'again'),
    'other name': ('a.mgz', lambda p: write_bytes(p, b'x'), 'does not end in .nii', 'dcm2niix'),
    'empty': ('a.nii.gz', lambda p: write_bytes(p, b''), '0 bytes', 'again'),
    'empty gzip': (
        'a.nii.gz',
        lambda p: write_bytes(p, gzip.compress(b'')),
        'not a NIfTI',
        'DICOM',
    ),
    'truncated gzip': (
        'a.nii.gz',
        lambda p: damage_gzip(p, lambda d: d[:-2000]),
        'truncated',
        'again',
    ),
    'no checksum': ('a.nii.gz', lambda p: damage_gzip(p, lambda d: d[:-4]), 'truncated', 'again'),
    'corrupt gzip': ('a.nii.gz', lambda p: damage_gzip(p, flip_bytes), 'corrupt', 'again'),
    'wrong checksum': (
        'a.nii.gz',
        lambda p: damage_gzip(p, lambda d: d[:-8] + bytes(4) + d[-4:]),
        'corrupt',
        'again',
    ),
    'text': ('a.nii', lambda p: write_bytes(p, b'hello world ' * 100), 'hello world', 'source'),
    'text as gz': (
        'a.nii.gz',
        lambda p: write_bytes(p, b'<html>404</html>' * 50),
        '404',
        'source',
    ),
    'DICOM': (
        'a.nii',
        lambda p: write_bytes(p, bytes(128) + b'DICM' + bytes(999)),
        'DICOM',
        'source',
    ),
    'not compressed': (
        'a.nii.gz',
        lambda p: write_bytes(p, make_image().to_bytes()),
        'not compressed',
        'Rename it to .nii',
    ),
    'compressed': (
        'a.nii',
        lambda p: damage_gzip(p, lambda d: d),
        'compressed but',
        'Rename it to .nii.gz',
    ),
    'short header': (
        'a.nii',
        lambda p: write_bytes(p, make_image().to_bytes()[:200]),
        'inside its header',
        'again',
    ),
    'short data': (
        'a.nii',
        lambda p: write_bytes(p, make_image().to_bytes()[:-10]),
        'the header promises',
        'again',
    ),
    'short data in gz': (
        'a.nii.gz',
        lambda p: write_bytes(p, gzip.compress(make_image().to_bytes()[:-10])),
        'the header promises',
        'again',
    ),
    'ANALYZE': ('a.nii', lambda p: patch_header(p, magic=b''), 'ANALYZE', 'DICOM'),
    'pair': ('a.nii', lambda p: patch_header(p, magic=b'ni1'), 'pair', 'DICOM'),
    'no dimensions': ('a.nii', lambda p: patch_header(p, dim=[0] * 8), 'dimensions', 'DICOM'),
    'negative dimension': (
        'a.nii',
        lambda p: patch_header(p, dim=[3, 48, -56, 52, 1, 1, 1, 1]),
        'dimensions',
        'DICOM',
    ),
    'unknown type': ('a.nii', lambda p: patch_header(p, datatype=9999), 'data type', 'DICOM'),
    'infinite slope': (
        'a.nii',
        lambda p: patch_header(p, scl_slope=2.0, scl_inter=np.inf),
        'header is not valid',
        'DICOM',
    ),
    'NaN sform': (
        'a.nii',
        lambda p: patch_header(p, srow_x=[np.nan, 0, 0, 0]),
        'NaN or infinite',
        'Correct the header',
    ),
    'infinite offset': (
        'a.nii',
        lambda p: patch_header(p, srow_z=[0, 0, 4, np.inf]),
        'NaN or infinite',
        'Correct the header',
    ),
    'singular sform': (
        'a.nii',
        lambda p: patch_header(p, srow_x=[0, 4, 0, 0]),
        'singular',
        'Correct the header',
    ),
    'no rotation': (
        'a.nii',
        lambda p: patch_header(p, sform_code=0, qform_code=1, quatern_b=3.0),
        'not a rotation',
        'Correct the header',
    ),
    'voxel of 0': (
        'a.nii',
        lambda p: patch_header(p, pixdim=[1, 4, 0, 4, 0, 0, 0, 0]),
        'impossible voxel sizes',
        'Correct the header',
    ),
    'negative voxel': (
        'a.nii',
        lambda p: patch_header(p, pixdim=[1, 4, -4, 4, 0, 0, 0, 0]),
        'impossible voxel sizes',
        'Correct the header',
    ),
    'NaN voxel': (
        'a.nii',
        lambda p: patch_header(p, pixdim=[1, 4, np.nan, 4, 0, 0, 0, 0]),
        'impossible voxel sizes',
        'Correct the header',
    ),
    'tiny voxels': (
        'a.nii',
        lambda p: store(p, draw_ball(), np.diag([0.1, 0.1, 0.1, 1])),
        'implausible',
        'in mm',
    ),
    'huge voxels': (
        'a.nii',
        lambda p: store(p, draw_ball(), np.diag([11.0, 11, 11, 1])),
        'implausible',
        'in mm',
    ),
    'metres': (
        'a.nii',
        lambda p: patch_header(
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
        lambda p: store(p, draw_ball(), np.diag([1.0, 1, 1, 1])),
        'field of view',
        'Correct the header',
    ),
    'large field of view': (
        'a.nii',
        lambda p: store(p, np.resize(draw_ball(), (200, 20, 20)), np.diag([4.0, 4, 4, 1])),
        'field of view',
        'Correct the header',
    ),
    'all zero': ('a.nii', lambda p: store(p, np.zeros(SHAPE, np.int16)), 'same value', 'source'),
    'constant': ('a.nii', lambda p: store(p, np.full(SHAPE, 7, 'u1')), 'same value', 'source'),
    'all NaN': (
        'a.nii',
        lambda p: store(p, np.full(SHAPE, np.nan, np.float32)),
        'no voxel holds a number',
        'source',
    ),
    'NaN in the head': (
        'a.nii',
        lambda p: store(p, ball_with_nan(0.01)),
        'inside the head',
        'source',
    ),
    'beyond float32': (
        'a.nii',
        lambda p: store(p, draw_ball().astype(np.float64) * 1e300),
        'beyond any scanner',
        'source',
    ),
    '4D': (
        'a.nii',
        lambda p: store(p, np.stack([draw_ball()] * 3, axis=-1)),
        'three dimensions',
        'run-1',
    ),
    '2D': ('a.nii', lambda p: store(p, draw_ball()[:, :, 20]), 'a slice', 'stack of slices'),
    'one slice': ('a.nii', lambda p: store(p, draw_ball()[:, :, 20:21]), 'a slice', '.bidsignore'),
    'RGB': ('a.nii', store_rgb, 'RGB', 'scan it was made from'),
    'complex': ('a.nii', lambda p: store(p, draw_ball().astype('c8')), 'complex', 'magnitude'),
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
    path = save_image(make_image(), tmp_path / 'a.nii')
    path.chmod(0)
    with pytest.raises(BadImageError, match='may not be read'):
        check_image(path)


def test_error_survives_pickling(tmp_path: Path) -> None:
    error = BadImageError(tmp_path / 'a.nii', 'wrong', 'Mend it.')
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
