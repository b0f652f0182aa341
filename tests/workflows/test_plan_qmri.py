"""Plans of quantitative MRI: every kind of collection is recognised, or refused with a reason."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nb
import numpy as np
import pytest
import yaml

from mriderived.config import Config
from mriderived.interfaces.qmri_acquisition import read_qmri_acquisition
from mriderived.measures.mp2rage import MP2RAGE
from mriderived.workflows.participant import init_participant_wf
from mriderived.workflows.plan import plan_participant
from mriderived.workflows.sources import Source, find_sources
from skeleton_datasets import SKELETONS, build_skeleton

#: Sidecars that all participants inherit.
JSON = ('MESE', 'VFA', 'MP2RAGE')

Build = Callable[[str], Path]


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """Return a function that writes the part of ``skeletons/qmri.yaml`` of one participant."""
    files = yaml.safe_load((SKELETONS / 'qmri.yaml').read_text())

    def write(participant: str) -> Path:
        own = (f'sub-{participant}/', 'dataset_description', 'README', *JSON)
        return build_skeleton(
            tmp_path / 'raw', {name: files[name] for name in files if name.startswith(own)}
        )

    return write


def config(root: Path, **settings: object) -> Config:
    out = root.parent / 'out'
    return Config(root, out, out / 'work', atlases=('Thalamus',), **settings)  # type: ignore[arg-type]


def sources(root: Path, participant: str, **settings: object) -> list[Source]:
    found = find_sources(config(root, **settings), participant, ('qmri',))
    return list(found)


def only(root: Path, participant: str) -> Source:
    (source,) = sources(root, participant)
    return source


def edit(root: Path, name: str, **fields: Any) -> None:
    """Change fields of the sidecar of an image; ``None`` removes one."""
    (path,) = root.glob(f'sub-*/*/{name}.nii.gz')
    sidecar = path.with_name(f'{name}.json')
    content = json.loads(sidecar.read_text()) if sidecar.exists() else {}
    content |= fields
    sidecar.write_text(json.dumps({k: v for k, v in content.items() if v is not None}))


EXAMPLES = {
    'megre': ('MEGRE', 8, None),
    'mese': ('MESE', 32, None),
    'irt1': ('IRT1', 4, 'TB1map'),
    'mp2rage': ('MP2RAGE', 2, None),
    'mp2rageme': ('MP2RAGE', 5, 'TB1map'),
    'mpm': ('MPM', 22, None),
    'mtsat': ('MTS', 3, 'TB1DAM'),
    'sa2rage': ('MP2RAGE', 2, None),
    'vfa': ('VFA', 2, 'TB1AFI'),
    'mtr': ('MTR', 2, None),
}


@pytest.mark.parametrize('participant', EXAMPLES)
def test_every_collection_of_the_examples_is_one_source(build: Build, participant: str) -> None:
    suffix, count, field = EXAMPLES[participant]
    source = only(build(participant), participant)
    assert (source.fault, source.lack) == ('', '')
    assert source.image.suffix == suffix
    assert source.image.entities == {'sub': participant}
    found = source.acquisition
    assert (found['collection'], len(found['images'])) == (suffix, count)
    assert (found['transmit_field'] or {'kind': None})['kind'] == field
    assert bool(found['field_reason']) == (field is None)


@pytest.mark.parametrize(
    ('participant', 'reasons'),
    [
        ('tb1tfl', ['TB1TFL: there is no collection'] * 2),
        ('alone', ['a UNIT1 alone does not tell T1', 'receive field (RB1map) are not used']),
    ],
)
def test_what_is_no_collection_has_one_row_with_the_reason(
    build: Build, participant: str, reasons: list[str]
) -> None:
    root = build(participant)
    found = sources(root, participant)
    assert len(found) == len(reasons)
    for source, reason in zip(found, reasons, strict=True):
        assert reason in source.lack
    units = plan_participant(config(root), participant).units
    assert [unit.measure.name for unit in units] == ['qmri_alignment'] * len(reasons)
    for unit, reason in zip(units, reasons, strict=True):
        assert unit.state == 'not available'
        assert reason in unit.reason


@pytest.mark.parametrize(
    ('participant', 'reason'),
    [
        ('mpm', 'TB1EPI'), ('mpm', 'RB1COR'), ('sa2rage', 'TB1SRGE'), ('mtr', 'TB1RFM'),
        ('mese', 'there is no map of the transmit field'),
    ],
)  # fmt: skip
def test_fields_that_are_not_used_are_told(build: Build, participant: str, reason: str) -> None:
    root = build(participant)
    source = only(root, participant)
    assert reason in ' '.join(source.acquisition['notes'])
    units = plan_participant(config(root), participant).units
    (unit,) = (unit for unit in units if unit.measure.name == 'qmri_field')
    assert unit.state == 'not available'
    assert reason in unit.reason


def test_parts_of_susceptibility_imaging_are_a_t1w_and_nothing_quantitative(
    build: Build,
) -> None:
    assert sources(build('qsm'), 'qsm') == []


def test_settings_come_in_the_order_of_contrasts_with_their_parameters(
    build: Build, tmp_path: Path
) -> None:
    source = only(build('mpm'), 'mpm')
    path = tmp_path / 'acquisition.json'
    path.write_text(json.dumps(source.acquisition))
    found = read_qmri_acquisition(path)
    assert found.reference == 0
    assert found.settings[0].path.name == 'sub-mpm_acq-PDw_echo-1_flip-1_mt-off_MPM.nii.gz'
    assert found.values('group') == (0,) * 8 + (1,) * 8 + (2,) * 6
    assert found.values('mt') == (False,) * 16 + (True,) * 6
    assert found.values('flip_angle') == (6.0,) * 8 + (21.0,) * 8 + (6.0,) * 6
    assert found.values('echo_time')[:2] == (0.0023, 0.0046)
    assert found.values('repetition_time') == (0.025,) * 22


def test_mp2rage_comes_with_phase_and_with_the_image_of_the_scanner(build: Build) -> None:
    root = build('mp2rage')
    found = only(root, 'mp2rage').acquisition
    assert [Path(image['phase']).name for image in found['images']] == [
        'sub-mp2rage_inv-1_part-phase_MP2RAGE.nii.gz',
        'sub-mp2rage_inv-2_part-phase_MP2RAGE.nii.gz',
    ]
    assert Path(found['unit1']).name == 'sub-mp2rage_UNIT1.nii.gz'
    assert found['images'][0]['metadata']['NumberShots'] == 159
    assert found['reference'] == 1
    several = only(build('mp2rageme'), 'mp2rageme').acquisition
    assert several['reference'] == 1
    assert [image['echo_time'] for image in several['images']] == [
        None, 0.003, 0.0145, 0.026, 0.0375,
    ]  # fmt: skip


REFUSED = {
    'milliseconds': ('mese', 'sub-mese_echo-02_MESE', {'EchoTime': 20},
                     'EchoTime is 20, which cannot be seconds: is it in milliseconds?'),
    'text': ('mese', 'sub-mese_echo-02_MESE', {'EchoTime': '0.02'},
             "EchoTime is '0.02', which is no positive number. Write it as a number, in seconds"),
    'no echo time': ('mese', 'sub-mese_echo-02_MESE', {'EchoTime': None},
                     'EchoTime is missing. Write it, in seconds, to sub-mese_echo-02_MESE.json'),
    'twice': ('mese', 'sub-mese_echo-02_MESE', {'EchoTime': 0.01},
              'its times and angles are those of sub-mese_echo-01_MESE.nii.gz'),
    'no flip angle': ('vfa', 'sub-vfa_flip-2_VFA', {'FlipAngle': None}, 'FlipAngle is missing'),
    'radians': ('vfa', 'sub-vfa_flip-2_VFA', {'FlipAngle': 0.35},
                'FlipAngle'),
    'one angle': ('vfa', 'sub-vfa_flip-2_VFA', {'FlipAngle': 3},
                  'VFA needs 2 or more values of FlipAngle, there are 1 (3)'),
    'no inversion time': ('irt1', 'sub-irt1_inv-02_IRT1', {'InversionTime': None},
                          'InversionTime is missing'),
    'milliseconds of inversion': ('irt1', 'sub-irt1_inv-02_IRT1', {'InversionTime': 530},
                                  'InversionTime is 530, which cannot be seconds'),
    'milliseconds of repetition': ('mtsat', 'sub-mtsat_flip-1_mt-on_MTS',
                                   {'RepetitionTimeExcitation': 28},
                                   'RepetitionTimeExcitation is 28, which cannot be seconds'),
    'milliseconds of a short repetition': (
        'vfa', 'sub-vfa_flip-2_VFA', {'RepetitionTimeExcitation': 7},
        'RepetitionTimeExcitation is 7, which cannot be seconds from one excitation of a spoiled '
        'gradient echo to the next, 1 at most: is it in milliseconds'),
    'repetition of a preparation': (
        'mpm', 'sub-mpm_acq-MTw_echo-1_flip-1_mt-on_MPM',
        {'RepetitionTimeExcitation': None, 'RepetitionTime': 5.5},
        'RepetitionTime is 5.5, which cannot be seconds from one excitation'),
    'no preparation': ('sa2rage', 'sub-sa2rage_inv-1_MP2RAGE',
                       {'RepetitionTimePreparation': 'six'},
                       "RepetitionTimePreparation is 'six'"),
    'states': ('mtsat', 'sub-mtsat_flip-1_mt-on_MTS', {'MTState': False},
               'MTState is false, but the name says mt-on'),
}  # fmt: skip


@pytest.mark.parametrize('case', REFUSED)
def test_wrong_parameters_are_refused_with_the_file_and_the_remedy(
    build: Build, case: str
) -> None:
    participant, name, fields, reason = REFUSED[case]
    root = build(participant)
    if case == 'radians':
        edit(root, 'sub-vfa_flip-1_VFA', FlipAngle=0.05)
        reason = 'the largest FlipAngle is 0.35: is it in radians?'
    edit(root, name, **fields)
    assert reason in only(root, participant).fault
    assert f'sub-{participant}' in only(root, participant).fault


def test_missing_members_are_refused(build: Build) -> None:
    root = build('mtr')
    (root / 'sub-mtr/anat/sub-mtr_mt-on_MTR.nii.gz').unlink()
    assert 'MTR needs images with and without magnetisation transfer' in only(root, 'mtr').fault
    build('irt1')
    for path in root.glob('sub-irt1/anat/*_inv-0[34]_*.nii.gz'):
        path.unlink()
    assert only(root, 'irt1').fault.startswith('sub-irt1/anat/sub-irt1_inv-01_IRT1.nii.gz: IRT1 ')
    build('mp2rage')
    (root / 'sub-mp2rage/anat/sub-mp2rage_inv-2_part-mag_MP2RAGE.nii.gz').unlink()
    assert 'it is the part phase alone' in only(root, 'mp2rage').fault


def rewrite(path: Path, data: Any = None, affine: Any = None) -> None:
    image = nb.load(path)
    values = np.asarray(image.dataobj) if data is None else data
    nb.Nifti1Image(values, image.affine if affine is None else affine).to_filename(path)


def test_images_that_cannot_be_used_are_refused(build: Build) -> None:
    root = build('mese')
    path = root / 'sub-mese/anat/sub-mese_echo-03_MESE.nii.gz'
    ramp = np.arange(64, dtype=np.float32).reshape(4, 4, 4)
    for data, reason in (
        (np.full((4, 4, 4), np.nan, np.float32), 'no voxel holds a number'),
        (np.ones((4, 4, 4), np.float32), 'every voxel holds the same value (1)'),
        (ramp - 30, '47% of its values are negative: it is no magnitude image'),
        (ramp.astype(np.complex64), 'the image holds complex numbers'),
        (np.arange(80, dtype=np.float32).reshape(4, 4, 5), 'though they are echoes of one'),
        (np.arange(128, dtype=np.float32).reshape(4, 4, 4, 2), 'it holds 2 volumes'),
    ):
        rewrite(path, data)
        fault = only(root, 'mese').fault
        assert reason in fault
        assert 'sub-mese_echo-03_MESE.nii.gz' in fault


def test_a_single_slice_is_an_image(build: Build) -> None:
    root = build('irt1')
    for path in root.glob('sub-irt1/anat/*_IRT1.nii.gz'):
        rewrite(path, np.arange(16, dtype=np.float32).reshape(4, 4, 1), np.diag([1, 1, 8, 1]))
    source = only(root, 'irt1')
    assert source.fault == ''
    assert ('Matrix', '4 × 4 × 1') in source.check.rows  # type: ignore[union-attr]


def test_other_voxels_of_another_acquisition_are_told(build: Build) -> None:
    root = build('vfa')
    rewrite(root / 'sub-vfa/anat/sub-vfa_flip-2_VFA.nii.gz', affine=np.diag([1, 1, 2, 1.0]))
    notes = ' '.join(only(root, 'vfa').acquisition['notes'])
    assert 'sub-vfa_flip-2_VFA.nii.gz has other voxels than sub-vfa_flip-1_VFA.nii.gz' in notes


def test_echoes_come_in_the_order_of_their_times(build: Build) -> None:
    root = build('megre')
    edit(root, 'sub-megre_echo-01_MEGRE', EchoTime=0.035)
    edit(root, 'sub-megre_echo-08_MEGRE', EchoTime=0.003)
    found = only(root, 'megre').acquisition
    times = [image['echo_time'] for image in found['images']]
    assert times == sorted(times)
    assert 'in the order of their echo times, not of their names' in found['notes'][0]


def test_a_field_of_another_collection_is_left(build: Build) -> None:
    root = build('mp2rageme')
    folder = root / 'sub-mp2rageme'
    for path in [*folder.glob('anat/*_inv-1_*')]:
        other = path.with_name(path.name.replace('inv-1_', '').replace('MP2RAGE', 'T1w'))
        other.write_bytes(path.read_bytes())
    edit(root, 'sub-mp2rageme_TB1map', IntendedFor='anat/sub-mp2rageme_part-mag_T1w.nii.gz')
    found = only(root, 'mp2rageme').acquisition
    assert found['transmit_field'] is None or ('T1w' not in str(found['transmit_field']['files']))


@pytest.mark.parametrize(
    ('participant', 'name', 'fields', 'reason'),
    [
        ('mtsat', 'sub-mtsat_flip-2_TB1DAM', {'FlipAngle': 90},
         'its flip angle 90 is not twice 60'),
        ('vfa', 'sub-vfa_acq-tr2_TB1AFI', {'RepetitionTimeExcitation': 0.02},
         'actual flip-angle imaging has two repetition times, this one has 1'),
        ('vfa', 'sub-vfa_acq-tr1_TB1AFI', {'FlipAngle': None}, 'FlipAngle is missing'),
    ],
)  # fmt: skip
def test_fields_that_cannot_be_computed_are_told_and_the_collection_goes_on(
    build: Build, participant: str, name: str, fields: dict[str, Any], reason: str
) -> None:
    root = build(participant)
    edit(root, name, **fields)
    source = only(root, participant)
    assert source.fault == ''
    assert source.acquisition['transmit_field'] is None
    assert reason in source.acquisition['field_reason']


def test_results_depend_on_every_file_and_parameter(build: Build) -> None:
    root = build('vfa')
    contents = {only(root, 'vfa').content}
    edit(root, 'sub-vfa_flip-2_VFA', FlipAngle=19)
    contents.add(only(root, 'vfa').content)
    rewrite(root / 'sub-vfa/anat/sub-vfa_flip-2_VFA.nii.gz', 5 + np.arange(64.0).reshape(4, 4, 4))
    contents.add(only(root, 'vfa').content)
    rewrite(root / 'sub-vfa/fmap/sub-vfa_acq-tr2_TB1AFI.nii.gz', np.arange(64.0).reshape(4, 4, 4))
    contents.add(only(root, 'vfa').content)
    assert len(contents) == 4
    edit(root, 'sub-vfa_flip-2_VFA', SeriesDescription='fl3d')
    assert only(root, 'vfa').content in contents


def test_outputs_are_named_after_the_collection(build: Build) -> None:
    plan = plan_participant(config(build('mpm')), 'mpm')
    outputs = {f: path for unit in plan.units for f, path in unit.outputs.items()}
    assert outputs['qmri_series'] == 'sub-mpm/anat/sub-mpm_desc-preproc_MPM.nii.gz'
    assert outputs['qmri_mask'] == 'sub-mpm/anat/sub-mpm_space-MPM_desc-brain_mask.nii.gz'
    assert outputs['xfm_qmri_to_t1w'] == 'sub-mpm/anat/sub-mpm_from-MPM_to-T1w_mode-image_xfm.h5'
    assert outputs['qmri_tb1map'] == 'sub-mpm/fmap/sub-mpm_space-MPM_TB1map.nii.gz'
    # without phase there is nothing to say of it
    assert 'qmri_phase' not in {unit.measure.name for unit in plan.units}


def test_every_step_finds_what_it_needs(build: Build) -> None:
    root = build('mp2rageme')
    shape = (60, 70, 60)
    x, y, z = (axis - size / 2 for axis, size in zip(np.indices(shape), shape, strict=True))
    head = (x / 25) ** 2 + (y / 30) ** 2 + (z / 27) ** 2 < 1
    noise = np.random.default_rng(1).standard_normal(shape)
    path = root / 'sub-mp2rageme/anat/sub-mp2rageme_T1w.nii.gz'
    nb.Nifti1Image(
        (1000 * head + 20 * noise).astype(np.float32), np.diag([3, 3, 3, 1])
    ).to_filename(path)
    plan = plan_participant(config(root), 'mp2rageme')
    assert {unit.state for unit in plan.units} <= {'to run', 'not available'}
    assembly = init_participant_wf(config(root), plan)
    steps = {unit.measure.name for unit in assembly.units.values()}
    assert {
        f'qmri_{name}' for name in ('alignment', 'phase', 'registration', 'mask', 'field')
    } <= (steps)
    assert 'qmri_atlas' in steps
    assert not {key for key in assembly.refused if key[1].startswith('qmri')}


def test_a_second_collection_of_the_same_names_is_refused_with_the_remedy(build: Build) -> None:
    root = build('mpm')
    folder = root / 'sub-mpm/anat'
    for path in list(folder.glob('*_MPM.*')):
        name = path.name.replace('_MPM.', '_MTS.')
        (folder / name).write_bytes(path.read_bytes())
    first, second = sources(root, 'mpm')
    assert (first.image.suffix, first.lack) == ('MPM', '')
    assert second.lack.startswith('MTS: its results would have the names of those of MPM (sub-mpm')
    assert second.lack.endswith('tell both apart by a label in acq-')
    units = plan_participant(config(root), 'mpm').units
    (refused,) = (unit for unit in units if unit.reason == second.lack)
    assert refused.state == 'not available'
    for path in list(folder.glob('*_MTS.*')):
        path.rename(folder / path.name.replace('_acq-', '_acq-other'))
    assert [source.lack for source in sources(root, 'mpm')] == ['', '']


def test_filters_choose_collections(build: Build, tmp_path: Path) -> None:
    root = build('mpm')
    path = tmp_path / 'filter.json'
    path.write_text(json.dumps({'mpm': {'acquisition': ['PDw', 'T1w']}}))
    (source,) = sources(root, 'mpm', bids_filter_file=path)
    assert len(source.acquisition['images']) == 16
    path.write_text(json.dumps({'mpm': {'acquisition': 'none'}}))
    assert all(
        source.image.suffix != 'MPM' for source in sources(root, 'mpm', bids_filter_file=path)
    )


def split_parts(root: Path, *parts: str) -> None:
    """Make of each image of ``sub-irt1`` one for each part."""
    for path in sorted(root.glob('sub-irt1/anat/*_IRT1.nii.gz')):
        for part in parts:
            name = path.name.replace('_IRT1', f'_part-{part}_IRT1')
            (path.parent / name).write_bytes(path.read_bytes())
            sidecar = path.with_name(path.name.replace('.nii.gz', '.json')).read_text()
            (path.parent / name.replace('.nii.gz', '.json')).write_text(sidecar)
        path.unlink()


@pytest.mark.parametrize(
    ('parts', 'path', 'other'),
    [
        (('mag', 'phase', 'real', 'imag'), 'mag', 'phase'),
        (('mag', 'real', 'imag'), 'real', 'imag'),
        (('mag', 'imag'), 'mag', None),
        (('mag', 'real'), 'mag', None),
        (('real', 'imag'), 'real', 'imag'),
        (('real', 'phase'), 'real', None),
    ],
)
def test_parts_of_one_pair_are_read_together(
    build: Build, parts: tuple[str, ...], path: str, other: str | None
) -> None:
    root = build('irt1')
    split_parts(root, *parts)
    source = only(root, 'irt1')
    assert source.fault == ''
    for image in source.acquisition['images']:
        assert f'_part-{path}_' in image['path']
        assert image['part'] == path
        beside = {name: image[name] for name in ('phase', 'imag') if image[name]}
        assert list(beside) == ([other] if other else [])
        assert all(f'_part-{name}_' in value for name, value in beside.items())


def test_a_pair_that_one_setting_lacks_is_not_read_of_the_others(build: Build) -> None:
    root = build('irt1')
    split_parts(root, 'mag', 'real', 'imag')
    (root / 'sub-irt1/anat/sub-irt1_inv-03_part-imag_IRT1.nii.gz').unlink()
    found = only(root, 'irt1').acquisition['images']
    assert {(image['part'], image['imag']) for image in found} == {('mag', None)}


def test_a_uniform_image_of_other_voxels_is_not_used(build: Build) -> None:
    root = build('mp2rage')
    rewrite(root / 'sub-mp2rage/anat/sub-mp2rage_UNIT1.nii.gz', affine=np.diag([1, 1, 2, 1.0]))
    found = only(root, 'mp2rage').acquisition
    assert found['unit1'] is None
    reason = (
        'sub-mp2rage_UNIT1.nii.gz is not used: its voxels are not those of '
        'sub-mp2rage_inv-1_part-mag_MP2RAGE.nii.gz. Convert both from DICOM again'
    )
    assert any(note.startswith(reason) for note in found['notes'])
    for path in root.glob('sub-mp2rage/anat/*_part-phase_*.nii.gz'):
        path.unlink()
    bare = only(root, 'mp2rage').acquisition
    assert MP2RAGE.scope.obstacle is not None
    assert MP2RAGE.scope.obstacle(bare).startswith(reason)


def test_a_broken_uniform_image_leaves_the_collection(build: Build) -> None:
    root = build('mp2rage')
    (root / 'sub-mp2rage/anat/sub-mp2rage_UNIT1.nii.gz').write_bytes(b'no image')
    source = only(root, 'mp2rage')
    assert source.fault == '' and source.acquisition['unit1'] is None
    reason = source.acquisition['unit1_reason']
    assert reason.startswith('sub-mp2rage/anat/sub-mp2rage_UNIT1.nii.gz: ')
