"""Models of maps that come one after the other agree with those of a table."""

from __future__ import annotations

import numpy as np
import pytest

from mriderived.core.linear_model import fit_linear, test_contrast
from mriderived.core.map_statistics import StreamedModel


def fit(design: np.ndarray, values: np.ndarray) -> StreamedModel:
    model = StreamedModel(design, values[0])
    for row in values:
        model.add(row)
    return model


@pytest.mark.parametrize('scale', [1.0, 1.5e7, 1.5e9])
def test_a_covariate_of_large_numbers_costs_no_digits(scale: float) -> None:
    random = np.random.default_rng(0)
    age = random.uniform(20, 80, 40)
    volume = scale * (1 + 0.1 * random.normal(size=40))
    design = np.column_stack([np.ones(40), age, volume])
    values = random.normal(0.5, 0.1, (40, 5)) - 0.002 * age[:, None]
    model, table = fit(design, values), fit_linear(values, design)
    for weights in ([0, 1, 0], [0, 0, 1], [0, 1, -1 / scale]):
        expected = test_contrast(table, weights)
        found = model.test(weights)
        assert found.t == pytest.approx(expected.t, rel=1e-5)
        assert found.effect == pytest.approx(expected.effect, rel=1e-5)


def test_powers_of_a_covariate_and_dates_keep_their_t() -> None:
    random = np.random.default_rng(1)
    age = random.uniform(20, 80, 60)
    date = random.integers(2008, 2020, 60) * 1e4 + random.integers(101, 1231, 60)
    values = random.normal(size=(60, 4))
    for design in (
        np.column_stack([np.ones(60), age, age**2, age**3]),
        np.column_stack([np.ones(60), age, date]),
    ):
        weights = np.eye(design.shape[1])[1]
        expected = test_contrast(fit_linear(values, design), weights)
        assert fit(design, values).test(weights).t == pytest.approx(expected.t, rel=1e-5)


def test_a_design_without_a_constant_keeps_the_level_of_the_maps() -> None:
    random = np.random.default_rng(2)
    design = random.normal(size=(30, 2))
    values = 5 + random.normal(size=(30, 3))
    expected = test_contrast(fit_linear(values, design), [1, 0])
    found = fit(design, values).test([1, 0])
    assert found.t == pytest.approx(expected.t, rel=1e-5)
    assert found.effect == pytest.approx(expected.effect, rel=1e-5)
