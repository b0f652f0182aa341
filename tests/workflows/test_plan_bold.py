"""Plans of BOLD runs: which units, which T1w they lean on, which field map, and what else."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import nibabel as nb
import numpy as np
import pytest

from mriderived.bids.bold_checks import BoldCheck
from mriderived.bids.image_checks import ImageCheck
from mriderived.bids.known_files import Look
from mriderived.bids.status import UnitRecord, write_record
from mriderived.config import Config
from mriderived.interfaces.acquisition import read_acquisition
from mriderived.workflows import bold_source, contrast_source, sources
from mriderived.workflows.participant import init_participant_wf
from mriderived.workflows.plan import ParticipantPlan, plan_participant
from mriderived.workflows.plan_preview import plan_participants

Skeleton = Callable[[str], Path]
A, B = 'sub-01/ses-a', 'sub-01/ses-b'
REST_1 = f'{A}/func/sub-01_ses-a_task-rest_acq-long_run-1_bold.nii.gz'
REST_2 = f'{A}/func/sub-01_ses-a_task-rest_acq-long_run-2_bold.nii.gz'
NBACK = f'{A}/func/sub-01_ses-a_task-nback_bold.nii.gz'
ECHOES = f'{B}/func/sub-01_ses-b_task-rest_echo-1_bold.nii.gz'
MAGNITUDE = f'{B}/func/sub-01_ses-b_task-nback_part-mag_bold.nii.gz'


@pytest.fixture(autouse=True)
def accept_every_image(monkeypatch: pytest.MonkeyPatch) -> None:
    """Images of skeletons are neither heads nor series."""

    def check_series(path: Path, metadata: Mapping[str, Any], look: Look) -> BoldCheck:
        direction = metadata.get('PhaseEncodingDirection')
        time = float(metadata['RepetitionTime'])
        return BoldCheck(path, (), {}, (), 10, time, (0.0, 1.0), direction)

    monkeypatch.setattr(
        contrast_source, 'check_image', lambda path, *_: ImageCheck(path, (), {}, ())
    )
    monkeypatch.setattr(bold_source, 'check_bold', check_series)
    monkeypatch.setattr(bold_source, 'check_field_map_geometry', lambda files, run: [])


def config(bids_dir: Path, **settings: object) -> Config:
    out_dir = bids_dir.parent / 'out'
    return Config(bids_dir, out_dir, out_dir / 'work', **settings)  # type: ignore[arg-type]


@pytest.fixture
def plan(skeleton: Skeleton) -> ParticipantPlan:
    return plan_participant(config(skeleton('bold')), '01')


def of_bold(plan: ParticipantPlan) -> dict[str, Any]:
    """Return one unit for each BOLD run."""
    return {unit.image: unit for unit in plan.units if unit.measure.name == 'bold_motion'}


def test_every_run_is_one_image_whatever_its_echoes_and_parts(plan: ParticipantPlan) -> None:
    assert set(of_bold(plan)) == {REST_1, REST_2, NBACK, ECHOES, MAGNITUDE}


def test_every_run_has_the_steps_and_measures_of_bold_once(plan: ParticipantPlan) -> None:
    for image in of_bold(plan):
        mine = [(u.measure.name, u.variant) for u in plan.units if u.image == image]
        assert len(set(mine)) == len(mine)
        names = [name for name, _ in mine]
        assert {unit.measure.source for unit in plan.units if unit.image == image} == {'bold'}
        order = ('bold_motion', 'bold_distortion', 'bold_registration', 'bold_mask',
                 'bold_series', 'bold_confounds', 'bold_denoising', 'tsnr', 'alff',
                 'connectivity')  # fmt: skip
        places = [names.index(name) for name in order]
        assert places == sorted(places)


def test_names_of_several_echoes_have_no_echo(plan: ParticipantPlan) -> None:
    (unit,) = (u for u in plan.units if u.image == ECHOES and u.measure.name == 'bold_mask')
    assert set(unit.outputs.values()) == {
        f'{B}/func/sub-01_ses-b_task-rest_desc-brain_mask.nii.gz'
    }


def test_outputs_of_different_runs_never_share_a_name(plan: ParticipantPlan) -> None:
    paths = [path for unit in plan.units for path in unit.outputs.values()]
    assert len(set(paths)) == len(paths)


def test_rest_is_the_reference_of_a_session_before_other_tasks(plan: ParticipantPlan) -> None:
    found = {image for image, unit in of_bold(plan).items() if unit.is_reference}
    assert found == {REST_1, ECHOES}


def test_runs_lean_on_the_reference_t1w_of_their_session(plan: ParticipantPlan) -> None:
    lenders = {image: unit.lender for image, unit in of_bold(plan).items()}
    first, second = f'{A}/anat/sub-01_ses-a_T1w.nii.gz', f'{B}/anat/sub-01_ses-b_T1w.nii.gz'
    assert lenders == {
        REST_1: first, REST_2: first, NBACK: first, ECHOES: second, MAGNITUDE: second
    }  # fmt: skip


def test_without_a_t1w_in_its_session_a_run_leans_on_another_session(skeleton: Skeleton) -> None:
    plan = plan_participant(config(skeleton('bold')), '03')
    (unit,) = of_bold(plan).values()
    assert unit.lender == 'sub-03/ses-b/anat/sub-03_ses-b_T1w.nii.gz'


def test_without_any_t1w_only_what_needs_it_is_not_available(skeleton: Skeleton) -> None:
    settings = config(skeleton('bold'), atlases=('Thalamus',))
    plan = plan_participant(settings, '02')
    assembly = init_participant_wf(settings, plan)
    fates = {key[1]: fate for key, fate in assembly.refused.items()}
    reason = ('not_available', 'there is no T1w image of sub-02')
    assert fates['bold_registration'] == fates['bold_atlas'] == fates['connectivity'] == reason
    done = {unit.measure.name for unit in assembly.units.values()}
    assert {'bold_motion', 'bold_distortion', 'bold_mask', 'bold_series', 'bold_confounds',
            'bold_denoising', 'tsnr', 'alff', 'reho', 'bold_quality'} <= done  # fmt: skip


def test_a_dry_run_says_the_same_without_any_t1w(skeleton: Skeleton) -> None:
    settings = config(skeleton('bold'), atlases=('Thalamus',))
    refused = init_participant_wf(settings, plan_participant(settings, '02')).refused
    units = plan_participants(settings, ['02'])
    told = {
        (unit.image, unit.measure, unit.variant): ('not_available', unit.reason)
        for unit in units
        if unit.state == 'not available'
    }
    assert told == refused
    assert {unit.minutes for unit in units if unit.state == 'not available'} == {0.0}
    others = plan_participants(settings, ['01', '03'])
    assert {unit.state for unit in others} == {'to run'}


def acquisition(plan: ParticipantPlan, image: str) -> Any:
    return plan.acquisitions[image]


def test_what_goes_with_a_run_is_written_for_its_nodes(plan: ParticipantPlan) -> None:
    found = acquisition(plan, NBACK)
    assert found['repetition_time'] == 1.5
    assert found['slice_times'] == [0.0, 1.0]
    assert (found['slice_axis'], found['phase_direction']) == (2, 'j')
    assert found['task'] == 'n-back'
    assert found['events'].endswith('sub-01_ses-a_task-nback_events.tsv')
    assert [Path(echo['path']).name for echo in found['echoes']] == [Path(NBACK).name]
    assert found['field_map'] is None
    assert found['notes'] == [
        'No distortion correction: no field map is intended for '
        'sub-01_ses-a_task-nback_bold.nii.gz.'
    ]
    assert acquisition(plan, REST_1)['events'] is None


def test_echoes_come_in_the_order_of_their_numbers(plan: ParticipantPlan) -> None:
    echoes = acquisition(plan, ECHOES)['echoes']
    assert [echo['echo_time'] for echo in echoes] == [0.014, 0.03, 0.1]


@pytest.mark.parametrize(('time', 'reason'), [(None, 'EchoTime is missing'), ('x', "'x'")])
def test_an_echo_without_its_time_is_named(skeleton: Skeleton, time: Any, reason: str) -> None:
    root = skeleton('bold')
    for path in root.rglob('*echo-2*_bold.json'):
        content = json.loads(path.read_text())
        content.pop('EchoTime')
        path.write_text(json.dumps(content | ({'EchoTime': time} if time else {})))
    (unit,) = (u for u in of_bold(plan_participant(config(root), '01')).values()
               if u.image == ECHOES)  # fmt: skip
    assert unit.state == 'bad input'
    assert 'echo-2_bold.nii.gz: EchoTime' in unit.reason
    assert reason in unit.reason
    assert 'echo-2_bold.json' in unit.reason


def test_the_reason_against_slice_times_goes_to_the_nodes(
    skeleton: Skeleton, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check(path: Path, metadata: Mapping[str, Any], look: Look) -> BoldCheck:
        return BoldCheck(path, (), {'slice_timing': 'in ms'}, (), 10, 2.0, None, None)

    monkeypatch.setattr(bold_source, 'check_bold', check)
    settings = config(skeleton('bold'), atlases=('Thalamus',), measures=('tsnr',))
    plan = plan_participant(settings, '01')
    path = settings.bids_dir.parent / 'acquisition.json'
    path.write_text(json.dumps(acquisition(plan, REST_1)))
    assert read_acquisition(path).slice_fault == 'in ms'


def test_field_maps_are_found_by_either_name(plan: ParticipantPlan) -> None:
    phase = acquisition(plan, REST_1)['field_map']
    assert phase['kind'] == 'phasediff'
    assert phase['echo_times'] == [0.00492, 0.00738]
    assert {role: Path(path).name for role, path in phase['files'].items()} == {
        'phasediff': 'sub-01_ses-a_phasediff.nii.gz',
        'magnitude': 'sub-01_ses-a_magnitude1.nii.gz',
    }
    assert phase['run'] == {'direction': 'j-', 'readout_time': 0.05}
    opposite = acquisition(plan, REST_2)['field_map']
    assert opposite['kind'] == 'epi'
    directions = {
        Path(opposite['files'][role]).name: way['direction']
        for role, way in opposite['epi'].items()
    }
    assert directions == {'sub-01_ses-a_dir-PA_epi.nii.gz': 'j', Path(REST_2).name: 'j-'}
    (note,) = acquisition(plan, REST_2)['notes']
    assert 'IntendedFor' in note and 'opposite phase-encode EPI' in note


def test_field_maps_whose_geometry_does_not_fit_are_left_out_with_a_note(
    skeleton: Skeleton, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(files: Mapping[str, Path], run: Path) -> list[str]:
        raise sources.BadImageError(files['phasediff'], 'it lies elsewhere', 'Look at it.')

    root = skeleton('bold')
    monkeypatch.setattr(bold_source, 'check_field_map_geometry', refuse)
    settings = dataclasses.replace(config(root), session_labels=('a',))
    (root / f'{A}/fmap/sub-01_ses-a_dir-PA_epi.nii.gz').unlink()
    found = acquisition(plan_participant(settings, '01'), REST_1)
    assert found['field_map'] is None
    assert found['notes'][-1].startswith('No distortion correction: ')
    assert 'it lies elsewhere' in found['notes'][-1]
    assert not any(note.startswith('Field map:') for note in found['notes'])


def test_the_graph_reads_what_the_plan_says(skeleton: Skeleton) -> None:
    settings = config(skeleton('bold'), atlases=('Thalamus',), measures=('tsnr',))
    plan = plan_participant(settings, '01')
    assembly = init_participant_wf(settings, plan)
    name = next(
        name for name, unit in assembly.units.items()
        if unit.image == REST_1 and unit.measure.name == 'bold_distortion'
    )  # fmt: skip
    inputs = assembly.workflow.get_node(name).get_node('inputnode').inputs
    found = read_acquisition(Path(inputs.bold_acquisition))
    assert found.repetition_time == 2
    assert found.field_map is not None and found.field_map['kind'] == 'phasediff'
    assert json.loads(Path(inputs.bold_acquisition).read_text()) == acquisition(plan, REST_1)


def fingerprints(settings: Config) -> dict[str, str]:
    return {image: unit.fingerprint for image, unit in of_bold(
        plan_participant(settings, '01')).items()}  # fmt: skip


@pytest.mark.parametrize(
    ('changed', 'images'),
    [
        (f'{A}/fmap/sub-01_ses-a_dir-PA_epi.nii.gz', {REST_2}),
        (f'{A}/fmap/sub-01_ses-a_magnitude1.nii.gz', {REST_1}),
        (f'{B}/func/sub-01_ses-b_task-rest_echo-10_bold.nii.gz', {ECHOES}),
        (f'{A}/anat/sub-01_ses-a_T1w.nii.gz', {REST_1, REST_2, NBACK}),
        (f'{A}/anat/sub-01_ses-a_acq-low_T1w.nii.gz', set()),
        (f'{B}/func/sub-01_ses-b_task-nback_part-phase_bold.nii.gz', set()),
    ],
)
def test_what_a_run_depends_on_changes_its_fingerprint_alone(
    skeleton: Skeleton, changed: str, images: set[str]
) -> None:
    settings = config(skeleton('bold'))
    before = fingerprints(settings)
    path = settings.bids_dir / changed
    nb.Nifti1Image(nb.load(path).get_fdata() + 1, np.eye(4)).to_filename(path)
    after = fingerprints(settings)
    assert {image for image in before if before[image] != after[image]} == images


@pytest.mark.parametrize(
    ('key', 'value', 'changes'),
    [
        ('RepetitionTime', 2.5, True),
        ('TotalReadoutTime', 0.06, True),
        ('Manufacturer', 'x', False),
    ],
)
def test_of_metadata_only_the_decisive_change_the_fingerprint(
    skeleton: Skeleton, key: str, value: object, changes: bool
) -> None:
    settings = config(skeleton('bold'))
    before = fingerprints(settings)[REST_1]
    sidecar = settings.bids_dir / 'task-rest_bold.json'
    sidecar.write_text(json.dumps(json.loads(sidecar.read_text()) | {key: value}))
    assert (fingerprints(settings)[REST_1] != before) is changes


def test_a_dataset_that_was_moved_has_the_same_fingerprints(skeleton: Skeleton) -> None:
    settings = config(skeleton('bold'))
    before = fingerprints(settings)
    moved = settings.bids_dir.rename(settings.bids_dir.with_name('elsewhere'))
    assert fingerprints(dataclasses.replace(settings, bids_dir=moved)) == before


def test_runs_that_went_without_tissues_run_again_when_these_are_tried_again(
    skeleton: Skeleton,
) -> None:
    settings = config(skeleton('bold'), measures=('tsnr', 'reho'))
    units = plan_participant(settings, '01').units
    failed = [unit for unit in units if unit.measure.name == 'tissue' and f'{A}/' in unit.image]
    records = []
    for unit in units:
        for path in unit.outputs.values():
            file = settings.out_dir / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
        records.append(UnitRecord(
            '01', unit.source.session if unit.source else None, unit.image, unit.measure.name,
            unit.variant, 'failed' if unit in failed else 'done', fingerprint=unit.fingerprint,
            outputs=tuple(unit.outputs.values()),
        ))  # fmt: skip
    write_record(settings.out_dir, '01', records)
    again = [unit for unit in plan_participant(settings, '01').units if unit.state == 'to run']
    of_rest = {unit.measure.name for unit in again if unit.image == REST_1}
    assert {'bold_confounds', 'bold_denoising', 'reho'} <= of_rest
    assert not of_rest & {'bold_motion', 'bold_distortion', 'bold_series', 'bold_mask'}
    assert not [unit for unit in again if unit.image.startswith(B)]
