"""Tables of participants: joined, typed, and refused with the file and the remedy."""

from __future__ import annotations

import time
from pathlib import Path

import pandas as pd
import pytest

from mriderived.bids.covariates import CovariateError, read_covariates


def write(path: Path, *rows: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('\n'.join(row.replace(' ', '\t') for row in rows) + '\n', encoding='utf-8')


def test_tables_are_joined_whatever_the_spelling_of_labels(tmp_path: Path) -> None:
    write(tmp_path / 'participants.tsv', 'participant_id age sex', 'sub-01 20.5 F', '02 n/a M')
    write(tmp_path / 'phenotype' / 'iq.tsv', 'participant_id total', 'sub-02 110', 'sub-03 95')
    found = read_covariates(tmp_path).of([('01', ''), ('02', ''), ('03', '')])
    assert found['age'].tolist()[0] == 20.5 and found['age'].isna().tolist() == [False, True, True]
    assert found['sex'].tolist()[:2] == ['F', 'M'] and found['sex'].isna()[('03', '')]
    assert (
        found['total'].fillna(0).tolist() == found['iq_total'].fillna(0).tolist() == [0, 110, 95]
    )


def test_what_is_of_a_session_comes_before_what_is_of_all(tmp_path: Path) -> None:
    write(tmp_path / 'participants.tsv', 'participant_id age sex', 'sub-01 20 F', 'sub-02 30 M')
    write(tmp_path / 'sub-01' / 'sub-01_sessions.tsv', 'session_id dose', 'ses-a 1', 'ses-b 2')
    write(tmp_path / 'sub-02' / 'sub-02_sessions.tsv', 'session_id dose', 'ses-a 5')
    found = read_covariates(tmp_path).of([('01', 'a'), ('01', 'b'), ('02', 'a')])
    assert found['dose'].tolist() == [1, 2, 5]
    assert found['age'].tolist() == [20, 20, 30] and found['sex'].tolist() == ['F', 'F', 'M']


def test_what_a_session_does_not_tell_is_not_that_of_another_time(tmp_path: Path) -> None:
    write(tmp_path / 'participants.tsv', 'participant_id age sex', 'sub-01 20 F', 'sub-02 30 M')
    write(tmp_path / 'sub-01' / 'sub-01_sessions.tsv', 'session_id age', 'ses-a 20', 'ses-b n/a')
    write(tmp_path / 'sub-02' / 'sub-02_sessions.tsv', 'session_id dose', 'ses-b 5')
    found = read_covariates(tmp_path).of([('01', 'a'), ('01', 'b'), ('01', 'c'), ('02', 'b')])
    # The visits are not asked for an age that participants.tsv tells.
    write(
        tmp_path / 'phenotype' / 'visit.tsv', 'participant_id session_id sex', 'sub-02 ses-b n/a'
    )
    more = read_covariates(tmp_path).of([('02', 'b')])
    assert more['sex'].tolist() == ['M'] and pd.isna(more['visit_sex'].iloc[0])
    # Of ses-c there is no row, and the table of sub-02 has no such column.
    assert found['age'].isna().tolist() == [False, True, False, False]
    assert found['age'].dropna().tolist() == [20, 20, 30]
    assert found['sex'].tolist() == ['F', 'F', 'F', 'M']
    assert read_covariates(tmp_path).notes[-1] == (
        'age: 1 sessions say that there is no value, and that of the participant '
        '(participants.tsv) is not taken for them'
    )


def test_a_column_of_words_and_numbers_stays_words(tmp_path: Path) -> None:
    write(tmp_path / 'participants.tsv', 'participant_id age', 'sub-01 20', 'sub-02 about_30')
    assert read_covariates(tmp_path).of([('01', '')])['age'].tolist() == ['20']


def test_a_mark_at_the_beginning_of_the_file_is_no_part_of_a_name(tmp_path: Path) -> None:
    (tmp_path / 'participants.tsv').write_bytes(b'\xef\xbb\xbfparticipant_id\tage\nsub-01\t3\n')
    assert read_covariates(tmp_path).of([('01', '')])['age'].tolist() == [3]


def test_of_two_columns_of_a_name_the_first_counts(tmp_path: Path) -> None:
    write(tmp_path / 'participants.tsv', 'participant_id age', 'sub-01 20')
    write(tmp_path / 'phenotype' / 'visit.tsv', 'participant_id age', 'sub-01 21')
    found = read_covariates(tmp_path)
    assert found.of([('01', '')])[['age', 'visit_age']].to_numpy().tolist() == [[20, 21]]
    assert found.notes == [
        "phenotype/visit.tsv: 'age' is taken from participants.tsv instead; its own is 'visit_age'"
    ]


def test_one_instrument_never_fills_the_column_of_another(tmp_path: Path) -> None:
    write(tmp_path / 'participants.tsv', 'participant_id age', 'sub-01 20')
    write(tmp_path / 'phenotype' / 'bdi.tsv', 'participant_id session_id score', 'sub-01 ses-a 5')
    write(
        tmp_path / 'phenotype' / 'hamd.tsv',
        'participant_id age score',
        'sub-01 3 9',
        'sub-02 4 24',
    )
    found = read_covariates(tmp_path)
    rows = found.of([('01', 'a'), ('02', 'a')])
    assert rows['score'].iloc[0] == 5 and pd.isna(rows['score'].iloc[1])
    assert rows['age'].iloc[0] == 20 and pd.isna(rows['age'].iloc[1])
    assert rows['hamd_score'].tolist() == [9, 24] and rows['bdi_score'].iloc[0] == 5
    assert found.notes == [
        "phenotype/hamd.tsv: 'age' is taken from participants.tsv instead; its own is 'hamd_age'",
        "phenotype/hamd.tsv: 'score' is taken from phenotype/bdi.tsv instead; its own is "
        "'hamd_score'",
    ]


def test_a_file_may_have_a_column_of_its_own_name(tmp_path: Path) -> None:
    write(tmp_path / 'phenotype' / 'bdi.tsv', 'participant_id total bdi_total', 'sub-01 5 7')
    found = read_covariates(tmp_path)
    assert found.of([('01', '')])[['total', 'bdi_total']].to_numpy().tolist() == [[5, 7]]
    write(tmp_path / 'participants.tsv', 'participant_id bdi_total', 'sub-01 9')
    found = read_covariates(tmp_path)
    assert found.of([('01', '')])[['total', 'bdi_total']].to_numpy().tolist() == [[5, 9]]
    assert found.notes == [
        "phenotype/bdi.tsv: 'bdi_total' is taken from participants.tsv instead; its own is "
        "'bdi_bdi_total'"
    ]


def test_a_table_without_rows_has_columns_of_nobody(tmp_path: Path) -> None:
    write(tmp_path / 'participants.tsv', 'participant_id age')
    write(tmp_path / 'phenotype' / 'bdi.tsv', 'participant_id total', 'sub-01 5')
    found = read_covariates(tmp_path)
    rows = found.of([('01', '')])
    assert rows['total'].tolist() == [5] and pd.isna(rows['age'].iloc[0])
    assert set(found.origin) <= set(found.frame.columns)


def test_no_table_is_no_covariate(tmp_path: Path) -> None:
    found = read_covariates(tmp_path).of([('01', '')])
    assert isinstance(found, pd.DataFrame) and found.shape == (1, 0)


@pytest.mark.parametrize(
    ('rows', 'message'),
    [
        (
            ['participant_id age', 'sub-01 1', 'sub-01 2'],
            'more than one row for sub-01: leave one',
        ),
        (['participant_id age', '01 1', 'sub-01 2', '01 3'], 'for sub-01, and 1 more: leave one'),
        (
            ['subject age', 'sub-01 1'],
            'has no column participant_id: its columns are subject, age',
        ),
        (['participant_id age', 'sub-01 1 2 3'], 'row 2 has 4 cells, for 2 columns'),
    ],
)
def test_a_table_that_misleads_is_refused(tmp_path: Path, rows: list[str], message: str) -> None:
    write(tmp_path / 'participants.tsv', *rows)
    with pytest.raises(CovariateError) as caught:
        read_covariates(tmp_path)
    assert str(caught.value).startswith('participants.tsv') and message in str(caught.value)


def test_a_table_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / 'participants.tsv').write_bytes(b'participant_id\tname\nsub-01\t\xff\xfe\n')
    with pytest.raises(CovariateError, match='UTF-8'):
        read_covariates(tmp_path)


@pytest.mark.parametrize('name', ['participants.tsv', 'phenotype/bdi.tsv'])
def test_a_link_without_content_is_told(tmp_path: Path, name: str) -> None:
    (tmp_path / 'phenotype').mkdir()
    (tmp_path / name).symlink_to(tmp_path / '.git' / 'annex' / 'objects' / 'x')
    with pytest.raises(CovariateError, match=f'^{name} cannot be read .*get its content'):
        read_covariates(tmp_path)


def test_files_of_sessions_are_one_table(tmp_path: Path) -> None:
    write(tmp_path / 'sub-01' / 'sub-01_sessions.tsv', 'session_id dose', 'ses-a 1', 'ses-b 2')
    write(tmp_path / 'sub-02' / 'sub-02_sessions.tsv', 'session_id mood dose', 'ses-a n/a 5')
    found = read_covariates(tmp_path)
    rows = found.of([('01', 'a'), ('01', 'b'), ('02', 'a')])
    assert rows['dose'].tolist() == [1, 2, 5] and rows['mood'].isna().all()
    assert found.origin == {
        'dose': 'sub-01/sub-01_sessions.tsv', 'mood': 'sub-02/sub-02_sessions.tsv',
    }  # fmt: skip


def test_a_thousand_files_of_sessions_take_no_time(tmp_path: Path) -> None:
    for number in range(1000):
        name = f'sub-{number:04d}'
        write(tmp_path / name / f'{name}_sessions.tsv', 'session_id dose', 'ses-a 1', 'ses-b 2')
    start = time.perf_counter()
    assert len(read_covariates(tmp_path).frame) == 2000
    assert time.perf_counter() - start < 5  # 0.2 s; one joined after the other, a minute
