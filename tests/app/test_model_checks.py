"""Models of tasks that keep a run from starting."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mriderived.app.exit_codes import ExitCode
from mriderived.app.late_checks import check_names
from mriderived.config import Config

MODEL = {
    'Input': {'task': 'a'},
    'Nodes': [
        {
            'Level': 'Run',
            'Model': {
                'X': ['trial_type.a'],
                'HRF': {'Variables': ['trial_type.a'], 'Model': 'spm'},
            },
            'Transformations': {'Instructions': [{'Name': 'Factor', 'Input': ['trial_type']}]},
            'DummyContrasts': {'Test': 't'},
        }
    ],
}


def check(tmp_path: Path, model: object = None, **settings: object) -> list[str]:
    path = None
    if model is not None:
        path = tmp_path / 'model_smdl.json'
        path.write_text(json.dumps(model))
    config = Config(tmp_path, tmp_path / 'out', tmp_path / 'work', task_model=path, **settings)  # type: ignore[arg-type]
    return [str(problem) for problem in check_names(config)]


def test_a_model_that_is_supported_and_its_measures_are_accepted(tmp_path: Path) -> None:
    names = ('task_glm', 'task_glm_trial_type_a', 'task_trial_type_a_z_regions')
    assert check(tmp_path, MODEL, measures=names) == []
    assert check(tmp_path, MODEL, skip_measures=('task_glm',)) == []


@pytest.fixture(autouse=True)
def dataset(tmp_path: Path) -> None:
    folder = tmp_path / 'sub-01' / 'ses-1' / 'func'
    folder.mkdir(parents=True)
    (folder / 'sub-01_ses-1_task-a_run-1_bold.nii.gz').touch()


def test_a_task_that_nobody_did_is_a_problem(tmp_path: Path) -> None:
    (problem,) = check(tmp_path, MODEL | {'Input': {'task': ['b', 'c']}})
    assert 'no participant has a run of b or c' in problem
    assert problem.endswith('Correct Input.task. Tasks here: a.')
    assert check(tmp_path, MODEL | {'Input': {'task': ['b', 'a']}}) == []


def test_what_is_not_supported_is_a_problem_that_names_the_key(tmp_path: Path) -> None:
    (problem,) = check(tmp_path, MODEL | {'Steps': []})
    assert 'model_smdl.json: Steps is not supported' in problem
    assert 'docs/measures/task_glm.md' in problem


def test_measures_of_a_model_need_one(tmp_path: Path) -> None:
    assert check(tmp_path, measures=('task_glm', 'tsnr')) == [
        '--measures task_glm needs a model. Give one with --task-model.'
    ]


def test_a_model_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    config = Config(tmp_path, tmp_path, tmp_path, task_model=tmp_path / 'none.json')
    (problem,) = check_names(config)
    assert 'does not exist' in problem.message
    assert problem.code is ExitCode.NO_INPUT


def test_rules_and_ratings_that_cannot_be_read_are_problems(tmp_path: Path) -> None:
    ratings = tmp_path / 'ratings.tsv'
    ratings.write_text('participant_id\trating\nsub-1\tgood\n')
    problems = check(tmp_path, exclude=('sex > "M"',), norms_reference='a ~ b', ratings=ratings)
    assert problems == [
        '--norms-reference needs --norms. Give a formula, or leave it out.',
        '--exclude: \'sex > "M"\': words have == and != only. See docs/exclusion.md.',
        "--norms-reference: 'a ~ b' is no rule: write a column, one of >= <= == != > < and a "
        "value, as in 'age > 60' or 'group == \"control\"'. See docs/exclusion.md.",
        "--ratings ratings.tsv, line 2: rating 'good' is none of accept, uncertain, exclude. "
        'See docs/exclusion.md.',
    ]
    (problem,) = check(tmp_path, ratings=tmp_path / 'none.tsv')
    assert 'does not exist' in problem
