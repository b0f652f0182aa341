"""Collections that cannot be used, from the command line: reason, status and exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nb
import numpy as np
import pandas as pd
import pytest

from mriderived.bids.status import read_record

SHAPE = (8, 8, 8)
#: Suffix, entity, field of the sidecar, and its values.
KINDS: dict[str, tuple[str, str, str, tuple[float, ...]]] = {
    'MESE': ('MESE', 'echo', 'EchoTime', (0.01, 0.02, 0.03, 0.04)),
    'MEGRE': ('MEGRE', 'echo', 'EchoTime', (0.005, 0.01, 0.015)),
    'VFA': ('VFA', 'flip', 'FlipAngle', (3.0, 10.0, 20.0)),
    'IRT1': ('IRT1', 'inv', 'InversionTime', (0.05, 0.4, 1.1, 2.5)),
}
Change = Callable[[list[np.ndarray], list[dict[str, Any]]], None]


def drop(field: str) -> Change:
    return lambda images, sidecars: sidecars[1].pop(field)


def keep(count: int) -> Change:
    def change(images: list[np.ndarray], sidecars: list[dict[str, Any]]) -> None:
        del images[count:], sidecars[count:]

    return change


def replace(number: int, data: Callable[[np.ndarray], np.ndarray]) -> Change:
    def change(images: list[np.ndarray], sidecars: list[dict[str, Any]]) -> None:
        images[number] = data(images[number])

    return change


#: Kind, what is done to it, the file that is named, and parts of the reason and the remedy.
REFUSED: dict[str, tuple[str, Change, str, tuple[str, ...]]] = {
    'noecho': ('MESE', drop('EchoTime'), 'echo-2_MESE',
               ('EchoTime is missing', 'Write it, in seconds, to')),
    'noangle': ('VFA', drop('FlipAngle'), 'flip-2_VFA',
                ('FlipAngle is missing', 'Write it, in degrees, to')),
    'noinversion': ('IRT1', drop('InversionTime'), 'inv-2_IRT1',
                    ('InversionTime is missing', 'Write it, in seconds, to')),
    'geometry': ('MEGRE', replace(2, lambda data: data[:, :, :-1]), 'echo-3_MEGRE',
                 ('its voxels (8 x 8 x 7) are not those of', 'Convert the acquisition')),
    'fewechoes': ('MESE', keep(2), 'echo-1_MESE',
                  ('MESE needs 3 or more values of EchoTime, there are 2', 'Add the images')),
    'fewangles': ('VFA', keep(1), 'flip-1_VFA',
                  ('VFA needs 2 or more values of FlipAngle, there are 1', 'Add the images')),
    'fewtimes': ('IRT1', keep(2), 'inv-1_IRT1',
                 ('IRT1 needs 3 or more values of InversionTime', 'Add the images')),
    'negative': ('MEGRE', replace(1, lambda data: data - 500), 'echo-2_MEGRE',
                 ('of its values are negative: it is no magnitude', 'Name its part')),
    'complex': ('MESE', replace(1, lambda data: data.astype(np.complex64)), 'echo-2_MESE',
                ('the image holds complex numbers', '')),
}  # fmt: skip


def write(root: Path, label: str, kind: str, change: Change | None = None) -> None:
    suffix, entity, field, values = KINDS[kind]
    rng = np.random.default_rng(0)
    head = 500 + rng.normal(0, 20, SHAPE)
    images = [(head / (1 + number)).astype(np.float32) for number in range(len(values))]
    sidecars: list[dict[str, Any]] = [
        {field: value, 'RepetitionTimeExcitation': 0.015} for value in values
    ]
    if change:
        change(images, sidecars)
    folder = root / 'sub-01' / f'ses-{label}' / 'anat'
    folder.mkdir(parents=True)
    for number, (data, sidecar) in enumerate(zip(images, sidecars, strict=True), 1):
        name = f'sub-01_ses-{label}_{entity}-{number}_{suffix}'
        nb.Nifti1Image(data, np.diag([3.0, 3, 3, 1])).to_filename(folder / f'{name}.nii.gz')
        (folder / f'{name}.json').write_text(json.dumps(sidecar))


def app(*arguments: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, '-m', 'mriderived', *map(str, arguments)]
    return subprocess.run(command, check=False, capture_output=True, text=True, env=os.environ)


@pytest.fixture(scope='module')
def out_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Process all cases in one run, a session each."""
    root = tmp_path_factory.mktemp('refused')
    raw = root / 'raw'
    for label, (kind, change, *_) in REFUSED.items():
        write(raw, label, kind, change)
    description = {'Name': 'refused', 'BIDSVersion': '1.10.0'}
    (raw / 'dataset_description.json').write_text(json.dumps(description))
    process = app(raw, root / 'out', 'participant', '--skip-bids-validation', '--nprocs', '1')
    assert process.returncode == 1, process.stdout + process.stderr
    assert 'Traceback' not in process.stdout + process.stderr
    return root / 'out'


@pytest.mark.parametrize('label', REFUSED)
def test_a_collection_is_refused_with_the_file_and_the_remedy(out_dir: Path, label: str) -> None:
    _, _, file, parts = REFUSED[label]
    units = [unit for unit in read_record(out_dir, '01') if unit.session == label]
    failed = [unit for unit in units if unit.status == 'failed']
    assert {unit.measure for unit in failed} == {'qmri_alignment'}, [*units]
    reason = failed[0].reason
    assert f'sub-01_ses-{label}_{file}' in reason
    for part in parts:
        assert part in reason
    assert {unit.status for unit in units} <= {'failed', 'not_available', 'skipped'}
    assert not [*(out_dir / 'sub-01' / f'ses-{label}').glob('**/*map.nii.gz')]


def test_the_table_of_states_says_the_same(out_dir: Path) -> None:
    table = pd.read_csv(out_dir / 'status.tsv', sep='\t')
    rows = table[table['status'] == 'failed']
    assert set(rows['session_id']) == {f'ses-{label}' for label in REFUSED}
