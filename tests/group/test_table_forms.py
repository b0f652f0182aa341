"""The cohort table as a long one, as Parquet, and beside the covariates."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from cohort_outputs import MEASURES, Participant, make_config, write_complete, write_description

from mriderived import cli
from mriderived.bids.names import bidsignore
from mriderived.bids.validate import validate_dataset
from mriderived.config import Config
from mriderived.group.stage import GroupResult, run_group
from mriderived.reports.group import write_group_report


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """Two participants; the second has one session more, and failed a measure."""
    out_dir = tmp_path / 'out'
    write_description(out_dir)
    write_complete(out_dir, '01', 'a')
    write_complete(out_dir, '02', 'a')
    late = Participant(out_dir, '02', 'b')
    late.tissue(gm='0.1').atlas().regional(volumes=('1.5', 'n/a', '3.5'))
    late.add('quality', status='failed', reason='too dark').write()
    return make_config(out_dir)


def run(config: Config, *tables: str, join: bool = False) -> GroupResult:
    return run_group(replace(config, tables=tables, join_covariates=join), MEASURES)


def read(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, sep='\t', dtype=str, keep_default_na=False)


def write_participants(config: Config, text: str, name: str = 'participants.tsv') -> None:
    path = config.bids_dir / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_the_long_table_has_a_row_per_value(config: Config) -> None:
    result = run(config, 'long')
    assert 'group_long.tsv' in map(str, result.tables)
    table = read(config.out_dir / 'group_long.tsv')
    assert list(table.columns) == [
        'participant_id', 'session_id', 'column', 'measure', 'atlas', 'space', 'region',
        'hemisphere', 'quantity', 'unit', 'value', 'reason',
    ]  # fmt: skip
    assert len(table) == 3 * 7
    thalamus = table[table['region'] == 'Left-Thalamus'].iloc[0]
    assert list(thalamus) == [
        'sub-01', 'ses-a', 'regional_dk_left_thalamus_volume', 'regional', 'DK', 'n/a',
        'Left-Thalamus', 'L', 'volume', 'mm3', '1.5', 'n/a',
    ]  # fmt: skip
    failed = table[(table['session_id'] == 'ses-b') & (table['measure'] == 'quality')]
    assert set(failed['value']) == {'n/a'} and set(failed['reason']) == {'failed: too dark'}
    assert set(table.loc[table['quantity'] == 'axes', 'unit']) == {'n/a'}
    told = json.loads((config.out_dir / 'group_long.json').read_text())
    assert set(table.columns) <= set(told)


def test_the_long_table_has_the_values_of_the_wide_one(config: Config) -> None:
    run(config, 'long')
    long = read(config.out_dir / 'group_long.tsv')
    for session in ('a', 'b'):
        wide = read(config.out_dir / 'phenotype' / f'mriderived_ses-{session}.tsv')
        mine = long[long['session_id'] == f'ses-{session}']
        turned = mine.pivot(index='participant_id', columns='column', values='value')
        assert turned[list(wide.columns[1:])].to_numpy().tolist() == (
            wide.iloc[:, 1:].to_numpy().tolist()
        )


def test_parquet_has_the_numbers_the_units_and_the_reasons(config: Config) -> None:
    run(config, 'long', 'parquet', 'long-parquet')
    wide = pd.read_parquet(config.out_dir / 'group_wide.parquet')
    tables = [
        pd.read_csv(config.out_dir / 'phenotype' / f'mriderived_ses-{one}.tsv', sep='\t',
                    na_values='n/a') for one in 'ab'
    ]  # fmt: skip
    wanted = pd.concat(tables, ignore_index=True)
    assert list(wide.columns) == ['participant_id', 'session_id', *wanted.columns[1:]]
    assert list(wide['session_id']) == ['ses-a', 'ses-a', 'ses-b']
    numbers = wanted.select_dtypes('number').columns
    np.testing.assert_array_equal(wide[numbers], wanted[numbers])
    assert wide['quality_axes'].isna().tolist() == [False, False, True]
    schema = pq.read_schema(config.out_dir / 'group_wide.parquet')
    assert schema.field('tissue_gm').metadata[b'unit'] == b'mm3'
    long = pd.read_parquet(config.out_dir / 'group_long.parquet')
    text = read(config.out_dir / 'group_long.tsv')
    assert isinstance(long['region'].dtype, pd.CategoricalDtype)
    for name in ('participant_id', 'session_id', 'column', 'atlas', 'region', 'unit', 'reason'):
        assert long[name].astype(object).fillna('n/a').tolist() == text[name].tolist()
    value = pd.to_numeric(text['value'], errors='coerce')
    np.testing.assert_array_equal(long['value'], value)
    assert long['text'].dropna().tolist() == ['RAS', 'RAS']


def test_parquet_is_the_same_in_parts(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    run(config, 'parquet', 'long-parquet')
    names = ('group_wide.parquet', 'group_long.parquet')
    whole = [pd.read_parquet(config.out_dir / name) for name in names]
    monkeypatch.setattr('mriderived.group.parquet._ROWS', 1)
    monkeypatch.setattr('mriderived.group.parquet._VALUES', 7)
    run(config, 'parquet', 'long-parquet')
    assert pq.ParquetFile(config.out_dir / 'group_long.parquet').num_row_groups == 3
    for name, one in zip(names, whole, strict=True):
        pd.testing.assert_frame_equal(pd.read_parquet(config.out_dir / name).astype(object),
                                      one.astype(object))  # fmt: skip


def test_forms_that_are_not_asked_for_again_are_removed(config: Config) -> None:
    write_participants(config, 'participant_id\tage\nsub-01\t30\n')
    run(config, 'long', 'parquet', 'long-parquet', join=True)
    run(config, 'long')
    assert sorted(path.name for path in config.out_dir.glob('group_*')) == [
        'group_long.json', 'group_long.tsv',
    ]  # fmt: skip


def test_covariates_stand_in_front_as_they_were_written(config: Config) -> None:
    write_participants(config, 'participant_id\tage\tsite\ttissue_gm\n'
                       'sub-01\t30\t007\t1\nsub-02\t32\t010\t2\nsub-77\t50\t3\t4\n')  # fmt: skip
    write_participants(config, '{"age": {"Units": "year", "Description": "Age."}}',
                       'participants.json')  # fmt: skip
    write_participants(config, 'participant_id\tscore\tage\nsub-02\t5\t31\n', 'phenotype/bdi.tsv')
    result = run(config, join=True)
    table = read(config.out_dir / 'group_joined.tsv')
    assert list(table.columns[:8]) == [
        'participant_id', 'session_id', 'age', 'site', 'participants_tissue_gm', 'score',
        'bdi_age', 'tissue_gm',
    ]  # fmt: skip
    assert table['site'].tolist() == ['007', '010', '010']
    assert table['age'].tolist() == ['30', '32', '32']
    assert table['bdi_age'].tolist() == ['n/a', '31', '31']
    assert table['tissue_gm'].tolist() == ['600000.125', '600000.125', '0.1']
    told = json.loads((config.out_dir / 'group_joined.json').read_text())
    assert told['age'] == {'Description': 'Age.', 'Units': 'year', 'Table': 'participants.tsv'}
    assert told['tissue_gm']['Units'] == 'mm3'
    assert any('tissue_gm of participants.tsv is called participants_tissue_gm' in warning
               for warning in result.warnings)  # fmt: skip
    assert not result.refused


def test_people_whom_no_table_knows_are_named(config: Config) -> None:
    write_participants(config, 'participant_id\tage\nsub-01\t30\n')
    result = run(config, join=True)
    assert ('no table of the dataset says anything of sub-02: their covariates are n/a in '
            'group_joined.tsv') in result.warnings  # fmt: skip


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('', 'participants.tsv is empty'),
        ('participant_id\tage\nsub-1\t30\n', 'no table of the dataset names any participant'),
        (
            'participant_id\tsession_id\tage\nsub-01\tses-1\t30\nsub-02\tses-1\t30\n',
            'participants.tsv has other sessions of 2 participants than the results (01, 02; of '
            '01 ses-1, and there are results of ses-a)',
        ),
        ('participant_id\tage\nsub-01\t3\nsub-01\t4\n', 'more than one row for sub-01'),
        (None, 'has no participants.tsv'),
    ],
)
def test_what_cannot_be_joined_is_said(config: Config, text: str | None, message: str) -> None:
    if text is not None:
        write_participants(config, text)
    result = run(config, join=True)
    assert len(result.refused) == 1 and message in result.refused[0]
    assert result.refused[0].startswith('covariates were not joined: ')
    assert not (config.out_dir / 'group_joined.tsv').exists()


def test_nothing_of_people_is_written_without_the_option(config: Config) -> None:
    write_participants(config, 'participant_id\tbirthplace\nsub-01\tUlm\n')
    run(config, 'long', 'parquet', 'long-parquet')
    for path in (*config.out_dir.glob('group_*'), *(config.out_dir / 'phenotype').iterdir()):
        assert b'birthplace' not in path.read_bytes() and b'Ulm' not in path.read_bytes()


def test_the_options_of_the_command_line(
    config: Config, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr('mriderived.app.stages.report_measures', lambda out_dir: MEASURES)
    write_participants(config, 'participant_id\tage\nsub-02\t30\n')
    words = [str(config.bids_dir), str(config.out_dir), 'group', '--tables']
    assert cli.main([*words, 'wide']) == 64
    assert 'Choose one of: long, parquet, long-parquet.' in capsys.readouterr().err
    assert cli.main([*words, 'long', 'parquet', '--join-covariates']) == 0
    told = capsys.readouterr()
    for name in ('group_long.tsv', 'group_wide.parquet', 'group_joined.tsv'):
        assert (config.out_dir / name).exists()
        assert name in told.out + told.err


def test_the_page_links_to_what_is_there(config: Config) -> None:
    write_participants(config, 'participant_id\tage\nsub-01\t30\nsub-02\t40\n')
    run(config, 'long', 'parquet', 'long-parquet', join=True)
    page = write_group_report(config.out_dir).read_text()
    links = {unquote(link) for link in re.findall(r'<a [^>]*href="(group_[^"]+)"', page)}
    assert links == {
        'group_long.tsv', 'group_long.json', 'group_joined.tsv', 'group_joined.json',
        'group_wide.parquet', 'group_long.parquet',
    }  # fmt: skip
    assert all((config.out_dir / link).exists() for link in links)
    assert 'except <code>group_joined.tsv</code>' in page


def test_the_validator_accepts_them(config: Config) -> None:
    write_participants(config, 'participant_id\tage\nsub-01\t30\nsub-02\t40\n')
    run(config, 'long', 'parquet', 'long-parquet', join=True)
    (config.out_dir / '.bidsignore').write_text(bidsignore())
    assert len(list(config.out_dir.glob('group_*'))) == 6
    for strict in (True, False):
        result = validate_dataset(config.out_dir, kind='derivatives', strict=strict)
        issues = (*result.errors, *result.warnings)
        assert [issue for issue in issues if 'group_' in issue.location] == []


@pytest.mark.real
def test_fifty_adults_beside_their_age(test_data: Path, tmp_path: Path) -> None:
    """Age and volume of FreeSurfer from one table, as joined by hand from the raw files."""
    raw = test_data / 'tables' / 'fair-nidm'
    given = f'freesurfer={raw / "derivatives" / "freesurfer"}'
    words = [str(raw), str(tmp_path / 'out'), 'group', '--derivatives', given,
             '--tables', 'long-parquet', '--join-covariates']  # fmt: skip
    assert cli.main(words) == 0
    joined = tmp_path / 'out' / 'group_joined.tsv'
    table = pd.read_csv(joined, sep='\t', na_values='n/a', float_precision='round_trip')
    people = pd.read_csv(raw / 'participants.tsv', sep='\t').set_index('participant_id')
    assert len(table) == 50
    mine = table.set_index('participant_id')
    assert (mine['age'] == people.loc[mine.index, 'age']).all()
    long = pd.read_parquet(tmp_path / 'out' / 'group_long.parquet')
    thickness = long[(long['quantity'] == 'thickness') & (long['hemisphere'] == 'L')]
    assert set(thickness['unit']) == {'mm'} and len(thickness) == 50 * (34 + 74)
    name = 'freesurfer_brain_grey_matter_volume'
    volume = long[long['column'] == name].set_index('participant_id')['value']
    assert (mine[name] == volume[mine.index]).all()
    assert np.corrcoef(mine['age'], mine[name])[0, 1] < -0.2
