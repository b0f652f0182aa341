"""Models on published tables of real people, against statsmodels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf

from mriderived.bids.covariates import read_covariates
from mriderived.group.model_files import Model, ModelError
from mriderived.group.records import Row
from mriderived.group.region_models import fit_regions
from mriderived.group.variables import Variable, Variables

pytestmark = pytest.mark.real


def as_variables(table: pd.DataFrame) -> Variables:
    """Return the columns of a table indexed by participant as one table of regions."""
    variables = tuple(
        Variable(name, 'skeleton', 'fa', '1', 'FA', 'JHU', name, str(n))
        for n, name in enumerate(table)
    )
    rows = tuple(Row('', str(label)) for label in table.index)
    return Variables(rows, variables, table.to_numpy(float, copy=True))


def test_anisotropy_of_154_people_by_diagnosis(test_data: Path, tmp_path: Path) -> None:
    """63 tracts, patients and controls, ages; people without an age are left out."""
    folder = (
        test_data / 'tables' / 'enigma-glm' / 'WorkingGroups' / 'EffectSize_and_GLM'
        / 'example_tutorial' / 'data'
    )  # fmt: skip
    fa = pd.read_csv(folder / 'metr_FA.csv', index_col='SubjID').apply(
        pd.to_numeric, errors='coerce'
    )
    raw = pd.read_csv(folder / 'covariates.csv').rename(columns={'SubjID': 'participant_id'})
    raw.to_csv(tmp_path / 'participants.tsv', sep='\t', index=False, na_rep='n/a')
    variables = as_variables(fa)
    known = read_covariates(tmp_path).of([(row.participant, '') for row in variables.rows])
    covariates = known.reset_index(drop=True)
    model = Model('dx', 'fa', 'Dx + Age + C(Sex)')
    fitted = fit_regions(model, variables, covariates)
    table = fitted.table[fitted.table['contrast'] == 'Dx'].set_index('region')
    assert len(table) == fa.shape[1]
    for tract in ('AverageFA', 'GCC', 'UNC_L'):
        data = covariates.assign(y=fa[tract].to_numpy()).dropna(subset=['y', 'Dx', 'Age', 'Sex'])
        wanted = smf.ols('y ~ Dx + Age + C(Sex)', data).fit()
        assert table.loc[tract, 'n'] == len(data)
        assert table.loc[tract, 'estimate'] == pytest.approx(wanted.params['Dx'], rel=1e-9)
        assert table.loc[tract, 'p'] == pytest.approx(wanted.pvalues['Dx'], rel=1e-8)


def test_an_untidy_file_of_1112_people(test_data: Path, tmp_path: Path) -> None:
    """Codes for missing values are seen, and named with the remedy; mended, models run."""
    raw = pd.read_csv(
        test_data / 'tables' / 'abide' / 'Phenotypic_V1_0b_preprocessed1.csv', dtype=str
    ).rename(columns={'SUB_ID': 'participant_id'})
    raw = raw.loc[:, ~raw.columns.str.startswith('Unnamed')]
    path = tmp_path / 'participants.tsv'
    raw.to_csv(path, sep='\t', index=False, na_rep='n/a')
    people = [(label, '') for label in raw['participant_id']]
    covariates = read_covariates(tmp_path).of(people).reset_index(drop=True)
    assert covariates['AGE_AT_SCAN'].dtype == float and covariates['SITE_ID'][0] == 'PITT'
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(len(raw), 3)), index=raw['participant_id'])
    table.columns = ['a', 'b', 'c']
    model = Model('iq', 'fa', 'AGE_AT_SCAN + C(SITE_ID) + FIQ')
    with pytest.raises(ModelError, match=r'FIQ is -9999 for \d+ participants.* write n/a'):
        fit_regions(model, as_variables(table), covariates)
    raw.replace({'-9999': 'n/a', '-9999.0': 'n/a'}).to_csv(
        path, sep='\t', index=False, na_rep='n/a'
    )
    covariates = read_covariates(tmp_path).of(people).reset_index(drop=True)
    fitted = fit_regions(model, as_variables(table), covariates)
    assert fitted.design.left_out['FIQ'] > 0 and fitted.table['n'].iloc[0] > 900
