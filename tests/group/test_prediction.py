"""Predictions: right where there is something to predict, at chance where there is nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from cohort_outputs import make_config
from sklearn.feature_selection import SelectKBest, f_classif
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_predict

from mriderived.config import Learner, replace
from mriderived.core.combat import apply_combat, fit_combat
from mriderived.group import prediction
from mriderived.group.learners import make_folds
from mriderived.group.model_files import Model, ModelError
from mriderived.group.prediction import count_folds, predict
from mriderived.group.prediction_chapter import find_prediction_chapters
from mriderived.group.prediction_task import Task, pose_task
from mriderived.group.records import Cohort, Row
from mriderived.group.sample import Sample
from mriderived.group.variables import Variable, Variables

PEOPLE, REGIONS = 120, 30
AGE = Model('age', 'age', 'thickness')
SEX = Model('sex', 'sex', 'thickness')


def make_covariates(people: int = PEOPLE) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame({
        'age': rng.uniform(20, 80, people),
        'sex': np.where(np.arange(people) % 2 == 0, 'F', 'M').astype(object),
        'site': np.array(['A', 'B', 'C'])[np.arange(people) % 3].astype(object),
    })  # fmt: skip


def make_variables(values: np.ndarray, people: list[str] | None = None) -> Variables:
    count, width = values.shape
    variables = tuple(
        Variable(f'v{n}', 'surface_regions', 'thickness', 'mm', '', 'DK', f'r{n}', str(n))
        for n in range(width)
    )
    names = people or [f'{n:03d}' for n in range(count)]
    return Variables(tuple(Row('', name) for name in names), variables, values)


def make_thickness(covariates: pd.DataFrame, seed: int = 1) -> np.ndarray:
    """Return thickness of which ten regions fall with age and five are less in men."""
    rng = np.random.default_rng(seed)
    values = rng.normal(0, 0.12, (len(covariates), REGIONS)) + 2.5
    values[:, :10] -= 0.005 * covariates['age'].to_numpy()[:, None]
    values[:, 10:15] -= 0.12 * (covariates['sex'] == 'M').to_numpy()[:, None]
    return values


@pytest.mark.parametrize('learner', ['linear', 'svm', 'boosting'])
def test_age_is_predicted_by_models_that_did_not_see_it(learner: Learner) -> None:
    covariates = make_covariates()
    task = pose_task(AGE, make_variables(make_thickness(covariates)), covariates)
    found = predict(task, learner)
    assert found.scores['r2'] > (0.5 if learner == 'boosting' else 0.6)
    assert found.scores['mae'] < 0.7 * found.scores['mae_of_mean']
    # The bias towards the mean is there, and the correction takes it away.
    assert found.scores['r_error_target'] < -0.3
    assert abs(found.scores['r_corrected_error_target']) < 0.15
    # What goes with age is in the first ten regions, and falls.
    assert found.importance[:10].max() < 0
    assert np.abs(found.importance[:10]).min() > np.abs(found.importance[10:]).mean()


@pytest.mark.parametrize('learner', ['linear', 'svm'])
def test_a_class_is_predicted(learner: Learner) -> None:
    covariates = make_covariates()
    task = pose_task(SEX, make_variables(make_thickness(covariates)), covariates)
    assert task.classes == ('F', 'M')
    found = predict(task, learner)
    assert found.scores['auc'] > 0.85 and found.scores['balanced_accuracy'] > 0.75


def test_nothing_is_predicted_from_noise() -> None:
    covariates = make_covariates(40)
    noise = np.random.default_rng(3).normal(size=(40, 10))
    found = predict(pose_task(AGE, make_variables(noise), covariates), permutations=10)
    assert found.scores['r2'] < 0.1 and found.p > 0.1
    assert found.by_chance.max() < 0.4 and len(found.by_chance) == 9


def test_p_is_small_where_there_is_an_effect() -> None:
    covariates = make_covariates(60)
    task = pose_task(AGE, make_variables(make_thickness(covariates)), covariates)
    assert predict(task, permutations=10).p == pytest.approx(1 / 10)


def test_a_choice_of_features_outside_of_the_folds_would_have_been_caught() -> None:
    """Of noise, leaked selection 'predicts' sex; ours does not."""
    covariates = make_covariates(60)
    noise = np.random.default_rng(0).normal(size=(60, 2000))
    target = (covariates['sex'] == 'M').to_numpy(int)
    chosen = SelectKBest(f_classif, k=20).fit_transform(noise, target)
    leaked = cross_val_predict(LogisticRegression(), chosen, target, cv=5)
    assert (leaked == target).mean() > 0.85
    found = predict(pose_task(SEX, make_variables(noise), covariates))
    assert abs(found.scores['auc'] - 0.5) < 0.17


def test_harmonisation_outside_of_the_folds_would_have_been_caught() -> None:
    """ComBat of everybody that keeps the class puts it into noise; ours is of training alone."""
    covariates = make_covariates(60)
    noise = np.random.default_rng(1).normal(size=(60, 200))
    target = (covariates['sex'] == 'M').to_numpy(int)
    # Sites of unequal shares of men, where what is kept and what is taken off trade places.
    sites = np.where(np.random.default_rng(2).random(60) < np.where(target, 0.85, 0.15), 'A', 'B')
    covariates['site'] = sites.astype(object)
    leaked = apply_combat(fit_combat(noise, sites, target), noise, sites, target)
    ours = predict(pose_task(SEX, make_variables(noise), covariates, 'site')).scores['auc']
    theirs = predict(pose_task(SEX, make_variables(leaked), covariates)).scores['auc']
    assert theirs > ours + 0.2
    assert ours < 0.67


def test_sites_are_harmonised_within_training() -> None:
    covariates = make_covariates()
    values = make_thickness(covariates)
    values += np.random.default_rng(5).normal(0, 0.5, (3, REGIONS))[np.arange(PEOPLE) % 3]
    variables = make_variables(values)
    plain = predict(pose_task(AGE, variables, covariates)).scores['r2']
    even = predict(pose_task(AGE, variables, covariates, 'site')).scores['r2']
    assert even > plain and even > 0.6


def test_sessions_of_somebody_are_never_in_training_and_test() -> None:
    covariates = pd.concat([make_covariates(40)] * 3, ignore_index=True)
    rng = np.random.default_rng(0)
    # A fingerprint of each person, nothing of age: from another session it could be looked up.
    values = np.tile(rng.normal(size=(40, REGIONS)), (3, 1)) + rng.normal(0, 0.01, (120, REGIONS))
    people = [f'{n:02d}' for n in range(40)] * 3
    found = predict(pose_task(AGE, make_variables(values, people), covariates), 'svm')
    assert found.scores['r2'] < 0.1


def test_missing_values_are_filled_and_features_that_most_lack_left_out() -> None:
    covariates = make_covariates()
    values = make_thickness(covariates)
    values[::7, 3] = np.nan
    values[::3, 4] = np.nan
    values[5] = np.nan
    covariates.loc[9, 'age'] = np.nan
    task = pose_task(AGE, make_variables(values), covariates)
    assert 'v3' in task.names and 'v4' not in task.names
    assert 5 not in task.rows and 9 not in task.rows
    assert predict(task).scores['r2'] > 0.6


@pytest.mark.parametrize(
    ('model', 'sites', 'message'),
    [
        (Model('m', 'height', 'thickness'), '', 'there is no column height to predict'),
        (Model('m', 'age', 'thicknes'), '', 'Did you mean thickness'),
        (Model('m', 'site', 'thickness'), '', 'site has 3 classes (A, B, C)'),
        (Model('m', 'rare', 'thickness'), '', '3 participants are yes, 6 are needed'),
        (Model('m', 'few', 'thickness'), '', '10 participants have few and features, 20 are'),
        (AGE, 'scanner', 'there is no column scanner'),
        (AGE, 'lonely', 'site Z has 4 participants, 10 are needed'),
    ],
)
def test_what_cannot_be_predicted_is_refused(model: Model, sites: str, message: str) -> None:
    covariates = make_covariates()
    covariates['rare'] = np.where(np.arange(PEOPLE) < 3, 'yes', 'no')
    covariates['lonely'] = np.where(np.arange(PEOPLE) < 4, 'Z', 'Y')
    covariates['few'] = np.where(np.arange(PEOPLE) < 10, 1.0 * np.arange(PEOPLE), np.nan)
    with pytest.raises(ModelError) as caught:
        pose_task(model, make_variables(make_thickness(covariates)), covariates, sites)
    assert message in str(caught.value)


def test_numbers_of_everybody_and_a_picture_are_written(tmp_path: Path) -> None:
    covariates = make_covariates()
    config = replace(make_config(tmp_path), nprocs=1)
    sample = Sample(Cohort(), make_variables(make_thickness(covariates)), covariates)
    chapters, refused, *_ = find_prediction_chapters(
        config, [AGE, SEX, Model('m', 'height', 'thickness')], sample
    )
    assert len(refused) == 1 and chapters[2].text == 'Nothing was predicted.'
    table = pd.read_csv(tmp_path / 'models' / 'predicted-age.tsv', sep='\t')
    assert len(table) == PEOPLE and table['predicted'].std() > 5
    np.testing.assert_allclose(table['gap'], table['predicted'] - table['target'], atol=1e-5)
    assert abs(np.corrcoef(table['corrected_gap'], table['target'])[0, 1]) < 0.15
    assert pd.read_csv(tmp_path / 'models' / 'predicted-sex.tsv', sep='\t')['target'][0] == 'F'
    assert all((tmp_path / one.path).exists() for chapter in chapters for one in chapter.pictures)


def make_fingerprints() -> tuple[pd.DataFrame, Variables]:
    """Return 6 sites of other ages, and features that tell the site and nothing of age in it."""
    covariates = make_covariates()
    rng = np.random.default_rng(4)
    site = np.arange(PEOPLE) % 6
    covariates['site'] = np.array(list('abcdef'))[site].astype(object)
    covariates['age'] = np.array([30, 62, 41, 70, 25, 55])[site] + rng.normal(0, 4, PEOPLE)
    values = rng.normal(0, 1, (6, REGIONS))[site] + rng.normal(0, 0.2, (PEOPLE, REGIONS))
    return covariates, make_variables(values)


@pytest.mark.parametrize('learner', ['linear', 'svm'])
def test_folds_of_whole_sites_know_no_scanner(learner: Learner) -> None:
    """Scanners stand for ages: folds of people learn them by heart, folds of sites cannot."""
    covariates, variables = make_fingerprints()
    leaking = predict(pose_task(AGE, variables, covariates), learner)
    task = pose_task(AGE, variables, covariates, 'site', is_by_site=True)
    for train, test in make_folds(False, 5, 42).split(task.features, task.target, task.groups):
        sites = covariates['site'].to_numpy()
        assert not set(sites[train]) & set(sites[test])
    assert leaking.scores['r2'] > 0.85
    assert predict(task, learner).scores['r2'] < 0


def test_who_was_at_two_sites_ties_them() -> None:
    covariates = pd.concat([make_covariates(60)] * 2, ignore_index=True)
    people = [f'{n:02d}' for n in range(60)] * 2
    covariates['site'] = np.array(list('abcd'))[np.arange(120) % 60 % 4].astype(object)
    covariates.loc[60, 'site'] = 'b'  # participant 00, who was at a before
    variables = make_variables(make_thickness(covariates), people)
    task = pose_task(AGE, variables, covariates, 'site', is_by_site=True)
    assert count_folds(task) == 3
    site = covariates['site']
    assert len(set(task.groups[site.isin(['a', 'b'])])) == 1
    # A target is dealt out to people, not to sites: p is no less than 1 of these.
    assert len(set(task.persons)) == 60
    covariates.loc[61, 'site'] = 'c'
    with pytest.raises(ModelError, match='there are 2 sites that share no participant, and 3'):
        pose_task(AGE, variables, covariates, 'site', is_by_site=True)


def test_folds_of_sites_of_one_class_are_refused() -> None:
    covariates = make_covariates()
    variables = make_variables(make_thickness(covariates))
    covariates['site'] = np.where(covariates['sex'] == 'F', 'a', covariates['site'])
    with pytest.raises(ModelError, match='at site a all are F, so that folds of whole sites'):
        pose_task(SEX, variables, covariates, 'site', is_by_site=True)
    covariates['site'] = np.where(np.arange(PEOPLE) < 50, 'a', 'b')
    with pytest.raises(ModelError, match='there are 2 sites, and 3 are needed for folds of whole'):
        pose_task(AGE, variables, covariates, 'site', is_by_site=True)


def test_a_class_is_predicted_at_other_sites() -> None:
    covariates = make_covariates()
    variables = make_variables(make_thickness(covariates))
    task = pose_task(SEX, variables, covariates, 'site', is_by_site=True)
    assert count_folds(task) == 3
    assert predict(task, permutations=3).scores['auc'] > 0.85


@pytest.mark.parametrize('learner', ['linear', 'svm', 'boosting'])
def test_the_bias_is_that_of_training_participants(learner: Learner) -> None:
    """Whoever is tested changes nothing of the correction of those who are tested with them."""
    covariates = make_covariates(40)
    values = make_thickness(covariates)[:, :6]
    task = pose_task(AGE, make_variables(values), covariates)
    _, test = next(iter(make_folds(False, 5, 42).split(values, groups=task.groups)))
    other = task.features.copy()
    other[test] = np.random.default_rng(9).normal(2.4, 0.3, (len(test), 6))
    taken = [one.predicted - one.corrected for one in (
        predict(task, learner), predict(replace(task, features=other), learner),
    )]  # fmt: skip
    np.testing.assert_allclose(taken[0][test], taken[1][test], rtol=1e-9, atol=1e-9)
    # It is a line of the true value, and it is there.
    slope, _ = np.polyfit(task.target[test], taken[0][test], 1)
    assert slope < -0.05


def test_inner_folds_keep_participants_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """The choice of strength and the bias split nobody's sessions, either."""
    seen: list[int] = []

    class Watched(GroupKFold):
        def split(
            self, X: np.ndarray, y: object = None, groups: object = None
        ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
            people = np.asarray(groups)
            for train, test in super().split(X, y, people):
                assert not set(people[train]) & set(people[test])
                seen.append(len(people))
                yield train, test

    monkeypatch.setattr('mriderived.group.learners.GroupKFold', Watched)
    covariates = pd.concat([make_covariates(25)] * 2, ignore_index=True)
    people = [f'{n:02d}' for n in range(25)] * 2
    predict(pose_task(AGE, make_variables(make_thickness(covariates), people), covariates))
    # 5 outer folds of 50 rows; in each of them 4 to choose and 4 for the bias, of 40.
    assert sorted(seen) == [40] * 40 + [50] * 5


def test_permutations_of_sites_keep_what_each_has_of_a_class(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two of twelve are patients at every site: over all, some would be left without."""
    covariates = make_covariates(48)
    covariates['site'] = np.array(list('abcd'))[np.arange(48) % 4].astype(object)
    covariates['dx'] = np.where(np.arange(48) < 8, 'patient', 'control').astype(object)
    variables = make_variables(make_thickness(covariates))
    task = pose_task(Model('m', 'dx', 'thickness'), variables, covariates, 'site', is_by_site=True)
    dealt = []

    def watch(model: object, task: Task, target: np.ndarray, seed: int) -> tuple[np.ndarray, ...]:
        dealt.append(target)
        return target.astype(float), target.astype(float), np.zeros(1)

    monkeypatch.setattr(prediction, '_cross_validate', watch)
    for number in range(1, 20):
        prediction._by_chance(None, task, 0, number)
    sites = covariates['site'].to_numpy()
    assert all(target[sites == site].sum() == 2 for target in dealt for site in 'abcd')
    assert len({tuple(target) for target in dealt}) == 19


@pytest.mark.parametrize('name', ['tiv', 'volume_of_the_head'])
def test_a_column_is_not_predicted_from_itself(name: str) -> None:
    """By its short name, and as a copy in another unit."""
    covariates = make_covariates()
    values = make_thickness(covariates)
    variables = make_variables(values)
    own = Variable('tissue_volume_tiv_volume', 'tissue_volume', 'tiv_volume', 'mm3', '')
    variables = Variables(variables.rows, (*variables.variables, own),
                          np.column_stack([values, 1e6 * (1 + values[:, 0])]))  # fmt: skip
    covariates[name] = 1 + values[:, 0]
    with pytest.raises(ModelError, match=rf'{name} (is among what it is predicted from|itself)'):
        pose_task(Model('m', name, 'tissue_volume + thickness'), variables, covariates)
