"""Models of tasks: what is read, and what is refused by the name of its key."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from mriderived.bids.stats_model import StatsModel, StatsModelError, read_stats_model
from mriderived.bids.stats_model_contrasts import label_contrast

MODEL: dict[str, Any] = {
    'Name': 'faces',
    'BIDSModelVersion': '1.0.0',
    'Input': {'task': ['faces']},
    'Nodes': [
        {
            'Level': 'Run',
            'Name': 'run',
            'GroupBy': ['run', 'subject'],
            'Transformations': {
                'Transformer': 'pybids-transforms-v1',
                'Instructions': [
                    {'Name': 'Factor', 'Input': ['trial_type']},
                    {
                        'Name': 'Convolve',
                        'Input': ['trial_type.*', 'response_time'],
                        'Model': 'spm',
                        'Derivative': True,
                    },
                ],
            },
            'Model': {
                'Type': 'glm',
                'X': [1, 'trial_type.face', 'trial_type.house', 'response_time', 'trans_*'],
                'Options': {'HighPassFilterCutoffHz': 0.01},
            },
            'DummyContrasts': {'Test': 't', 'Contrasts': ['trial_type.face']},
            'Contrasts': [
                {
                    'Name': 'face > house',
                    'ConditionList': ['trial_type.face', 'trial_type.house'],
                    'Weights': [1, '-1/2'],
                    'Test': 't',
                }
            ],
        },
        {'Level': 'Dataset', 'Name': 'all', 'Model': {'X': [1], 'Type': 'glm'}},
    ],
    'Edges': [{'Source': 'run', 'Destination': 'all'}],
}


def read(tmp_path: Path, content: Any) -> StatsModel:
    path = tmp_path / 'model_smdl.json'
    path.write_text(json.dumps(content))
    return read_stats_model(path)


def changed(*keys: Any, value: Any) -> dict[str, Any]:
    """Return the model with the value at some keys changed, or taken away (``...``)."""
    content = copy.deepcopy(MODEL)
    place: Any = content
    for key in keys[:-1]:
        place = place[key]
    if value is ...:
        del place[keys[-1]]
    else:
        place[keys[-1]] = value
    return content


def test_a_model_is_read(tmp_path: Path) -> None:
    model = read(tmp_path, MODEL)
    assert model.tasks == ('faces',)
    assert model.factors == ('trial_type',)
    assert [(c.name, c.response) for c in model.conditions] == [
        ('trial_type.face', 'spm + derivative'),
        ('trial_type.house', 'spm + derivative'),
        ('response_time', 'spm + derivative'),
    ]
    assert model.confounds == ('trans_*',)
    assert model.high_pass_hz == 0.01
    dummy, own = model.contrasts
    assert (dummy.name, dummy.label, dummy.weights) == ('trial_type.face', 'trialTypeFace', (1.0,))
    assert (own.label, own.weights) == ('faceHouse', (1.0, -0.5))
    assert StatsModel.from_json(model.to_json()) == model


def test_the_response_can_stand_in_the_model(tmp_path: Path) -> None:
    content = changed('Nodes', 0, 'Transformations', 'Instructions', 1, value=...)
    response = {'Variables': ['trial_type.*', 'response_time'], 'Model': 'Glover'}
    content['Nodes'][0]['Model']['HRF'] = response
    assert {c.response for c in read(tmp_path, content).conditions} == {'glover'}


def test_dummy_contrasts_stand_for_all_conditions(tmp_path: Path) -> None:
    content = changed('Nodes', 0, 'DummyContrasts', value={'Test': 't'})
    labels = [contrast.label for contrast in read(tmp_path, content).contrasts]
    assert labels == ['trialTypeFace', 'trialTypeHouse', 'responseTime', 'faceHouse']


def test_labels_hold_letters_and_digits() -> None:
    assert label_contrast('2-back > 0-back') == '2Back0Back'


NODE, STEPS = ('Nodes', 0), ('Nodes', 0, 'Transformations', 'Instructions')
CONTRAST = ('Nodes', 0, 'Contrasts', 0)


@pytest.mark.parametrize(
    ('keys', 'value', 'message'),
    [
        (('Input',), ..., 'Input.task is missing'),
        (('Input', 'subject'), ['01'], 'Input.subject is not supported'),
        (('Steps',), [], 'Steps is not supported'),
        (('Nodes',), {}, 'Nodes must be a list'),
        (('Nodes', 0, 'Level'), 'Subject', r"Nodes\[0\].Level 'Subject' is not supported"),
        (('Nodes', 1, 'Level'), 'Run', 'one node of Level Run, not 2'),
        (('Nodes', 1, 'Model', 'X'), [1, 'age'], r'Nodes\[1\].Model.X can only be \[1\]'),
        ((*NODE, 'GroupBy'), ['subject'], r'Nodes\[0\].GroupBy must name "run"'),
        (('Edges', 0, 'Filter'), {}, r'Edges\[0\].Filter is not supported'),
        ((*STEPS[:-1], 'Transformer'), 'fsl', "Transformer 'fsl' is not supported"),
        ((*STEPS, 0, 'Name'), 'Scale', r"Instructions\[0\].Name 'Scale' is not supported"),
        ((*STEPS, 0, 'Constraint'), 'drop_one', "Constraint 'drop_one' is not supported"),
        ((*STEPS, 1, 'Model'), 'fir', r"Instructions\[1\].Model 'fir' is not supported"),
        ((*STEPS, 1, 'fir_delays'), [1], 'fir_delays is not supported'),
        ((*STEPS, 1, 'Derivative'), 'yes', 'Derivative must be true or false'),
        ((*STEPS, 1, 'Input'), ['response_time'], "'trial_type.face' is not convolved"),
        ((*STEPS, 1, 'Input'), 'trial_type', 'Input must be a list of names'),
        ((*NODE, 'Model', 'Type'), 'meta', "Model.Type 'meta' is not supported"),
        ((*NODE, 'Model', 'Formula'), 'a+b', 'Model.Formula is not supported'),
        ((*NODE, 'Model', 'X'), [1, 'trans_x'], 'Model.X names no variable that is convolved'),
        ((*NODE, 'Model', 'Options', 'Mask'), {}, 'Options.Mask is not supported'),
        ((*NODE, 'Model', 'Options', 'HighPassFilterCutoffHz'), 128, '128 is not a frequency'),
        ((*NODE, 'Model', 'Software'), {}, 'Model.Software is not supported'),
        ((*CONTRAST, 'Test'), 'F', r"Contrasts\[0\].Test 'F' is not supported"),
        ((*CONTRAST, 'Weights'), [1], r'Contrasts\[0\].Weights must hold one number for each'),
        ((*CONTRAST, 'Weights'), [1, 'x'], "'x' is not a number"),
        ((*CONTRAST, 'Weights'), [0, 0], 'one that is not 0'),
        ((*CONTRAST, 'ConditionList'), ['trial_type.*', 'a'], 'has wildcards'),
        ((*CONTRAST, 'ConditionList'), ['trans_x', 'trial_type.face'], "'trans_x' is not a var"),
        ((*CONTRAST, 'Name'), 'trial type Face', 'are the same contrast in the names of files'),
        ((*CONTRAST, 'Name'), '> <', 'has neither letters nor digits'),
        ((*NODE, 'DummyContrasts', 'Test'), 'F', "DummyContrasts.Test 'F' is not supported"),
    ],
)  # fmt: skip
def test_what_is_not_supported_is_named(
    tmp_path: Path, keys: tuple[Any, ...], value: Any, message: str
) -> None:
    with pytest.raises(StatsModelError, match=message):
        read(tmp_path, changed(*keys, value=value))


def test_drifts_are_taken_off_once(tmp_path: Path) -> None:
    content = changed('Nodes', 0, 'Model', 'X', value=['trial_type.face', 'cosine*'])
    content['Nodes'][0]['Contrasts'] = []
    with pytest.raises(StatsModelError, match='both take drifts off'):
        read(tmp_path, content)


def test_a_file_that_is_no_json_is_named(tmp_path: Path) -> None:
    path = tmp_path / 'model.json'
    path.write_text('{')
    with pytest.raises(StatsModelError, match=r'model.json is not valid JSON'):
        read_stats_model(path)
    with pytest.raises(StatsModelError, match='does not exist'):
        read_stats_model(tmp_path / 'none.json')
