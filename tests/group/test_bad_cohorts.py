"""Cohorts in which something is wrong: clear messages, and nothing lost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cohort_outputs import (
    LABELS,
    MEASURES,
    Participant,
    make_config,
    read_table,
    write_complete,
    write_description,
)

from mriderived import __version__
from mriderived.config import Config
from mriderived.group.readers import read_derivatives
from mriderived.group.stage import run_group

REMEDY = (
    'Run all participants with one version and the same settings, or choose among them with '
    '--participant-label'
)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    write_description(tmp_path / 'out')
    write_complete(tmp_path / 'out', '01')
    return make_config(tmp_path / 'out')


def tell_version(config: Config, label: str, version: str, **told: object) -> None:
    path = config.out_dir / 'logs' / f'sub-{label}' / 'provenance.json'
    path.write_text(json.dumps({'version': version, **told}))


def test_one_participant_has_all_tables(config: Config) -> None:
    config = make_config(config.out_dir, tables=('long', 'parquet', 'long-parquet'))
    result = run_group(config, MEASURES)
    assert (result.participants, result.warnings, result.refused) == (1, (), ())
    assert (config.out_dir / 'group_long.parquet').exists()
    assert len((config.out_dir / 'group_long.tsv').read_text().splitlines()) == 1 + 7


def test_participants_of_another_version_are_named(config: Config) -> None:
    for label in ('02', '03', '04', '05', '06', '07'):
        write_complete(config.out_dir, label)
        tell_version(config, label, '0.0.1')
    tell_version(config, '01', __version__)
    result = run_group(config, MEASURES)
    assert result.participants == 7
    assert result.warnings == (
        f'sub-02, sub-03, sub-04, sub-05, sub-06 and 1 more: processed by version 0.0.1, and this '
        f'is {__version__}: numbers of both stand in one table. {REMEDY}',
    )
    chosen = make_config(config.out_dir, participant_labels=('01',))
    assert run_group(chosen, MEASURES).warnings == ()


def test_participants_of_other_settings_are_named_and_kept(config: Config) -> None:
    for label in ('02', '03', '04'):
        write_complete(config.out_dir, label)
    for label, fingerprint, denoising in (
        ('01', 'aaa', 'auto'), ('02', 'bbb', '36P'), ('03', 'aaa', 'auto'), ('04', '', '')
    ):  # fmt: skip
        settings = {'denoising': denoising, 'random_seed': 42, 'measures': [label]}
        tell_version(config, label, __version__, configuration_hash=fingerprint, settings=settings)
    result = run_group(config, MEASURES)
    assert result.warnings == (
        'sub-02: processed with denoising = 36P (most: auto) (configuration bbb, most have aaa): '
        f'numbers of both stand in one table. {REMEDY}',
    )
    table = read_table(config.out_dir, 'mriderived.tsv')
    assert table['sub-02'] == table['sub-01']  # kept, and the same numbers were made up
    chosen = make_config(config.out_dir, participant_labels=('01', '03', '04'))
    assert run_group(chosen, MEASURES).warnings == ()


def test_participants_of_other_packages_are_named(config: Config) -> None:
    for label, antspyx in (('01', '0.6.3'), ('02', '0.5.4'), ('03', '0.6.3')):
        if label != '01':
            write_complete(config.out_dir, label)
        packages = {'antspyx': antspyx, 'numpy': '2.3.5'}
        tell_version(config, label, __version__, packages=packages)
    assert run_group(config, MEASURES).warnings == (
        'sub-02: processed with antspyx = 0.5.4 (most: 0.6.3): numbers may differ in the last '
        f'digits, or more. {REMEDY}',
    )


def test_a_session_that_the_record_lost_is_named(config: Config) -> None:
    write_complete(config.out_dir, '02', 'a')
    (config.out_dir / 'sub-02' / 'ses-b' / 'anat').mkdir(parents=True)
    assert run_group(config, MEASURES).warnings == (
        'sub-02: there are outputs of ses-b but the record (logs/sub-02/units.json) does not know '
        'of it; not in the tables. Run the participant again with all of its sessions in one '
        'output folder',
    )
    chosen = make_config(config.out_dir, session_labels=('a',))
    assert run_group(chosen, MEASURES).warnings == ()


def test_a_folder_without_a_record_is_named(config: Config) -> None:
    (config.out_dir / 'sub-09' / 'anat').mkdir(parents=True)
    result = run_group(config, MEASURES)
    assert result.participants == 1
    assert 'sub-09: there are outputs but no record' in result.warnings[0]


def test_a_run_that_was_cut_off_leaves_reasons(config: Config) -> None:
    half = Participant(config.out_dir, '02').tissue()
    half.add('quality', outputs=['sub-02/anat/sub-02_desc-T1w_qc.tsv']).write()
    result = run_group(config, MEASURES)
    table = read_table(config.out_dir, 'mriderived.tsv')
    reasons = read_table(config.out_dir, 'mriderived_reasons.tsv')
    assert table['sub-02']['tissue_gm'] == '600000.125'
    assert reasons['sub-02']['quality_cjv'].endswith(
        'the file is missing: run the participant again'
    )
    assert reasons['sub-02']['regional_dk_left_thalamus_volume'] == (
        'not run for this participant'
    )
    assert len(result.warnings) == 1


def test_a_measure_that_nobody_has_keeps_its_columns(config: Config) -> None:
    out_dir = config.out_dir.parent / 'dark' / 'out'
    write_description(out_dir)
    for label in ('01', '02'):
        Participant(out_dir, label).tissue().add(
            'quality', status='failed', reason='too dark'
        ).write()
    result = run_group(make_config(out_dir, tables=('long', 'parquet')), MEASURES)
    assert read_table(out_dir, 'quality.tsv')['sub-01'] == {
        'quality_cjv': 'n/a', 'quality_axes': 'n/a',
    }  # fmt: skip
    assert read_table(out_dir, 'mriderived_reasons.tsv')['sub-02']['quality_cjv'] == (
        'failed: too dark'
    )
    assert result.refused == ()


def test_another_atlas_under_the_same_name_is_left_out(config: Config) -> None:
    write_complete(config.out_dir, '02')
    other = ((1, 'Somewhere'), (2, 'Else'))
    Participant(config.out_dir, '03').tissue().regional(('1', '2'), other).write()
    result = run_group(config, MEASURES)
    table = read_table(config.out_dir, 'mriderived.tsv')
    assert table['sub-03']['tissue_gm'] == '600000.125'
    assert {cell for name, cell in table['sub-03'].items() if 'regional' in name} == {'n/a'}
    assert any('sub-03' in warning and 'other regions than the label table of DK' in warning
               for warning in result.warnings)  # fmt: skip
    assert len(LABELS) == sum('regional' in name for name in table['sub-01'])


def test_two_folders_of_one_participant_of_freesurfer(config: Config, tmp_path: Path) -> None:
    for name, volume in (('01', 1), ('sub-01', 2)):
        stats = tmp_path / 'fs' / name / 'stats'
        stats.mkdir(parents=True)
        (stats / 'aseg.stats').write_text(
            f'# ColHeaders Index SegId Volume_mm3 StructName\n 1 17 {volume} Left-Hippocampus\n'
        )
    given = make_config(config.out_dir, derivatives=(f'freesurfer={tmp_path / "fs"}',))
    found = read_derivatives(given)
    assert found.warnings == [
        'sub-01 and 01 are of the same participant: sub-01 is left out; leave one of them'
    ]
    run_group(given, MEASURES)
    told = json.loads((config.out_dir / 'phenotype' / 'mriderived.json').read_text())
    table = read_table(config.out_dir, 'mriderived.tsv')
    assert table['sub-01']['freesurfer_aseg_left_hippocampus_volume'] == '1'
    assert told['freesurfer_aseg_left_hippocampus_volume']['UKBiobank'] == {
        'FieldID': 26562, 'Title': 'Volume of Hippocampus (left hemisphere)',
    }  # fmt: skip
    assert 'UKBiobank' not in told['tissue_gm']


def test_what_many_people_have_is_said_once(config: Config) -> None:
    for number in range(2, 10):
        write_complete(config.out_dir, f'{number:02d}')
        path = config.out_dir / f'sub-{number:02d}/anat/sub-{number:02d}_desc-T1w_qc.tsv'
        path.write_text('cjv\n0.5\n')
    result = run_group(config, MEASURES)
    assert result.warnings == (
        'sub-02, sub-03, sub-04, sub-05, sub-06 and 3 more: '
        'sub-*/anat/sub-*_desc-T1w_qc.tsv: the table lacks the column axes',
    )
