"""Formulas of models: what is read, what is refused and with which words."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mriderived.group.model_design import build_design
from mriderived.group.model_files import Model, ModelError
from mriderived.group.rules import read_rule


def make_table() -> pd.DataFrame:
    random = np.random.default_rng(0)
    return pd.DataFrame({
        'age': random.uniform(20, 80, 30),
        'site': np.repeat([1.0, 2.0, 3.0], [14, 8, 8]),
        'sex': pd.Series(['F', 'M'] * 15, dtype=object),
    })  # fmt: skip


@pytest.mark.parametrize(
    ('terms', 'columns'),
    [('poly(age, 2)', 3), ('bs(age, df=4)', 5), ('center(age)', 2), ('scale(age):C(sex)', 3)],
)
def test_transforms_that_learn_from_the_data_are_fitted(terms: str, columns: int) -> None:
    design = build_design(Model('m', 'thickness', terms), make_table())
    assert design.matrix.shape == (30, columns)


def test_centred_age_has_a_mean_of_zero() -> None:
    design = build_design(Model('m', 'thickness', 'center(age)'), make_table())
    assert design.matrix[:, 1].mean() == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    'terms', ['age | sex', 'age ~ sex', 'age + C(sex) + (', 'age.nothing()', 'age[0', 'frob(age)']
)
def test_what_is_no_sum_of_terms_is_refused_with_the_formula(terms: str) -> None:
    with pytest.raises(ModelError, match=r'thickness ~ (age|frob)'):
        build_design(Model('m', 'thickness', terms), make_table())


def test_the_most_frequent_code_of_a_category_stands_in_not_the_mean() -> None:
    table = make_table()
    table.loc[[0, 29], 'site'] = np.nan
    design = build_design(Model('m', 'thickness', 'C(site)', missing='mean'), table)
    assert design.names == ('Intercept', 'C(site)[T.2.0]', 'C(site)[T.3.0]')
    assert design.matrix[[0, 29], 1:].sum() == 0


@pytest.mark.parametrize('code', [-999.0, -99.0, -9.0, 888.0, 7777.0])
def test_codes_for_missing_values_are_refused_in_models_and_rules(code: float) -> None:
    table = make_table()
    table.loc[3, 'age'] = code
    told = f'age is {code:g} for 1 participant, and between'
    with pytest.raises(ModelError, match=told):
        build_design(Model('m', 'thickness', 'age'), table)
    with pytest.raises(ModelError, match=told):
        read_rule('age < 30').applies(table)


def test_a_word_is_not_compared_with_numbers() -> None:
    for comparison in ('==', '!='):
        with pytest.raises(ModelError, match='site has numbers: write the value without quotes'):
            read_rule(f'site {comparison} "1"').applies(make_table())
    assert read_rule('site == 1').applies(make_table()).sum() == 14


def test_weights_that_are_all_zero_are_refused() -> None:
    from mriderived.group.model_design import contrast_weights

    model = Model('m', 'thickness', 'age', contrasts={'nothing': {'age': 0.0}})
    with pytest.raises(ModelError, match='all weights of contrast nothing are 0'):
        contrast_weights(model, ('Intercept', 'age'))
