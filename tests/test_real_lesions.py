"""Cavities planted in a real head are found; nothing is where nothing was planted."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from lesions import plant

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.long]
RADIUS_MM = 15.0
#: Where it is in the scan: white matter and cortex of the left frontal lobe, in mm.
CENTRE = (-28.0, 53.3, 49.3)
TOUCHED = 1027


def test_a_cavity_in_a_real_head(test_data: Path, tmp_path: Path) -> None:
    bids_dir, out_dir = tmp_path / 'bids', tmp_path / 'out'
    source = test_data / 'aomic' / 'sub-0001' / 'anat' / 'sub-0001_T1w.nii.gz'
    truth = plant(
        source, bids_dir / 'sub-hurt' / 'anat' / 'sub-hurt_T1w.nii.gz', CENTRE, RADIUS_MM, 0.1
    )
    sound = bids_dir / 'sub-sound' / 'anat' / 'sub-sound_T1w.nii.gz'
    sound.parent.mkdir(parents=True)
    sound.symlink_to(source)
    description = {'Name': 'Planted', 'BIDSVersion': '1.10.0'}
    (bids_dir / 'dataset_description.json').write_text(json.dumps(description))
    command = [sys.executable, '-m', 'mriderived', str(bids_dir), str(out_dir), 'participant',
               '--measures', 'regional_volume', '--atlases', 'DesikanKilliany',
               '--skip-bids-validation']  # fmt: skip
    process = subprocess.run(command, check=False, capture_output=True, text=True)
    assert process.returncode == 0, process.stdout + process.stderr

    def read(name: str, ending: str) -> Path:
        return out_dir / f'sub-{name}' / 'anat' / f'sub-{name}_{ending}'

    lesions = {
        name: json.loads(read(name, 'desc-lesion_dseg.json').read_text())['Lesions']
        for name in ('hurt', 'sound')
    }
    assert lesions['sound'] == []
    assert [lesion['Kind'] for lesion in lesions['hurt']] == ['cavity']
    assert lesions['hurt'][0]['Volume'] == pytest.approx(truth, rel=0.15)
    assert lesions['hurt'][0]['Centre'] == pytest.approx(CENTRE, abs=2)
    tables = {
        name: pd.read_csv(read(name, 'atlas-DesikanKilliany_morph.tsv'), sep='\t')
        for name in ('hurt', 'sound')
    }
    volumes = {name: table.set_index('index')['volume'] for name, table in tables.items()}
    why = json.loads(read('hurt', 'atlas-DesikanKilliany_morph.json').read_text())
    reasons = why['MissingReasons']['volume']
    assert np.isnan(volumes['hurt'][TOUCHED])
    assert 'a suspected lesion' in reasons[str(TOUCHED)]
    assert volumes['sound'][TOUCHED] > 0
    change = (volumes['hurt'] / volumes['sound'] - 1).abs().dropna()
    assert change.median() < 0.01
    assert change[volumes['sound'] > 2000].max() < 0.1
