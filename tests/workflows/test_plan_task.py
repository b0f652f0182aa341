"""Plans with measures of some runs only: those of tasks with a model, and of several echoes."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from mriderived.bids.bold_checks import BoldCheck
from mriderived.bids.image_checks import ImageCheck
from mriderived.bids.known_files import Look
from mriderived.config import Config
from mriderived.group.blocks import _explain_absence
from mriderived.group.columns import Source
from mriderived.group.records import Row
from mriderived.measures.base import Scope
from mriderived.measures.registry import find_measures
from mriderived.measures.t2star import T2STAR
from mriderived.workflows import bold_source, contrast_source
from mriderived.workflows.asked import asked_measures, measures_of_folder
from mriderived.workflows.participant import init_participant_wf
from mriderived.workflows.plan import ParticipantPlan, plan_participant, selected_measures

Skeleton = Callable[[str], Path]
NBACK = 'sub-01/ses-a/func/sub-01_ses-a_task-nback_bold.nii.gz'
OTHER = 'sub-01/ses-b/func/sub-01_ses-b_task-nback_part-mag_bold.nii.gz'
ECHOES = 'sub-01/ses-b/func/sub-01_ses-b_task-rest_echo-1_bold.nii.gz'
MODEL: dict[str, Any] = {
    'Input': {'task': 'nback'},
    'Nodes': [
        {
            'Level': 'Run',
            'Transformations': {
                'Instructions': [
                    {'Name': 'Factor', 'Input': ['trial_type']},
                    {'Name': 'Convolve', 'Input': ['trial_type.two'], 'Model': 'spm'},
                ]
            },
            'Model': {'X': [1, 'trial_type.two']},
            'DummyContrasts': {'Test': 't'},
        }
    ],
}
NAMES = {'task_glm', 'task_glm_trial_type_two', 'task_trial_type_two_effect_regions',
         'task_trial_type_two_z_regions', 'task_trial_type_two_effect_in_space',
         'task_trial_type_two_variance_in_space', 'task_trial_type_two_z_in_space'}  # fmt: skip


@pytest.fixture(autouse=True)
def accept_every_image(monkeypatch: pytest.MonkeyPatch) -> None:
    def check_series(path: Path, metadata: Mapping[str, Any], look: Look) -> BoldCheck:
        direction = metadata.get('PhaseEncodingDirection')
        time = float(metadata['RepetitionTime'])
        return BoldCheck(path, (), {}, (), 10, time, (0.0, 1.0), direction)

    monkeypatch.setattr(
        contrast_source, 'check_image', lambda path, *_: ImageCheck(path, (), {}, ())
    )
    monkeypatch.setattr(bold_source, 'check_bold', check_series)
    monkeypatch.setattr(bold_source, 'check_field_map_geometry', lambda files, run: [])


@pytest.fixture
def settings(skeleton: Skeleton, tmp_path: Path) -> Config:
    path = tmp_path / 'model_smdl.json'
    path.write_text(json.dumps(MODEL))
    bids_dir = skeleton('bold')
    out_dir = bids_dir.parent / 'out'
    return Config(bids_dir, out_dir, out_dir / 'work', atlases=('Thalamus',), task_model=path)


def of_tasks(plan: ParticipantPlan) -> list[Any]:
    return [unit for unit in plan.units if unit.measure.scope.family == 'task_glm']


def test_runs_of_the_task_have_the_measures_of_the_model(settings: Config) -> None:
    found = of_tasks(plan_participant(settings, '01'))
    assert {unit.image for unit in found} == {NBACK, OTHER}
    assert {unit.measure.name for unit in found} == NAMES
    (design,) = (u for u in found if u.image == NBACK and u.measure.name == 'task_glm')
    assert design.outputs == {
        'task_design': 'sub-01/ses-a/func/sub-01_ses-a_task-nback_design.tsv'
    }
    (maps,) = (u for u in found if u.image == NBACK and u.measure.name.endswith('two'))
    assert maps.outputs['task_trial_type_two_z'] == (
        'sub-01/ses-a/func/sub-01_ses-a_task-nback_contrast-trialTypeTwo_stat-z_statmap.nii.gz'
    )


def test_a_task_stands_in_the_cohort_table_beside_rest(settings: Config) -> None:
    plan = plan_participant(settings, '01')
    assert all(unit.is_reference for unit in of_tasks(plan))
    (motion,) = (u for u in plan.units if u.image == NBACK and u.measure.name == 'bold_motion')
    assert not motion.is_reference


def test_without_a_model_there_is_nothing_of_tasks(settings: Config) -> None:
    plain = dataclasses.replace(settings, task_model=None)
    assert of_tasks(plan_participant(plain, '01')) == []
    assert NAMES.isdisjoint(measure.name for measure in asked_measures(plain))


def test_the_family_is_asked_for_and_left_out_by_its_name(settings: Config) -> None:
    def names(**changes: Any) -> set[str]:
        chosen = selected_measures(dataclasses.replace(settings, **changes))
        return {measure.name for measure in chosen if not measure.is_preprocessing}

    assert names(measures=('task_glm',)) == NAMES
    assert NAMES.isdisjoint(names(skip_measures=('task_glm',)))
    assert names(measures=('default',)) >= NAMES


def test_events_and_model_make_only_what_is_of_them_new(settings: Config) -> None:
    def prints(config: Config) -> dict[Any, str]:
        return {u.key: u.fingerprint for u in plan_participant(config, '01').units}

    before = prints(settings)
    events = settings.bids_dir / NBACK.replace('_bold.nii.gz', '_events.tsv')
    events.write_text('onset\tduration\ttrial_type\n1\t1\ttwo\n')
    after = prints(settings)
    new = {key for key in before if before[key] != after[key]}
    assert {key[0] for key in new} == {NBACK}
    assert {key[1] for key in new} == NAMES
    content = json.loads(settings.task_model.read_text())  # type: ignore[union-attr]
    content['Nodes'][0]['Transformations']['Instructions'][1]['Model'] = 'glover'
    other = settings.bids_dir.parent / 'other.json'
    other.write_text(json.dumps(content))
    changed = prints(dataclasses.replace(settings, task_model=other))
    assert {key[1] for key in after if after[key] != changed[key]} == NAMES


def test_events_are_offered_where_they_are(settings: Config) -> None:
    plan = plan_participant(settings, '01')
    graph = init_participant_wf(settings, plan).workflow
    offered = {
        name.split('.')[0]: graph.get_node(name).inputs.bold_events
        for name in graph.list_node_names()
        if name.endswith('task_glm.inputnode')
    }
    assert len(offered) == 2
    assert sum(str(value).endswith('_events.tsv') for value in offered.values()) == 1


def test_t2star_is_of_runs_of_several_echoes(settings: Config) -> None:
    units = [u for u in plan_participant(settings, '01').units if u.measure.scope.is_multi_echo]
    assert {unit.image for unit in units} == {ECHOES}
    assert {unit.measure.name for unit in units} == {
        't2star', 't2star_regions', 't2star_in_space'
    }  # fmt: skip
    assert all(unit.is_reference for unit in units)
    assert units[0].outputs['t2star'] == (
        'sub-01/ses-b/func/sub-01_ses-b_task-rest_T2starmap.nii.gz'
    )


def test_a_scope_says_what_is_missing() -> None:
    assert Scope(tasks=('a', 'b')).describe() == 'run of a or b'
    source = Source(
        next(m for m in find_measures() if m.name == 't2star'), T2STAR.outputs[1], None
    )
    assert _explain_absence(source, Row('', '01')) == 'there is no multi-echo run'
    run = Row('', '01', 'sub-01/func/sub-01_task-rest_bold.nii.gz')
    assert _explain_absence(source, run) == 'this is no multi-echo run'


def test_a_folder_knows_its_model_and_the_settings_of_its_measures(tmp_path: Path) -> None:
    assert NAMES.isdisjoint(measure.name for measure in measures_of_folder(tmp_path))
    (tmp_path / 'logs').mkdir()
    (tmp_path / 'logs' / 'task_model.json').write_text(json.dumps(MODEL))
    generator = {
        'Name': 'mriderived',
        'Configuration': {'alff_definition': 'deviation', 'reho_neighbours': '7',
                          'tracking_algorithm': 'deterministic', 'tracking_seeds': 20_000},
    }  # fmt: skip
    (tmp_path / 'dataset_description.json').write_text(json.dumps({'GeneratedBy': [generator]}))
    found = {measure.name: measure for measure in measures_of_folder(tmp_path)}
    assert found.keys() >= NAMES
    assert 'standard deviation' in found['alff'].methods
    assert 'that share a face with it' in found['reho'].methods
    assert 'tracked deterministically' in found['tractography'].methods
    assert 'from 20 000 seeds' in found['tractography'].methods
