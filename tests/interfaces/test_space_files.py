"""Templates are read on the grid of their tissues, in RAS."""

from pathlib import Path

import nibabel as nb
import numpy as np
import pytest

from mriderived.core.filters import smooth
from mriderived.interfaces.space_files import load_template, load_tissues


def _write(path: Path, data: np.ndarray, affine: np.ndarray) -> Path:
    nb.Nifti1Image(data.astype(np.float32), affine).to_filename(path)
    return path


def test_the_brain_is_brought_to_the_grid_of_the_tissues(tmp_path: Path) -> None:
    image = smooth(np.random.default_rng(4).random((40, 40, 40)).astype(np.float32), 3)
    brain = _write(tmp_path / 'brain.nii', image, np.eye(4))
    tissues = np.zeros((20, 20, 20, 3), np.float32)
    tissues[3, ..., 0] = 1
    flipped = np.array([[-2.0, 0, 0, 38], [0, 2, 0, 0], [0, 0, 2, 0], [0, 0, 0, 1]])
    template = load_template(brain, _write(tmp_path / 'tissues.nii', tissues, flipped), 1)
    assert template.tissues is not None
    assert template.tissues.shape == (2, 20, 20, 20)
    assert template.tissues[0, 16].min() == 1  # the fourth plane from the right
    np.testing.assert_allclose(template.affine, np.diag([2.0, 2, 2, 1]), atol=1e-6)
    np.testing.assert_allclose(template.brain[2:-2], image[4:-4:2, ::2, ::2], atol=0.01)


def test_without_tissues_the_grid_is_one_of_its_own(tmp_path: Path) -> None:
    brain = _write(tmp_path / 'brain.nii', np.ones((31, 31, 31)), np.eye(4))
    template = load_template(brain, None, 1)
    assert template.tissues is None
    np.testing.assert_allclose(np.diag(template.affine)[:3], 1.5)


def test_tissues_are_read_in_the_order_asked_for(tmp_path: Path) -> None:
    tissues = np.stack([np.full((3, 3, 3), value) for value in (0.1, 0.2, 0.7)], axis=-1)
    path = _write(tmp_path / 'tissues.nii', tissues, np.eye(4))
    found = load_tissues(path, ('csf', 'gm', 'wm'))[:, 1, 1, 1]
    assert found == pytest.approx([0.7, 0.1, 0.2])


def test_tissues_of_another_form_are_refused(tmp_path: Path) -> None:
    path = _write(tmp_path / 'x.nii', np.ones((3, 3, 3)), np.eye(4))
    with pytest.raises(ValueError, match='no 4D image of grey matter'):
        load_tissues(path, ('gm',))
