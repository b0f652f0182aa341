"""The pictures of the structural preprocessing, from files."""

from __future__ import annotations

import time
from pathlib import Path

import nibabel as nb
import numpy as np
import pytest

from mriderived.figures.style import save_svg
from mriderived.workflows.anat_figures import (
    draw_brain_mask,
    draw_partial_volume,
    draw_registration,
)

SHAPE = (36, 44, 40)


def write(path: Path, data: np.ndarray, affine: np.ndarray | None = None) -> Path:
    nb.Nifti1Image(data, np.eye(4) * (2, 2, 2, 1) if affine is None else affine).to_filename(path)
    return path


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    grid = np.indices(SHAPE)
    distance = np.sqrt(sum((g - n / 2) ** 2 for g, n in zip(grid, SHAPE, strict=True)))
    grey = ((distance < 14) & (distance >= 10)).astype(np.float32)
    white = (distance < 10).astype(np.float32)
    template = tmp_path / 'tissues.nii.gz'
    return {
        't1w': write(tmp_path / 't1w.nii.gz', (100 * white + 70 * grey).astype(np.float32)),
        'brain_mask': write(tmp_path / 'mask.nii.gz', (distance < 15).astype(np.uint8)),
        'gm_probseg': write(tmp_path / 'gm.nii.gz', grey),
        'wm_probseg': write(tmp_path / 'wm.nii.gz', white),
        'space_tissues': write(template, np.stack([grey, white, 0 * grey], axis=-1)),
    }  # fmt: skip


def pick(files: dict[str, Path], *names: str) -> dict[str, Path]:
    return {name: files[name] for name in names}


def test_each_step_has_its_outlines(files: dict[str, Path]) -> None:
    (mask,) = draw_brain_mask(**pick(files, 't1w', 'brain_mask'))
    assert len(mask.axes[0].patches) == 1
    names = ('t1w', 'brain_mask', 'gm_probseg', 'wm_probseg')
    (tissue,) = draw_partial_volume(**pick(files, *names))
    outer, inner = (np.ptp(patch.get_path().vertices[:, 0]) for patch in tissue.axes[0].patches)
    assert outer > inner  # both span all columns of cuts, the white matter a little less


@pytest.mark.parametrize('has_tissues', [True, False])
def test_registration_is_a_pair(files: dict[str, Path], has_tissues: bool) -> None:
    tissues = files['space_tissues'] if has_tissues else None
    before, after = draw_registration(files['t1w'], files['t1w'], tissues)
    assert len(before.axes[0].patches) == len(after.axes[0].patches) == (2 if has_tissues else 1)
    pictures = [np.asarray(figure.axes[0].images[0].get_array()) for figure in (before, after)]
    assert np.array_equal(*pictures)


@pytest.mark.real
def test_a_real_head_is_quick_and_small(test_data: Path, tmp_path: Path) -> None:
    folder = test_data / 'aomic'
    t1w = folder / 'sub-0001' / 'anat' / 'sub-0001_T1w.nii.gz'
    surfer = folder / 'derivatives' / 'freesurfer' / 'sub-0001' / 'mri'
    start = time.process_time()
    figures = draw_brain_mask(t1w, surfer / 'brainmask.nii.gz')
    paths = [save_svg(figure, tmp_path / f'{k}.svg') for k, figure in enumerate(figures)]
    assert time.process_time() - start < 4
    assert all(path.stat().st_size < 400_000 for path in paths)
