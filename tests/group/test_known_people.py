"""Tables of participants that speak of others than those who have results."""

from __future__ import annotations

from pathlib import Path

import pytest

from mriderived.bids.covariates import read_covariates
from mriderived.group.known_people import check_labels
from mriderived.group.records import Row

PEOPLE = [Row('', f'{number:03d}') for number in range(1, 13)]


def write(folder: Path, labels: list[str]) -> Path:
    lines = ['participant_id\tage', *(f'{label}\t30' for label in labels)]
    (folder / 'participants.tsv').write_text('\n'.join(lines) + '\n')
    return folder


def test_labels_that_lost_their_zeros_are_told(tmp_path: Path) -> None:
    labels = [str(number) for number in range(1, 10)] + ['010', '011', '012']
    known = read_covariates(write(tmp_path, labels))
    (told,) = check_labels(known, PEOPLE)
    assert told.startswith('9 of 12 participants have no row in participants.tsv')
    assert '(001, 002, 003, 004, …); 9 rows there are of nobody who has results (1, 2, 3, 4, …)' in told  # noqa: E501  # fmt: skip
    assert told.endswith('labels differ in leading zeros or in case. Write them alike')


def test_rows_of_everybody_need_no_word(tmp_path: Path) -> None:
    known = read_covariates(
        write(tmp_path, [f'sub-{row.participant}' for row in PEOPLE] + ['900'])
    )
    assert list(check_labels(known, PEOPLE)) == []


def test_no_table_at_all_is_told(tmp_path: Path) -> None:
    (told,) = check_labels(read_covariates(tmp_path), PEOPLE)
    assert 'neither participants.tsv nor phenotype/*.tsv' in told


def test_the_age_of_a_session_counts_before_that_of_the_participant(tmp_path: Path) -> None:
    write(tmp_path, ['sub-001', 'sub-002'])
    (tmp_path / 'sub-001').mkdir()
    (tmp_path / 'sub-001' / 'sub-001_sessions.tsv').write_text(
        'session_id\tage\nses-1\t30.5\nses-2\t35.5\n'
    )
    rows = [('001', '1'), ('001', '2'), ('001', '3'), ('002', '1')]
    found = read_covariates(tmp_path)
    assert found.of(rows)['age'].tolist() == pytest.approx([30.5, 35.5, 30, 30])
    assert found.notes == []


def test_sessions_that_do_not_match_are_told(tmp_path: Path) -> None:
    write(tmp_path, [row.participant for row in PEOPLE])
    (tmp_path / 'phenotype').mkdir()
    (tmp_path / 'phenotype' / 'bdi.tsv').write_text(
        'participant_id\tsession_id\ttotal\nsub-001\tses-1\t5\nsub-002\tses-1\t6\n'
        'sub-003\tn/a\t7\nsub-900\tses-1\t8\n'
    )
    known = read_covariates(tmp_path)
    (told,) = check_labels(known, PEOPLE)
    assert told.startswith(
        'phenotype/bdi.tsv has other sessions of 2 participants than the results (001, 002; of '
        '001 ses-1, and there are results of no session)'
    )
    matching = [Row('1', '001'), Row('2', '001'), Row('1', '002'), Row('1', '003')]
    assert list(check_labels(known, matching)) == []
    padded = [Row('01', '001')]
    (told,) = check_labels(known, padded)
    assert 'of 001 ses-1, and there are results of ses-01' in told
