"""Who is left out, why, and what that changes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from cohort_outputs import MEASURES, Participant, make_config, write_description

from mriderived.config import Config
from mriderived.group.exclusion import find_excluded, select_cohort
from mriderived.group.model_files import ModelError
from mriderived.group.ratings import read_ratings
from mriderived.group.records import Cohort, Row
from mriderived.group.rules import read_rule
from mriderived.group.stage import GroupResult, run_group
from mriderived.group.variables import Variables
from mriderived.reports.group import write_group_report

PEOPLE = 24
HEADER = 'participant_id\tsession_id\timage\trating\tcomment\trater\tdate\n'


@pytest.fixture
def out_dir(tmp_path: Path) -> Path:
    """Return outputs of 24 people; the images of the last four are bad, and their thalamus far too
    small: only their numbers make it shrink with age."""  # fmt: skip
    out_dir = tmp_path / 'out'
    write_description(out_dir)
    rng = np.random.default_rng(3)
    lines = ['participant_id\tage\tcjv']
    for number in range(PEOPLE):
        label, is_bad = f'{number:02d}', number >= PEOPLE - 4
        volumes = rng.normal([8000, 7900, 4000], 50) - 1500 * is_bad
        person = Participant(out_dir, label).tissue(gm='600000').atlas()
        person.regional([f'{volume:.3f}' for volume in volumes]).quality()
        person.write()
        lines.append(f'sub-{label}\t{20 + 2.5 * number}\t{1.2 if is_bad else 0.5}')
    (tmp_path / 'raw').mkdir()
    (tmp_path / 'raw' / 'participants.tsv').write_text('\n'.join(lines) + '\n')
    return out_dir


def run(out_dir: Path, **settings: object) -> GroupResult:
    return run_group(make_config(out_dir, models=('volume ~ age',), **settings), MEASURES)


def test_those_a_rule_is_true_of_are_left_out_and_listed(out_dir: Path) -> None:
    result = run(out_dir, exclude=('cjv > 0.8', 'age < 0'))
    assert not result.refused
    listed = pd.read_csv(out_dir / 'models' / 'excluded.tsv', sep='\t')
    assert listed['participant_id'].tolist() == [f'sub-{n}' for n in range(20, 24)]
    assert set(listed['reason']) == {'cjv > 0.8 (it is 1.2)'}
    assert json.loads((out_dir / 'models' / 'excluded.json').read_text())['Rules'] == [
        'cjv > 0.8', 'age < 0'
    ]  # fmt: skip
    stats = pd.read_csv(out_dir / 'models' / 'model-volumeAge_stats.tsv', sep='\t')
    whole = pd.read_csv(out_dir / 'models' / 'model-volumeAge_desc-everybody_stats.tsv', sep='\t')
    assert stats['n'].tolist() == [20] * 3 and whole['n'].tolist() == [24] * 3
    assert (whole['p_fdr'] < 0.002).all() and (stats['p_fdr'] > 0.01).all()
    # the tables keep everybody
    table = pd.read_csv(out_dir / 'phenotype' / 'mriderived.tsv', sep='\t')
    assert len(table) == PEOPLE
    page = write_group_report(out_dir).read_text()
    assert 'Left out of statistics' in page and '4 of 24 rows are left out' in page
    assert 'age &lt; 0 is true of nobody' in page or 'age < 0 is true of nobody' in page
    assert '3: regional_dk_left_thalamus_volume' in page
    assert (out_dir / 'figures' / 'group_exclusions_volumeage_1.svg').exists()


def test_ratings_leave_out_whom_they_exclude(out_dir: Path) -> None:
    path = out_dir.parent / 'ratings.tsv'
    path.write_text(
        HEADER
        + 'sub-23\tn/a\tT1w\texclude\tringing\tAB\t2026-01-02\n'
        + 'sub-22\tn/a\tT1w\tuncertain\tn/a\tAB\t2026-01-02\n'
        + HEADER
        + 'sub-21\tn/a\tT1w\texclude\tn/a\tAB\t2026-01-02\n'
        + 'sub-21\tn/a\tT1w\taccept\tn/a\tAB\t2026-01-03\n'
        + 'sub-99\tn/a\tT1w\texclude\tn/a\tAB\t2026-01-03\n'
    )
    run(out_dir, ratings=path)
    listed = pd.read_csv(out_dir / 'models' / 'excluded.tsv', sep='\t')
    assert listed['participant_id'].tolist() == ['sub-23']
    assert listed['reason'].tolist() == ['T1w rated exclude by AB: ringing']
    page = write_group_report(out_dir).read_text()
    assert 'ratings of 1 who are not in the tables: 99' in page
    assert 'ratings: 1 accept, 1 uncertain (who stay)' in page


def test_a_session_is_left_out_alone(tmp_path: Path) -> None:
    path = tmp_path / 'ratings.tsv'
    path.write_text(HEADER + 'sub-1\tses-b\tT1w\texclude\tn/a\tn/a\tn/a\n')
    rows = (Row('a', '1'), Row('b', '1'), Row('b', '2'))
    variables = Variables(rows, (), np.empty((3, 0)))
    config = Config(tmp_path, tmp_path, tmp_path, ratings=path)
    found = find_excluded(config, variables, pd.DataFrame(index=range(3)))
    assert list(found.reasons) == [Row('b', '1')]
    assert found.reasons[Row('b', '1')] == ['T1w rated exclude']


def test_ratings_of_other_sessions_are_told_from_strangers(tmp_path: Path) -> None:
    path = tmp_path / 'ratings.tsv'
    rows = ('sub-1\tses-b', 'sub-9\tses-a')
    path.write_text(HEADER + ''.join(f'{row}\tT1w\texclude\tn/a\tn/a\tn/a\n' for row in rows))
    variables = Variables((Row('a', '1'),), (), np.empty((1, 0)))
    config = Config(tmp_path, tmp_path, tmp_path, ratings=path)
    found = find_excluded(config, variables, pd.DataFrame(index=range(1)))
    assert found.reasons == {}
    assert found.warnings == [
        'ratings of 1 who are not in the tables: 9; they change nothing',
        'ratings of 1 of whom other sessions are in the tables: 1 of session b; they change '
        'nothing',
    ]


def test_without_anybody_left_out_nothing_is_fitted_twice(out_dir: Path) -> None:
    run(out_dir, exclude=('cjv > 5',))
    assert not (out_dir / 'models' / 'model-volumeAge_desc-everybody_stats.tsv').exists()


def test_a_rule_that_cannot_be_applied_refuses_all_statistics(out_dir: Path) -> None:
    result = run(out_dir, exclude=('cvj > 0.8',))
    assert result.refused == (
        'no model was fitted: cvj > 0.8: there is no column cvj. Did you mean cjv?',
    )
    assert not (out_dir / 'models').exists()
    assert run(out_dir, exclude=('cjv > 0',)).refused == (
        'no model was fitted: everybody is left out',
    )


def test_a_line_without_a_rating_is_none_and_takes_one_back(tmp_path: Path) -> None:
    path = tmp_path / 'ratings.tsv'
    path.write_text(
        HEADER
        + 'sub-1\tn/a\tT1w\tn/a\tn/a\tAB\tn/a\n'
        + 'sub-2\tn/a\tT1w\texclude\tn/a\tAB\t2026-01-02\n'
        + 'sub-2\tn/a\tT1w\tn/a\tn/a\tAB\t2026-01-03\n'
        + 'sub-3\tn/a\tT1w\texclude\tn/a\tAB\t2026-01-02\n'
    )
    assert [rating.participant for rating in read_ratings(path)] == ['3']


@pytest.mark.parametrize(
    ('rule', 'remedy'),
    [('sex > 3', 'compare it by == or != with a word in double quotes'),
     ('sex == 3', 'write the value in double quotes')],
)  # fmt: skip
def test_a_number_for_a_column_of_words_is_refused_once(rule: str, remedy: str) -> None:
    with pytest.raises(ModelError, match=f'^{rule}: sex has words: {remedy}$'):
        read_rule(rule).applies(pd.DataFrame({'sex': ['F', 'M']}))


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        (HEADER + 'sub-1\t\tT1w\tgood\t\t\t\n', "line 2: rating 'good' is none of accept"),
        ('subject\trating\nsub-1\taccept\n', 'no column participant_id above line 1'),
        ('participant_id\tscore\nsub-1\t1\n', 'no column rating above line 2'),
        ('', 'no header with participant_id and rating'),
    ],
)
def test_what_are_no_ratings_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / 'ratings.tsv'
    path.write_text(text)
    with pytest.raises(ModelError, match=message):
        read_ratings(path)


def test_predictions_and_maps_leave_them_out_too(out_dir: Path) -> None:
    run(out_dir, exclude=('cjv > 0.8',), predict=('age ~ volume',))
    table = pd.read_csv(out_dir / 'models' / 'predicted-ageVolume.tsv', sep='\t')
    assert table['participant_id'].tolist() == [f'sub-{n:02d}' for n in range(20)]
    rows = (Row('', '1'), Row('', '2'))
    few = select_cohort(Cohort(rows), np.array([False, True]))
    assert few.rows == (Row('', '2'),)
