"""Real scans are accepted, flagged or refused as they should be."""

from __future__ import annotations

import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from ball_images import save_image

from mriderived.bids.image_checks import BadImageError, check_image, load_clean


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
    path = save_image(
        image.slicer[:, :, :177], tmp_path / 'a.nii.gz'
    )  # 20 mm of the head are gone
    assert check_image(path).flags['cropped'] == 'superior'
