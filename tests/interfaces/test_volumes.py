from itertools import permutations, product

import nibabel as nb
import numpy as np
import pytest

from mriderived.interfaces.volumes import load, load_affine, load_ras, save, voxel_size

AFFINE = np.array([[0.8, 0.05, 0, -20], [-0.05, 0.9, 0.1, -30], [0, -0.1, 1.2, -25], [0, 0, 0, 1]])
#: All 48 ways to store the axes of one volume.
ORIENTATIONS = [
    ''.join(pair[side] for pair, side in zip(pairs, sides, strict=True))
    for pairs in permutations(('LR', 'PA', 'IS'))
    for sides in product((0, 1), repeat=3)
]


def _stored(data, axes):
    image = nb.Nifti1Image(data, AFFINE)
    ras, wanted = (nb.orientations.axcodes2ornt(tuple(codes)) for codes in ('RAS', axes))
    return image.as_reoriented(nb.orientations.ornt_transform(ras, wanted))


def test_every_orientation_gives_the_same_data(tmp_path):
    data = np.random.default_rng(0).random((5, 6, 7)).astype(np.float32)
    assert len(set(ORIENTATIONS)) == 48
    for axes in ORIENTATIONS:
        path = tmp_path / f'{axes}.nii'
        _stored(data, axes).to_filename(path)
        found, affine = load_ras(path)
        assert np.array_equal(found, data), axes
        np.testing.assert_allclose(affine, AFFINE, atol=1e-5, err_msg=axes)


def test_scaled_integers_and_a_single_fourth_volume_are_read(tmp_path):
    image = nb.Nifti1Image(np.arange(24, dtype=np.int16).reshape(2, 3, 4, 1), np.eye(4))
    image.header.set_slope_inter(0.5, 10)
    image.to_filename(tmp_path / 'scaled.nii.gz')
    data, _ = load_ras(tmp_path / 'scaled.nii.gz')
    assert data.shape == (2, 3, 4)
    assert data.dtype == np.float32
    assert data[1, 2, 3] == pytest.approx(21.5)


def test_several_volumes_are_refused(tmp_path):
    nb.Nifti1Image(np.zeros((2, 3, 4, 2), np.float32), np.eye(4)).to_filename(tmp_path / 'x.nii')
    with pytest.raises(ValueError, match='volumes'):
        load_ras(tmp_path / 'x.nii')


def test_what_is_saved_is_read_again(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    path = save(data, AFFINE, 'x.nii.gz')
    assert np.array_equal(load(path), data)
    np.testing.assert_allclose(load_affine(path), AFFINE, atol=1e-6)
    assert voxel_size(np.diag([2, 3, 4, 1.0])).tolist() == [2, 3, 4]
