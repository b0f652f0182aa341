"""Lesion masks on the grid of their image, on another, and those that cannot be used."""

from __future__ import annotations

from pathlib import Path

import nibabel as nb
import numpy as np
import pytest

from mriderived.interfaces.lesion_masks import read_lesion_mask

AFFINE = np.array([[1.0, 0, 0, -20], [0, 1, 0, -22], [0, 0, 1, -18], [0, 0, 0, 1]])
SHAPE = (40, 44, 36)


def write(path: Path, data: np.ndarray, affine: np.ndarray = AFFINE) -> Path:
    nb.Nifti1Image(data, affine).to_filename(path)
    return path


@pytest.fixture
def scan(tmp_path: Path) -> tuple[Path, Path]:
    brain = np.zeros(SHAPE, np.uint8)
    brain[8:32, 8:36, 8:28] = 1
    image = write(tmp_path / 't1w.nii.gz', np.float32(brain))
    return image, write(tmp_path / 'brain.nii.gz', brain)


def lesion(*where: slice) -> np.ndarray:
    mask = np.zeros(SHAPE, np.uint8)
    mask[where or (slice(10, 16), slice(12, 20), slice(10, 14))] = 1
    return mask


def test_the_same_grid_in_any_orientation(tmp_path: Path, scan: tuple[Path, Path]) -> None:
    turned = nb.Nifti1Image(lesion(), AFFINE).as_reoriented([[2, -1], [0, 1], [1, -1]])
    turned.to_filename(tmp_path / 'mask.nii.gz')
    assert (read_lesion_mask(tmp_path / 'mask.nii.gz', *scan) == lesion()).all()


def test_another_grid_is_reached_by_the_affines(tmp_path: Path, scan: tuple[Path, Path]) -> None:
    finer = AFFINE @ np.diag([0.5, 0.5, 0.5, 1])
    finer[:3, 3] -= 0.25
    fine = lesion().repeat(2, 0).repeat(2, 1).repeat(2, 2)
    found = read_lesion_mask(write(tmp_path / 'mask.nii.gz', fine, finer), *scan)
    assert (found == lesion()).all()


@pytest.mark.parametrize(
    ('case', 'reason'),
    [
        ('empty', 'is empty: correct it, remove it, or use --lesions ignore'),
        ('elsewhere', 'lies outside of its T1w image, by the affines of both'),
        ('air', 'lies outside of the brain'),
        ('full', 'marks every voxel'),
        ('text', 'cannot be read'),
        ('series', 'cannot be read .*has'),
    ],
)
def test_what_cannot_be_used_says_why(
    tmp_path: Path, scan: tuple[Path, Path], case: str, reason: str
) -> None:
    path = tmp_path / 'mask.nii.gz'
    off = AFFINE.copy()
    off[0, 3] += 300
    {
        'empty': lambda: write(path, np.zeros(SHAPE, np.uint8)),
        'elsewhere': lambda: write(path, lesion(), off),
        'air': lambda: write(path, lesion(slice(0, 4), slice(0, 4), slice(0, 4))),
        'full': lambda: write(path, np.ones(SHAPE, np.uint8)),
        'text': lambda: path.write_text('a mask'),
        'series': lambda: write(path, np.stack([lesion()] * 3, axis=-1)),
    }[case]()
    with pytest.raises(ValueError, match=reason):
        read_lesion_mask(path, *scan)
