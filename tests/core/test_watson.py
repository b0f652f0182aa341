"""The series of spread sticks against integrals that are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

from mriderived.core.watson import (
    concentration,
    even_legendre,
    needed_degree,
    stick_coefficients,
    watson_coefficients,
    watson_table,
)


@pytest.mark.parametrize('kappa', [0.3, 2.0, 16.0, 64.0])
def test_mean_squared_cosine_is_that_of_the_closed_form(kappa: float) -> None:
    root = np.sqrt(kappa)
    expected = -1 / (2 * kappa) + 1 / (2 * special.dawsn(root) * root)
    order = watson_coefficients(np.array([kappa]), 2)[0, 1]
    assert (1 + 2 * order) / 3 == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize('exponent', [0.5, 1.7, 5.1, 8.5])
def test_series_of_a_stick_is_its_signal(exponent: float) -> None:
    degree = needed_degree(exponent)
    cosines = np.linspace(0, 1, 101)
    series = even_legendre(cosines, degree) @ stick_coefficients(np.array([exponent]), degree)[0]
    np.testing.assert_allclose(series, np.exp(-exponent * cosines**2), atol=2e-5)


def test_table_is_as_good_as_the_integral_between_its_nodes() -> None:
    table = watson_table(8)
    assert table.coefficients.shape == (1024, 5)
    for dispersion in (0.0137, 0.1234, 0.5678, 0.95):
        place = (dispersion - table.start) / table.step
        low = int(place)
        share = place - low
        found = (1 - share) * table.coefficients[low] + share * table.coefficients[low + 1]
        exact = watson_coefficients(concentration(np.array([dispersion])), 8)[0]
        np.testing.assert_allclose(found, exact, atol=5e-5)
