"""Results of MRIQC, fMRIPrep, XCP-D and QSIRecon in the cohort table."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from cohort_outputs import MEASURES, make_config, read_table, write_complete, write_description

from mriderived.group.fmriprep_sheets import read_fmriprep
from mriderived.group.mriqc_sheets import read_mriqc
from mriderived.group.qsirecon_sheets import read_qsirecon
from mriderived.group.records import Row
from mriderived.group.stage import run_group
from mriderived.group.xcp_d_sheets import read_xcp_d

ONE, TWO = Row('', '01'), Row('', '02')
LINC = ('sub\ttask\tspace\tdesc\tmean_fd\tmean_fd_post_censoring\tmean_relative_rms\t'
        'num_censored_volumes\tnum_retained_volumes\n')  # fmt: skip
SCALARS = ('bundle\tvariable_name\tqsirecon_suffix\tsource_file\tzero_proportion\tmean\tstdev\t'
           'median\tmasked_mean\tmasked_median\tmasked_stdev\tweighted_mean\t'
           'masked_weighted_mean\tsubject_id\tbundle_source\tbundle_params_id\n')  # fmt: skip


def put(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def scalar(bundle: str, name: str, model: str, mean: float) -> str:
    cells = (bundle, name, model, 'x.nii.gz', 0.01, mean, 0.1, mean, mean, mean, 0.1, mean, mean,
             'sub-01', 'DSIStudio', 'autotrack')  # fmt: skip
    return '\t'.join(map(str, cells)) + '\n'


def test_mriqc_takes_the_group_table_and_the_reference_run(tmp_path: Path) -> None:
    put(tmp_path / 'group_bold.tsv',
        'bids_name\tfd_mean\ttsnr\tsize_t\n'
        'sub-01_task-faces_bold\t0.9\t30\t100\n'
        'sub-01_task-rest_run-02_bold\t0.3\t40\t200\n'
        'sub-01_task-rest_run-01_bold\t0.125\t50\t200\n'
        'sub-02_task-rest_bold\t0.25\tn/a\t200\n')  # fmt: skip
    put(tmp_path / 'sub-01' / 'anat' / 'sub-01_T1w.json',
        json.dumps({'cjv': 0.375, 'bids_meta': {'x': 1}, 'size_x': 176, 'note': 'x'}))  # fmt: skip
    found = read_mriqc(tmp_path)
    sheets = {sheet.name: sheet for sheet in found.sheets}
    bold = sheets['mriqc_bold'].values
    assert bold[ONE] == {('', 'fd_mean'): 0.125, ('', 'tsnr'): 50.0, ('', 'size_t'): 200.0}
    assert bold[TWO] == {('', 'fd_mean'): 0.25, ('', 'size_t'): 200.0}
    assert sheets['mriqc_t1w'].values == {ONE: {('', 'cjv'): 0.375, ('', 'size_x'): 176.0}}
    units = {column.name: column.unit for column in sheets['mriqc_bold'].columns}
    assert units == {'fd_mean': 'mm', 'tsnr': '1', 'size_t': ''}
    assert found.warnings == []


def test_mriqc_that_lists_somebody_twice(tmp_path: Path) -> None:
    put(tmp_path / 'group_T1w.tsv',
        'bids_name\tcjv\nsub-01_T1w\t0.3\nsub-01_T1w\t0.4\nsub-02_T1w\t0.5\n')  # fmt: skip
    found = read_mriqc(tmp_path)
    assert found.rows == {TWO}
    assert found.warnings == ['group_T1w.tsv has more than one row of sub-01_T1w: leave one']
    assert found.sheets[0].reasons == {ONE: 'group_T1w.tsv has more than one row of sub-01_T1w'}


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('bids_name\tcjv\nsub-01_T1w\n', 'the rows do not match the header'),
        ('name\tcjv\nsub-01_T1w\t1\n', 'the table lacks the column bids_name'),
        ('', 'the file is empty'),
    ],
)
def test_mriqc_with_a_broken_table(tmp_path: Path, text: str, message: str) -> None:
    put(tmp_path / 'group_T1w.tsv', text)
    assert read_mriqc(tmp_path).warnings == [f'group_T1w.tsv is left out: {message}']


def test_fmriprep_tells_of_motion(tmp_path: Path) -> None:
    header = (
        'framewise_displacement\trmsd\tstd_dvars\tnon_steady_state_outlier00\tmotion_outlier00'
    )
    rows = ('n/a\tn/a\tn/a\t1\t0', '0.25\t0.5\t1.5\t0\t0', '0.75\t0.25\t0.5\t0\t1')
    put(tmp_path / 'sub-01/func/sub-01_task-rest_desc-confounds_timeseries.tsv',
        '\n'.join((header, *rows)) + '\n')  # fmt: skip
    put(tmp_path / 'sub-02/ses-a/func/sub-02_ses-a_task-rest_desc-confounds_regressors.tsv',
        'csf\tframewise_displacement\n1\tn/a\n1\t0.5\n')  # fmt: skip
    put(tmp_path / 'sub-03/func/sub-03_task-rest_desc-confounds_timeseries.tsv', 'csf\n1\n')
    found = read_fmriprep(tmp_path)
    values = {row: {name: value for (_, name), value in cells.items()}
              for row, cells in found.sheets[0].values.items()}  # fmt: skip
    assert values[ONE] == {
        'fd_mean': 0.5, 'fd_max': 0.75, 'rmsd_mean': 0.375, 'std_dvars_mean': 1.0, 'volumes': 3.0,
        'non_steady_state': 1.0, 'motion_outliers': 1.0,
    }  # fmt: skip
    assert values[Row('a', '02')] == {
        'fd_mean': 0.5, 'fd_max': 0.5, 'volumes': 2.0, 'non_steady_state': 0.0,
        'motion_outliers': 0.0,
    }  # fmt: skip
    assert found.warnings == [
        'sub-03_task-rest_desc-confounds_timeseries.tsv: the table lacks the column '
        'framewise_displacement'
    ]


def test_xcp_d_has_regions_and_quality(tmp_path: Path) -> None:
    stem = 'sub-01/func/sub-01_task-rest_space-fsLR'
    put(tmp_path / f'{stem}_seg-4S156Parcels_stat-alff_bold.tsv', 'LH_Vis_1\tRH_Vis_1\n1.5\tn/a\n')
    put(
        tmp_path / f'{stem}_seg-4S156Parcels_stat-reho_bold.tsv', 'LH_Vis_1\tRH_Vis_1\n0.5\t0.25\n'
    )
    put(tmp_path / f'{stem}_seg-Tian_stat-reho_bold.tsv', 'HIP-lh\n0.125\n')
    put(tmp_path / f'{stem}_den-91k_desc-linc_qc.tsv',
        LINC + '01\trest\tfsLR\tpreproc\t0.25\t0.125\tn/a\t10\t190\n')  # fmt: skip
    put(tmp_path / 'sub-02/func/sub-02_task-rest_space-fsLR_seg-Tian_stat-reho_bold.tsv',
        'HIP-lh\n')  # fmt: skip
    found = read_xcp_d(tmp_path)
    sheets = {(sheet.name, sheet.variant): sheet for sheet in found.sheets}
    assert sheets['xcp_d_alff', '4S156Parcels'].values == {ONE: {('LH_Vis_1', 'alff'): 1.5}}
    assert sheets['xcp_d_reho', '4S156Parcels'].values[ONE]['RH_Vis_1', 'reho'] == 0.25
    assert sheets['xcp_d_reho', 'Tian'].values == {ONE: {('HIP-lh', 'reho'): 0.125}}
    assert sheets['xcp_d_qc', ''].values[ONE] == {
        ('', 'mean_fd'): 0.25, ('', 'mean_fd_post_censoring'): 0.125,
        ('', 'num_censored_volumes'): 10.0, ('', 'num_retained_volumes'): 190.0,
    }  # fmt: skip
    assert len(found.warnings) == 1 and '0 rows instead of one' in found.warnings[0]


def test_xcp_d_in_the_form_of_its_later_versions(tmp_path: Path) -> None:
    stem = 'sub-01/func/sub-01_task-rest_space-fsLR_atlas-Tian'
    put(tmp_path / f'{stem}_stat-reho_bold.tsv', 'HIP-lh\tHIP-rh\n0.125\t0.25\n')
    put(tmp_path / f'{stem}_den-91k_stat-coverage_bold.tsv',
        'Node\tcoverage\nHIP-lh\t0.75\nHIP-rh\tn/a\n')  # fmt: skip
    put(tmp_path / 'sub-01/anat/sub-01_space-fsLR_atlas-Tian_stat-mean_desc-thickness_morph.tsv',
        'HIP-lh\tHIP-rh\n2.5\t2.75\n')  # fmt: skip
    put(tmp_path / 'sub-02/func/sub-02_task-rest_space-fsLR_atlas-Tian_stat-coverage_bold.tsv',
        'Node\tcoverage\nHIP-lh\t0.5\nHIP-lh\t1\n')  # fmt: skip
    found = read_xcp_d(tmp_path)
    values = {sheet.name: sheet.values for sheet in found.sheets if sheet.variant == 'Tian'}
    assert values['xcp_d_reho'] == {ONE: {('HIP-lh', 'reho'): 0.125, ('HIP-rh', 'reho'): 0.25}}
    assert values['xcp_d_coverage'] == {ONE: {('HIP-lh', 'coverage'): 0.75}}
    assert values['xcp_d_thickness'][ONE]['HIP-rh', 'thickness'] == 2.75
    assert found.warnings == [
        'sub-02_task-rest_space-fsLR_atlas-Tian_stat-coverage_bold.tsv: the table lists a region '
        'twice'
    ]


def test_spaces_are_not_mixed(tmp_path: Path) -> None:
    spaces = (('01', 'fsLR'), ('02', 'fsLR'), ('02', 'MNI152NLin6Asym'), ('03', 'MNI152NLin6Asym'),
              ('04', 'fsLR'))  # fmt: skip
    for label, space in spaces:
        put(tmp_path / f'sub-{label}/func/sub-{label}_task-rest_space-{space}_seg-Tian_stat-reho_bold.tsv',  # noqa: E501
            'HIP\n0.5\n')  # fmt: skip
    found = read_xcp_d(tmp_path)
    assert {row.participant for row in found.rows} == {'01', '02', '04'}
    assert (
        'more than one space: fsLR (3 people) is in the table, MNI152NLin6Asym (2) is not'
        in (found.warnings[0])
    )
    assert found.sheets[1].reasons == {
        Row('', '03'): 'sub-03_task-rest_space-MNI152NLin6Asym_seg-Tian_stat-reho_bold.tsv is of '
        'MNI152NLin6Asym, and most people have fsLR'
    }  # fmt: skip


def test_motion_does_not_depend_on_the_space(tmp_path: Path) -> None:
    header = 'space\tmean_fd\tnorm_dice\n'
    for label, space in (('01', 'fsLR'), ('02', 'fsLR'), ('03', 'MNI152NLin6Asym')):
        put(tmp_path / f'sub-{label}/func/sub-{label}_task-rest_space-{space}_desc-linc_qc.tsv',
            f'{header}{space}\t0.{label}\t0.9\n')  # fmt: skip
    found = read_xcp_d(tmp_path).sheets[0]
    assert found.values[ONE] == {('', 'mean_fd'): 0.01, ('', 'norm_dice'): 0.9}
    assert found.values[Row('', '03')] == {('', 'mean_fd'): 0.03}
    assert found.reasons[Row('', '03')].endswith('MNI152NLin6Asym, and most people have fsLR')


def test_qsirecon_has_bundles_of_every_model(tmp_path: Path) -> None:
    folder = tmp_path / 'derivatives' / 'qsirecon-DSIStudio' / 'sub-01' / 'dwi'
    put(folder / 'sub-01_space-ACPC_bundles-DSIStudio_scalarstats.tsv',
        SCALARS + scalar('AF_left', 'dti_fa', 'DSIStudio', 0.5)
        + scalar('AF_left', 'md', 'DIPYDKI', 0.75)
        + scalar('CST_right', 'dti_fa', 'DSIStudio', float('nan')))  # fmt: skip
    found = read_qsirecon(tmp_path)
    values = {(sheet.name, sheet.variant): sheet.values for sheet in found.sheets}
    assert values == {
        ('qsirecon_DIPYDKI', 'DSIStudio'): {ONE: {('AF_left', 'md'): 0.75}},
        ('qsirecon_DSIStudio', 'DSIStudio'): {ONE: {('AF_left', 'dti_fa'): 0.5}},
    }


def test_qsirecon_that_lists_a_bundle_twice(tmp_path: Path) -> None:
    file = 'sub-01_space-ACPC_bundles-DSIStudio_scalarstats.tsv'
    put(tmp_path / 'qsirecon-DSIStudio/sub-01/dwi' / file,
        SCALARS + scalar('AF_left', 'fa', 'DSIStudio', 0.43)
        + scalar('AF_left', 'fa', 'DSIStudio', 0.99)
        + scalar('AF_left', 'md', 'DSIStudio', 0.5))  # fmt: skip
    found = read_qsirecon(tmp_path)
    assert found.sheets[0].values == {ONE: {('AF_left', 'md'): 0.5}}
    told = f'{file} has more than one row of fa of AF_left'
    assert found.warnings == [f'{told}: leave one'] and found.sheets[0].reasons == {ONE: told}


def test_all_stand_in_one_table(tmp_path: Path) -> None:
    out_dir = tmp_path / 'out'
    write_description(out_dir)
    write_complete(out_dir, '01')
    put(tmp_path / 'mriqc/group_T1w.tsv', 'bids_name\tcjv\nsub-01_T1w\t0.375\nsub-02_T1w\t0.5\n')
    put(tmp_path / 'xcp/sub-01/func/sub-01_task-rest_space-fsLR_seg-Tian_stat-reho_bold.tsv',
        'HIP-lh\n0.125\n')  # fmt: skip
    put(tmp_path / 'qsi/qsirecon-DSIStudio/sub-02/dwi/sub-02_bundles-DSIStudio_scalarstats.tsv',
        SCALARS + scalar('AF_left', 'dti_fa', 'DSIStudio', 0.5))  # fmt: skip
    (tmp_path / 'empty').mkdir()
    words = (('mriqc', 'mriqc'), ('xcp_d', 'xcp'), ('qsirecon', 'qsi'), ('fmriprep', 'empty'))
    given = tuple(f'{name}={tmp_path / folder}' for name, folder in words)
    result = run_group(make_config(out_dir, derivatives=given), MEASURES)
    (told,) = result.warnings
    assert told.startswith(f'{tmp_path / "empty"} holds no table of fmriprep: ')
    assert result.refused == (told,)
    table = read_table(out_dir, 'mriderived.tsv')
    reasons = read_table(out_dir, 'mriderived_reasons.tsv')
    assert table['sub-02']['mriqc_t1w_cjv'] == '0.5'
    assert table['sub-01']['xcp_d_reho_tian_hip_lh_reho'] == '0.125'
    column = 'qsirecon_dsistudio_dsistudio_af_left_dti_fa'
    assert (table['sub-01'][column], table['sub-02'][column]) == ('n/a', '0.5')
    assert reasons['sub-01'][column] == 'QSIRecon DSIStudio has no result of this participant'
    told = json.loads((out_dir / 'phenotype' / 'mriderived.json').read_text())
    assert told['mriqc_t1w_cjv']['Units'] == '1' and told[column]['Atlas'] == 'DSIStudio'


@pytest.mark.real
def test_the_numbers_of_a_real_table_of_mriqc(test_data: Path, tmp_path: Path) -> None:
    """MRIQC's numbers of ABIDE, in the form that its group table has today."""
    raw = pd.read_csv(test_data / 'tables/mriqc-iqms/mriqc/data/csv/x_abide.csv')
    raw.insert(0, 'bids_name', [f'sub-{label:07d}_T1w' for label in raw.pop('subject_id')])
    raw.to_csv(tmp_path / 'group_T1w.tsv', sep='\t', index=False)
    sheet = read_mriqc(tmp_path).sheets[0]
    assert len(sheet.values) == len(raw) and len(sheet.columns) == raw.shape[1] - 1
    last = raw.iloc[-1]
    row = Row('', last['bids_name'][4:11])
    assert sheet.values[row]['', 'cjv'] == last['cjv']
