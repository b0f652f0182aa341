"""Factors of several levels in models of regions: one F for each, in tables and on the page."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from cohort_outputs import make_config
from statsmodels.stats.multitest import multipletests
from test_region_models import REGIONS, make_covariates, make_sessions, make_variables

from mriderived.bids.covariates import Covariates
from mriderived.group.agreement import compare
from mriderived.group.model_chapter import find_model_chapters
from mriderived.group.model_files import Model, ModelError, read_models
from mriderived.group.records import Cohort
from mriderived.group.region_models import fit_regions
from mriderived.group.sample import Sample

TERMS = 'age + C(sex) + C(site)'
LEVELS = 'C(site)[T.B] = 0, C(site)[T.C] = 0'


@pytest.mark.parametrize('errors', ['classical', 'robust'])
def test_a_factor_is_tested_at_once_and_equals_statsmodels(errors: str) -> None:
    covariates = make_covariates()
    variables = make_variables(covariates)
    model = Model('m', 'thickness', TERMS, errors=errors)  # type: ignore[arg-type]
    table = fit_regions(model, variables, covariates).table
    assert table['contrast'].unique().tolist() == [
        'age', 'C(sex)[T.M]', 'C(site)[T.B]', 'C(site)[T.C]', 'C(site)'
    ]  # fmt: skip
    family = table[table['contrast'] == 'C(site)'].set_index('region')
    assert (family['dof_tested'] == 2).all() and (family['dof'] == 55).all()
    assert family[['estimate', 'se', 't', 'cohens_d']].isna().all(axis=None)
    for region in range(0, REGIONS, 7):
        data = covariates.assign(y=variables.values[:, region])
        plain = smf.ols(f'y ~ {TERMS}', data).fit()
        robust = smf.ols(f'y ~ {TERMS}', data).fit(cov_type='HC3', use_t=True)
        wanted = (robust if errors == 'robust' else plain).f_test(LEVELS)
        mine = family.loc[f'r{region}']
        assert mine['f'] == pytest.approx(float(wanted.fvalue), rel=1e-10)
        assert mine['p'] == pytest.approx(float(wanted.pvalue), rel=1e-10)
        rest = smf.ols('y ~ age + C(sex)', data).fit()
        assert mine['partial_r2'] == pytest.approx(1 - plain.ssr / rest.ssr, rel=1e-9)
    # A family of its own, as that of every contrast.
    for name, method in (('fdr', 'fdr_bh'), ('holm', 'holm'), ('bonferroni', 'bonferroni')):
        wanted_p = multipletests(family['p'], method=method)[1]
        np.testing.assert_allclose(family[f'p_{name}'], wanted_p, rtol=1e-12)


def test_of_one_contrast_f_is_the_square_of_t() -> None:
    covariates = make_covariates()
    table = fit_regions(
        Model('m', 'thickness', TERMS), make_variables(covariates), covariates
    ).table
    single = table[table['contrast'] != 'C(site)']
    np.testing.assert_allclose(single['f'], single['t'] ** 2, rtol=1e-12)
    assert (single['dof_tested'] == 1).all()


def test_rows_of_a_file_are_tested_at_once(tmp_path: Path) -> None:
    path = tmp_path / 'models.yaml'
    path.write_text(
        '- formula: thickness ~ age + C(site)\n'
        '  contrasts:\n'
        '    any site: ["C(site)[T.B]", "C(site)[T.C]"]\n'
        '    B to C: {"C(site)[T.B]": -1, "C(site)[T.C]": 1}\n'
    )
    (model,) = read_models([str(path)])
    covariates = make_covariates()
    variables = make_variables(covariates)
    fitted = fit_regions(model, variables, covariates)
    assert fitted.table['contrast'].unique().tolist() == ['B to C', 'any site']
    auto = fit_regions(Model('m', 'thickness', 'age + C(site)'), variables, covariates).table
    np.testing.assert_allclose(
        fitted.table.query('contrast == "any site"')['f'],
        auto.query('contrast == "C(site)"')['f'],
        rtol=1e-12,
    )


@pytest.mark.parametrize(
    ('rows', 'message'),
    [
        ('["C(site)[T.B]", {"C(site)[T.B]": 2}]', 'rows of the contrast both follow from each'),
        ('["C(site)[T.D]"]', r'contrast both weighs C\(site\)\[T.D\], and the coefficients are'),
    ],
)
def test_rows_that_cannot_be_tested_are_refused(tmp_path: Path, rows: str, message: str) -> None:
    path = tmp_path / 'models.yaml'
    path.write_text(f'- formula: thickness ~ C(site)\n  contrasts: {{both: {rows}}}\n')
    covariates = make_covariates()
    with pytest.raises(ModelError, match=message):
        fit_regions(*read_models([str(path)]), make_variables(covariates), covariates)


def test_without_intercept_levels_are_not_tested_against_0_at_once() -> None:
    covariates = make_covariates()
    table = fit_regions(
        Model('m', 'thickness', 'C(site) - 1'), make_variables(covariates), covariates
    ).table
    assert (table['dof_tested'] == 1).all()


def test_a_mixed_model_has_walds_test() -> None:
    variables, covariates = make_sessions()
    covariates['dose'] = np.array(['a', 'b', 'c'])[np.arange(60) % 3].astype(object)
    table = fit_regions(
        Model('m', 'thickness', 'visit + C(dose)', errors='mixed'), variables, covariates
    ).table
    data = covariates.assign(y=variables.values[:, 0], who=[row.participant for row in variables.rows])  # noqa: E501  # fmt: skip
    fit = smf.mixedlm('y ~ visit + C(dose)', data, groups=data['who']).fit(reml=True)
    wanted = fit.wald_test('C(dose)[T.b] = 0, C(dose)[T.c] = 0', scalar=True)
    mine = table[table['contrast'] == 'C(dose)'].iloc[0]
    assert mine['f'] * 2 == pytest.approx(float(wanted.statistic), rel=1e-3)
    assert mine['p'] == pytest.approx(float(wanted.pvalue), rel=1e-3)
    assert np.isnan(mine['dof'])


def test_two_answers_on_a_factor_are_compared_by_f() -> None:
    covariates = make_covariates()
    table = fit_regions(
        Model('m', 'thickness', 'C(site)'), make_variables(covariates), covariates
    ).table
    family = table[table['contrast'] == 'C(site)']
    found = compare(family, family, 'variable', 'p_fdr', 0.05)
    assert found.kinds == ('partial R²', 'F') and len(found.names) == REGIONS
    np.testing.assert_allclose(found.t[:, 0], family['f'])


def test_the_page_and_the_sidecar_show_it(tmp_path: Path) -> None:
    covariates = make_covariates()
    known = Covariates(pd.DataFrame())
    model = Model('sites', 'thickness', 'age + C(site)')
    (chapter, *_), refused = find_model_chapters(
        make_config(tmp_path), [model], known,
        Sample(Cohort(), make_variables(covariates), covariates),
    )  # fmt: skip
    assert not refused
    place = {name: number for number, name in enumerate(chapter.header)}
    (row, *_) = [row for row in chapter.rows if row[0] == 'C(site)']
    assert row[place['F (df)']].endswith('(2, 56)') and row[place['t']] == 'n/a'
    told = json.loads((tmp_path / 'models' / 'model-sites_stats.json').read_text())
    assert told['Contrasts']['C(site)'][1] == {
        'Intercept': 0, 'age': 0, 'C(site)[T.B]': 0, 'C(site)[T.C]': 1
    }  # fmt: skip
    assert set(pd.read_csv(tmp_path / 'models' / 'model-sites_stats.tsv', sep='\t')) <= set(told)
    drawn = [one for one in chapter.pictures if one.title.startswith('C(site): ')]
    assert len(drawn) == 2 and 'share of what the other terms leave' in drawn[0].caption
    assert 'partial R²' in (tmp_path / drawn[0].path).read_text()
