"""Harmonised values as the input of models, norms and predictions, and when that is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from cohort_outputs import make_config
from test_harmonise import MODEL as SITES
from test_harmonise import make_covariates, make_variables

from mriderived.group.harmonise import harmonise
from mriderived.group.model_files import Model, ModelError, read_models
from mriderived.group.prediction_chapter import _pose
from mriderived.group.records import Cohort
from mriderived.group.region_models import fit_regions
from mriderived.group.sample import Sample

AGE = Model('m', 'thickness', 'age + C(sex)', harmonised=True)


def make_sample(*sites: Model) -> Sample:
    return Sample(Cohort(), make_variables(), make_covariates()).harmonise(sites or (SITES,))


def test_a_model_is_of_what_harmonisation_left() -> None:
    sample = make_sample()
    table = fit_regions(AGE, sample.values_for(AGE), sample.covariates).table
    (one,) = harmonise(SITES, make_variables(), make_covariates()).tables
    design = np.column_stack([
        np.ones(len(one.rows)), sample.covariates['age'], sample.covariates['sex'] == 'M'
    ]).astype(float)  # fmt: skip
    wanted = np.linalg.lstsq(design, one.after, rcond=None)[0][1]
    found = table[table['contrast'] == 'age']['estimate']
    np.testing.assert_allclose(found, wanted, rtol=1e-9)
    # The sites that differ are noise to a model of values as they are.
    plain = replace(AGE, harmonised=False)
    raw = fit_regions(plain, sample.values_for(plain), sample.covariates).table
    assert sample.values_for(plain) is sample.variables
    errors = [one[one['contrast'] == 'age']['se'].median() for one in (table, raw)]
    assert errors[0] < 0.9 * errors[1]


def test_only_what_was_harmonised_can_be_explained() -> None:
    sample = make_sample()
    with pytest.raises(ModelError, match='no column of gm was harmonised; tables of regions'):
        sample.values_for(replace(AGE, outcome='gm'))
    with pytest.raises(ModelError, match='Did you mean thickness'):
        sample.values_for(replace(AGE, outcome='thicknes'))


@pytest.mark.parametrize(
    ('model', 'sites', 'message'),
    [
        (replace(AGE, terms='age + C(site)'), (SITES,), 'leave site out of the formula'),
        (
            AGE,
            (Model('s', 'site', 'age'),),
            'does not keep C(sex)[T.M], and takes what sites and C(sex)[T.M]',
        ),
        (replace(AGE, terms='age + I(age**2)'), (SITES,), 'does not keep I(age ** 2), and takes'),
        (replace(AGE, terms='age*C(sex)'), (SITES,), 'does not keep age:C(sex)[T.M], and takes'),
        (AGE, (Model('s', 'site', '1'),), 'age, C(sex)[T.M] share off with the sites: add them'),
        (AGE, (SITES, Model('s', 'site', '1')), 'there are 2 harmonisations (sites, s)'),
        (replace(AGE, harmonised='site'), (SITES,), 'is called site. Did you mean sites?'),
        (AGE, (Model('s', 'scanner', 'age'),), 'not harmonised: scanner ~ age: there is no'),
    ],
)
def test_what_harmonisation_would_bias_is_refused(
    model: Model, sites: tuple[Model, ...], message: str
) -> None:
    with pytest.raises(ModelError) as caught:
        make_sample(*sites).values_for(model)
    assert message in str(caught.value)


def test_without_a_harmonisation_there_are_no_such_values() -> None:
    sample = Sample(Cohort(), make_variables(), make_covariates())
    with pytest.raises(ModelError, match="need --harmonise, as in --harmonise 'site ~ age'"):
        sample.values_for(AGE)


def test_predictions_take_the_sites_and_not_the_values(tmp_path: pytest.TempPathFactory) -> None:
    config = make_config(tmp_path)
    sample = make_sample()
    model = Model('m', 'age', 'thickness', harmonised=True)
    task, sites, _ = _pose(config, model, sample)
    assert sites == 'site' and len(np.unique(task.sites)) == 3
    # Features are as they were measured: ComBat runs within training participants.
    np.testing.assert_array_equal(task.features, sample.variables.values[:, :-1])
    plain, none, _ = _pose(config, replace(model, harmonised=False), sample)
    assert none == '' and plain.sites is None
    assert _pose(replace(config, sites='sex'), model, sample)[1] == 'sex'


def test_a_file_says_which(tmp_path: pytest.TempPathFactory) -> None:
    path = tmp_path / 'models.yaml'
    path.write_text(
        '- {formula: a ~ b, harmonised: true}\n- {formula: a ~ c, harmonised: siteAge}\n'
        '- {formula: a ~ d}\n'
    )
    assert [one.harmonised for one in read_models([str(path)])] == [True, 'siteAge', None]
    path.write_text('- {formula: a ~ b, harmonised: 3}\n')
    with pytest.raises(ModelError, match='harmonised 3 must be true, false, or the name'):
        read_models([str(path)])


def test_a_line_is_not_a_factor_of_the_same_column() -> None:
    covariates = make_covariates()
    covariates['dx'] = np.arange(len(covariates)) % 3 * 1.0
    kept = Model('s', 'site', 'dx + age')
    sample = Sample(Cohort(), make_variables(), covariates).harmonise((kept,))
    with pytest.raises(ModelError, match=r'does not keep C\(dx\)\[T.1.0\], C\(dx\)\[T.2.0\], and'):
        sample.values_for(replace(AGE, terms='C(dx)'))
    # The same in other words is kept: a line through what was a factor, and a sum.
    factor = Model('s', 'site', 'C(dx) + age')
    sample = Sample(Cohort(), make_variables(), covariates).harmonise((factor,))
    assert sample.values_for(replace(AGE, terms='dx + I(2 * age)')) is not None
