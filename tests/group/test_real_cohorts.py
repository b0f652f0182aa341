"""Published tables of real people through the command line, against statsmodels and by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf

from mriderived import cli

pytestmark = pytest.mark.real
BUNDLES = 'bundle\tvariable_name\tqsirecon_suffix\tmean\n'


def write_raw(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / 'dataset_description.json').write_text('{"Name": "Real", "BIDSVersion": "1.8.0"}')
    return folder


def write_bundles(folder: Path, table: pd.DataFrame, scalar: str, model: str) -> str:
    """Write one value per region and participant in the form of QSIRecon; return the option."""
    for label, row in table.iterrows():
        lines = [f'{name}\t{scalar}\t{model}\t{cell}\n' for name, cell in row.items()]
        path = folder / f'qsirecon-{model}' / f'sub-{label}' / 'dwi' / f'sub-{label}_bundles-A_scalarstats.tsv'  # noqa: E501  # fmt: skip
        path.parent.mkdir(parents=True)
        path.write_text(BUNDLES + ''.join(lines))
    return f'qsirecon={folder}'


def read_models(out_dir: Path) -> list[pd.DataFrame]:
    """Return the tables of models in the order of their names."""
    return [pd.read_csv(path, sep='\t', na_values='n/a', keep_default_na=False)
            for path in sorted((out_dir / 'models').glob('model-*_stats.tsv'))]  # fmt: skip


def assert_equal(found: pd.DataFrame, values: pd.DataFrame, design: pd.DataFrame) -> None:
    """Compare one contrast of all regions with statsmodels; ``values`` has a column for each."""
    (name,) = set(found['contrast'])
    assert len(found) == values.shape[1]
    for (_, row), column in zip(found.iterrows(), values, strict=True):
        there = values[column].notna().to_numpy()
        wanted = sm.OLS(values[column][there].to_numpy(float), design[there]).fit()
        assert row['n'] == there.sum()
        assert row['estimate'] == pytest.approx(wanted.params[name], rel=1e-7, abs=1e-14)
        assert row['se'] == pytest.approx(wanted.bse[name], rel=1e-7)
        assert row['p'] == pytest.approx(wanted.pvalues[name], rel=1e-6)


def test_tracts_of_154_people_by_diagnosis(test_data: Path, tmp_path: Path) -> None:
    """FA and MD of 63 tracts, patients and controls, in one table from two folders."""
    data = (test_data / 'tables' / 'enigma-glm' / 'WorkingGroups' / 'EffectSize_and_GLM'
            / 'example_tutorial' / 'data')  # fmt: skip
    raw = write_raw(tmp_path / 'raw')
    people = pd.read_csv(data / 'covariates.csv').rename(columns={'SubjID': 'participant_id'})
    people.to_csv(raw / 'participants.tsv', sep='\t', index=False, na_rep='n/a')
    tables = {kind: pd.read_csv(data / f'metr_{kind}.csv', index_col='SubjID')
              for kind in ('FA', 'MD')}  # fmt: skip
    for kind, table in tables.items():
        given = write_bundles(tmp_path / 'qsirecon', table, kind.lower(), f'DTI{kind}')
    words = [str(raw), str(tmp_path / 'out'), 'group', '--derivatives', given, '--model',
             'qsirecon_DTIFA ~ Dx + Age + C(Sex)', 'qsirecon_DTIMD ~ Dx + Age + C(Sex)',
             'qsirecon_DTIFA ~ Dx + IQ', 'qsirecon_DTIFA ~ Dx + C(Site)']  # fmt: skip
    assert cli.main(words) == 1
    page = (tmp_path / 'out' / 'group.html').read_text()
    assert 'nobody has every covariate (left out: 154 without IQ)' in page
    assert 'Site is MDR for all 154 participants: leave it out' in page
    design = pd.DataFrame({'Intercept': 1.0, 'Dx': people['Dx'], 'Age': people['Age'],
                           'Sex': people['Sex']})  # fmt: skip
    fitted = read_models(tmp_path / 'out')
    for table, values in zip(fitted, tables.values(), strict=True):
        values.index = design.index
        for contrast in ('Dx', 'Age'):
            found = table[table['contrast'] == contrast].set_index('region', drop=False)
            assert_equal(found.loc[list(values.columns)], values, design)
        assert (table['p_fdr'] >= table['p'] - 1e-12).all()
        assert set(table['dof']) == {150}


def test_fifty_adults_by_age_in_thickness_area_and_volume(test_data: Path, tmp_path: Path) -> None:
    """All regions of FreeSurfer with sex and eTIV; the whole brain gets smaller with age."""
    raw = test_data / 'tables' / 'fair-nidm'
    given = f'freesurfer={raw / "derivatives" / "freesurfer"}'
    terms = 'age + C(sex) + etiv'
    outcomes = ('freesurfer_aparc.area', 'freesurfer_aparc.thickness', 'freesurfer_aparc.volume',
                'freesurfer_brain_brain_volume_without_ventricles')  # fmt: skip
    words = [str(raw), str(tmp_path / 'out'), 'group', '--derivatives', given, '--model',
             *(f'{outcome} ~ {terms}' for outcome in outcomes)]  # fmt: skip
    assert cli.main(words) == 0
    phenotype = tmp_path / 'out' / 'phenotype'
    wide = pd.read_csv(phenotype / 'mriderived.tsv', sep='\t', na_values='n/a',
                       float_precision='round_trip')  # fmt: skip
    people = pd.read_csv(raw / 'participants.tsv', sep='\t')
    data = people.merge(wide, on='participant_id')
    assert len(data) == 50
    design = pd.DataFrame({
        'Intercept': 1.0, 'age': data['age'], 'male': (data['sex'] == 'M').astype(float),
        'etiv': data['freesurfer_brain_etiv'],
    })  # fmt: skip
    seen = []
    for table in read_models(tmp_path / 'out'):
        found = table[table['contrast'] == 'age']
        assert_equal(found, data[list(found['variable'])], design)
        seen.append((set(found['column']), len(found), (found['estimate'] < 0).mean()))
    by_column = {next(iter(columns)): (count, share) for columns, count, share in seen}
    assert {name: count for name, (count, _) in by_column.items()} == {
        'area': 68 + 148, 'thickness': 68 + 148, 'volume': 68 + 148,
        'brain_volume_without_ventricles': 1,
    }  # fmt: skip
    assert by_column['brain_volume_without_ventricles'][1] == 1.0
    assert by_column['thickness'][1] > 0.85 and by_column['volume'][1] > 0.8


@pytest.fixture(scope='module')
def abide(test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pd.DataFrame]:
    """The phenotype of ABIDE as it was published, as ``phenotype/abide.tsv``."""
    table = pd.read_csv(
        test_data / 'tables' / 'abide' / 'Phenotypic_V1_0b_preprocessed1.csv', dtype=str
    )
    raw = write_raw(tmp_path_factory.mktemp('abide') / 'raw')
    (raw / 'phenotype').mkdir()
    table.rename(columns={'SUB_ID': 'participant_id'}).to_csv(
        raw / 'phenotype' / 'abide.tsv', sep='\t', index=False, na_rep='n/a'
    )
    return raw, table


def test_an_untidy_phenotype_file(
    abide: tuple[Path, pd.DataFrame], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Motion of 1,099 runs at 20 sites; codes, slips and wrong case are told with the remedy."""
    raw, table = abide
    motion = table[['func_mean_fd', 'func_num_fd', 'func_perc_fd']]
    motion.columns = pd.Index(['fd_mean', 'fd_num', 'fd_perc'])
    motion.insert(0, 'bids_name', [f'sub-{label}_task-rest_bold' for label in table['SUB_ID']])
    (tmp_path / 'mriqc').mkdir()
    motion.to_csv(tmp_path / 'mriqc' / 'group_bold.tsv', sep='\t', index=False, na_rep='n/a')
    fd = 'mriqc_bold_fd_mean'
    good = 'AGE_AT_SCAN + C(SEX) + C(DX_GROUP) + C(SITE_ID)'
    words = [str(raw), str(tmp_path / 'out'), 'group', '--derivatives',
             f'mriqc={tmp_path / "mriqc"}', '--model', f'{fd} ~ {good}',
             f'{fd} ~ FIQ', f'{fd} ~ C(HANDEDNESS_CATEGORY)', f'{fd} ~ C(CURRENT_MED_STATUS)',
             f'{fd} ~ age_at_scan', '--exclude', 'qc_func_rater_2 == "fail"']  # fmt: skip
    assert cli.main(words) == 1
    said = capsys.readouterr()
    told = said.out + said.err
    for message in (
        'FIQ is -9999 for',
        'HANDEDNESS_CATEGORY is -9999 for',
        'CURRENT_MED_STATUS is -9999 for',
        'age_at_scan is no column of participants.tsv, of phenotype/ or of the cohort table. Did '
        'you mean AGE_AT_SCAN?',
    ):
        assert message in told
    assert told.count('write n/a') == 3
    numbers = table.apply(pd.to_numeric, errors='coerce').assign(
        site=table['SITE_ID'], rater=table['qc_func_rater_2']
    )
    there = numbers[numbers['func_mean_fd'].notna()]
    formula = 'func_mean_fd ~ AGE_AT_SCAN + C(SEX) + C(DX_GROUP) + C(site)'
    everybody, chosen = read_models(tmp_path / 'out')
    for found, data in ((everybody, there), (chosen, there[there['rater'] != 'fail'])):
        wanted = smf.ols(formula, data).fit()
        row = found[found['contrast'] == 'AGE_AT_SCAN'].iloc[0]
        assert row['n'] == len(data)
        assert row['estimate'] == pytest.approx(wanted.params['AGE_AT_SCAN'], rel=1e-7)
        assert row['p'] == pytest.approx(wanted.pvalues['AGE_AT_SCAN'], rel=1e-6)
    excluded = pd.read_csv(tmp_path / 'out' / 'models' / 'excluded.tsv', sep='\t')
    assert len(excluded) == len(there) - len(there[there['rater'] != 'fail'])
    assert set(excluded['reason']) == {'qc_func_rater_2 == "fail" (it is fail)'}


def test_quality_of_twenty_sites_is_harmonised(
    abide: tuple[Path, pd.DataFrame], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The sites explain much of the numbers of images, and little after ComBat."""
    raw, table = abide
    names = ['func_efc', 'func_fwhm', 'func_dvars', 'func_quality', 'func_gsr', 'anat_fwhm']
    values = table.set_index('SUB_ID')[names].dropna()
    given = write_bundles(tmp_path / 'qsirecon', values, 'quality', 'QAP')
    words = [str(raw), str(tmp_path / 'out'), 'group', '--derivatives', given, '--harmonise',
             'SITE_ID ~ AGE_AT_SCAN + C(SEX) + C(DX_GROUP)',
             'SITE_ID ~ C(EYE_STATUS_AT_SCAN)', 'SITE_ID ~ FIQ']  # fmt: skip
    assert cli.main(words) == 1
    said = capsys.readouterr()
    told = said.out + said.err
    assert 'EYE_STATUS_AT_SCAN' in told and 'cannot be told from it' in told
    assert 'FIQ is -9999 for' in told
    (path,) = (tmp_path / 'out' / 'models').glob('harmonised-*.tsv')
    after = pd.read_csv(path, sep='\t').set_index('participant_id')
    people = table.set_index('sub-' + table['SUB_ID'])
    sites = people.loc[after.index, 'SITE_ID'].to_numpy()
    assert after.shape == (len(values), len(names))
    shares = {}
    for name in names:
        (column,) = (one for one in after if name.lower() in one)
        both = (people.loc[after.index, name].astype(float), after[column])
        shares[name] = tuple(
            sum(len(g) * (g.mean() - one.mean()) ** 2 for _, g in one.groupby(sites))
            / ((one - one.mean()) ** 2).sum()
            for one in both
        )
        before, harmonised = both
        assert np.corrcoef(before, harmonised)[0, 1] > 0.2
    assert np.mean([before for before, _ in shares.values()]) > 0.35
    assert max(after for _, after in shares.values()) < 0.12
