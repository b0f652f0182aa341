"""Prediction from connectivity: the mean of the tangent space is that of training participants."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cohort_outputs import make_config, write_description
from functional_outputs import BoldParticipant
from nilearn.connectome import ConnectivityMeasure, sym_matrix_to_vec

from mriderived.group.learners import TangentSpace, make_folds
from mriderived.group.model_files import Model, ModelError
from mriderived.group.prediction import FOLDS, predict
from mriderived.group.prediction_task import Task
from mriderived.group.stage import run_group
from mriderived.group.tangent_features import split_terms
from mriderived.interfaces.tangent import find_covariance
from mriderived.measures.connectivity import CONNECTIVITY

NAMES = ['a', 'b', 'c', 'd']
PEOPLE = 24
UPPER = np.triu_indices(len(NAMES))


def make_series(seed: int, coupling: float) -> np.ndarray:
    """Return series of which the first two regions go together by so much."""
    rng = np.random.default_rng(seed)
    mixing = np.eye(4) + 0.1 * np.random.default_rng(0).normal(size=(4, 4))
    mixing[0, 1] += coupling
    return rng.normal(size=(120, 4)) @ mixing * 50


def standardised(series: np.ndarray) -> np.ndarray:
    return (series - series.mean(axis=0)) / series.std(axis=0)


def make_task(seed: int = 1) -> Task:
    rng = np.random.default_rng(seed)
    age = rng.uniform(20, 80, PEOPLE)
    series = [make_series(n, (one - 20) / 60) for n, one in enumerate(age)]
    features = np.array([find_covariance(one)[UPPER] for one in series])
    people = np.array([f'{n:02d}' for n in range(PEOPLE)])
    names = tuple(f'{one} {other}' for one, other in zip(*UPPER, strict=True))
    return Task(features, names, age, np.arange(PEOPLE), people, regions=len(NAMES))


def test_departures_are_those_of_nilearn() -> None:
    series = [make_series(n, 0.03 * n) for n in range(16)]
    covariances = np.array([find_covariance(one)[UPPER] for one in series])
    ones = np.ones((16, 1))
    space = TangentSpace(1, 4).fit(np.hstack([ones, covariances])[:12])
    found = space.transform(np.hstack([ones, covariances])[12:])
    theirs = ConnectivityMeasure(kind='tangent').fit([standardised(one) for one in series[:12]])
    expected = theirs.transform([standardised(one) for one in series[12:]])
    assert found[:, 0].tolist() == [1.0] * 4
    for matrix, row in zip(expected, found[:, 1:], strict=True):
        np.testing.assert_allclose(row, matrix[UPPER], atol=1e-8)
    assert sym_matrix_to_vec(expected).shape[1] == covariances.shape[1]


def test_nobody_of_the_test_has_a_part_in_the_mean() -> None:
    """Whoever changes in a test fold changes no prediction of others in it; leaked, they do."""
    task = make_task()
    _, test = next(iter(make_folds(False, FOLDS, 42).split(task.features, groups=task.groups)))
    other = task.features.copy()
    other[test[0]] = find_covariance(make_series(99, 8.0))[UPPER]
    ours = [
        predict(replace(task, features=one)).predicted[test[1:]] for one in (task.features, other)
    ]
    np.testing.assert_array_equal(*ours)
    leaked = [
        predict(replace(task, features=TangentSpace(0, 4).fit(one).transform(one), regions=0))
        for one in (task.features, other)
    ]
    apart = leaked[0].predicted[test[1:]] - leaked[1].predicted[test[1:]]
    assert np.abs(apart).min() > 1e-3


def test_age_is_predicted_from_coupling() -> None:
    found = predict(make_task())
    assert found.scores['r2'] > 0.5
    # The pair that goes with age, as departures and not as covariances.
    assert found.importance[1] > 0.8 and abs(found.importance[2]) < 0.4


def test_the_command_predicts_from_tangent_space(tmp_path: Path) -> None:
    out_dir = tmp_path / 'out'
    write_description(out_dir)
    (tmp_path / 'raw').mkdir()
    lines = ['participant_id\tage']
    for number in range(PEOPLE):
        age = 20 + 2 * number
        person = BoldParticipant(out_dir, f'{number:02d}').moved(0.1)
        series = make_series(number, number / PEOPLE)
        person.connectivity(
            NAMES, np.eye(4), series=series[:20] if number == 7 else series
        ).write()
        lines.append(f'sub-{number:02d}\t{age}')
    (tmp_path / 'raw' / 'participants.tsv').write_text('\n'.join(lines) + '\n')
    result = run_group(make_config(out_dir, predict=('age ~ tangent',)), (CONNECTIVITY,))
    assert not result.refused
    features = (out_dir / 'models' / 'predicted-ageTangent_features.tsv').read_text()
    assert features.splitlines()[2].startswith('tangent a b\t')
    people = (out_dir / 'models' / 'predicted-ageTangent.tsv').read_text().splitlines()
    assert len(people) == PEOPLE and not any(line.startswith('sub-07') for line in people)
    log = (out_dir / 'logs' / 'group.json').read_text()
    assert 'sub-07 has no place in the tangent space: it has 20 volumes left' in log
    assert 'the mean in which the tangent space touches' in log
    asked = ('age ~ tangent.Power',)
    result = run_group(make_config(out_dir, predict=asked), (CONNECTIVITY,))
    assert 'write whose tangent space, as in tangent.DesikanKilliany' in result.refused[0]


def test_one_atlas_at_a_time() -> None:
    assert split_terms(Model('x', 'age', 'connectivity.tangent + area')) == (['area'], '')
    with pytest.raises(ModelError, match='name one atlas for the tangent space, not 2'):
        split_terms(Model('x', 'age', 'tangent.A + tangent.B'))
