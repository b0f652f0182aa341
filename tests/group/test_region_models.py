"""Models of regions: equal to statsmodels one by one, honest about who is missing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from statsmodels.stats.multitest import multipletests

from mriderived.group.model_files import Errors, Family, Model, ModelError, read_models
from mriderived.group.records import Row
from mriderived.group.region_models import fit_regions
from mriderived.group.variables import Variable, Variables

PEOPLE, REGIONS = 60, 30


def make_covariates(seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame({
        'age': rng.uniform(20, 80, PEOPLE),
        'sex': np.where(np.arange(PEOPLE) % 2 == 0, 'F', 'M').astype(object),
        'site': np.array(['A', 'B', 'C'])[np.arange(PEOPLE) % 3].astype(object),
        'label': [f'x{n}' for n in range(PEOPLE)],
    })  # fmt: skip


def make_variables(covariates: pd.DataFrame, seed: int = 1) -> Variables:
    """Return thickness of 30 regions; it falls by 5 µm a year in the first ten."""
    rng = np.random.default_rng(seed)
    slope = np.where(np.arange(REGIONS) < 10, -0.005, 0)
    values = 2.5 + covariates['age'].to_numpy()[:, None] * slope + rng.normal(0, 0.05, (PEOPLE, REGIONS))  # noqa: E501  # fmt: skip
    variables = tuple(
        Variable(f'surface_regions_dk_r{n}_thickness', 'surface_regions', 'thickness', 'mm',
                 'Thickness', 'DK', f'r{n}', str(n))
        for n in range(REGIONS)
    )  # fmt: skip
    rows = tuple(Row('', f'{n:02d}') for n in range(PEOPLE))
    return Variables(rows, variables, values)


def test_every_number_is_that_of_statsmodels() -> None:
    covariates = make_covariates()
    variables = make_variables(covariates)
    model = Model('m', 'thickness', 'age + C(sex) + C(site)', errors='robust')
    table = fit_regions(model, variables, covariates).table
    table = table[table['dof_tested'] == 1]  # tests/group/test_joint_models.py has the others
    assert len(table) == REGIONS * 4
    for region in range(0, REGIONS, 7):
        data = covariates.assign(y=variables.values[:, region])
        wanted = smf.ols('y ~ age + C(sex) + C(site)', data).fit(cov_type='HC3', use_t=True)
        mine = table[table['region'] == f'r{region}'].set_index('contrast')
        for name in mine.index:
            assert mine.loc[name, 'estimate'] == pytest.approx(wanted.params[name], rel=1e-10)
            assert mine.loc[name, 'se'] == pytest.approx(wanted.bse[name], rel=1e-10)
            assert mine.loc[name, 'p'] == pytest.approx(wanted.pvalues[name], rel=1e-8)


def test_a_planted_effect_is_found_where_it_is_and_corrected_over_its_table() -> None:
    covariates = make_covariates()
    table = fit_regions(
        Model('m', 'thickness', 'age'), make_variables(covariates), covariates
    ).table
    found = table.set_index('region')
    planted = [f'r{n}' for n in range(10)]
    assert (found.loc[planted, 'p_bonferroni'] < 0.05).all()
    assert found.loc[planted, 'estimate'].mean() == pytest.approx(-0.005, rel=0.05)
    assert (found.drop(planted)['p_fdr'] < 0.05).sum() <= 2
    for name, method in (('fdr', 'fdr_bh'), ('holm', 'holm'), ('bonferroni', 'bonferroni')):
        wanted = multipletests(table['p'], method=method)[1]
        np.testing.assert_allclose(table[f'p_{name}'], wanted, rtol=1e-12)


def test_a_region_is_of_those_who_have_it() -> None:
    covariates = make_covariates()
    variables = make_variables(covariates)
    variables.values[:20, 3] = np.nan
    variables.values[:, 4] = np.nan
    variables.values[:57, 5] = np.nan
    variables.values[:, 6] = 2.0
    covariates.loc[59, 'age'] = np.nan
    fitted = fit_regions(Model('m', 'thickness', 'age'), variables, covariates)
    table = fitted.table.set_index('region')
    assert fitted.design.left_out == {'age': 1}
    assert table['n'].tolist()[:7] == [59, 59, 59, 39, 0, 2, 59]
    keep = slice(20, 59)
    wanted = np.polyfit(covariates['age'][keep], variables.values[keep, 3], 1)[0]
    assert table.loc['r3', 'estimate'] == pytest.approx(wanted, rel=1e-9)
    assert table.loc[['r4', 'r5', 'r6'], 'p'].isna().all()
    assert '2 observations' in table.loc['r5', 'reason']
    assert table.loc['r6', 'reason'] == 'it does not vary between these participants'
    assert table.loc[['r4', 'r5', 'r6'], 'p_fdr'].isna().all()


def test_missing_covariates_can_be_filled_and_are_counted() -> None:
    covariates = make_covariates()
    covariates.loc[:4, 'age'] = np.nan
    covariates.loc[[7], 'sex'] = None
    model = Model('m', 'thickness', 'age + C(sex)', missing='mean')
    design = fit_regions(model, make_variables(covariates), covariates).design
    assert design.filled == {'age': 5, 'sex': 1} and len(design.rows) == PEOPLE
    assert design.matrix[0, 1] == pytest.approx(covariates['age'].mean())


def test_contrasts_weigh_coefficients() -> None:
    covariates = make_covariates()
    weights = {'C(site)[T.B]': 1.0, 'C(site)[T.C]': -1.0}
    model = Model('m', 'thickness', 'C(site)', contrasts={'B against C': weights})
    variables = make_variables(covariates)
    table = fit_regions(model, variables, covariates).table
    means = [variables.values[covariates['site'] == site].mean(axis=0) for site in 'BC']
    np.testing.assert_allclose(table['estimate'], means[0] - means[1], atol=1e-12)
    assert table['contrast'].unique().tolist() == ['B against C']


def make_sessions() -> tuple[Variables, pd.DataFrame]:
    """Return 30 participants with two sessions, a level of each, and a loss of 0.1 between."""
    rng = np.random.default_rng(2)
    rows = tuple(Row(session, f'{n:02d}') for session in ('1', '2') for n in range(30))
    level = np.tile(rng.normal(2.5, 0.3, (30, 2)), (2, 1))
    visit = np.repeat([0.0, 1.0], 30)
    values = level - 0.1 * visit[:, None] + rng.normal(0, 0.05, (60, 2))
    variables = tuple(
        Variable(f'v{n}', 'surface_regions', 'thickness', 'mm', '', 'DK', f'r{n}', str(n))
        for n in range(2)
    )
    return Variables(rows, variables, values), pd.DataFrame({'visit': visit})


def test_sessions_of_a_participant_are_not_independent() -> None:
    variables, covariates = make_sessions()
    with pytest.raises(ModelError, match='30 rows are further sessions of the same participants'):
        fit_regions(Model('m', 'thickness', 'visit'), variables, covariates)
    table = fit_regions(
        Model('m', 'thickness', 'visit', errors='mixed'), variables, covariates
    ).table
    data = covariates.assign(y=variables.values[:, 0], who=[row.participant for row in variables.rows])  # noqa: E501  # fmt: skip
    wanted = smf.mixedlm('y ~ visit', data, groups=data['who']).fit(reml=True)
    assert table['estimate'][0] == pytest.approx(wanted.params['visit'], rel=1e-6)
    assert table['se'][0] == pytest.approx(wanted.bse['visit'], rel=1e-3)
    # d is over all that sets people apart, their own level included.
    spread = np.sqrt(wanted.scale + float(wanted.cov_re.iloc[0, 0]))
    assert spread > 4 * np.sqrt(wanted.scale)
    assert table['cohens_d'][0] == pytest.approx(wanted.params['visit'] / spread, rel=1e-3)
    # The standard error is of differences within people: 0.05 · √2 / √30.
    assert table['se'].mean() == pytest.approx(0.05 * np.sqrt(2 / 30), rel=0.25)
    assert table['estimate'].tolist() == pytest.approx([-0.1, -0.1], abs=0.03)


@pytest.mark.parametrize(
    ('outcome', 'terms', 'message'),
    [
        ('thicknes', 'age', 'there is no thicknes in the cohort table. Did you mean thickness'),
        ('thickness', 'aeg', 'aeg is no column of participants.tsv'),
        ('thickness', 'Age', 'Did you mean age?'),
        ('thickness', 'age + (', 'cannot be read'),
        ('thickness', 'age + I(2 * age)', "'I(2 * age)' follows from the other columns (age)"),
        ('thickness', 'only', 'only is F for all 60 participants: leave it out'),
        ('thickness', 'C(label)', 'label has 60 different words'),
        ('thickness', 'empty', 'nobody has every covariate (left out: 60 without empty)'),
        ('thickness', 'rare', 'one participant makes no model (left out: 59 without rare)'),
        ('thickness', 'iq', 'iq is -9999 for 7 participants, and between 90 and 142'),
    ],
)
def test_a_model_that_cannot_be_fitted_is_refused(outcome: str, terms: str, message: str) -> None:
    covariates = make_covariates().assign(only='F', empty=np.nan)
    covariates['rare'] = [1.0] + [np.nan] * 59
    covariates['iq'] = [-9999.0] * 7 + [float(n) for n in range(90, 143)]
    with pytest.raises(ModelError) as caught:
        fit_regions(Model('m', outcome, terms), make_variables(covariates), covariates)
    assert message in str(caught.value)


def test_a_contrast_of_an_unknown_coefficient_is_refused() -> None:
    covariates = make_covariates()
    model = Model('m', 'thickness', 'C(sex)', contrasts={'men': {'C(sex)[M]': 1.0}})
    with pytest.raises(ModelError, match=r'the coefficients are Intercept, C\(sex\)\[T.M\]'):
        fit_regions(model, make_variables(covariates), covariates)


def test_a_file_holds_several_models(tmp_path: Path) -> None:
    path = tmp_path / 'models.yaml'
    path.write_text(
        'models:\n'
        '  - {name: ageing, formula: thickness ~ age, errors: robust, alpha: 0.01}\n'
        '  - formula: area ~ C(sex)\n'
        '    contrasts: {men: "C(sex)[T.M]"}\n'
        '    correction: holm\n'
    )
    first, second = read_models([str(path)])
    assert (first.name, first.errors, first.alpha) == ('ageing', 'robust', 0.01)
    assert second.contrasts == {'men': {'C(sex)[T.M]': 1.0}} and second.correction == 'holm'


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ('models: [', 'is no valid YAML'),
        ('models: {}', 'has no list of models'),
        ('- {name: x}', 'model 1 has no formula'),
        ('- {formula: thickness}', "'thickness' is no formula"),
        ('- {formula: a ~ b, error: robust}', 'error is not known; known are name, formula'),
        ('- {formula: a ~ b, errors: hc3}', "errors 'hc3' is none of classical, robust, mixed"),
        ('- {formula: a ~ b, alpha: 5}', 'alpha 5 is not between 0 and 1'),
        ('- {formula: a ~ b, name: a b}', 'letters and digits only'),
        ('- {formula: a ~ b, contrasts: {c: [1]}}', 'contrast c must be a coefficient'),
        ('- {formula: a ~ b}\n- {formula: a ~ b}', 'two models are called aB'),
    ],
)
def test_a_file_that_misleads_is_refused(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / 'models.yaml'
    path.write_text(content)
    with pytest.raises(ModelError) as caught:
        read_models([str(path)])
    assert message in str(caught.value)


def test_a_file_that_is_not_there_is_refused() -> None:
    with pytest.raises(ModelError, match='does not exist, and it is no formula'):
        read_models(['nowhere.yaml'])


@pytest.mark.parametrize(('family', 'sizes'), [('table', (10, 20)), ('model', (30, 30))])
def test_a_family_is_a_table_or_the_model(family: Family, sizes: tuple[int, int]) -> None:
    covariates = make_covariates()
    variables = make_variables(covariates)
    two = tuple(replace(one, variant='DK' if place < 10 else 'Schaefer')
                for place, one in enumerate(variables.variables))  # fmt: skip
    model = Model('m', 'thickness', 'age', family=family)
    table = fit_regions(model, replace(variables, variables=two), covariates).table
    assert len(table) == REGIONS
    for variant, size in zip(('DK', 'Schaefer'), sizes, strict=True):
        mine = table[table['variant'] == variant]
        expected = np.minimum(mine['p'] * size, 1).to_numpy()
        np.testing.assert_allclose(mine['p_bonferroni'], expected, rtol=1e-12)


def test_a_region_without_a_test_has_the_true_reason() -> None:
    variables, covariates = make_variables(make_covariates()), make_covariates()
    variables.values[:, 1] = 2.4
    variables.values[:, 2] = np.nan
    covariates['r3'] = variables.values[:, 3]
    covariates['site'] = ['C'] + ['A', 'B'] * 29 + ['A']
    model = Model('m', 'thickness', 'r3 + C(site)', errors='robust')
    table = fit_regions(model, variables, covariates).table.set_index(['region', 'contrast'])
    reasons = table['reason']
    assert reasons['r1', 'r3'] == 'it does not vary between these participants'
    assert table.loc[('r1', 'r3'), ['estimate', 'se', 'ci_low', 'p']].isna().all()
    assert reasons['r2', 'r3'] == 'nobody of this model has it'
    assert reasons['r3', 'r3'] == 'the model fits it exactly: is it among the terms itself?'
    assert reasons['r0', 'C(site)[T.C]'].startswith('one participant alone determines it')
    assert reasons['r0', 'C(site)[T.B]'] == '' and table['p'].notna()['r0', 'C(site)[T.B]']


@pytest.mark.parametrize(('values', 'reason'), [
    (2.4, 'it does not vary between these participants'),
    (None, 'the model fits it exactly: is it among the terms itself?'),
])  # fmt: skip
@pytest.mark.parametrize('errors', ['classical', 'robust'])
def test_a_model_that_tells_nothing_is_refused(
    values: float | None, reason: str, errors: Errors
) -> None:
    covariates = make_covariates()
    variables = make_variables(covariates)
    variables.values[:] = covariates[['age']] if values is None else values
    with pytest.raises(ModelError) as caught:
        fit_regions(Model('m', 'thickness', 'age', errors=errors), variables, covariates)
    assert str(caught.value) == f'thickness ~ age: none of 30 variables has a result: {reason}'


def test_mixed_models_of_regions_at_the_edge() -> None:
    """A constant one, one that each has once, and ones in which participants do not differ."""
    rng = np.random.default_rng(0)
    people = np.repeat(np.arange(25), 2)
    covariates = pd.DataFrame({'age': rng.uniform(20, 80, 50)})
    values = rng.normal(2.5, 0.1, (50, 12))
    values[:, 0] = 2.4
    values[1::2, 1] = np.nan
    rows = tuple(Row(str(n % 2), f'{who:02d}') for n, who in enumerate(people))
    variables = Variables(rows, make_variables(make_covariates()).variables[:12], values)
    model = Model('m', 'thickness', 'age', errors='mixed')
    table = fit_regions(model, variables, covariates).table.set_index('region')
    assert table.loc['r0', 'reason'] == 'it does not vary between these participants'
    assert np.isnan(table.loc['r0', ['p', 'p_fdr']].astype(float)).all()
    once = smf.ols('y ~ age', covariates.assign(y=values[:, 1])).fit()
    assert table.loc['r1', 'p'] == pytest.approx(once.pvalues['age'], rel=1e-8)
    assert table.loc['r1', 'dof'] == 23
    # No difference between participants is a result, too, and not at random which regions it is.
    assert (table['reason'].drop('r0') == '').all()
    pooled = [
        smf.ols('y ~ age', covariates.assign(y=values[:, region])).fit().bse['age']
        for region in range(2, 12)
    ]
    ratio = table['se'].iloc[2:].to_numpy(float) / pooled
    assert np.median(ratio) == pytest.approx(1, abs=0.02) and (ratio > 0.7).all()
