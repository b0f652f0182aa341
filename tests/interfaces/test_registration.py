"""Transforms and templates as files: what other programs read is what we computed."""

import ants
import nibabel as nb
import numpy as np
import pytest

from mriderived.core.diffeomorphism import Diffeomorphism
from mriderived.core.filters import smooth
from mriderived.core.registration import Alignment, to_brain, to_template
from mriderived.interfaces.space_files import load_template, load_tissues
from mriderived.interfaces.transforms import affine_transform, field_transform, write_composite
from mriderived.interfaces.volumes import save

#: A template grid and, oblique and anisotropic, a brain's.
GRID = np.array([[2.0, 0, 0, -30], [0, 2, 0, -34], [0, 0, 2, -28], [0, 0, 0, 1]])
NATIVE = np.array([[1.4, 0.2, 0, -28], [-0.2, 1.5, 0.1, -30], [0, 0, 2.5, -32], [0, 0, 0, 1]])
SHAPE, NATIVE_SHAPE = (30, 34, 28), (38, 40, 26)


@pytest.fixture
def found():
    rng = np.random.default_rng(1)
    fields = [
        np.stack([30 * smooth(rng.normal(size=SHAPE).astype(np.float32), 4) for _ in range(3)])
        for _ in range(2)
    ]
    affine = np.array([[1.02, 0.1, 0, 2], [-0.1, 0.97, 0.05, -1], [0, 0, 1.04, 3], [0, 0, 0, 1]])
    return Alignment(affine, Diffeomorphism(*fields), GRID)


def _smooth_image(shape, seed):
    return 100 * smooth(np.random.default_rng(seed).random(shape).astype(np.float32), 2)


def _apply(moving, fixed, xfm):
    fixed, moving = (ants.image_read(str(path)) for path in (fixed, moving))
    return ants.apply_transforms(fixed, moving, [str(xfm)], interpolator='linear').numpy()


def test_composites_do_in_itk_what_they_do_here(tmp_path, monkeypatch, found):
    monkeypatch.chdir(tmp_path)
    brain, template = _smooth_image(NATIVE_SHAPE, 2), _smooth_image(SHAPE, 3)
    native, standard = save(brain, NATIVE, 'native.nii'), save(template, GRID, 'standard.nii')
    forward = field_transform(found.warp.fixed_to_moving, GRID)
    backward = field_transform(found.warp.moving_to_fixed, GRID)
    there = write_composite([forward, affine_transform(found.affine)], 'there.h5')
    inverse = affine_transform(np.linalg.inv(found.affine))
    back = write_composite([inverse, backward], 'back.h5')
    inner = (slice(6, -6),) * 3
    np.testing.assert_allclose(
        _apply(native, standard, there)[inner], to_template(brain, NATIVE, found)[inner], atol=0.05
    )
    ours = to_brain(template, NATIVE, NATIVE_SHAPE, found)
    np.testing.assert_allclose(_apply(standard, native, back)[inner], ours[inner], atol=0.05)


def test_template_is_read_on_the_grid_of_its_tissues_in_ras(tmp_path):
    fine = np.diag([1.0, 1, 1, 1])
    nb.Nifti1Image(_smooth_image((40, 40, 40), 4), fine).to_filename(tmp_path / 'brain.nii')
    tissues = np.zeros((20, 20, 20, 3), np.float32)
    tissues[3, ..., 0] = 1
    flipped = np.array([[-2.0, 0, 0, 38], [0, 2, 0, 0], [0, 0, 2, 0], [0, 0, 0, 1]])
    nb.Nifti1Image(tissues, flipped).to_filename(tmp_path / 'tissues.nii')
    template = load_template(tmp_path / 'brain.nii', tmp_path / 'tissues.nii', 1)
    assert template.brain.shape == (20, 20, 20)
    assert template.tissues is not None
    assert template.tissues[0, 16].min() == 1
    np.testing.assert_allclose(template.affine, np.diag([2.0, 2, 2, 1]), atol=1e-6)
    assert load_tissues(tmp_path / 'tissues.nii', ('csf',)).max() == 0


def test_template_without_tissues_is_read_at_a_resolution_of_its_own(tmp_path):
    nb.Nifti1Image(np.ones((31, 31, 31), np.float32), np.eye(4)).to_filename(tmp_path / 'b.nii')
    template = load_template(tmp_path / 'b.nii', None, 1)
    assert template.tissues is None
    np.testing.assert_allclose(np.diag(template.affine)[:3], 1.5)


def test_tissues_of_another_form_are_refused(tmp_path):
    nb.Nifti1Image(np.ones((3, 3, 3), np.float32), np.eye(4)).to_filename(tmp_path / 'x.nii')
    with pytest.raises(ValueError, match='no 4D image of grey matter'):
        load_tissues(tmp_path / 'x.nii', ('gm',))
