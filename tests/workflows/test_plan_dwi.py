"""Plans of diffusion: sources, parts, field maps, and measures that the shells do not allow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dwi_datasets import AFFINE, write_dwi, write_root
from mriderived.config import Config
from mriderived.interfaces.dwi_acquisition import read_dwi_acquisition
from mriderived.measures.connectivity import CONNECTIVITY
from mriderived.measures.connectome import CONNECTOME
from mriderived.measures.regional_volume import REGIONAL_VOLUME
from mriderived.measures.tractography import TRACTOGRAPHY
from mriderived.spaces.registry import get_label_table
from mriderived.workflows import scopes
from mriderived.workflows.participant import init_participant_wf
from mriderived.workflows.plan import ParticipantPlan, plan_participant
from mriderived.workflows.sources import Source, find_sources
from mriderived.workflows.unit_files import describe_output

DWI = 'sub-01/dwi'
AP, PA = f'{DWI}/sub-01_dir-AP_dwi.nii.gz', f'{DWI}/sub-01_dir-PA_dwi.nii.gz'


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_root(tmp_path / 'raw')


def config(root: Path, **settings: object) -> Config:
    out = root.parent / 'out'
    return Config(root, out, out / 'work', **settings)  # type: ignore[arg-type]


def sources(root: Path, **settings: object) -> dict[str, Source]:
    found = find_sources(config(root, **settings), '01')
    return {source.relative: source for source in found}


def plan(root: Path, **settings: object) -> ParticipantPlan:
    return plan_participant(config(root, **settings), '01')


def notes(source: Source) -> str:
    return ' '.join(source.acquisition['notes'])


def test_a_series_comes_with_its_table_and_readout(root: Path) -> None:
    write_dwi(root / AP, {1000.0: 12}, b0s=2)
    found = sources(root)[AP]
    assert found.fault == ''
    assert found.is_reference
    assert found.acquisition['shells'] == [[0.0, 2.0], [1000.0, 12.0]]
    (part,) = found.acquisition['parts']
    assert (part['phase_direction'], part['readout_time']) == ('j-', 0.05)
    assert part['volumes'] == [*range(14)]
    assert 'there are no field maps' in notes(found)


def test_tables_are_inherited_from_folders_above(root: Path) -> None:
    path = write_dwi(root / AP, {1000.0: 12})
    for extension in ('.bval', '.bvec'):
        beside = path.with_name(f'sub-01_dir-AP_dwi{extension}')
        beside.rename(root / f'dwi{extension}')
    assert sources(root)[AP].fault == ''


def test_the_opposite_series_of_a_session_corrects_and_a_note_says_that_it_is_a_guess(
    root: Path,
) -> None:
    write_dwi(root / AP, {1000.0: 12}, b0s=2)
    write_dwi(root / PA, {1000.0: 3}, direction='j', b0s=3)
    found = sources(root)
    field = found[AP].acquisition['field_map']
    assert field['kind'] == 'epi'
    roles = {Path(path).name: role for role, path in field['files'].items()}
    assert field['epi'][roles['sub-01_dir-PA_dwi.nii.gz']] == {
        'direction': 'j', 'readout_time': 0.05, 'volumes': [0, 1, 2]
    }  # fmt: skip
    assert 'nothing in the metadata says that they belong together' in notes(found[AP])
    assert [found[path].is_reference for path in (AP, PA)] == [True, False]


def test_an_opposite_series_of_other_geometry_does_not_and_a_note_says_why(root: Path) -> None:
    write_dwi(root / AP, {1000.0: 12})
    moved = AFFINE + np.eye(4, k=3) * 40
    write_dwi(root / PA, {1000.0: 12}, direction='j', affine=moved)
    found = sources(root)[AP]
    assert found.acquisition['field_map'] is None
    assert 'sub-01_dir-PA_dwi.nii.gz does not help to correct distortion: it lies' in notes(found)


def test_what_is_named_comes_before_what_is_guessed(root: Path) -> None:
    write_dwi(root / AP, {1000.0: 12}, B0FieldSource='pepolar', B0FieldIdentifier='pepolar')
    write_dwi(root / PA, {1000.0: 12}, direction='j')
    other = f'{DWI}/sub-01_acq-rev_dir-PA_dwi.nii.gz'
    write_dwi(root / other, {}, direction='j', b0s=2, B0FieldIdentifier='pepolar')
    found = sources(root)
    assert other not in found  # it has no weighting: it helps, and is nothing by itself
    files = [Path(p).name for p in found[AP].acquisition['field_map']['files'].values()]
    assert sorted(files) == ['sub-01_acq-rev_dir-PA_dwi.nii.gz', 'sub-01_dir-AP_dwi.nii.gz']
    assert "B0FieldSource 'pepolar'" in notes(found[AP])


def test_intended_for_leads_to_a_series_beside_the_run(root: Path) -> None:
    write_dwi(root / AP, {1000.0: 12})
    write_dwi(root / PA, {}, direction='j', b0s=2, IntendedFor=[f'bids::{AP}'])
    found = sources(root)
    assert set(found) == {AP}
    assert '(IntendedFor)' in notes(found[AP])


def test_parts_with_one_multipart_id_are_one_series(root: Path) -> None:
    first = f'{DWI}/sub-01_dir-AP_run-1_dwi.nii.gz'
    write_dwi(root / first, {1000.0: 12}, MultipartID='all')
    write_dwi(root / first.replace('run-1', 'run-2'), {2000.0: 15}, b0s=2, MultipartID='all')
    found = sources(root)
    assert set(found) == {first}
    assert found[first].acquisition['shells'] == [[0.0, 3.0], [1000.0, 12.0], [2000.0, 15.0]]
    (unit,) = (u for u in plan(root).units if u.measure.name == 'dwi_series')
    assert unit.outputs['dwi_preproc'] == f'{DWI}/sub-01_dir-AP_desc-preproc_dwi.nii.gz'
    assert unit.others == (first.replace('run-1', 'run-2'),)
    output = unit.measure.output('dwi_preproc')
    sidecar = describe_output(config(root), unit, output)
    assert sidecar is not None
    assert sidecar['Sources'] == [f'bids:raw:{name}' for name in (first, *unit.others)]


def test_opposite_series_with_directions_are_one_named_without_theirs(root: Path) -> None:
    write_dwi(root / AP, {1000.0: 12}, b0s=2)
    write_dwi(root / PA, {1000.0: 8}, direction='j', b0s=3)
    found = sources(root)
    assert set(found) == {AP}
    content = found[AP].acquisition
    assert [part['phase_direction'] for part in content['parts']] == ['j-', 'j']
    # two of the 20 directions lie within 4 degrees
    assert content['shells'] == [[0.0, 5.0], [1000.0, 19.0]]
    names = {Path(path).name: role for role, path in content['field_map']['files'].items()}
    assert content['field_map']['epi'][names['sub-01_dir-PA_dwi.nii.gz']]['direction'] == 'j'
    assert '(the parts of the series)' in notes(found[AP])
    (unit,) = (u for u in plan(root).units if u.measure.name == 'dwi_series')
    assert unit.outputs['dwi_preproc'] == f'{DWI}/sub-01_desc-preproc_dwi.nii.gz'


def test_opposite_parts_of_one_multipart_id_are_one_series(root: Path) -> None:
    names = [f'{DWI}/sub-01_dir-{d}_run-{n}_dwi.nii.gz' for d in ('AP', 'PA') for n in (1, 2)]
    for name in names:
        direction = 'j-' if 'AP' in name else 'j'
        write_dwi(root / name, {1000.0: 7}, direction=direction, MultipartID='all')
    found = sources(root)
    assert set(found) == {names[0]}
    parts = found[names[0]].acquisition['parts']
    assert [Path(part['path']).name for part in parts] == [Path(name).name for name in names]
    field = found[names[0]].acquisition['field_map']['files'].values()
    assert {Path(names[2]).name, Path(names[3]).name} <= {Path(path).name for path in field}


@pytest.mark.parametrize(
    'change',
    [
        {'MultipartID': 'other'},
        {'b0s': 0},
        {'affine': AFFINE + np.eye(4, k=3) * 4},
        {'shape': (12, 12, 9)},
        {'direction': 'i'},
        {'TotalReadoutTime': 'n/a'},
    ],
    ids=lambda change: next(iter(change)),
)
def test_opposite_series_that_cannot_correct_one_another_stay_apart(
    root: Path, change: dict[str, Any]
) -> None:
    write_dwi(root / AP, {1000.0: 12}, b0s=2)
    write_dwi(root / PA, {1000.0: 8}, **{'direction': 'j', 'b0s': 3, **change})
    assert set(sources(root)) == {AP, PA}


def test_a_third_series_of_the_same_name_keeps_opposite_ones_apart(root: Path) -> None:
    third = f'{DWI}/sub-01_dwi.nii.gz'
    for name, direction in ((AP, 'j-'), (PA, 'j'), (third, 'j')):
        write_dwi(root / name, {1000.0: 12}, direction=direction)
    assert set(sources(root)) == {AP, PA, third}


def test_parts_of_other_geometry_are_refused(root: Path) -> None:
    first = f'{DWI}/sub-01_dir-AP_run-1_dwi.nii.gz'
    write_dwi(root / first, {1000.0: 12}, MultipartID='all')
    write_dwi(
        root / first.replace('run-1', 'run-2'), {1000.0: 12}, MultipartID='all', shape=(12, 12, 9)
    )
    assert 'its matrix 12 x 12 x 9 is not that of' in sources(root)[first].fault


def test_a_part_that_is_given_twice_is_refused_and_repetitions_are_not(root: Path) -> None:
    first = f'{DWI}/sub-01_dir-AP_run-1_dwi.nii.gz'
    second = first.replace('run-1', 'run-2')
    write_dwi(root / first, {1000.0: 12}, MultipartID='all')
    write_dwi(root / second, {1000.0: 12}, MultipartID='all')
    assert sources(root)[first].fault == ''
    (root / second).write_bytes((root / first).read_bytes())
    fault = sources(root)[first].fault
    assert fault.startswith(f'{second}: it holds the same volumes and gradients as')
    assert fault.endswith('Remove one of the two, or take the right file from its source.')


@pytest.mark.parametrize(
    ('change', 'reason'),
    [
        (lambda p: p.with_name('sub-01_dir-AP_dwi.bvec').unlink(), 'it has no .bvec file'),
        (lambda p: p.with_name('sub-01_dir-AP_dwi.bval').unlink(), 'it has no .bval file'),
        (lambda p: p.with_name('sub-01_dir-AP_dwi.bval').write_text('0 1000'),
         'it has 2 b-values for 13 volumes of sub-01_dir-AP_dwi.nii.gz'),
        (lambda p: p.with_name('sub-01_dir-AP_dwi.bval').write_text(' '.join(['nan'] * 13)),
         'negative or not a number'),
        (lambda p: p.write_bytes(p.read_bytes()[:4000]), 'sub-01_dir-AP_dwi.nii.gz'),
        (lambda p: p.with_name('sub-01_dir-AP_dwi.json').write_text('{"RepetitionTime": 4,'),
         'sub-01/dwi/sub-01_dir-AP_dwi.json is not valid JSON'),
        (lambda p: p.with_name('sub-01_dir-AP_dwi.json').write_text('{'),
         'correct it there, or convert it again'),
    ],
)  # fmt: skip
def test_what_is_broken_is_refused_with_the_file(root: Path, change: Any, reason: str) -> None:
    change(write_dwi(root / AP, {1000.0: 12}))
    assert reason in sources(root)[AP].fault


def fates(root: Path, **settings: object) -> dict[str, tuple[str, str]]:
    settings = {'atlases': ('Thalamus',), **settings}
    assembly = init_participant_wf(config(root, **settings), plan(root, **settings))
    return {key[1]: fate for key, fate in assembly.refused.items()}


def test_measures_that_the_shells_do_not_allow_are_not_available(root: Path) -> None:
    write_dwi(root / AP, {1000.0: 20})
    found = fates(root)
    status, reason = found['kurtosis']
    assert status == 'not_available'
    assert reason == (
        'it needs 2 shells of at least 6 directions, one of them of at least 15, up to b = 3000; '
        'directions here: 20 at b = 1000'
    )
    assert found['dki_mk_regions'][0] == found['noddi'][0] == 'not_available'
    assert 'tensor' not in found
    assert found['dwi_registration'] == ('not_available', 'there is no T1w image of sub-01')
    assert found['tensor_fa_regions'][0] == 'not_available'


def test_shells_beyond_the_reach_of_a_model_do_not_count(root: Path) -> None:
    write_dwi(root / AP, {1000.0: 20, 5000.0: 20})
    found = fates(root)
    assert found['kurtosis'][0] == found['wmti'][0] == 'not_available'
    assert found['kurtosis'][1].endswith('directions here: 20 at b = 1000 and 20 at b = 5000')
    assert 'noddi' not in found


def test_few_directions_and_none_are_told(root: Path) -> None:
    write_dwi(root / AP, {1000.0: 3})
    assert fates(root)['tensor'][1].endswith('directions here: 3 at b = 1000')
    write_dwi(root / AP, {}, b0s=3)
    assert fates(root)['tensor'][1].endswith('directions here: none')


def test_the_fullest_series_stands_in_the_cohort_table(root: Path) -> None:
    write_dwi(root / AP, {1000.0: 6})
    write_dwi(root / PA, {1000.0: 20}, direction='j', MultipartID='other')
    units = plan(root).units
    chosen = {u.image for u in units if u.measure.name == 'tensor' and u.is_reference}
    assert chosen == {PA}


def test_nodes_read_what_the_plan_says(root: Path) -> None:
    write_dwi(root / AP, {1000.0: 12}, b0s=2)
    settings = config(root, measures=('tensor',))
    assembly = init_participant_wf(settings, plan_participant(settings, '01'))
    name = next(n for n, u in assembly.units.items() if u.measure.name == 'dwi_denoising')
    inputs = assembly.workflow.get_node(name).get_node('inputnode').inputs
    found = read_dwi_acquisition(Path(inputs.dwi_acquisition))
    assert found.phase_direction == 'j-'
    assert found.gradients.shells == (0.0, 1000.0)
    assert len(found.gradients) == 14
    # with a negative determinant, FSL's axes are those of the voxels: x runs to the left
    given = np.loadtxt(root / DWI / 'sub-01_dir-AP_dwi.bvec').T
    np.testing.assert_allclose(found.gradients.directions, given * [-1, 1, 1], atol=1e-5)


def fingerprint(root: Path) -> str:
    (unit,) = (u for u in plan(root).units if u.measure.name == 'dwi_denoising')
    return unit.fingerprint


def test_table_and_readout_change_the_fingerprint_and_other_metadata_do_not(root: Path) -> None:
    path = write_dwi(root / AP, {1000.0: 12})
    sidecar = path.with_name('sub-01_dir-AP_dwi.json')
    content = json.loads(sidecar.read_text())
    before = fingerprint(root)
    sidecar.write_text(json.dumps({**content, 'Manufacturer': 'x'}))
    assert fingerprint(root) == before
    sidecar.write_text(json.dumps({**content, 'TotalReadoutTime': 0.06}))
    assert fingerprint(root) != before
    sidecar.write_text(json.dumps(content))
    bval = path.with_name('sub-01_dir-AP_dwi.bval')
    bval.write_text(bval.read_text().replace('1000', '1100'))
    assert fingerprint(root) != before


def test_an_atlas_without_grey_matter_makes_no_connectome(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root.parent / 'white.tsv').write_text('index\tname\ttissue\n1\tCST\twhite\n')
    (root.parent / 'mixed.tsv').write_text('index\tname\ttissue\n1\tCST\twhite\n2\tA\tcortex\n')
    monkeypatch.setattr(scopes, 'get_label_table', lambda name: root.parent / f'{name}.tsv')
    reason = scopes.explain_atlas(CONNECTOME, 'white')
    assert reason == 'white has no region of grey matter'
    assert scopes.explain_atlas(CONNECTIVITY, 'white') == reason
    assert scopes.explain_atlas(CONNECTOME, 'mixed') == ''
    assert scopes.explain_atlas(REGIONAL_VOLUME, 'white') == ''
    assert scopes.explain_atlas(TRACTOGRAPHY, None) == ''
    # and the plan says so of that atlas alone
    write_dwi(root / AP, {1000.0: 20}, b0s=2)
    table = get_label_table('DesikanKilliany')
    monkeypatch.setattr(
        scopes, 'get_label_table',
        lambda name: table if name == 'DesikanKilliany' else root.parent / 'white.tsv',
    )  # fmt: skip
    units = plan(root, atlases=('DesikanKilliany', 'Mori')).units
    found = {unit.variant: (unit.state, unit.reason) for unit in units
             if unit.measure.name == 'connectome'}  # fmt: skip
    assert found['DesikanKilliany'][0] == 'to run'
    assert found['Mori'] == ('not available', 'Mori has no region of grey matter')
