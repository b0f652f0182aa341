"""A registration that misses the template is told, or fails: tissues overlap too little."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel as nb
import numpy as np
import pytest

from mriderived.core.registration import SLOPPY, align
from mriderived.interfaces.sink import remarks_file
from mriderived.workflows import anat_registration
from mriderived.workflows.anat_registration import RegistrationFiles, register_to_space, soft_dice

SHAPE = (44, 48, 40)
AFFINE = np.diag([4.0, 4, 4, 1])


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """An ellipsoid of white matter in a shell of grey matter: the image and the template."""
    monkeypatch.chdir(tmp_path)
    x, y, z = (np.indices(SHAPE).T - np.array(SHAPE) / 2).T
    radius = np.sqrt((x / 15) ** 2 + (y / 18) ** 2 + (z / 13) ** 2)
    white = np.clip(8 * (0.75 - radius), 0, 1).astype(np.float32)
    grey = np.clip(8 * (1 - radius), 0, 1).astype(np.float32) - white
    images = {
        't1w': 60 * grey + 100 * white,
        'brain_mask': (grey + white > 0.5).astype(np.uint8),
        'gm_probseg': grey,
        'wm_probseg': white,
        'space_brain': 60 * grey + 100 * white,
        'space_tissues': np.stack([grey, white, np.zeros_like(grey)], axis=-1),
    }
    for name, data in images.items():
        nb.Nifti1Image(data, AFFINE).to_filename(f'{name}.nii.gz')
    return {name: tmp_path / f'{name}.nii.gz' for name in images}


def register(
    files: dict[str, Path], monkeypatch: pytest.MonkeyPatch, miss_mm: float
) -> RegistrationFiles:
    """Register, and let the affine miss by so much."""

    def misaligned(template: Any, brain: Any, tissues: Any, *_: Any) -> Any:
        found = align(template, brain, tissues, SLOPPY)
        missed = found.affine.copy()
        missed[1, 3] += miss_mm
        return found._replace(affine=missed)

    monkeypatch.setattr(anat_registration, 'align', misaligned)
    return register_to_space(**files, threads=1, sloppy=False)


def test_overlap_is_1_for_the_same_and_0_for_nothing_shared() -> None:
    half = np.array([0.5, 0.5, 0], np.float32)
    assert soft_dice(half, half) == 1
    assert soft_dice(half, np.array([0, 0, 1], np.float32)) == 0
    assert soft_dice(half, np.array([0, 0.5, 0.5], np.float32)) == 0.5
    assert soft_dice(0 * half, 0 * half) == 0


def test_a_good_registration_states_its_overlap(
    files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = register(files, monkeypatch, 0)
    overlap = json.loads(remarks_file(found.t1w_in_space).read_text())['TissueOverlap']
    assert overlap['GM'] > 0.74  # a shell of two voxels
    assert overlap['WM'] > 0.8
    assert json.loads(remarks_file(found.log_jacobian).read_text())['Notes'] == []


def test_a_doubtful_one_has_a_note(
    files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = register(files, monkeypatch, 9)
    notes = json.loads(remarks_file(found.log_jacobian).read_text())['Notes']
    assert len(notes) == 1
    assert 'The registration is doubtful: grey matter overlaps' in notes[0]


def test_one_that_misses_fails(files: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match='the registration to the space failed: grey matter'):
        register(files, monkeypatch, 20)
