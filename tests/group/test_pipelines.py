"""The same model of what two pipelines measured, side by side."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mriderived.group.agreement import compare
from mriderived.group.agreement_chapter import compare_pipelines
from mriderived.group.model_files import Model
from mriderived.group.records import Row
from mriderived.group.region_models import fit_regions
from mriderived.group.variables import Variable, Variables

PEOPLE, REGIONS = 80, 30


def make_variables(noise: float) -> tuple[Variables, pd.DataFrame]:
    """Return thickness of two pipelines: the second is the first with noise of its own."""
    rng = np.random.default_rng(0)
    age = rng.uniform(20, 80, PEOPLE)
    slopes = np.linspace(-0.01, 0.0, REGIONS)
    ours = 2.5 + slopes * age[:, None] + rng.normal(0, 0.1, (PEOPLE, REGIONS))
    theirs = ours + rng.normal(0, noise, ours.shape)
    variables = [
        Variable(f'{measure}_{n}', measure, 'thickness', 'mm', '', atlas, f'ctx{mark}lh{mark}r{n}')
        for measure, atlas, mark in (
            ('surface_regions', 'DK', '-'),
            ('freesurfer_aparc', 'DK', '_'),
        )
        for n in range(REGIONS)
    ]
    schaefer = Variable('s', 'surface_regions', 'thickness', 'mm', '', 'Schaefer', 'Vis_1')
    rows = tuple(Row('', f'{n:02d}') for n in range(PEOPLE))
    values = np.column_stack([ours, theirs, ours[:, :1]])
    return Variables(rows, (*variables, schaefer), values), pd.DataFrame({'age': age})


def test_pipelines_that_agree_and_that_do_not(tmp_path: Path) -> None:
    correlations = []
    for noise in (0.0, 0.1, 1.0):
        variables, covariates = make_variables(noise)
        fitted = fit_regions(Model('m', 'thickness', 'age'), variables, covariates)
        chapter = compare_pipelines(tmp_path, fitted)
        assert chapter is not None
        (row,) = chapter.rows
        assert row[:4] == ('age', 'surface_regions DK thickness', 'freesurfer_aparc DK thickness',
                           str(REGIONS))  # fmt: skip
        correlations.append(float(row[4]))
        assert (tmp_path / chapter.pictures[0].path).exists()
    assert correlations[0] == 1 and 0.9 < correlations[1] < 1 and correlations[2] < 0.75


def test_tables_without_common_regions_are_not_compared(tmp_path: Path) -> None:
    variables, covariates = make_variables(0.1)
    few = Variables(variables.rows, variables.variables[:REGIONS], variables.values[:, :REGIONS])
    fitted = fit_regions(Model('m', 'thickness', 'age'), few, covariates)
    assert compare_pipelines(tmp_path, fitted) is None


def test_what_holds_in_one_only_is_named() -> None:
    one = pd.DataFrame({
        'region': list('abcd'), 'estimate': [1.0, 2.0, 3.0, 4.0], 't': [1.0, 5.0, 5.0, np.nan],
        'p_fdr': [0.5, 0.01, 0.01, np.nan],
    })  # fmt: skip
    other = one.assign(t=[5.0, 5.0, 1.0, 2.0], p_fdr=[0.01, 0.01, 0.5, 0.5])
    found = compare(one, other, 'region', 'p_fdr', 0.05)
    assert (found.names, found.both) == (['a', 'b', 'c'], 1)
    assert (found.first_only, found.second_only) == (['c'], ['a'])
    assert found.r_t == pytest.approx(-0.5)
