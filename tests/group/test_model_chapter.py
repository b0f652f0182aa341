"""Models at the group level, from participants' outputs to tables, pictures and refusals."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from cohort_outputs import LABELS, MEASURES, Participant, make_config, write_description

from mriderived.bids.names import bidsignore
from mriderived.bids.validate import validate_dataset
from mriderived.group.stage import GroupResult, run_group
from mriderived.reports.group import write_group_report

PEOPLE = 24


@pytest.fixture
def out_dir(tmp_path: Path) -> Path:
    """Return outputs of 24 people, whose thalamus shrinks by 10 mm³ a year; one has no record."""
    out_dir = tmp_path / 'out'
    write_description(out_dir)
    rng = np.random.default_rng(0)
    lines = ['participant_id\tage\tsex']
    for number in range(PEOPLE):
        label, age = f'{number:02d}', 20 + 2.5 * number
        volumes = [8000 - 10 * age, 7900 - 10 * age, 4000]
        person = Participant(out_dir, label).tissue(gm=str(600_000 + rng.normal(0, 1000))).atlas()
        person.regional([f'{volume + rng.normal(0, 20):.3f}' for volume in volumes]).quality()
        person.write()
        lines.append(f'sub-{label}\t{age if number else "n/a"}\t{"FM"[number % 2]}')
    (tmp_path / 'raw').mkdir()
    (tmp_path / 'raw' / 'participants.tsv').write_text('\n'.join(lines) + '\n')
    return out_dir


def run(out_dir: Path, *models: str) -> GroupResult:
    return run_group(make_config(out_dir, models=models), MEASURES)


def test_a_planted_effect_stands_in_the_table(out_dir: Path) -> None:
    result = run(out_dir, 'volume ~ age + C(sex) + tissue_gm')
    assert not result.refused
    table = pd.read_csv(out_dir / 'models' / 'model-volumeAgeCSexTissueGm_stats.tsv', sep='\t')
    age = table[table['contrast'] == 'age'].set_index('region')
    assert len(table) == 3 * 3 and age['n'].tolist() == [PEOPLE - 1] * 3
    for region in (LABELS[0][1], LABELS[1][1]):
        assert age.loc[region, 'estimate'] == pytest.approx(-10, abs=3 * age.loc[region, 'se'])
        assert age.loc[region, 'p_bonferroni'] < 1e-6
    assert abs(age.loc[LABELS[2][1], 't']) < 3.5
    told = json.loads((out_dir / 'models' / 'model-volumeAgeCSexTissueGm_stats.json').read_text())
    assert told['Formula'] == 'volume ~ age + C(sex) + tissue_gm'
    assert told['LeftOut'] == {'age': 1} and told['Observations'] == PEOPLE - 1
    assert set(table.columns) <= set(told)


def test_the_page_shows_the_model(out_dir: Path) -> None:
    run(out_dir, 'volume ~ age')
    page = write_group_report(out_dir).read_text()
    assert 'Model: volume ~ age' in page and '1 left out for want of age' in page
    assert (out_dir / 'figures' / 'group_model_volumeage_1.svg').exists()
    assert (out_dir / 'figures' / 'group_model_volumeage_1_scatter.svg').exists()


def test_the_outputs_are_still_valid(out_dir: Path) -> None:
    run(out_dir, 'volume ~ age')
    (out_dir / '.bidsignore').write_text(bidsignore())
    result = validate_dataset(out_dir, kind='derivatives')
    found = [issue.location for issue in (*result.errors, *result.warnings)]
    assert not [place for place in found if 'models' in place]


def test_a_refused_model_costs_nothing_else(out_dir: Path) -> None:
    result = run(out_dir, 'volume ~ shoe_size', 'volume ~ age')
    assert result.refused == (
        'volume ~ shoe_size: shoe_size is no column of participants.tsv, of phenotype/ or of the '
        'cohort table. There are: age, sex, tissue_gm, tissue_tiv, regional_dk_left_thalamus_volume, '  # noqa: E501
        'regional_dk_right_thalamus_volume, regional_dk_ctx_lh_cuneus_volume, quality_cjv.',
    )  # fmt: skip
    assert (out_dir / 'models' / 'model-volumeAge_stats.tsv').exists()
    assert (out_dir / 'phenotype' / 'mriderived.tsv').exists()
    assert 'shoe_size is no column' in write_group_report(out_dir).read_text()


def test_one_participant_makes_no_model(out_dir: Path) -> None:
    config = make_config(out_dir, models=('volume ~ age',), participant_labels=('05',))
    (reason,) = run_group(config, MEASURES).refused
    assert reason.startswith('volume ~ age: one participant makes no model')


def test_participants_who_stand_there_twice_refuse_all_models(out_dir: Path) -> None:
    table = out_dir.parent / 'raw' / 'participants.tsv'
    table.write_text(table.read_text() + 'sub-03\t20\tF\n')
    result = run(out_dir, 'volume ~ age')
    assert 'participants.tsv has more than one row for sub-03' in result.refused[0]
    assert not (out_dir / 'models').exists()


def test_without_the_model_its_files_go(out_dir: Path) -> None:
    run(out_dir, 'volume ~ age')
    run(out_dir)
    assert not list((out_dir / 'models').glob('*'))
    assert not list((out_dir / 'figures').glob('group_model*'))


def test_methods_tell_what_was_done_and_cite_it(out_dir: Path) -> None:
    models = ('volume ~ age', 'volume ~ shoe_size')
    run_group(make_config(out_dir, models=models, predict=('age ~ volume',)), MEASURES)
    write_group_report(out_dir)
    told = json.loads((out_dir / 'logs' / 'group.json').read_text())['methods']
    assert len(told) == 3
    assert 'Regions were modelled by ordinary least squares: volume ~ age. Two-sided' in told[1]
    assert 'Out-of-sample predictions (age ~ volume) were by ridge' in told[2]
    page = ' '.join((out_dir / 'group.html').read_text().split())
    assert '<h2 id="methods">Methods</h2>' in page
    assert 'Benjamini and Hochberg 1995. <a href="https://doi.org/10.1111/j.2517' in page
    assert 'href="#reference-5">[5]</a>' in page and 'id="reference-6"' not in page
    run_group(make_config(out_dir), MEASURES)
    assert len(json.loads((out_dir / 'logs' / 'group.json').read_text())['methods']) == 1


@pytest.mark.parametrize(
    ('broken', 'text'),
    [
        ('model_chapter.fit_regions', 'This model was not fitted.'),
        ('norms_chapter.pose_norms', 'No norms were found.'),
        ('prediction_chapter.predict', 'Nothing was predicted.'),
        ('map_chapter.find_maps', 'This model was not fitted.'),
        ('statistics.join_covariates', 'Statistics ended early.'),
    ],
)
def test_an_error_that_nobody_foresaw_costs_its_chapter_alone(
    out_dir: Path,
    broken: str,
    text: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(*_args: object, **_names: object) -> None:
        raise ZeroDivisionError('planted')

    monkeypatch.setattr(f'mriderived.group.{broken}', fail)
    config = make_config(
        out_dir, models=('volume ~ age',), norms=('volume ~ age',), predict=('age ~ volume',),
        map_models=('fa ~ age',),
    )  # fmt: skip
    result = run_group(config, MEASURES)
    (reason,) = [one for one in result.refused if 'ZeroDivisionError: planted' in one]
    assert 'please report it with the log' in reason
    assert 'Traceback' in caplog.text
    chapters = json.loads((out_dir / 'logs' / 'group.json').read_text())['chapters']
    (lost,) = [one for one in chapters if reason in one['notes']]
    assert lost['text'] == text and not lost['rows']
    whole = {one['key'] for one in chapters if one['header'] and one['rows']}
    if broken != 'statistics.join_covariates':
        assert whole == {'model-volumeage', 'predict-agevolume'} - {lost['key']}
