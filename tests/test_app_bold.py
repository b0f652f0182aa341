"""End to end on a synthetic head with a BOLD run, and on one that has nothing but BOLD."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from mriderived.bids import validate
from mriderived.bids.status import UnitRecord, read_record
from mriderived.phantom.bold_options import BoldOptions
from mriderived.phantom.dataset import write_dataset

pytestmark = pytest.mark.slow
MAPS = ('tsnr', 'alff', 'falff', 'reho', 'default_mode')
#: All of a run, and of the T1w image volumes alone: ``test_app.py`` has the rest of it.
MEASURES = ('tissue_volume', 'regional_volume', 'bold_quality', 'connectivity', 'seed_map', 'alff',
            'reho', 'tsnr', 'denoised_in_space', *(f'{name}_regions' for name in MAPS),
            *(f'{name}_in_space' for name in MAPS))  # fmt: skip
OPTIONS = ('--sloppy', '--skip-bids-validation', '--atlases', 'DesikanKilliany',
           '--frequency-band', '0.01-0.25', '--measures', *MEASURES)  # fmt: skip
#: What needs neither regions nor a space.
OF_BOLD_ALONE = {'bold_motion', 'bold_distortion', 'bold_mask', 'bold_series', 'bold_confounds',
                 'bold_denoising', 'tsnr', 'bold_quality', 'alff', 'reho'}  # fmt: skip


def app(*arguments: str | Path) -> str:
    command = [sys.executable, '-m', 'mriderived', *map(str, arguments)]
    process = subprocess.run(command, check=False, capture_output=True, text=True)
    assert process.returncode == 0, process.stdout + process.stderr
    return process.stdout


@pytest.fixture(scope='module')
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('app_bold')
    options = BoldOptions(voxel_mm=(4.0, 4.0, 4.0), volumes=70)
    write_dataset(folder / 'bids', participants=2, voxel_mm=2.0, bold=True, bold_options=options)
    shutil.rmtree(folder / 'bids' / 'sub-02' / 'anat')
    return folder


@pytest.fixture(scope='module')
def out_dir(dataset: Path) -> Iterator[Path]:
    app(dataset / 'bids', dataset / 'out', 'participant', *OPTIONS, '--participant-label', '01')
    yield dataset / 'out'


def bold_units(out_dir: Path, label: str) -> list[UnitRecord]:
    return [r for r in read_record(out_dir, label) if r.image.endswith('_bold.nii.gz')]


def test_everything_is_done_and_drawn(out_dir: Path) -> None:
    units = bold_units(out_dir, '01')
    assert {unit.status for unit in units} == {'done'}
    assert {'connectivity', 'reho', 'alff', 'seed_map', 'bold_space', 'denoised_in_space'} <= {
        u.measure for u in units
    }
    notes = [note for unit in units for note in unit.notes]
    assert not [note for note in notes if 'could not be drawn' in note]
    assert any('corrected with a field map (phasediff)' in note for note in notes)
    report = (out_dir / 'sub-01.html').read_text()
    for words in ('Head motion', 'Carpet', 'Functional connectivity', 'Default mode network'):
        assert words in report


def test_a_rerun_computes_nothing(dataset: Path, out_dir: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in out_dir.rglob('*.nii.gz')}
    app(dataset / 'bids', out_dir, 'participant', *OPTIONS, '--participant-label', '01')
    assert {path: path.stat().st_mtime_ns for path in out_dir.rglob('*.nii.gz')} == before


def test_another_field_map_makes_the_run_new_but_not_the_t1w(dataset: Path, out_dir: Path) -> None:
    folder = dataset / 'changed'
    shutil.copytree(dataset / 'bids', folder)
    for sidecar in folder.glob('sub-01/fmap/*.json'):
        content = json.loads(sidecar.read_text())
        content.pop('IntendedFor', None)
        content.pop('B0FieldIdentifier', None)
        sidecar.write_text(json.dumps(content))
    for sidecar in folder.glob('sub-01/func/*.json'):
        content = json.loads(sidecar.read_text())
        content.pop('B0FieldSource', None)
        sidecar.write_text(json.dumps(content))
    out = app(folder, out_dir, 'participant', *OPTIONS, '--participant-label', '01', '--dry-run')
    assert 'bold_distortion' in out
    tissue = [line for line in out.splitlines() if line.split()[:1] == ['tissue']]
    assert not [line for line in tissue if 'to run' in line]


def test_the_cohort_table_has_both(dataset: Path, out_dir: Path) -> None:
    app(dataset / 'bids', out_dir, 'participant', *OPTIONS, '--participant-label', '02')
    status = {unit.measure: unit.status for unit in bold_units(out_dir, '02')}
    assert {status[name] for name in OF_BOLD_ALONE} == {'done'}
    assert status['bold_registration'] == status['connectivity'] == 'not_available'
    note = 'Denoising: 24P+GSR was taken, because there is no signal of cerebrospinal fluid'
    assert note in (out_dir / 'sub-02.html').read_text()
    app(dataset / 'bids', out_dir, 'group')
    assert 'sub-02 with 24P+GSR' in (out_dir / 'group.html').read_text()
    table = pd.read_csv(out_dir / 'phenotype' / 'mriderived.tsv', sep='\t', na_values='n/a')
    table = table.set_index('participant_id')
    assert table.loc['sub-01'].notna().mean() > 0.9
    assert table.loc['sub-02', 'bold_quality_fd_mean'] > 0
    assert pd.isna(table.loc['sub-02', 'tissue_volume_gm_volume'])
    reasons = (out_dir / 'phenotype' / 'mriderived_reasons.tsv').read_text()
    assert 'there is no T1w image of sub-02' in reasons
    edges = pd.read_csv(out_dir / 'phenotype' / 'edges_atlas-DesikanKilliany.tsv', sep='\t')
    assert edges['reason'].notna().tolist() == [False, True]
    assert 'Motion and connectivity' in (out_dir / 'group.html').read_text()


def test_the_outputs_are_valid_in_both_ways(out_dir: Path) -> None:
    try:
        released = validate.validate_dataset(out_dir, kind='derivatives', strict=False)
    except validate.ValidatorMissingError:
        pytest.skip('no validator here')
    assert released.exit_code == 0, released.errors
    strict = validate.validate_dataset(out_dir, kind='derivatives', strict=True)
    assert strict.exit_code == 0, strict.errors
