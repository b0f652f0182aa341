"""Plans and graphs of datasets without information: nothing is computed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from mriderived.bids.bold_checks import BoldCheck
from mriderived.bids.image_checks import BadImageError, ImageCheck
from mriderived.bids.known_files import Look
from mriderived.bids.status import UnitRecord, write_record
from mriderived.config import Config
from mriderived.measures.registry import find_measures
from mriderived.workflows import bold_source, contrast_source
from mriderived.workflows.participant import init_participant_wf
from mriderived.workflows.plan import (
    ParticipantPlan,
    plan_participant,
    selected_measures,
    unasked_measures,
)
from mriderived.workflows.plan_preview import plan_participants

Skeleton = Callable[[str], Path]


@pytest.fixture(autouse=True)
def accept_every_image(monkeypatch: pytest.MonkeyPatch) -> None:
    """Images of skeletons are no heads; a missing one is still refused."""

    def check(path: Path, look: Look, content: str) -> ImageCheck:
        if not path.exists():
            raise BadImageError(path, 'its content is not here', 'Get it: datalad get')
        return ImageCheck(path, (), {}, ())

    def check_series(path: Path, metadata: Mapping[str, Any], look: Look) -> BoldCheck:
        time = float(metadata['RepetitionTime'])
        return BoldCheck(path, (), {}, (), 10, time, None, metadata.get('PhaseEncodingDirection'))

    monkeypatch.setattr(contrast_source, 'check_image', check)
    monkeypatch.setattr(bold_source, 'check_bold', check_series)


def config(bids_dir: Path, **settings: object) -> Config:
    out_dir = bids_dir.parent / 'out'
    return Config(bids_dir, out_dir, out_dir / 'work', **settings)  # type: ignore[arg-type]


def images(plan: ParticipantPlan) -> dict[str, bool]:
    return {u.image: u.is_reference for u in plan.units if u.measure.source == 'T1w'}


def test_each_session_has_its_reference(skeleton: Skeleton) -> None:
    plan = plan_participant(config(skeleton('sessions')), '01')
    assert images(plan) == {
        'sub-01/ses-a/anat/sub-01_ses-a_T1w.nii.gz': True,
        'sub-01/ses-b/anat/sub-01_ses-b_T1w.nii.gz': True,
    }


def test_of_several_images_one_is_the_reference(skeleton: Skeleton) -> None:
    plan = plan_participant(config(skeleton('runs')), '01')
    chosen = [image for image, is_reference in images(plan).items() if is_reference]
    assert len(images(plan)) == 4
    assert chosen == ['sub-01/anat/sub-01_run-2_T1w.nii.gz']


def test_every_image_has_every_unit_once(skeleton: Skeleton) -> None:
    settings = config(skeleton('runs'), atlases=('DesikanKilliany', 'Schaefer200', 'AAL3'))
    plan = plan_participant(settings, '01')
    keys = [unit.key for unit in plan.units]
    assert len(set(keys)) == len(keys)
    for image in images(plan):
        mine = [(name, variant) for path, name, variant in keys if path == image]
        assert mine.count(('brain', None)) == 1
        assert [variant for name, variant in mine if name == 'regional_volume'] == [
            'DesikanKilliany', 'Schaefer200', 'AAL3',
        ]  # fmt: skip


def test_outputs_of_different_units_never_share_a_name(skeleton: Skeleton) -> None:
    plan = plan_participant(config(skeleton('runs')), '01')
    paths = [path for unit in plan.units for path in unit.outputs.values()]
    assert len(set(paths)) == len(paths)


def test_measures_can_be_chosen_and_left_out(skeleton: Skeleton) -> None:
    root = skeleton('single')

    def measures(**settings: object) -> set[str]:
        plan = plan_participant(config(root, **settings), '01')
        return {u.measure.name for u in plan.units if not u.measure.is_preprocessing}

    assert measures(measures=('vbm',)) == {'vbm'}
    assert measures() - measures(skip_measures=('vbm',)) == {'vbm'}


def test_some_measures_run_only_where_named(skeleton: Skeleton) -> None:
    settings = config(skeleton('single'))

    def names(**changes: object) -> list[str]:
        return [m.name for m in selected_measures(dataclasses.replace(settings, **changes))]

    opt_in = [
        *('thickness_laplace', 'seed_maps', 'denoised_in_space', 'free_water'),
        *('diffusion_gradient', 'dwi_in_space', 'perivascular_spaces'),
        *('perivascular_spaces_t2w', 'perivascular_spaces_contrast', 'thickness_laplace_regions'),
        *(f'fwtensor_{name}_regions' for name in ('fwf', 'fa', 'md', 'ad', 'rd')),
        *(f'fwtensor_{name}_in_space' for name in ('fa', 'md', 'ad', 'rd')),
    ]
    assert not set(opt_in) & set(names())
    assert unasked_measures(settings) == tuple(opt_in)
    added = names(measures=('default', *opt_in))
    family = {m.name for m in find_measures() if m.scope.family in opt_in}
    assert [name for name in added if name not in {*opt_in, *family}] == names()
    assert set(added) - set(names()) == {*opt_in, *family}
    assert names(measures=('default',)) == names()
    only = names(measures=('thickness_laplace',))
    assert only[-1] == 'thickness_laplace'
    assert 'cortex' not in only
    assert 'structures' in only
    asked = dataclasses.replace(settings, measures=('default', opt_in[0]))
    assert unasked_measures(asked) == tuple(opt_in[1:])


def test_a_participant_without_images_has_reasons(skeleton: Skeleton) -> None:
    settings = config(skeleton('sessions'), session_labels=('nothing',))
    plan = plan_participant(settings, '03')
    assert {unit.state for unit in plan.units} == {'not available'}
    assert all('sub-03' in unit.reason for unit in plan.units)
    assembly = init_participant_wf(settings, plan)
    assert assembly.units == {}


def test_an_image_without_a_t1w_is_processed_as_far_as_possible(skeleton: Skeleton) -> None:
    settings = config(skeleton('sessions'))
    plan = plan_participant(settings, '03')
    assert {unit.image for unit in plan.units} == {
        'sub-03/ses-a/func/sub-03_ses-a_task-rest_bold.nii.gz'
    }
    assembly = init_participant_wf(settings, plan)
    status, reason = next(
        fate for key, fate in assembly.refused.items() if key[1] == 'bold_registration'
    )
    assert (status, reason) == ('not_available', 'there is no T1w image of sub-03')


def test_a_link_without_content_fails_its_own_units_only(skeleton: Skeleton) -> None:
    settings = config(skeleton('untidy'))
    plan = plan_participant(settings, '01')
    states = {unit.image: unit.state for unit in plan.units}
    assert states['sub-01/anat/sub-01_T1w.nii.gz'] == 'to run'
    assert states['sub-01/anat/sub-01_run-2_T1w.nii.gz'] == 'bad input'
    assembly = init_participant_wf(settings, plan)
    refused = [
        assembly.refused[unit.key]
        for unit in plan.units
        if unit.image == 'sub-01/anat/sub-01_run-2_T1w.nii.gz'
    ]
    assert [status for status, _ in refused].count('failed') == 1
    assert all('datalad get' in reason for _, reason in refused)


def test_the_graph_has_a_sink_for_every_output(skeleton: Skeleton) -> None:
    settings = config(skeleton('sessions'))
    plan = plan_participant(settings, '01')
    assembly = init_participant_wf(settings, plan)
    nodes = assembly.workflow.list_node_names()
    for name, unit in assembly.units.items():
        for field in unit.outputs:
            assert f'{name}.save_{field}' in nodes
        for figure in unit.measure.figures:
            assert f'{name}_draw_{figure.name}' in nodes
    assert len(assembly.units) == len(plan.units)


def _record(plan: ParticipantPlan, out_dir: Path, measure: str) -> None:
    """Pretend that a unit was done, with empty files as its outputs."""
    (unit,) = [unit for unit in plan.units if unit.measure.name == measure]
    for path in unit.outputs.values():
        (out_dir / path).parent.mkdir(parents=True, exist_ok=True)
        (out_dir / path).touch()
    write_record(
        out_dir,
        unit.participant,
        [UnitRecord(unit.participant, None, unit.image, measure, None, 'done',
                    fingerprint=unit.fingerprint, outputs=tuple(unit.outputs.values()))],
    )  # fmt: skip


def test_what_is_done_is_taken_from_its_files(skeleton: Skeleton) -> None:
    settings = config(skeleton('single'))
    plan = plan_participant(settings, '01')
    _record(plan, settings.out_dir, 'brain')
    again = plan_participant(settings, '01')
    assert [u.measure.name for u in again.units if u.state == 'done'] == ['brain']
    assembly = init_participant_wf(settings, again)
    assert 'T1w_brain' not in assembly.units
    tissue = assembly.workflow.get_node('T1w_tissue').get_node('inputnode')
    assert tissue.inputs.t1w.endswith('sub-01_desc-preproc_T1w.nii.gz')


@pytest.mark.parametrize('change', ['output', 'image', 'setting'])
def test_what_has_changed_is_done_again(skeleton: Skeleton, change: str) -> None:
    settings = config(skeleton('single'))
    plan = plan_participant(settings, '01')
    _record(plan, settings.out_dir, 'brain')
    if change == 'output':
        (settings.out_dir / 'sub-01/anat/sub-01_desc-brain_mask.nii.gz').unlink()
    elif change == 'image':
        (settings.bids_dir / 'sub-01/anat/sub-01_T1w.nii.gz').write_bytes(b'other')
    else:
        settings = dataclasses.replace(settings, skull_strip='skip')
    again = plan_participant(settings, '01')
    assert [u.measure.name for u in again.units if u.state == 'done'] == []


def test_a_dry_run_lists_every_unit_and_writes_nothing(skeleton: Skeleton) -> None:
    settings = config(skeleton('sessions'))
    units = plan_participants(settings, ['01', '03'])
    assert {unit.state for unit in units if unit.participant == '01'} == {'to run'}
    assert {unit.image for unit in units if unit.participant == '03'} == {
        'sub-03/ses-a/func/sub-03_ses-a_task-rest_bold.nii.gz'
    }
    assert not settings.out_dir.exists()


def test_the_backend_chooses_the_steps_and_keeps_the_files(skeleton: Skeleton) -> None:
    builtin = config(skeleton('single'))
    networks = dataclasses.replace(builtin, anat_backend='deepmriprep')
    plans = [plan_participant(settings, '01') for settings in (builtin, networks)]
    one, two = ({unit.key: unit for unit in plan.units} for plan in plans)
    assert one.keys() == two.keys()
    assert all(one[key].outputs == two[key].outputs for key in one)
    changed = {key[1] for key in one if one[key].measure.methods != two[key].measure.methods}
    assert changed == {'tissue', 'registration'}
    assert all(one[key].fingerprint != two[key].fingerprint for key in one)
    only = dataclasses.replace(networks, measures=('tissue_volume',))
    steps = [unit.measure for unit in plan_participant(only, '01').units]
    assert [step.name for step in steps] == ['brain', 'tissue', 'tissue_volume']
    assert 'deepmriprep' in steps[1].methods
