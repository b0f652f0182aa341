"""Real scans against a reference: skipped where there are none."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from freesurfer_agreement import FreeSurfer

from mriderived.bids.status import read_record
from mriderived.measures.network_means import NETWORKS

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.long]


def run(bids_dir: Path, out_dir: Path, *options: str, expected: int = 0) -> None:
    command = [sys.executable, '-m', 'mriderived', str(bids_dir), str(out_dir), 'participant',
               '--atlases', 'DesikanKilliany', *options]  # fmt: skip
    process = subprocess.run(command, check=False, capture_output=True, text=True)
    assert process.returncode == expected, process.stdout + process.stderr


@pytest.fixture(scope='module')
def freesurfer(tmp_path_factory: pytest.TempPathFactory, test_data: Path) -> FreeSurfer:
    out_dir = tmp_path_factory.mktemp('aomic') / 'out'
    run(test_data / 'aomic', out_dir)
    folder = test_data / 'aomic' / 'derivatives' / 'freesurfer' / 'sub-0001'
    return FreeSurfer(folder, out_dir / 'sub-0001' / 'anat')


def test_brain_mask(freesurfer: FreeSurfer) -> None:
    assert freesurfer.mask_dice() >= 0.97


def test_tissue_of_the_cerebrum(freesurfer: FreeSurfer) -> None:
    found = freesurfer.tissue()
    assert found['gm_dice'] >= 0.90
    assert found['wm_dice'] >= 0.94
    assert found['gm_volume_ratio'] == pytest.approx(1, abs=0.05)


def test_regions_of_the_cortex(freesurfer: FreeSurfer) -> None:
    overlaps = freesurfer.region_dice()
    assert np.mean(overlaps) >= 0.70
    assert min(overlaps) > 0.3
    assert np.corrcoef(*freesurfer.region_volumes())[0, 1] >= 0.95


def test_thickness_of_the_cortex(freesurfer: FreeSurfer) -> None:
    found = freesurfer.thickness()
    assert found['thickness_r'] >= 0.90
    assert found['thickness_difference'] <= 0.35
    assert found['thickness_r_own_regions'] >= 0.80


@pytest.mark.parametrize(
    ('name', 'least'),
    [('thalamus', 0.88), ('caudate', 0.84), ('putamen', 0.85), ('pallidum', 0.78),
     ('hippocampus', 0.78), ('amygdala', 0.75)],
)  # fmt: skip
def test_deep_structures(freesurfer: FreeSurfer, name: str, least: float) -> None:
    assert freesurfer.structure_dice()[name] >= least


def test_volumes_of_structures(freesurfer: FreeSurfer) -> None:
    ours, theirs = freesurfer.structure_volumes()
    deep = theirs < 10_000
    assert np.corrcoef(ours, theirs)[0, 1] >= 0.99
    assert np.corrcoef(ours[deep], theirs[deep])[0, 1] >= 0.97


def test_area_of_the_cortex(freesurfer: FreeSurfer) -> None:
    found = freesurfer.surface()
    assert found['area_r'] >= 0.95
    assert found['area_ratio'] == pytest.approx(1, abs=0.12)


def test_a_brain_extracted_image_is_recognised(test_data: Path, tmp_path: Path) -> None:
    run(test_data / 'ds002748', tmp_path / 'out', '--participant-label', '01',
        '--measures', 'tissue_volume')  # fmt: skip
    brain = next(r for r in read_record(tmp_path / 'out', '01') if r.measure == 'brain')
    assert 'already brain-extracted' in ' '.join(brain.notes)


def test_an_untidy_dataset_at_low_resolution(test_data: Path, tmp_path: Path) -> None:
    """Its run of 20 volumes is too short for confounds to be taken off, and says so."""
    out_dir = tmp_path / 'out'
    run(test_data / 'pumi-minitest', out_dir, '--measures', 'tissue_volume', 't1w_quality', 'tsnr',
        'bold_quality', 'alff', 'reho', expected=1)  # fmt: skip
    records = read_record(out_dir, '001')
    assert {r.status for r in records if r.image.endswith('T1w.nii.gz')} == {'done'}
    done = {r.measure for r in records if r.status == 'done'}
    assert {'bold_motion', 'bold_registration', 'bold_confounds', 'bold_quality', 'tsnr'} <= done
    failed = {r.measure: r.reason for r in records if r.status == 'failed'}
    assert set(failed) == {'bold_denoising', 'alff'}
    # at 4.8 mm hardly a voxel is purely of fluid, so that there is no signal of it
    assert all('of 20 degrees of freedom are left' in reason for reason in failed.values())
    assert 'auto: 24P+GSR' in failed['bold_denoising']


def test_connectivity_of_a_real_head(test_data: Path, tmp_path: Path) -> None:
    """94 s say little of a person, but networks hold together more than they join others."""
    out_dir = tmp_path / 'out'
    run(test_data / 'philips-enh', out_dir, '--atlases', 'Schaefer200', '--measures',
        'connectivity', 'tsnr', '--denoising', '9P', '--frequency-band', '0.01-0.39')  # fmt: skip
    registration = next(out_dir.rglob('*_from-boldref_to-T1w_mode-image_xfm.json'))
    found = json.loads(registration.read_text())
    assert found['Method'] == 'boundary-based'
    assert found['BoundaryCost'] < 0.4
    row = pd.read_csv(next(out_dir.rglob('*_scale-200_stat-networks_relmat.tsv')), sep='\t').iloc[
        0
    ]
    within = [row[f'z_{name}'] for name in NETWORKS]
    between = [row[name] for name in row.index if name.count('_') == 2]
    assert np.mean(within) > np.mean(between) + 0.1
    assert row['z_Default'] > 0.15
    assert row['z_DorsAttn_Default'] < 0
