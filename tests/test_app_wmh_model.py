"""End to end with a network for hyperintensities and a calibrated ratio, on a synthetic head."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch

from contrast_datasets import LESIONS, write_contrasts
from lesion_networks import write_lesion_network
from mriderived.bids.status import read_record
from mriderived.interfaces.lesion_model import digest_model

pytestmark = [pytest.mark.slow, pytest.mark.long]
OPTIONS = ('--sloppy', '--skip-bids-validation', '--atlases', 'DesikanKilliany',
           '--measures', 'wmh', 't1w_t2w')  # fmt: skip


class Brightest(torch.nn.Module):
    """What is 1.35 standard deviations above the brain's mean is a lesion."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        smooth = torch.nn.functional.avg_pool3d(x[:, :1], 3, 1, 1)
        return torch.sigmoid(10 * (smooth - 1.35))


@pytest.fixture(scope='module')
def places(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, float]:
    """Return the output folder, the network, and the volume of the lesions in mm3."""
    folder = tmp_path_factory.mktemp('wmh_model')
    planted = write_contrasts(folder / 'bids', True, True, True, '01')
    model = write_lesion_network(folder / 'tiny.pt', Brightest(), Name='Tiny')
    command = [sys.executable, '-m', 'mriderived', str(folder / 'bids'), str(folder / 'out'),
               'participant', *OPTIONS, '--wmh-model', str(model),
               '--t1t2-calibration', 'csf-wm']  # fmt: skip
    process = subprocess.run(command, check=False, capture_output=True, text=True)
    assert process.returncode == 0, process.stdout + process.stderr
    other = subprocess.run(command[:-4], check=False, capture_output=True, text=True)
    assert other.returncode != 0 and 'wmh_model' in other.stdout + other.stderr
    return folder / 'out', model, planted


def test_the_network_finds_the_lesions(places: tuple[Path, Path, float]) -> None:
    out_dir, model, planted = places
    assert {unit.status for unit in read_record(out_dir, '01')} == {'done'}
    stem = out_dir / 'sub-01' / 'anat' / 'sub-01_acq-2D'
    row = pd.read_csv(f'{stem}_desc-wmh_morph.tsv', sep='\t').iloc[0]
    assert row['count'] >= len(LESIONS)
    assert row['volume'] == pytest.approx(planted, rel=0.25)
    for suffix in ('probseg', 'mask'):
        sidecar = json.loads(Path(f'{stem}_space-FLAIR_label-WMH_{suffix}.json').read_text())
        assert sidecar['SegmentationSource'] == 'network Tiny (FLAIR)'
        assert sidecar['SegmentationModel']['SHA256'] == digest_model(model)
    report = (out_dir / 'sub-01.html').read_text()
    assert 'found in the FLAIR by a network that was given' in report
    assert 'network Tiny (FLAIR)' in report


def test_the_ratio_is_calibrated(places: tuple[Path, Path, float]) -> None:
    out_dir, _, _ = places
    path = out_dir / 'sub-01' / 'anat' / 'sub-01_acq-iso_space-T1w_T1wT2wratio.json'
    sidecar = json.loads(path.read_text())
    assert sidecar['IsCalibrated'] is True
    assert sidecar['Calibration']['Method'] == 'csf-wm'
    assert sidecar['Description'].endswith('calibrated by cerebrospinal fluid and white matter.')
    description = json.loads((out_dir / 'dataset_description.json').read_text())
    settings = description['GeneratedBy'][0]['Configuration']
    assert settings['t1t2_calibration'] == 'csf-wm'
