"""Outliers within sites, from the command to the page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cohort_outputs import make_config, read_table, write_description

from mriderived.group.stage import run_group
from mriderived.reports.group import write_group_report

SMALL = 3


def write_cohort(tmp_path: Path, column: str = 'scanner') -> Path:
    """Write 24 people of two scanners, the second of which adds 1000, and 3 of a third."""
    out_dir = tmp_path / 'out'
    write_description(out_dir)
    (tmp_path / 'raw').mkdir()
    (tmp_path / 'fs').mkdir()
    people, volumes = [f'participant_id\t{column}'], ['Measure:volume\tLeft-Thalamus']
    for number in range(24 + SMALL):
        scanner = 'abc'[number // 12]
        volume = 5000 + 1000 * (scanner != 'a') + 7 * (number % 12)
        people.append(f'sub-{number:02d}\t{scanner}')
        volumes.append(f'sub-{number:02d}\t{6030 if number == 2 else volume}')
    (tmp_path / 'raw' / 'participants.tsv').write_text('\n'.join(people) + '\n')
    (tmp_path / 'fs' / 'aseg.tsv').write_text('\n'.join(volumes) + '\n')
    return out_dir


@pytest.mark.parametrize('asked', [{'sites': 'scanner'}, {'harmonise': ('scanner ~ 1',)}])
def test_outliers_are_judged_within_the_site(tmp_path: Path, asked: dict[str, object]) -> None:
    out_dir = write_cohort(tmp_path)
    config = make_config(out_dir, derivatives=(f'freesurfer={tmp_path / "fs"}',), **asked)
    run_group(config, ())
    lines = (out_dir / 'logs' / 'group_outliers.tsv').read_text().splitlines()[1:]
    assert [line.split('\t')[0] for line in lines] == ['sub-02']
    assert lines[0].split('\t')[4] == '5045.5'  # of scanner a, 6030 in it
    told = json.loads((out_dir / 'logs' / 'group.json').read_text())['sites']
    assert told == {
        'column': 'scanner', 'fewest': 10, 'notes': ['1 of 3 sites have fewer than 10 (c)'],
    }  # fmt: skip
    write_group_report(out_dir)
    page = ' '.join((out_dir / 'group.html').read_text().split())
    assert 'from the median of their site (scanner)' in page


def test_a_column_that_is_not_there_is_told(tmp_path: Path) -> None:
    out_dir = write_cohort(tmp_path)
    config = make_config(out_dir, derivatives=(f'freesurfer={tmp_path / "fs"}',), sites='site')
    told = 'outliers are judged among all, and not within sites: there is no column site'
    assert told in run_group(config, ()).warnings
    assert json.loads((out_dir / 'logs' / 'group.json').read_text())['sites'] is None
    assert len(read_table(out_dir, 'mriderived.tsv')) == 24 + SMALL
