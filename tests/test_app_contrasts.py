"""End to end on a synthetic head as T1w, T2w and thick-sliced FLAIR, and on its FLAIR alone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import nibabel as nb
import numpy as np
import pandas as pd
import pytest

from contrast_datasets import LESIONS, write_contrasts
from mriderived.bids.status import UnitRecord, read_record

pytestmark = pytest.mark.slow
MEASURES = ('wmh', 'wmh_t1w', 'wmh_t1w_probseg_regions', 't1w_t2w', 't1w_t2w_ratio_regions',
            't1w_t2w_surface', 't1w_t2w_surface_regions')  # fmt: skip
OPTIONS = ('--sloppy', '--skip-bids-validation', '--atlases', 'DesikanKilliany',
           '--measures', *MEASURES)  # fmt: skip


def app(*arguments: str | Path) -> None:
    command = [sys.executable, '-m', 'mriderived', *map(str, arguments)]
    process = subprocess.run(command, check=False, capture_output=True, text=True)
    assert process.returncode == 0, process.stdout + process.stderr


@pytest.fixture(scope='module')
def volume(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float]:
    """Return the output folder, and the volume of the planted lesions in mm3."""
    folder = tmp_path_factory.mktemp('app_contrasts')
    planted = write_contrasts(folder / 'bids', True, True, True, '01')
    write_contrasts(folder / 'bids', False, False, True, '02')
    app(folder / 'bids', folder / 'out', 'participant', *OPTIONS)
    app(folder / 'bids', folder / 'out', 'group')
    return folder / 'out', planted


def states(out_dir: Path, label: str) -> dict[str, UnitRecord]:
    return {unit.measure: unit for unit in read_record(out_dir, label)}


def test_everything_is_done_and_drawn(volume: tuple[Path, float]) -> None:
    out_dir, _ = volume
    units = states(out_dir, '01')
    assert {name: unit.status for name, unit in units.items() if unit.status != 'done'} == {}
    assert {*MEASURES} <= {*units}
    notes = [note for unit in units.values() for note in unit.notes]
    assert not [note for note in notes if 'could not be drawn' in note]
    report = (out_dir / 'sub-01.html').read_text()
    for words in ('T1w/T2w ratio', 'White-matter hyperintensities', 'FLAIR and T1w'):
        assert words in report


@pytest.mark.parametrize('label', ['01', '02'])
def test_planted_lesions_are_found(volume: tuple[Path, float], label: str) -> None:
    out_dir, planted = volume
    stem = out_dir / f'sub-{label}' / 'anat' / f'sub-{label}_acq-2D'
    row = pd.read_csv(f'{stem}_desc-wmh_morph.tsv', sep='\t').iloc[0]
    assert row['count'] == len(LESIONS)
    assert row['volume'] == pytest.approx(planted, rel=0.25)
    sidecar = json.loads(Path(f'{stem}_space-FLAIR_label-WMH_mask.json').read_text())
    assert sidecar['SpatialReference'].endswith(f'sub-{label}_acq-2D_FLAIR.nii.gz')


def test_the_mask_on_the_t1w_has_the_same_volume(volume: tuple[Path, float]) -> None:
    out_dir, _ = volume
    stem = out_dir / 'sub-01' / 'anat' / 'sub-01_acq-2D'
    volumes = []
    for space in ('FLAIR', 'T1w'):
        image = nb.load(f'{stem}_space-{space}_label-WMH_mask.nii.gz')
        volumes.append(np.sum(image.dataobj) * abs(np.linalg.det(image.affine[:3, :3])))
    assert volumes[1] == pytest.approx(volumes[0], rel=0.15)


def test_without_a_t1w_the_rest_says_so(volume: tuple[Path, float]) -> None:
    units = states(volume[0], '02')
    assert {name for name, unit in units.items() if unit.status == 'done'} == {
        *('flair_brain', 'flair_anatomy', 'wmh')
    }
    assert units['wmh_t1w'].status == 'not_available'
    assert units['wmh_t1w'].reason == 'there is no T1w image of sub-02'


def test_the_ratio_is_higher_in_white_matter(volume: tuple[Path, float]) -> None:
    stem = volume[0] / 'sub-01' / 'anat' / 'sub-01_acq-iso'
    table = pd.read_csv(
        f'{stem}_space-T1w_atlas-DesikanKilliany_T1wT2wratio.tsv', sep='\t', na_values='n/a'
    )
    means = table.set_index('name')['mean']
    white = means[[name for name in means.index if 'Cerebral-White' in name]].mean()
    grey = means[[name for name in means.index if name.startswith('ctx')]].mean()
    # 110 / 65 over 80 / 85 without partial volume
    assert 1.2 < white / grey < 1.9
    surface = pd.read_csv(
        f'{stem}_atlas-DesikanKilliany_desc-surface_T1wT2wratio.tsv', sep='\t', na_values='n/a'
    )
    assert surface['mean'].notna().mean() > 0.9
    assert surface['mean'].median() == pytest.approx(grey, rel=0.25)


def test_the_cohort_table_has_columns_of_all(volume: tuple[Path, float]) -> None:
    table = pd.read_csv(
        volume[0] / 'phenotype' / 'mriderived.tsv', sep='\t', na_values='n/a'
    ).set_index('participant_id')
    assert table['wmh_volume'].notna().all() and table['wmh_log_volume'].notna().all()
    shares = [name for name in table.columns if name.startswith('wmh_t1w_probseg')]
    assert table.loc['sub-01', shares].notna().mean() > 0.9
    white = [name for name in shares if 'white' in name.lower()]
    assert 0 < table.loc['sub-01', white].max() < 0.1
    ratio = [name for name in table.columns if name.startswith('t1w_t2w')]
    assert table.loc['sub-01', ratio].notna().mean() > 0.9
    assert table.loc['sub-02', ratio].isna().all()
