"""Norms of a cohort: nobody is judged by a curve of their own, and those who deviate are found."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from cohort_outputs import make_config

from mriderived import cli
from mriderived.core.normative import share_below
from mriderived.group.model_files import Model, ModelError
from mriderived.group.norms import find_norms, pose_norms
from mriderived.group.norms_chapter import find_norms_chapters
from mriderived.group.records import Cohort, Row
from mriderived.group.rules import read_rule
from mriderived.group.sample import Sample
from mriderived.group.variables import Variable, Variables

PEOPLE, REGIONS = 600, 20
MODEL = Model('thickness', 'thickness', 'age + C(sex)')
CONTROLS = read_rule('group == "control"')


def make_covariates(people: int = PEOPLE) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame({
        'age': rng.uniform(20, 80, people),
        'sex': np.where(np.arange(people) % 2 == 0, 'F', 'M').astype(object),
        'group': np.where(np.arange(people) % 6 == 0, 'patient', 'control').astype(object),
    })  # fmt: skip


def spread(covariates: pd.DataFrame) -> np.ndarray:
    """Return the standard deviation of each person: more in the old, and in men."""
    age, is_male = covariates['age'].to_numpy(), (covariates['sex'] == 'M').to_numpy()
    return 0.1 * np.exp(0.015 * (age - 50) + 0.3 * is_male)[:, None]


def make_thickness(covariates: pd.DataFrame, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    age = covariates['age'].to_numpy()[:, None]
    is_male = (covariates['sex'] == 'M').to_numpy()[:, None]
    noise = rng.normal(size=(len(covariates), REGIONS))
    return 3 - 0.0001 * (age - 30) ** 2 + 0.1 * is_male + spread(covariates) * noise


def make_variables(values: np.ndarray, names: list[str] | None = None) -> Variables:
    variables = tuple(
        Variable(f'v{n}', 'surface_regions', 'thickness', 'mm', 'Thickness', 'DK', f'r{n}', str(n))
        for n in range(values.shape[1])
    )
    people = names or [f'{n:03d}' for n in range(len(values))]
    return Variables(tuple(Row('', name) for name in people), variables, values)


def test_z_is_standard_in_both_sexes_and_at_every_age() -> None:
    covariates = make_covariates()
    values = make_thickness(covariates)
    found = find_norms(pose_norms(MODEL, make_variables(values), covariates))
    assert found.z.mean() == pytest.approx(0, abs=0.05)
    assert found.z.std() == pytest.approx(1, abs=0.05)
    for part in ('F', 'M'):
        z = found.z[(covariates['sex'] == part).to_numpy()]
        assert z.mean() == pytest.approx(0, abs=0.05) and z.std() == pytest.approx(1, abs=0.05)
    for low in (20, 40, 60):
        z = found.z[covariates['age'].between(low, low + 20).to_numpy()]
        assert z.mean() == pytest.approx(0, abs=0.05) and z.std() == pytest.approx(1, abs=0.06)
    levels = [0.025, 0.05, 0.25, 0.5, 0.75, 0.95, 0.975]
    np.testing.assert_allclose(share_below(found.centile, levels).mean(axis=1), levels, atol=0.02)


def test_a_planted_deviation_is_found_where_it_is() -> None:
    covariates = make_covariates()
    values = make_thickness(covariates)
    before = find_norms(pose_norms(MODEL, make_variables(values), covariates)).z[7, 3]
    values[7, 3] -= 3 * spread(covariates)[7, 0]
    z = find_norms(pose_norms(MODEL, make_variables(values), covariates)).z
    assert z[7, 3] - before == pytest.approx(-3, abs=0.3)


def test_nobody_draws_the_curve_that_judges_them() -> None:
    """However far somebody is, what is expected of them stays the same."""
    covariates = make_covariates(120)
    values = make_thickness(covariates)
    one = find_norms(pose_norms(MODEL, make_variables(values), covariates))
    values[5] += 50
    other = find_norms(pose_norms(MODEL, make_variables(values), covariates))
    np.testing.assert_allclose(one.expected[5], other.expected[5], rtol=1e-12)
    assert (other.z[5] > 5).all()


def test_the_reference_draws_and_others_are_judged() -> None:
    covariates = make_covariates()
    values = make_thickness(covariates)
    patients = (covariates['group'] == 'patient').to_numpy()
    before = find_norms(pose_norms(MODEL, make_variables(values), covariates, CONTROLS)).z
    values[patients] -= spread(covariates)[patients]
    covariates.loc[6, 'age'] = 95.0  # a patient, older than all controls
    found = find_norms(pose_norms(MODEL, make_variables(values), covariates, CONTROLS))
    assert np.nanmean(found.z[patients] - before[patients]) == pytest.approx(-1, abs=0.06)
    assert found.z[~patients].mean() == pytest.approx(0, abs=0.05)
    assert np.isnan(found.z[6]).all() and found.reasons[6].startswith('age is beyond')


def test_further_sessions_are_judged_by_others() -> None:
    covariates = make_covariates(200)
    covariates['sex'] = np.where(np.arange(200) // 2 % 2 == 0, 'F', 'M').astype(object)
    values = make_thickness(covariates)
    names = [f'{n // 2:03d}' for n in range(200)]
    variables = make_variables(values, names)
    one = find_norms(pose_norms(MODEL, variables, covariates))
    variables.values[10] += 50
    other = find_norms(pose_norms(MODEL, variables, covariates))
    # row 11 is the same participant
    np.testing.assert_allclose(one.z[11], other.z[11], rtol=1e-12)


@pytest.mark.parametrize(
    ('people', 'terms', 'rule', 'message'),
    [
        (40, 'age', '', 'norms need 50 participants with all covariates, and there are 40'),
        (120, 'age', 'group == "patient"', 'of whom group == "patient" is true, and there are 20'),
        (120, 'age', 'group == "cat"', 'group == "cat" is true of nobody'),
        (120, 'age', 'grp == "cat"', 'there is no column grp. Did you mean group?'),
        (120, 'age + C(group)', 'group == "control"', 'is the same for all who draw the curves'),
        (120, 'age + I(age**2)', '', 'age has a curve of its own, from which another term'),
        (120, 'age + C(rare)', '', '2 of those who draw the curves are C(rare)[T.b], and norms'),
        (120, 'age + C(sex)*C(cell)', '', 'the curves are C(sex)[T.M] in C(sex):C(cell), and'),
        (120, 'age + C(first)', '', '2 of those who draw the curves are the first level of C('),
    ],
)  # fmt: skip
def test_what_gives_no_norms_is_refused(people: int, terms: str, rule: str, message: str) -> None:
    covariates = make_covariates(people)
    covariates['rare'] = np.where(np.arange(people) < 2, 'b', 'a').astype(object)
    is_woman = covariates['sex'] == 'F'
    at_a = np.where(is_woman, np.arange(people) % 4 == 0, np.arange(people) < 4)
    covariates['cell'] = np.where(at_a, 'A', 'B').astype(object)
    covariates['first'] = np.where(np.arange(people) < 2, 'a', covariates['sex']).astype(object)
    covariates['first'] = covariates['first'].replace({'F': 'b', 'M': 'c'})
    with pytest.raises(ModelError) as caught:
        pose_norms(
            Model('m', 'thickness', terms), make_variables(make_thickness(covariates)), covariates,
            read_rule(rule) if rule else None,
        )  # fmt: skip
    assert message in str(caught.value)


def test_a_region_that_too_few_of_a_level_have_gets_no_norms() -> None:
    """Four women have the first, one the second, five the third, whom two folds share."""
    covariates = make_covariates(200)
    covariates['sex'] = np.where(np.arange(200) < 12, 'F', 'M').astype(object)
    values = make_thickness(covariates)
    values[4:12, 0] = np.nan
    values[1:12, 1] = np.nan
    result = find_norms(pose_norms(MODEL, make_variables(values), covariates))
    assert set(result.without) == {0, 1}
    assert result.without[0].startswith('4 of those who draw the curve and are the first level of')
    assert np.isnan(result.z[:, :2]).all() and np.isfinite(result.z[:, 2:]).all()


def test_what_was_filled_is_told(tmp_path: Path) -> None:
    covariates = make_covariates(120)
    covariates.loc[3, 'age'] = np.nan
    sample = Sample(Cohort(), make_variables(make_thickness(make_covariates(120))), covariates)
    model = replace(MODEL, missing='mean')
    chapters, refused, *_ = find_norms_chapters(make_config(tmp_path), [model], sample)
    assert not refused
    assert 'age: 1 missing values were filled' in chapters[0].notes
    told = json.loads((tmp_path / 'models' / 'norms-thickness_z.json').read_text())
    assert told['Filled'] == {'age': 1} and told['LeftOut'] == {}


def test_who_draws_decides_the_range_and_the_first_of_the_reference_draws() -> None:
    """Second sessions are ten years later: who is older than all who draw is not judged."""
    rng = np.random.default_rng(5)
    age = rng.uniform(20, 60, 100)
    covariates = pd.DataFrame({
        'age': np.concatenate([age, age + 10]),
        'visit': np.repeat(['first', 'second'], 100).astype(object),
    })  # fmt: skip
    names = [f'{n % 100:03d}' for n in range(200)]
    variables = make_variables(rng.normal(2.5, 0.1, (200, 3)), names)
    model = Model('m', 'thickness', 'age')
    result = find_norms(pose_norms(model, variables, covariates))
    assert int(result.task.draws.sum()) == 100
    beyond = covariates['age'].to_numpy() > age.max()
    assert beyond.sum() > 10 and np.isnan(result.z[beyond]).all()
    assert all('age is beyond' in reason for reason in result.reasons[beyond])
    second = read_rule('visit == "second"')
    found = find_norms(pose_norms(model, variables, covariates, second)).task
    np.testing.assert_array_equal(found.draws, np.arange(200) >= 100)


def test_z_centiles_and_pictures_are_written(tmp_path: Path) -> None:
    covariates = make_covariates(150)
    values = make_thickness(covariates)
    values[:, 1] = np.nan
    values[:110, 2] = np.nan
    covariates.loc[3, 'age'] = np.nan
    config = replace(make_config(tmp_path))
    sample = Sample(Cohort(), make_variables(values), covariates)
    chapters, refused = find_norms_chapters(config, [MODEL, Model('m', 'volume', 'age')], sample)
    assert len(refused) == 1 and chapters[1].text == 'No norms were found.'
    z = pd.read_csv(tmp_path / 'models' / 'norms-thickness_z.tsv', sep='\t', na_values='n/a')
    centile = pd.read_csv(
        tmp_path / 'models' / 'norms-thickness_centile.tsv', sep='\t', na_values='n/a'
    )
    assert z.shape == centile.shape == (149, 2 + REGIONS) and 'sub-003' not in set(
        z['participant_id']
    )
    assert ((z['v0'] > 0) == (centile['v0'] > 50)).all()
    assert z[['v1', 'v2']].isna().all().all()
    told = json.loads((tmp_path / 'models' / 'norms-thickness_z.json').read_text())
    assert told['v2']['Reason'].startswith('40 of those who draw the curve have a value')
    assert '1 left out for want of age' in chapters[0].notes
    fit = pd.read_csv(tmp_path / 'models' / 'norms-thickness_fit.tsv', sep='\t', na_values='n/a')
    assert fit['sd_z'].dropna().between(0.8, 1.25).all() and fit['n'].tolist()[:3] == [149, 0, 0]
    assert len(chapters[0].pictures) == 2
    assert all((tmp_path / one.path).exists() for one in chapters[0].pictures)


@pytest.mark.parametrize('text', ['age', 'age >', '> 3', 'sex > "M"', 'age ~ 3'])
def test_what_is_no_rule_is_refused(text: str) -> None:
    with pytest.raises(ModelError):
        read_rule(text)


def test_rules_are_true_of_numbers_and_words_and_never_of_nothing() -> None:
    table = pd.DataFrame({'age': [10.0, 20.0, np.nan], 'sex': ['F', None, 'M']})
    assert read_rule('age >= 20').applies(table).tolist() == [False, True, False]
    assert read_rule('sex != F').applies(table).tolist() == [False, False, True]
    with pytest.raises(ModelError, match='has words'):
        read_rule('sex == 1').applies(table)


@pytest.mark.real
def test_norms_of_fifty_adults_hold(test_data: Path, tmp_path: Path) -> None:
    raw = test_data / 'tables' / 'fair-nidm'
    words = [str(raw), str(tmp_path / 'out'), 'group', '--derivatives',
             f'freesurfer={raw / "derivatives" / "freesurfer"}', '--norms',
             'freesurfer_aparc.thickness ~ age + C(sex)']  # fmt: skip
    assert cli.main(words) == 0
    (path,) = (tmp_path / 'out' / 'models').glob('norms-*_z.tsv')
    z = pd.read_csv(path, sep='\t', na_values='n/a').iloc[:, 2:].to_numpy(float)
    assert z.shape == (50, 68 + 148) and np.isfinite(z).all()
    assert z.mean() == pytest.approx(0, abs=0.05) and z.std() == pytest.approx(1, abs=0.05)
    for level, share in ((-1.645, (z < -1.645).mean()), (1.645, (z < 1.645).mean())):
        assert share == pytest.approx(0.05 if level < 0 else 0.95, abs=0.02)


def test_curves_of_a_narrow_range_and_terms_that_follow_from_others() -> None:
    covariates = make_covariates()
    variables = make_variables(make_thickness(covariates))
    young = read_rule('age < 30')
    found = find_norms(pose_norms(MODEL, variables, covariates, young))
    inside = (covariates['age'] < 30).to_numpy()
    assert np.isfinite(found.z[inside]).mean() > 0.95
    assert found.z[inside].std() == pytest.approx(1, abs=0.1)
    covariates['coil'] = covariates['software'] = np.arange(PEOPLE) % 3 == 0
    covariates.loc[covariates['group'] == 'patient', 'coil'] = False
    covariates['coil'], covariates['software'] = (
        covariates[name].astype(float) for name in ('coil', 'software')
    )
    model = Model('m', 'thickness', 'age + coil + software')
    with pytest.raises(ModelError, match="of those who draw the curves, 'software' follows from"):
        pose_norms(model, variables, covariates, CONTROLS)
