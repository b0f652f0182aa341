"""Real scans against a reference: skipped where there are none."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import nibabel as nb
import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

from mriderived.bids.status import read_record

pytestmark = [pytest.mark.real, pytest.mark.slow]
CORTEX = [base + i for base in (1000, 2000) for i in range(1, 36) if i != 4]
DEEP = (10, 11, 12, 13, 17, 18, 26, 49, 50, 51, 52, 53, 54, 58)


def run(bids_dir: Path, out_dir: Path, *options: str) -> None:
    command = [sys.executable, '-m', 'mriderived', str(bids_dir), str(out_dir), 'participant',
               '--atlases', 'DesikanKilliany', *options]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True, text=True)


def dice(first: np.ndarray, second: np.ndarray) -> float:
    return float(2 * (first & second).sum() / (first.sum() + second.sum()))


class FreeSurfer:
    """A FreeSurfer folder and our outputs on the grid of its images."""

    def __init__(self, folder: Path, outputs: Path) -> None:
        self.folder, self.outputs = folder, outputs
        self.like = nb.load(folder / 'mri' / 'aparc+aseg.nii.gz')
        self.labels = np.asarray(self.like.dataobj)
        self.ribbon = self.read('ribbon')
        around = ndimage.binary_dilation(
            np.isin(self.labels, [7, 8, 15, 16, 46, 47]), iterations=3
        )
        self.cerebrum = ~around & ~np.isin(self.labels, DEEP)

    def read(self, name: str) -> np.ndarray:
        return np.asarray(nb.load(self.folder / 'mri' / f'{name}.nii.gz').dataobj)

    def ours(self, name: str, order: int) -> np.ndarray:
        image = nb.load(next(self.outputs.glob(f'*_{name}.nii.gz')))
        matrix = np.linalg.inv(image.affine) @ self.like.affine
        data = np.asarray(image.dataobj, dtype=np.float32)
        return ndimage.affine_transform(data, matrix, output_shape=self.labels.shape, order=order)


@pytest.fixture(scope='module')
def freesurfer(tmp_path_factory: pytest.TempPathFactory, test_data: Path) -> FreeSurfer:
    out_dir = tmp_path_factory.mktemp('aomic') / 'out'
    run(test_data / 'aomic', out_dir)
    folder = test_data / 'aomic' / 'derivatives' / 'freesurfer' / 'sub-0001'
    return FreeSurfer(folder, out_dir / 'sub-0001' / 'anat')


def test_brain_mask(freesurfer: FreeSurfer) -> None:
    assert dice(freesurfer.ours('desc-brain_mask', 0) > 0, freesurfer.read('brainmask') > 0) > 0.97


def test_tissue_of_the_cerebrum(freesurfer: FreeSurfer) -> None:
    keep = freesurfer.cerebrum
    gm, wm, csf = (freesurfer.ours(f'label-{name}_probseg', 1) for name in ('GM', 'WM', 'CSF'))
    best = np.argmax(np.stack([np.full_like(gm, 0.05), csf, gm, wm]), axis=0)
    grey = np.isin(freesurfer.ribbon, [3, 42]) & keep
    assert dice((best == 2) & keep, grey) >= 0.90
    assert dice((best == 3) & keep, np.isin(freesurfer.ribbon, [2, 41]) & keep) >= 0.94
    assert gm[keep].sum() / grey.sum() == pytest.approx(1, abs=0.05)


def test_regions_of_the_cortex(freesurfer: FreeSurfer) -> None:
    ours = np.rint(freesurfer.ours('atlas-DesikanKilliany_dseg', 0)).astype(int)
    overlaps = [dice(ours == i, freesurfer.labels == i) for i in CORTEX]
    assert np.mean(overlaps) >= 0.70
    assert min(overlaps) > 0.3
    table = next(freesurfer.outputs.glob('*_atlas-DesikanKilliany_morph.tsv'))
    volumes = pd.read_csv(table, sep='\t').set_index('index')['volume'][CORTEX]
    reference = [(freesurfer.labels == i).sum() for i in CORTEX]
    assert np.corrcoef(volumes, reference)[0, 1] >= 0.95


def test_a_brain_extracted_image_is_recognised(test_data: Path, tmp_path: Path) -> None:
    run(test_data / 'ds002748', tmp_path / 'out', '--participant-label', '01',
        '--measures', 'tissue_volume')  # fmt: skip
    brain = next(r for r in read_record(tmp_path / 'out', '01') if r.measure == 'brain')
    assert 'already brain-extracted' in ' '.join(brain.notes)


def test_an_untidy_dataset_at_low_resolution(test_data: Path, tmp_path: Path) -> None:
    run(test_data / 'pumi-minitest', tmp_path / 'out')
    assert {record.status for record in read_record(tmp_path / 'out', '001')} == {'done'}
