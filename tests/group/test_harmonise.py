"""Sites at the group level: what is taken off, what is kept, and when it is refused."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mriderived.group.harmonise import explained_by, harmonise
from mriderived.group.harmonise_chapter import find_harmonised_chapters
from mriderived.group.model_files import Model, ModelError
from mriderived.group.records import Cohort, Row
from mriderived.group.sample import Sample
from mriderived.group.variables import Variable, Variables

PEOPLE, REGIONS = 90, 30
SITES = np.repeat(['A', 'B', 'C'], PEOPLE // 3)
MODEL = Model('sites', 'site', 'age + C(sex)')


def make_covariates() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame({
        'site': SITES.astype(object),
        'age': rng.uniform(20, 80, PEOPLE) + np.where(SITES == 'A', 5, 0),
        'sex': np.where(np.arange(PEOPLE) % 2 == 0, 'F', 'M').astype(object),
    })  # fmt: skip


def make_variables() -> Variables:
    """Return thickness that falls with age, and is more at site B and noisier at site C."""
    rng = np.random.default_rng(1)
    age = make_covariates()['age'].to_numpy()
    shift = rng.normal(0.2, 0.05, REGIONS) * (SITES == 'B')[:, None]
    noise = rng.normal(0, 0.1, (PEOPLE, REGIONS)) * np.where(SITES == 'C', 2, 1)[:, None]
    values = 3 - 0.005 * age[:, None] + shift + noise
    variables = tuple(
        Variable(f'v{n}', 'surface_regions', 'thickness', 'mm', 'Thickness', 'DK', f'r{n}', str(n))
        for n in range(REGIONS)
    )
    whole = Variable('gm', 'tissue_volume', 'gm_volume', 'mm3', 'Grey matter')
    rows = tuple(Row('', f'{n:02d}') for n in range(PEOPLE))
    return Variables(rows, (*variables, whole), np.column_stack([values, np.ones(PEOPLE)]))


def test_sites_go_and_age_stays() -> None:
    (one,) = harmonise(MODEL, make_variables(), make_covariates()).tables
    assert np.median(one.share_before) > 0.25
    assert np.median(one.share_after) < 0.02
    age = make_covariates()['age'].to_numpy()
    design = np.column_stack([np.ones(PEOPLE), age])
    slopes = np.linalg.lstsq(design, one.after, rcond=None)[0][1]
    assert slopes.mean() == pytest.approx(-0.005, rel=0.08)
    noise = [one.after[site == SITES].std(axis=0).mean() for site in 'AC']
    assert noise[1] / noise[0] == pytest.approx(1, abs=0.15)


def test_whoever_lacks_a_region_or_a_site_is_left_out_and_told() -> None:
    variables, covariates = make_variables(), make_covariates()
    variables.values[3, 5] = np.nan
    variables.values[: PEOPLE // 2, 7] = np.nan
    covariates.loc[10, 'site'] = None
    found = harmonise(MODEL, variables, covariates)
    (one,) = found.tables
    assert 3 not in one.rows and 10 not in one.rows and len(one.rows) == PEOPLE - 2
    assert 7 not in one.variables and len(one.variables) == REGIONS - 1
    assert found.notes == ['1 left out for want of site']


@pytest.mark.parametrize(
    ('model', 'message'),
    [
        (Model('m', 'scanner', '1'), 'there is no column scanner for the sites'),
        (Model('m', 'site', 'born_there'), 'the sites explain 100 % of born_there'),
        (Model('m', 'one', '1'), 'everybody is of site X'),
        (Model('m', 'lonely', '1'), 'site Z has one person only'),
    ],
)
def test_what_cannot_be_told_apart_is_refused(model: Model, message: str) -> None:
    covariates = make_covariates().assign(
        born_there=np.where(SITES == 'B', 30.0, 60.0), one='X',
        lonely=np.where(np.arange(PEOPLE) == 0, 'Z', 'Y').astype(object),
    )  # fmt: skip
    with pytest.raises(ModelError) as caught:
        harmonise(model, make_variables(), covariates)
    assert message in str(caught.value)


def test_the_share_of_sites_is_that_of_a_one_way_analysis() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(90, 1)) + (SITES == 'B')[:, None]
    groups = [values[site == SITES, 0] for site in 'ABC']
    between = sum(len(g) * (g.mean() - values.mean()) ** 2 for g in groups)
    total = ((values - values.mean()) ** 2).sum()
    assert explained_by(values, SITES)[0] == pytest.approx(between / total, rel=1e-12)


def test_a_table_and_a_picture_are_written(tmp_path: Path) -> None:
    models = [MODEL, Model('other', 'scanner', '1')]
    sample = Sample(Cohort(), make_variables(), make_covariates()).harmonise(models)
    chapters, refused = find_harmonised_chapters(tmp_path, models, sample)
    assert len(refused) == 1 and 'Nothing was harmonised' in chapters[1].text
    table = pd.read_csv(tmp_path / 'models' / 'harmonised-sites.tsv', sep='\t')
    assert table.shape == (PEOPLE, 1 + REGIONS) and 'gm' not in table
    means = [table.loc[site == SITES, 'v0'].mean() for site in 'AB']
    assert abs(means[0] - means[1]) < 0.08
    told = json.loads((tmp_path / 'models' / 'harmonised-sites.json').read_text())
    assert told['Sites'] == {'A': 30, 'B': 30, 'C': 30} and told['v0']['Units'] == 'mm'
    assert (tmp_path / chapters[0].pictures[0].path).exists()


def test_further_sessions_are_not_taken_for_independent() -> None:
    variables = make_variables()
    rows = tuple(Row('1' if n < 45 else '2', f'{n % 45:02d}') for n in range(PEOPLE))
    with pytest.raises(ModelError, match='45 rows are further sessions of the same participants'):
        harmonise(MODEL, replace(variables, rows=rows), make_covariates())


def test_much_that_goes_with_the_sites_is_told() -> None:
    covariates = make_covariates()
    away = np.where(SITES == 'B', 55, 0)
    found = harmonise(MODEL, make_variables(), covariates.assign(age=covariates['age'] + away))
    (note,) = found.notes
    assert re.fullmatch(r'the sites explain (5|6|7)\d % of age: what is of the scanner .*', note)
    assert harmonise(MODEL, make_variables(), covariates).notes == []


def test_lonely_sites_are_told_once_and_short() -> None:
    covariates = make_covariates().assign(site=[f's{n:02d}' for n in range(PEOPLE)])
    with pytest.raises(ModelError) as caught:
        harmonise(Model('m', 'site', '1'), make_variables(), covariates)
    assert str(caught.value) == (
        'site ~ 1: no table could be harmonised: site s00, s01, s02, s03, … have one person only, '
        'so that the spread cannot be told: leave them out'
    )


def test_a_region_that_a_small_site_lacks_takes_the_table_from_nobody() -> None:
    covariates, variables = make_covariates(), make_variables()
    covariates.loc[85:, 'site'] = 'D'
    variables.values[86:, 7] = np.nan
    (one,) = harmonise(MODEL, variables, covariates).tables
    assert len(one.rows) == PEOPLE
    assert 7 not in one.variables and len(one.variables) == REGIONS - 1


def test_a_site_keeps_two_people_whatever_they_lack() -> None:
    """Of five, two lack one region and two another; of two, one lacks a third."""
    covariates, variables = make_covariates(), make_variables()
    covariates.loc[83:, 'site'], covariates.loc[88:, 'site'] = 'D', 'E'
    variables.values[83:85, 3] = np.nan
    variables.values[85:87, 4] = np.nan
    variables.values[89, 5] = np.nan
    (one,) = harmonise(MODEL, variables, covariates).tables
    assert len(one.variables) == REGIONS - 2 and 5 not in one.variables
    assert [(covariates['site'].iloc[one.rows] == site).sum() for site in 'DE'] == [3, 2]


@pytest.mark.parametrize('noise', [0.0, 1e-6, 0.05])
def test_sites_that_follow_from_covariates_together_are_refused(noise: float) -> None:
    """Neither is much explained by the sites alone; their difference is the site."""
    rng = np.random.default_rng(0)
    shared = rng.normal(0, 0.45, PEOPLE)
    covariates = make_covariates()
    covariates['u'] = (SITES == 'B') + shared
    covariates['v'] = shared + noise * rng.normal(size=PEOPLE)
    with pytest.raises(ModelError, match=r'explain (9\d|100) % of a weighted sum of u, v'):
        harmonise(Model('s', 'site', 'u + v'), make_variables(), covariates)
    covariates['v'] = rng.normal(size=PEOPLE)
    assert harmonise(Model('s', 'site', 'u + v'), make_variables(), covariates).tables
