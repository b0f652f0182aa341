"""Predictions in the cohort table, and statistics with and without those who are left out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from cohort_outputs import MEASURES, Participant, make_config, write_description

from mriderived.bids.names import bidsignore
from mriderived.bids.validate import validate_dataset
from mriderived.group.stage import GroupResult, run_group

PEOPLE, LEFT_OUT = 70, 6
OPTIONS = {
    'predict': ('age ~ volume', 'sex ~ volume + tissue_gm'),
    'models': ('predicted_age_corrected_gap ~ C(group)',),
    'norms': ('volume ~ age',),
    'exclude': ('cjv > 0.8',),
}


@pytest.fixture(scope='module')
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, GroupResult]:
    """Return outputs of 70 people whose regions shrink with age and are larger in men; the brains
    of patients look older; the last six are bad, and one has no age."""  # fmt: skip
    out_dir = tmp_path_factory.mktemp('predicted') / 'out'
    write_description(out_dir)
    rng = np.random.default_rng(3)
    lines = ['participant_id\tage\tsex\tgroup\tcjv']
    for number in range(PEOPLE):
        label, is_bad = f'{number:02d}', number >= PEOPLE - LEFT_OUT
        age, sex, group = rng.uniform(20, 80), 'FM'[number % 2], 'ap'[number // 2 % 2]
        seen = age + 12 * (group == 'p')
        volumes = rng.normal(8000 - 10 * seen, 50, 3) + 300 * (sex == 'M') - 900 * is_bad
        person = Participant(out_dir, label).tissue(gm=f'{rng.normal(600_000, 1000):.3f}').atlas()
        person.regional([f'{volume:.3f}' for volume in volumes]).quality()
        person.write()
        told = 'n/a' if number == 0 else f'{age:.2f}'
        lines.append(f'sub-{label}\t{told}\t{sex}\t{group}\t{1.2 if is_bad else 0.5}')
    (out_dir.parent / 'raw').mkdir()
    (out_dir.parent / 'raw' / 'participants.tsv').write_text('\n'.join(lines) + '\n')
    return out_dir, run_group(make_config(out_dir, **OPTIONS), MEASURES)


def read(out_dir: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(out_dir / name, sep='\t', na_values='n/a', keep_default_na=False)


def test_gap_and_probability_are_columns_of_the_cohort_table(
    run: tuple[Path, GroupResult],
) -> None:
    out_dir, result = run
    assert not result.refused
    table = read(out_dir, 'phenotype/mriderived.tsv').set_index('participant_id')
    alone = read(out_dir, 'models/predicted-ageVolume.tsv').set_index('participant_id')
    gap = table['predicted_age_corrected_gap'].dropna()
    assert len(table) == PEOPLE and len(gap) == PEOPLE - LEFT_OUT - 1
    np.testing.assert_allclose(gap, alone.loc[gap.index, 'corrected_gap'], rtol=1e-6)
    classes = read(out_dir, 'models/predicted-sexVolumeTissueGm.tsv').set_index('participant_id')
    said = table['predicted_sex_probability_m'].dropna()
    np.testing.assert_allclose(said, classes.loc[said.index, 'predicted'], rtol=1e-5)
    own = read(out_dir, 'phenotype/predicted_age.tsv')
    assert list(own) == ['participant_id', 'predicted_age_corrected_gap']


def test_the_true_value_does_not_stand_there(run: tuple[Path, GroupResult]) -> None:
    out_dir, _ = run
    table = read(out_dir, 'phenotype/mriderived.tsv')
    ages = read(out_dir.parent, 'raw/participants.tsv')['age'].to_numpy()
    gap = table['predicted_age_corrected_gap'].to_numpy()
    known = np.isfinite(gap)
    assert abs(np.corrcoef(gap[known], ages[known])[0, 1]) < 0.2
    assert not [name for name in table if name.endswith(('target', '_predicted', 'age_gap'))]


def test_a_value_that_lacks_has_its_reason_and_the_dictionary_tells(
    run: tuple[Path, GroupResult],
) -> None:
    out_dir, result = run
    reasons = read(out_dir, 'phenotype/mriderived_reasons.tsv').set_index('participant_id')
    mine = reasons['predicted_age_corrected_gap']
    assert mine['sub-00'] == 'age, a site or all features are missing'
    assert mine['sub-69'] == 'left out of statistics: cjv > 0.8 (it is 1.2)'
    assert pd.isna(mine['sub-01'])
    told = json.loads((out_dir / 'phenotype' / 'mriderived.json').read_text())
    entry = told['predicted_age_corrected_gap']
    assert 'by a model of volume that had not seen the participant' in entry['Description']
    assert told['predicted_sex_probability_m']['Units'] == '1' and 'Units' not in entry
    summary = read(out_dir, 'logs/group_summary.tsv').set_index('column')
    assert summary.loc['predicted_age_corrected_gap', 'n'] == PEOPLE - LEFT_OUT - 1
    assert any(str(path).endswith('predicted_sex.tsv') for path in result.tables)


def test_a_model_can_be_of_the_gap(run: tuple[Path, GroupResult]) -> None:
    out_dir, _ = run
    table = read(out_dir, 'models/model-predictedAgeCorrectedGapCGroup_stats.tsv')
    assert table['n'].tolist() == [PEOPLE - LEFT_OUT - 1]
    # Brains of patients look 12 years older; predictions are drawn to the mean, so gaps are less.
    assert 3 < table['estimate'][0] < 12
    assert table['p'][0] < 0.01


def test_the_outputs_are_valid_and_go_without_the_option(run: tuple[Path, GroupResult]) -> None:
    out_dir, _ = run
    (out_dir / '.bidsignore').write_text(bidsignore())
    result = validate_dataset(out_dir, kind='derivatives')
    found = [issue.location for issue in (*result.errors, *result.warnings)]
    assert not [place for place in found if 'predicted' in place or 'models' in place]


def test_predictions_and_norms_are_compared_with_those_of_everybody(
    run: tuple[Path, GroupResult],
) -> None:
    out_dir, _ = run
    scores = read(out_dir, 'models/predicted-ageVolume_desc-everybody_compared.tsv')
    scores = scores.set_index('score')
    assert scores.loc['n'].tolist() == [PEOPLE - 1, PEOPLE - LEFT_OUT - 1]
    # Six whose regions are far too small spoil it for all.
    assert scores.loc['mae', 'with'] > scores.loc['mae', 'without'] + 1
    assert scores.loc['r_of_both', 'with'] > 0.8
    norms = read(out_dir, 'models/norms-volumeAge_desc-everybody_compared.tsv')
    norms = norms.set_index('quantity')
    assert norms.loc['reference'].tolist() == [PEOPLE - 1, PEOPLE - LEFT_OUT - 1]
    assert norms.loc['mean_change', 'with'] > 0.1
    assert 0.5 < norms.loc['r_z', 'with'] < 1
    told = json.loads((out_dir / 'logs' / 'group.json').read_text())
    titles = [chapter['title'] for chapter in told['chapters']]
    assert 'Norms of volume with and without those left out' in titles
    assert 'Prediction of age with and without those left out' in titles


def test_without_the_option_the_columns_go(run: tuple[Path, GroupResult]) -> None:
    out_dir, _ = run
    result = run_group(make_config(out_dir), MEASURES)
    assert not [name for name in read(out_dir, 'phenotype/mriderived.tsv') if 'predicted' in name]
    assert not (out_dir / 'phenotype' / 'predicted_age.tsv').exists()
    assert not (out_dir / 'phenotype' / 'predicted_age.json').exists()
    assert not [path for path in result.tables if 'predicted' in str(path)]
