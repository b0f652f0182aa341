"""Maps of a head that moves between the acquisitions of a collection, against its truth."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel as nb
import numpy as np
import pytest
from nibabel.affines import apply_affine

from mriderived.config import Config
from mriderived.interfaces.qmri_images import read_matrices
from mriderived.interfaces.volumes import save
from mriderived.measures.irt1 import write_irt1
from mriderived.measures.megre import write_megre
from mriderived.measures.mpm_r2star import write_r2star
from mriderived.phantom.qmri import QmriOptions, QmriTruth, write_qmri
from mriderived.workflows.qmri_alignment import align_collection
from mriderived.workflows.qmri_phase import align_phase
from mriderived.workflows.sources import find_sources

pytestmark = pytest.mark.slow
OPTIONS = QmriOptions(voxel_mm=4.0, t1w_mm=4.0, transmit='', has_t1w=False)


class Scene:
    """A collection of a moving head: its aligned series and its truth."""

    def __init__(self, folder: Path, suffix: str) -> None:
        self.truth: QmriTruth = write_qmri(folder / 'raw', '01', (suffix,), OPTIONS)
        config = Config(folder / 'raw', folder / 'out', folder / 'out' / 'work')
        (source,) = find_sources(config, '01', ('qmri',))
        acquisition = folder / 'acquisition.json'
        acquisition.write_text(json.dumps(source.acquisition))
        files = align_collection(acquisition)
        self.motion = files.qmri_motion
        self.phase: Path | None = None
        if suffix == 'MEGRE':
            self.phase = align_phase(*files[1:], acquisition).qmri_phase
        brain = save(self.truth.substance.brain.astype(np.uint8), self.truth.affine, 'm.nii.gz')
        self.signals = (files.qmri_series, acquisition, brain)

    def moved(self) -> float:
        """Return how far the acquisition that moved most lies from the reference, in mm."""
        points = apply_affine(self.truth.affine, np.argwhere(self.truth.substance.brain)[::50])
        matrices, _ = read_matrices(self.motion)
        return max(
            float(np.sqrt(((apply_affine(m, points) - points) ** 2).sum(axis=1)).mean())
            for m in matrices
        )

    def errors(self, path: Path, truth: Any, tissue: int) -> np.ndarray:
        """Return errors over the truth in voxels of nothing but grey (0) or white (1) matter."""
        found = np.asarray(nb.load(path).dataobj)
        inside = (self.truth.substance.shares[tissue] > 0.95) & (found != 0)
        return np.asarray(found[inside] / np.asarray(truth)[inside] - 1)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_t1_of_inversions_of_a_moving_head(folder: Path) -> None:
    """Between the acquisitions, voxels at the rim of grey matter hold more and less fluid."""
    scene = Scene(folder, 'IRT1')
    assert scene.moved() > 1.2
    found = write_irt1(*scene.signals).ir_t1
    grey, white = (scene.errors(found, scene.truth.substance.t1, tissue) for tissue in (0, 1))
    assert abs(np.median(grey)) < 0.01 and abs(np.median(white)) < 0.01
    assert abs(grey.mean()) < 0.015 and abs(white.mean()) < 0.01
    assert (np.abs(grey) > 0.5).mean() < 0.002


def test_t2star_of_echoes(folder: Path) -> None:
    """Echoes are of one acquisition: what moves between collections moves none of them."""
    scene = Scene(folder, 'MEGRE')
    assert scene.moved() == 0
    found = write_megre(*scene.signals, scene.phase).megre_t2star
    for tissue in (0, 1):
        off = scene.errors(found, scene.truth.substance.t2star, tissue)
        assert abs(np.median(off)) < 0.01 and abs(off.mean()) < 0.01


def test_r2star_of_a_moving_head(folder: Path) -> None:
    scene = Scene(folder, 'MPM')
    assert scene.moved() > 1.0
    found = write_r2star(*scene.signals).mpm_r2star
    for tissue in (0, 1):
        off = scene.errors(found, 1 / scene.truth.substance.t2star, tissue)
        assert abs(np.median(off)) < 0.01 and abs(off.mean()) < 0.02
