from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import nibabel as nb
import numpy as np
import pytest

from mriderived.bids import validate
from mriderived.bids.description import write_atlas_description, write_description
from mriderived.bids.names import phenotype_path
from mriderived.bids.sidecar import build_sidecar, sidecar_path, write_json, write_sidecar
from mriderived.bids.validate import ValidationResult, validate_dataset
from mriderived.config import Config

EXPECTED = (Path(__file__).with_name('expected_names.txt')).read_text().split()
SOURCES = ['bids:raw:sub-01/anat/sub-01_T1w.nii.gz']

try:
    validate.find_validator()
except validate.ValidatorMissingError:
    IS_MISSING = True
else:
    IS_MISSING = False

needs_validator = pytest.mark.skipif(IS_MISSING, reason='bids-validator-deno is not installed')


def write_output(path: Path) -> None:
    """Write the least that the validator takes for an output of that name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    extra: dict[str, object] = {}
    if path.name.endswith('.nii.gz'):
        shape = (2, 2, 2, 2) if path.name.endswith(('_bold.nii.gz', '_dwi.nii.gz')) else (2, 2, 2)
        image = nb.Nifti1Image(np.ones(shape, np.float32), np.eye(4))  # type: ignore[no-untyped-call]
        image.header.set_xyzt_units('mm', 'sec')  # type: ignore[no-untyped-call]
        image.to_filename(path)
        extra = {'SkullStripped': True, 'Resolution': '2 mm', 'SpatialReference': SOURCES[0]}
    elif path.suffix == '.tsv':
        path.write_text('index\tname\tvolume\n1\tCortex\t2.5\n')
        extra = {name: {'Description': 'A column.'} for name in ('index', 'name', 'volume')}
    else:
        path.write_text({'.bval': '0 1000\n', '.bvec': '0 1\n0 0\n0 0\n'}.get(path.suffix, 'x'))
    if path.suffix in ('.bval', '.bvec'):
        return
    content = {'Density': '32k', 'TaskName': 'rest', 'RepetitionTime': 1, **extra}
    write_sidecar(path, build_sidecar(description='An output.', sources=SOURCES, extra=content))


def write_beside_bids(out_dir: Path) -> None:
    for name in ('sub-01.html', 'group.html', 'sub-01/figures/sub-01_desc-brain_T1w.svg',
                 'status.tsv', 'work/node/file.txt', 'logs/sub-01/units.json'):  # fmt: skip
        (out_dir / name).parent.mkdir(parents=True, exist_ok=True)
        (out_dir / name).write_text('x')


def write_cohort_table(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('participant_id\tvolume\nsub-01\t1.5\n')
    volume = {'Description': 'A volume.', 'Units': 'mL', 'Derivative': True}
    participant = {'Description': 'The participant.'}
    write_json(sidecar_path(path), {'participant_id': participant, 'volume': volume})


@pytest.fixture
def outputs(skeleton: Callable[[str], Path], tmp_path: Path) -> Path:
    """Return a derivative dataset with every name of the outputs."""
    out_dir = tmp_path / 'out'
    raw = skeleton('single')
    write_description(out_dir, raw, Config(raw, out_dir, out_dir / 'work'))
    for name in EXPECTED:
        write_output(out_dir / name)
    for label in ('DesikanKilliany', 'Schaefer2018'):
        write_atlas_description(out_dir, label, name=label, licence='MIT', description='Cortex.')
    write_cohort_table(out_dir / phenotype_path('tissue_volumes'))
    write_cohort_table(out_dir / phenotype_path('volumes', atlas='Schaefer200', session='1'))
    write_beside_bids(out_dir)
    return out_dir


def codes(result: ValidationResult) -> list[tuple[str, str]]:
    return sorted((issue.code, Path(issue.location).name) for issue in result.errors)


@needs_validator
@pytest.mark.parametrize('strict', [False, True])
def test_every_name_passes_both_ways(outputs: Path, strict: bool) -> None:
    result = validate_dataset(outputs, kind='derivatives', strict=strict)
    assert codes(result) == []
    assert result.exit_code == 0
    assert not {'NIFTI_UNIT', 'UNKNOWN_BIDS_VERSION'} & {issue.code for issue in result.warnings}


@needs_validator
def test_the_bidsignore_hides_no_released_name(outputs: Path) -> None:
    names = ('sub-01_desc-brain_mask', 'sub-01_atlas-DesikanKilliany_dseg', 'sub-01_dseg')
    for name in names:
        sidecar = outputs / 'sub-01' / 'anat' / f'{name}.json'
        sidecar.write_text('{}')
    result = validate_dataset(outputs, kind='derivatives')
    blamed = {Path(issue.location).name.partition('.')[0] for issue in result.errors}
    assert blamed == set(names)


MUTATIONS = [
    ('dwi/sub-01_model-dki_param-mk_dwimap.nii.gz',
     'dwi/sub-01_param-mk_model-dki_dwimap.nii.gz', 'FILENAME_MISMATCH'),
    ('dwi/sub-01_model-dki_param-mk_dwimap.nii.gz',
     'dwi/sub-01_model-dki_dwimap.nii.gz', 'MISSING_REQUIRED_ENTITY'),
    ('dwi/sub-01_model-dki_param-mk_dwimap.nii.gz',
     'dwi/sub-01_model-dki_param-mk_dwimaps.nii.gz', 'NOT_INCLUDED'),
    ('anat/sub-01_tissuemap.nii.gz',
     'anat/sub-01_stat-mean_tissuemap.nii.gz', 'ALL_FILENAME_RULES_HAVE_ISSUES'),
    ('func/sub-01_task-rest_stat-tsnr_boldmap.nii.gz',
     'anat/sub-01_task-rest_stat-tsnr_boldmap.nii.gz', 'DATATYPE_MISMATCH'),
    ('anat/sub-01_desc-brain_mask.nii.gz',
     'anat/sub-01_desc-brain_masks.nii.gz', 'NOT_INCLUDED'),
]  # fmt: skip


@needs_validator
@pytest.mark.parametrize(('right', 'wrong', 'code'), MUTATIONS)
def test_a_mutated_name_fails(outputs: Path, right: str, wrong: str, code: str) -> None:
    source, target = outputs / 'sub-01' / right, outputs / 'sub-01' / wrong
    source.rename(target)
    sidecar_path(source).rename(sidecar_path(target))
    result = validate_dataset(outputs, kind='derivatives', strict=True)
    assert result.exit_code == 16
    assert (code, target.name) in codes(result)


@needs_validator
def test_missing_descriptions_and_columns_fail(outputs: Path) -> None:
    sidecar = outputs / 'sub-01' / 'anat' / 'sub-01_label-GM_probseg.json'
    sidecar.write_text('{}')
    write_json(outputs / 'phenotype' / 'tissue_volumes.json', {})
    result = validate_dataset(outputs, kind='derivatives', strict=True)
    assert codes(result) == [
        ('SIDECAR_KEY_RECOMMENDED.Description', 'sub-01_label-GM_probseg.nii.gz'),
        ('TSV_ADDITIONAL_COLUMNS_UNDEFINED.volume', 'tissue_volumes.tsv'),
    ]


@needs_validator
@pytest.mark.parametrize('name', ['single', 'sessions', 'runs', 'untidy'])
def test_faults_of_files_do_not_stop_a_run(skeleton: Callable[[str], Path], name: str) -> None:
    result = validate_dataset(skeleton(name), kind='raw')
    assert result.exit_code == 0
    assert result.errors == ()
    assert any('sub-02_run-1_T1w.json' in str(i) for i in result.warnings) == (name == 'untidy')


@needs_validator
@pytest.mark.parametrize(
    ('description', 'code'),
    [
        ('{', 'JSON_INVALID'),
        ('', 'EMPTY_FILE'),
        ('[]', 'JSON_NOT_AN_OBJECT'),
        ('{"Name": "x"}', 'JSON_KEY_REQUIRED.BIDSVersion'),
        (None, 'MISSING_DATASET_DESCRIPTION'),
    ],
)  # fmt: skip
def test_faults_of_the_dataset_stop_it(
    skeleton: Callable[[str], Path], description: str | None, code: str
) -> None:
    root = skeleton('single')
    (root / 'dataset_description.json').unlink()
    if description is not None:
        (root / 'dataset_description.json').write_text(description)
    result = validate_dataset(root, kind='raw')
    assert result.exit_code == 16
    assert code in {issue.code for issue in result.errors}


@needs_validator
def test_no_verdict_is_an_error_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(validate.ValidatorCrashError, match=r'crashed on .*absent \(exit code'):
        validate_dataset(tmp_path / 'absent', kind='raw')


def test_a_missing_validator_is_told_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, 'executable', '/nowhere/python')
    monkeypatch.setattr(shutil, 'which', lambda name: None)
    with pytest.raises(validate.ValidatorMissingError, match='--skip-bids-validation'):
        validate.find_validator()


@needs_validator
@pytest.mark.real
@pytest.mark.parametrize('name', ['ds002748', 'pumi-minitest', 'philips-enh', 'aomic'])
def test_real_datasets_are_not_stopped(test_data: Path, name: str) -> None:
    assert validate_dataset(test_data / name, kind='raw').errors == ()
