"""Which field map belongs to a run, and why none does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mriderived.bids.dataset import Image, find_images
from mriderived.bids.fieldmap_candidates import FieldMap
from mriderived.bids.fieldmaps import SUFFIXES, find_field_map
from skeleton_datasets import build_skeleton

ROOT = Path('/data')
ECHOES = {'EchoTime1': 0.00492, 'EchoTime2': 0.00738}
WAY = {'PhaseEncodingDirection': 'j-', 'TotalReadoutTime': 0.03}
BACK = WAY | {'PhaseEncodingDirection': 'j'}


def image(name: str, folder: str = 'fmap', session: str | None = None, **metadata: Any) -> Image:
    entities = {'sub': '01'} | ({'ses': session} if session else {})
    *parts, suffix = name.split('_')
    entities |= dict(part.split('-') for part in parts)
    stem = '_'.join([f'{key}-{value}' for key, value in entities.items()] + [suffix])
    where = ROOT / 'sub-01' / (f'ses-{session}' if session else '') / folder
    return Image(where / f'{stem}.nii.gz', entities, folder, suffix, '.nii.gz', metadata)


def bold(session: str | None = None, **metadata: Any) -> Image:
    return image('task-rest_bold', 'func', session, **(WAY | metadata))


RUN = 'bids::sub-01/func/sub-01_task-rest_bold.nii.gz'


def gre(**metadata: Any) -> list[Image]:
    return [image('phasediff', **(ECHOES | metadata)), image('magnitude1'), image('magnitude2')]


def find(run: Image, images: list[Image]) -> FieldMap:
    return find_field_map(run, images, ROOT, lambda path: (64, 65, 33))


def names(found: FieldMap) -> dict[str, str]:
    return {role: path.name for role, path in found.files.items()}


def test_a_phase_difference_is_found_with_its_magnitudes() -> None:
    found = find(bold(), gre(IntendedFor=RUN))
    assert found.kind == 'phasediff'
    assert names(found) == {
        'phasediff': 'sub-01_phasediff.nii.gz',
        'magnitude': 'sub-01_magnitude1.nii.gz',
        'magnitude2': 'sub-01_magnitude2.nii.gz',
    }
    assert found.metadata == ECHOES | {'run': ('j-', 0.03, 'TotalReadoutTime')}
    assert found.reasons[-1].startswith('Field map: phase difference of sub-01_phasediff.nii.gz')
    assert found.reasons[-1].endswith('(IntendedFor).')


@pytest.mark.parametrize(
    ('session', 'target'),
    [
        (None, RUN),
        (None, 'bids:raw:sub-01/func/sub-01_task-rest_bold.nii.gz'),
        (None, 'func/sub-01_task-rest_bold.nii.gz'),
        (None, './func/sub-01_task-rest_bold.nii.gz'),
        (None, 'sub-01/func/sub-01_task-rest_bold.nii.gz'),
        (None, ['func/other_bold.nii.gz', 'func/sub-01_task-rest_bold.nii.gz']),
        ('a', 'ses-a/func/sub-01_ses-a_task-rest_bold.nii.gz'),
        ('a', 'func/sub-01_ses-a_task-rest_bold.nii.gz'),
        ('a', ['bids::sub-01/ses-a/func/sub-01_ses-a_task-rest_bold.nii.gz']),
    ],
)
def test_all_forms_of_intended_for_are_read(session: str | None, target: Any) -> None:
    images = [
        image('phasediff', session=session, IntendedFor=target, **ECHOES),
        image('magnitude1', session=session),
    ]
    assert find(bold(session), images).kind == 'phasediff'


def test_another_session_is_another_run() -> None:
    target = 'ses-a/func/sub-01_ses-a_task-rest_bold.nii.gz'
    images = [
        image('phasediff', session='a', IntendedFor=target, **ECHOES),
        image('magnitude1', session='a'),
    ]
    found = find(bold('b'), images)
    assert found.kind is None
    assert found.reasons == ('No distortion correction: there are no field maps.',)


def test_b0_fields_come_before_intended_for() -> None:
    named = [
        image('acq-b0_phasediff', B0FieldIdentifier=['other', 'gre'], **ECHOES),
        image('acq-b0_magnitude1'),
    ]
    found = find(bold(B0FieldSource='gre'), [*gre(IntendedFor=RUN), *named])
    assert names(found)['phasediff'] == 'sub-01_acq-b0_phasediff.nii.gz'
    assert "(B0FieldSource 'gre')" in found.reasons[-1]


def test_sources_are_tried_in_the_order_of_the_run() -> None:
    one = image('acq-x_phasediff', B0FieldIdentifier='x')  # lacks its echo times
    two = image('acq-y_phasediff', B0FieldIdentifier='y', **ECHOES)
    images = [one, two, image('acq-x_magnitude1'), image('acq-y_magnitude1')]
    found = find(bold(B0FieldSource=['x', 'y']), images)
    assert names(found)['phasediff'] == 'sub-01_acq-y_phasediff.nii.gz'
    assert 'sub-01_acq-x_phasediff.nii.gz: EchoTime1 is missing' in found.reasons[0]


def test_a_source_that_nobody_has_falls_back_to_intended_for() -> None:
    found = find(bold(B0FieldSource='absent'), gre(IntendedFor=RUN))
    assert found.kind == 'phasediff'
    assert found.reasons[0] == 'No image has that B0FieldIdentifier.'


def test_two_phases() -> None:
    images = [
        image('phase1', EchoTime=0.0023, IntendedFor=RUN),
        image('phase2', EchoTime=0.0046, IntendedFor=RUN),
        image('magnitude1'),
    ]
    found = find(bold(), images)
    assert (found.kind, found.metadata['EchoTime1'], found.metadata['EchoTime2']) == (
        'phases',
        0.0023,
        0.0046,
    )
    assert names(found)['phase2'] == 'sub-01_phase2.nii.gz'


@pytest.mark.parametrize(('units', 'name'), [('Hz', 'Hz'), ('rad/s', 'rad/s'), ('Tesla', 'T')])
def test_a_measured_field(units: str, name: str) -> None:
    images = [image('fieldmap', Units=units, IntendedFor=RUN), image('magnitude')]
    found = find(bold(), images)
    assert (found.kind, found.metadata['Units']) == ('fieldmap', name)
    assert names(found) == {
        'fieldmap': 'sub-01_fieldmap.nii.gz',
        'magnitude': 'sub-01_magnitude.nii.gz',
    }


def test_a_pair_of_epi_comes_before_gradient_echoes() -> None:
    pair = [
        image('dir-AP_epi', IntendedFor=RUN, **WAY),
        image('dir-PA_epi', IntendedFor=RUN, **BACK),
    ]
    found = find(bold(), [*gre(IntendedFor=RUN), *pair])
    assert found.kind == 'epi'
    assert [way.direction for way in (found.metadata['epi1'], found.metadata['epi2'])] == [
        'j-',
        'j',
    ]


def test_one_opposite_epi_is_paired_with_the_reference_or_the_run() -> None:
    other = image('dir-PA_epi', IntendedFor=RUN, **BACK)
    found = find(bold(), [other])
    assert names(found) == {
        'epi1': 'sub-01_dir-PA_epi.nii.gz',
        'epi2': 'sub-01_task-rest_bold.nii.gz',
    }
    reference = image('task-rest_sbref', 'func', **WAY)
    assert names(find(bold(), [other, reference]))['epi2'] == 'sub-01_task-rest_sbref.nii.gz'
    faulty = replace(reference, fault='broken')
    assert names(find(bold(), [other, faulty]))['epi2'] == 'sub-01_task-rest_bold.nii.gz'


def test_another_echo_time_is_noted() -> None:
    other = image('dir-PA_epi', IntendedFor=RUN, EchoTime=0.06, **BACK)
    found = find(bold(EchoTime=0.03), [other])
    assert found.kind == 'epi'
    assert 'differ in EchoTime (0.03 to 0.06 s)' in found.reasons[0]
    assert find(bold(EchoTime=0.06), [other]).reasons[0].startswith('Field map')


def test_a_run_may_belong_to_its_own_field() -> None:
    other = image('dir-PA_epi', B0FieldIdentifier='pe', **BACK)
    run = bold(B0FieldIdentifier='pe', B0FieldSource='pe')
    assert sorted(names(find(run, [other])).values()) == [
        'sub-01_dir-PA_epi.nii.gz',
        'sub-01_task-rest_bold.nii.gz',
    ]


@pytest.mark.parametrize(
    ('images', 'part', 'remedy'),
    [
        (gre(IntendedFor=RUN, EchoTime1=None), 'EchoTime1 is missing', 'add it'),
        (gre(IntendedFor=RUN, EchoTime1=4.92), 'EchoTime1 is 4.92', 'write 0.00492'),
        (gre(IntendedFor=RUN, EchoTime1='0.005'), "'0.005', not a number", 'plain number'),
        (gre(IntendedFor=RUN, EchoTime1=0.00738), 'both echo times are 0.00738 s', 'two echoes'),
        (gre(IntendedFor=RUN)[:1], 'its magnitude1 is missing', 'add it to fmap'),
        ([image('phase1', EchoTime=0.002, IntendedFor=RUN)], 'its phase2 is missing', 'add'),
        (
            [image('phase1', EchoTime=0.005, IntendedFor=RUN), image('phase2', EchoTime=0.002)],
            'longer than that of sub-01_phase2.nii.gz',
            'exchange the names',
        ),
        ([image('fieldmap', IntendedFor=RUN), image('magnitude')], 'Units is missing', 'rad/s'),
        (
            [image('fieldmap', IntendedFor=RUN, Units='ppm'), image('magnitude')],
            "Units 'ppm' are unknown",
            'Hz',
        ),
        (
            [image('dir-AP_epi', IntendedFor=RUN, **WAY)],
            'direction of sub-01_task-rest_bold.nii.gz (j-)',
            'add the EPI of opposite',
        ),
        (
            [image('dir-R_epi', IntendedFor=RUN, **(WAY | {'PhaseEncodingDirection': 'i'}))],
            'not encoded along the axis',
            'same axis',
        ),
        (
            [image('dir-PA_epi', IntendedFor=RUN, PhaseEncodingDirection='j')],
            'TotalReadoutTime and EffectiveEchoSpacing are missing',
            'in seconds',
        ),
        ([replace(gre(IntendedFor=RUN)[0], fault='odd name')], 'odd name', 'cannot be used'),
    ],
)
def test_what_cannot_be_used_names_the_file_and_the_remedy(
    images: list[Image], part: str, remedy: str
) -> None:
    found = find(bold(), images)
    assert (found.kind, dict(found.files)) == (None, {})
    reason = found.reasons[0]
    assert images[0].path.name in reason
    assert part in reason
    assert remedy in reason


@pytest.mark.parametrize(
    ('metadata', 'part'),
    [
        ({'PhaseEncodingDirection': None}, 'PhaseEncodingDirection is missing; add it as i, j'),
        ({'PhaseEncodingDirection': 'AP'}, "PhaseEncodingDirection 'AP' is not valid"),
        ({'TotalReadoutTime': 30}, 'is it 0.03?'),
        ({'TotalReadoutTime': 0}, 'which is impossible'),
        (
            {'EffectiveEchoSpacing': 0.0009, 'ReconMatrixPE': 64},
            'TotalReadoutTime is 0.03 s but EffectiveEchoSpacing',
        ),
    ],
)
def test_a_run_that_cannot_be_corrected_says_so(metadata: dict[str, Any], part: str) -> None:
    found = find(bold(**metadata), gre(IntendedFor=RUN))
    assert found.kind is None
    assert found.reasons[0].startswith('No distortion correction: sub-01_task-rest_bold.nii.gz: ')
    assert part in found.reasons[0]


@pytest.mark.parametrize(
    ('metadata', 'time', 'source'),
    [
        ({'TotalReadoutTime': 0.03}, 0.03, 'TotalReadoutTime'),
        ({'EffectiveEchoSpacing': 0.0005}, 0.0005 * 64, 'EffectiveEchoSpacing'),
        (
            {'EffectiveEchoSpacing': 0.0005, 'ReconMatrixPE': 96},
            0.0005 * 95,
            'EffectiveEchoSpacing',
        ),
        ({'EstimatedTotalReadoutTime': 0.0326}, 0.0326, 'EstimatedTotalReadoutTime'),
        (
            {'WaterFatShift': 14.43, 'MagneticFieldStrength': 3, 'ReconMatrixPE': 96},
            0.0329,
            'WaterFatShift',
        ),
    ],
)
def test_the_readout_time_is_derived(metadata: dict[str, Any], time: float, source: str) -> None:
    run = bold(**metadata)
    if 'TotalReadoutTime' not in metadata:
        run = replace(run, metadata={k: v for k, v in run.metadata.items() if 'Readout' not in k
                                     or k in metadata})  # fmt: skip
    found = find(run, gre(IntendedFor=RUN))
    assert found.metadata['run'].total_readout_time == pytest.approx(time, rel=2e-3)
    assert found.metadata['run'].source == source


def test_field_maps_that_name_nobody_are_mentioned() -> None:
    found = find(bold(), gre())
    assert found.reasons == (
        'No distortion correction: sub-01_phasediff.nii.gz in fmap name no run; add '
        f'"IntendedFor": "{RUN}" to the sidecar.',
    )


def test_field_maps_of_other_runs_are_not_taken() -> None:
    found = find(bold(), gre(IntendedFor='func/sub-01_task-other_bold.nii.gz'))
    assert found.reasons == (
        'No distortion correction: no field map is intended for sub-01_task-rest_bold.nii.gz.',
    )


def test_names_that_bids_does_not_know_are_mentioned(tmp_path: Path) -> None:
    root = build_skeleton(
        tmp_path / 'raw',
        {
            'dataset_description.json': {'Name': 'x', 'BIDSVersion': '1.9.0'},
            'sub-01/func/sub-01_task-rest_bold.nii.gz': WAY,
            'sub-01/fmap/M18_gre_field_mapping_6.nii.gz': {},
        },
    )
    images = find_images(root, '01', suffixes=('bold', *SUFFIXES))
    (run,) = images
    reasons = find_field_map(run, images, root).reasons
    assert 'M18_gre_field_mapping_6.nii.gz in fmap have no names that BIDS knows' in reasons[0]


def test_a_dataset_on_disk(tmp_path: Path) -> None:
    root = build_skeleton(
        tmp_path / 'raw',
        {
            'dataset_description.json': {'Name': 'x', 'BIDSVersion': '1.9.0'},
            'sub-01/func/sub-01_task-rest_bold.nii.gz': WAY,
            'sub-01/fmap/sub-01_phasediff.nii.gz': ECHOES | {'IntendedFor': [RUN]},
            'sub-01/fmap/sub-01_magnitude1.nii.gz': {},
        },
    )
    images = find_images(root, '01', suffixes=('bold', *SUFFIXES))
    run = next(i for i in images if i.suffix == 'bold')
    assert find_field_map(run, images, root).kind == 'phasediff'


@pytest.mark.real
@pytest.mark.parametrize(
    ('dataset', 'kind', 'time'),
    [('philips-enh', 'phases', 0.03265), ('siemens-xa30', 'phasediff', 0.03402)],
)
def test_real_datasets(test_data: Path, dataset: str, kind: str, time: float) -> None:
    images = find_images(test_data / dataset, '01', suffixes=('bold', *SUFFIXES))
    run = next(i for i in images if i.suffix == 'bold')
    found = find_field_map(run, images, test_data / dataset)
    assert found.kind == kind
    assert found.metadata['run'].total_readout_time == pytest.approx(time, rel=1e-3)
