"""Results of FreeSurfer in the cohort table, beside our own and alone."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from cohort_outputs import MEASURES, make_config, read_table, write_complete, write_description

from mriderived import cli
from mriderived.config import Config
from mriderived.group.stage import GroupResult, run_group

ASEG = (
    '# Measure X, eTIV, X, {etiv}, mm^3\n'
    '# ColHeaders Index SegId NVoxels Volume_mm3 StructName\n'
    ' 1 10 8163 {thalamus} Left-Thalamus\n'
)
APARC = (
    '# hemi {hemisphere}\n# ColHeaders StructName SurfArea GrayVol ThickAvg\n'
    'cuneus 1000 2000 {thickness}\n'
)


def write_person(
    folder: Path, name: str, thalamus: float = 7000.5, thickness: float = 2.5
) -> Path:
    stats = folder / name / 'stats'
    stats.mkdir(parents=True)
    (stats / 'aseg.stats').write_text(ASEG.format(etiv=1.5e6, thalamus=thalamus))
    for hemisphere in ('lh', 'rh'):
        text = APARC.format(hemisphere=hemisphere, thickness=thickness)
        (stats / f'{hemisphere}.aparc.stats').write_text(text)
    return stats


@pytest.fixture
def config(tmp_path: Path) -> Config:
    write_description(tmp_path / 'out')
    (tmp_path / 'fs').mkdir()
    return make_config(tmp_path / 'out', derivatives=(f'freesurfer={tmp_path / "fs"}',))


def run(config: Config) -> GroupResult:
    return run_group(config, MEASURES)


def test_results_of_others_stand_behind_ours(config: Config, tmp_path: Path) -> None:
    for label in ('01', '02'):
        write_complete(config.out_dir, label)
    write_person(tmp_path / 'fs', 'sub-01')
    write_person(tmp_path / 'fs', 'sub-03', thickness=2.75)
    result = run(config)
    assert result.participants == 3
    table = read_table(config.out_dir, 'mriderived.tsv')
    names = list(table['sub-01'])
    assert names.index('tissue_gm') < names.index('freesurfer_brain_etiv')
    thickness = 'freesurfer_aparc_desikankilliany_ctx_rh_cuneus_thickness'
    assert [table[f'sub-0{n}'][thickness] for n in (1, 2, 3)] == ['2.5', 'n/a', '2.75']
    assert table['sub-01']['freesurfer_aseg_left_thalamus_volume'] == '7000.5'
    assert table['sub-03']['tissue_gm'] == 'n/a'
    reasons = read_table(config.out_dir, 'mriderived_reasons.tsv')
    assert reasons['sub-02'][thickness] == 'FreeSurfer cortex has no result of this participant'
    assert reasons['sub-03']['tissue_gm'] == 'not run for this participant'
    assert reasons['sub-01'][thickness] == 'n/a'
    told = json.loads((config.out_dir / 'phenotype' / 'mriderived.json').read_text())[thickness]
    assert (told['Units'], told['Region'], told['Measure'], told['Atlas']) == (
        'mm', 'ctx-rh-cuneus', 'freesurfer_aparc', 'DesikanKilliany',
    )  # fmt: skip


def test_a_broken_file_costs_its_table_alone(config: Config, tmp_path: Path) -> None:
    stats = write_person(tmp_path / 'fs', 'sub-01')
    write_person(tmp_path / 'fs', 'sub-02')
    (stats / 'aseg.stats').write_text('# Title\n')
    result = run(config)
    assert any('sub-01/stats/aseg.stats has no line' in warning for warning in result.warnings)
    table = read_table(config.out_dir, 'mriderived.tsv')
    reasons = read_table(config.out_dir, 'mriderived_reasons.tsv')
    column = 'freesurfer_aseg_left_thalamus_volume'
    assert [table[f'sub-0{n}'][column] for n in (1, 2)] == ['n/a', '7000.5']
    assert 'aseg.stats has no line of column names' in reasons['sub-01'][column]
    assert table['sub-01']['freesurfer_aparc_desikankilliany_ctx_lh_cuneus_area'] == '1000'


def test_means_of_hemispheres_are_no_regions(config: Config, tmp_path: Path) -> None:
    text = (
        'lh.aparc.thickness\tlh_cuneus_thickness\tlh_MeanThickness_thickness\teTIV\n'
        'sub-01\t2.5\t2.4\t1700000\n'
    )
    (tmp_path / 'fs' / 'lh.thickness.txt').write_text(text)
    run(config)
    row = read_table(config.out_dir, 'mriderived.tsv')['sub-01']
    found = {name: cell for name, cell in row.items() if name.startswith('freesurfer')}
    assert found == {
        'freesurfer_brain_etiv': '1700000',
        'freesurfer_brain_left_mean_thickness': '2.4',
        'freesurfer_aparc_desikankilliany_ctx_lh_cuneus_thickness': '2.5',
    }


def test_sessions_are_told_apart_and_participants_chosen(config: Config, tmp_path: Path) -> None:
    for name in ('sub-01_ses-a', 'sub-01_ses-b', 'sub-02_ses-a'):
        write_person(tmp_path / 'fs', name)
    result = run(replace(config, participant_labels=('01',)))
    assert result.participants == 1
    assert (config.out_dir / 'phenotype' / 'mriderived_ses-a.tsv').exists() or any(
        'ses-b' in str(path) for path in result.tables
    )


def test_a_folder_without_results_is_told(config: Config) -> None:
    write_complete(config.out_dir, '01')
    result = run(config)
    assert any('holds no table of freesurfer' in warning for warning in result.warnings)
    # what was asked for is not there: the run goes on, and its exit code says so
    assert any('holds no table of freesurfer' in reason for reason in result.refused)


@pytest.mark.parametrize(
    ('word', 'code', 'message'),
    [
        ('freesurfer', 64, 'Give the name of the tool and its folder: freesurfer=DIR'),
        ('suma=/tmp', 64, 'Give the name of the tool and its folder'),
        ('freesurfer=/nowhere/at/all', 66, 'There is no such folder.'),
    ],
)
def test_what_cannot_be_read_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], word: str, code: int, message: str
) -> None:
    write_description(tmp_path / 'out')
    write_complete(tmp_path / 'out', '01')
    (tmp_path / 'raw').mkdir()
    words = [str(tmp_path / 'raw'), str(tmp_path / 'out'), 'group', '--derivatives', word]
    assert cli.main(words) == code
    assert message in capsys.readouterr().err


def test_a_broken_hemisphere_is_the_reason_of_its_cells(config: Config, tmp_path: Path) -> None:
    stats = write_person(tmp_path / 'fs', 'sub-01')
    write_person(tmp_path / 'fs', 'sub-02')
    (stats / 'lh.aparc.stats').write_text('# Title\n')
    run(config)
    table = read_table(config.out_dir, 'mriderived.tsv')['sub-01']
    reasons = read_table(config.out_dir, 'mriderived_reasons.tsv')['sub-01']
    column = 'freesurfer_aparc_desikankilliany_ctx_{}_cuneus_thickness'.format
    assert (table[column('lh')], table[column('rh')]) == ('n/a', '2.5')
    assert 'sub-01/stats/lh.aparc.stats has no line of column names' in reasons[column('lh')]
    assert reasons[column('rh')] == 'n/a'


def test_a_table_does_not_overwrite_stats(config: Config, tmp_path: Path) -> None:
    for name in ('sub-01', 'sub-02'):
        write_person(tmp_path / 'fs', name)
    (tmp_path / 'fs' / 'lh.txt').write_text(
        'lh.aparc.thickness\tlh_cuneus_thickness\teTIV\n'
        'sub-01\t9.9\t1500000\nsub-02\t2.5001\t1500000\nsub-03\t3.5\t1600000\n'
        'sub-04\t1\t1\nsub-04\t2\t2\nfsaverage\t1\t1\n'
    )
    result = run(config)
    column = 'freesurfer_aparc_desikankilliany_ctx_lh_cuneus_thickness'
    table = read_table(config.out_dir, 'mriderived.tsv')
    assert {name: row[column] for name, row in table.items()} == {
        'sub-01': '2.5', 'sub-02': '2.5', 'sub-03': '3.5',
    }  # fmt: skip
    assert result.warnings == (
        'lh.txt: rows of no participant are left out: fsaverage',
        'lh.txt has more than one row of sub-04: leave one',
        'lh.txt has other numbers than stats/, or than a table before it, of 1 (sub-01): those '
        'count, for the table may be older; remove it or make it anew',
    )


def test_folders_with_other_entities_are_named(config: Config, tmp_path: Path) -> None:
    write_person(tmp_path / 'fs', 'sub-01')
    write_person(tmp_path / 'fs', 'sub-02_run-1')
    (warning,) = run(config).warnings
    assert warning.startswith('sub-02_run-1: stats/ is not read')


def test_a_sole_session_of_others_joins_results_without_sessions(
    config: Config, tmp_path: Path
) -> None:
    for label in ('01', '02'):
        write_complete(config.out_dir, label)
    for name in ('sub-01_ses-1', 'sub-02_ses-b', 'sub-03_ses-1'):
        write_person(tmp_path / 'fs', name)
    result = run(config)
    (warning,) = result.warnings
    assert 'it is not the same of all: ses-1, ses-b. Where these are different' in warning
    table = read_table(config.out_dir, 'mriderived.tsv')
    assert {row['freesurfer_brain_etiv'] for row in table.values()} == {'1500000'}
    assert list(table) == ['sub-01', 'sub-02', 'sub-03']
    assert not list(config.out_dir.glob('phenotype/mriderived_ses-*'))


def test_several_sessions_of_others_are_not_joined_without_a_word(
    config: Config, tmp_path: Path
) -> None:
    for label in ('01', '02'):
        write_complete(config.out_dir, label)
    for name in ('sub-01_ses-1', 'sub-01_ses-2', 'sub-02_ses-1'):
        write_person(tmp_path / 'fs', name)
    (warning,) = run(config).warnings
    assert warning.startswith('sub-01: our results have no session, and those of others have')
    table = read_table(config.out_dir, 'mriderived.tsv')
    assert table['sub-01']['freesurfer_brain_etiv'] == 'n/a'
    assert table['sub-02']['freesurfer_brain_etiv'] == '1500000'
    assert (config.out_dir / 'phenotype' / 'mriderived_ses-2.tsv').exists()


def test_folders_of_another_version_are_named(config: Config, tmp_path: Path) -> None:
    for number, version in enumerate(('7.4.1', '7.4.1', '5.3 beta'), start=1):
        stats = write_person(tmp_path / 'fs', f'sub-{number:02d}') / 'aseg.stats'
        stats.write_text(f'# cvs_version {version}\n{stats.read_text()}')
    (warning,) = run(config).warnings
    assert warning.startswith(
        'sub-03: aseg.stats is of FreeSurfer 5.3 beta, and that of most of 7.4.1: numbers of both'
    )
