"""Norms of people whose mean and spread are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from mriderived.core.normative import fit_norms, judge, share_below, spline_basis

KNOTS = [20.0, 50.0, 80.0]


def make_people(count: int, seed: int, regions: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """Return age, and values that curve with age and spread more in the old."""
    rng = np.random.default_rng(seed)
    age = rng.uniform(20, 80, count)
    centre = 3 - 0.0001 * (age - 40) ** 2
    spread = 0.1 * np.exp(0.02 * (age - 50))
    return age, centre[:, None] + spread[:, None] * rng.normal(size=(count, regions))


def make_designs(age: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    ones = np.ones(len(age))
    mean = np.column_stack([ones, spline_basis(age, KNOTS)])
    return mean, np.column_stack([ones, spline_basis(age, [20, 80], degree=2)])


def test_others_are_judged_as_they_were_made() -> None:
    age, values = make_people(800, 0)
    others, seen = make_people(4000, 1)
    found = judge(fit_norms(values, *make_designs(age)), seen, *make_designs(others))
    # 20 regions x 4000 people
    assert found.z.mean() == pytest.approx(0, abs=0.02)
    assert found.z.std() == pytest.approx(1, abs=0.02)
    for low, high in ((20, 35), (35, 65), (65, 80)):
        part = found.z[(others >= low) & (others < high)]
        assert part.mean() == pytest.approx(0, abs=0.05) and part.std() == pytest.approx(
            1, abs=0.05
        )
    levels = [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99]
    np.testing.assert_allclose(share_below(found.centile, levels).mean(axis=1), levels, atol=0.01)
    truth = 0.1 * np.exp(0.02 * (others - 50))
    np.testing.assert_allclose(np.median(found.deviation, axis=1) / truth, 1, atol=0.1)


def test_one_spread_for_all_would_have_been_wrong() -> None:
    age, values = make_people(800, 0)
    others, seen = make_people(4000, 1)
    mean, _ = make_designs(age)
    ones = np.ones((800, 1))
    found = judge(fit_norms(values, mean, ones), seen, make_designs(others)[0], np.ones((4000, 1)))
    assert found.z[others > 70].std() > 1.3 and found.z[others < 30].std() < 0.75


def test_few_people_widen_the_law() -> None:
    """Estimates of 40 people are unsure; who stands at a centile is right all the same."""
    inside = []
    for seed in range(60):
        age, values = make_people(40, seed)
        others, seen = make_people(200, 1000 + seed)
        found = judge(fit_norms(values, *make_designs(age)), seen, *make_designs(others))
        inside.append(share_below(found.centile, [0.05, 0.95]).mean(axis=1))
    np.testing.assert_allclose(np.mean(inside, axis=0), [0.05, 0.95], atol=0.015)


def test_a_deviation_of_three_is_found() -> None:
    age, values = make_people(1000, 2)
    who = np.array([60.0])
    planted = np.full((1, 20), 3 - 0.0001 * 20**2 - 3 * 0.1 * np.exp(0.2))
    found = judge(fit_norms(values, *make_designs(age)), planted, *make_designs(who))
    np.testing.assert_allclose(found.z, -3, atol=0.35)
    assert found.z.mean() == pytest.approx(-3, abs=0.1)


def test_missing_values_count_for_nobody_and_too_few_give_none() -> None:
    age, values = make_people(300, 3, regions=3)
    mean, spread = make_designs(age)
    lacking = values.copy()
    lacking[::3, 0] = np.nan
    lacking[4:, 1] = np.nan
    lacking[:, 2] = 7.0
    found = fit_norms(lacking, mean, spread)
    rows = np.arange(300) % 3 != 0
    alone = fit_norms(values[rows, :1], mean[rows], spread[rows])
    np.testing.assert_allclose(found.mean[:, 0], alone.mean[:, 0], rtol=1e-6)
    np.testing.assert_allclose(found.spread[:, 0], alone.spread[:, 0], rtol=1e-6, atol=1e-8)
    assert np.isnan(found.mean[:, 1:]).all()


def test_the_unit_does_not_matter() -> None:
    age, values = make_people(300, 4, regions=2)
    designs = make_designs(age)
    one = judge(fit_norms(values, *designs), values, *designs)
    other = judge(fit_norms(values * 1e4, *designs), values * 1e4, *designs)
    np.testing.assert_allclose(one.z, other.z, atol=1e-6)


def test_what_is_beyond_the_knots_is_refused() -> None:
    with pytest.raises(ValueError, match=r'beyond the knots \(20 to 80\)'):
        spline_basis([81.0], KNOTS)


def test_one_spread_gives_the_prediction_interval_of_regression() -> None:
    """Of 9 people, one far from all: the unbiased variance, and Student's law of a new one."""
    x = np.array([0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 5.0])
    ones = np.ones((9, 1))
    design = np.column_stack([ones, x])
    values = np.random.default_rng(0).normal(size=(9, 5)) + 2 * x[:, None]
    found = fit_norms(values, design, ones)
    squares = np.array([np.sum((one - design @ np.linalg.lstsq(design, one, rcond=None)[0]) ** 2)
                        for one in values.T])  # fmt: skip
    np.testing.assert_allclose(np.exp(found.spread[0]), squares / 7, rtol=1e-5)
    new = np.array([[1.0, 0.4], [1.0, 8.0]])
    seen = np.array([[3.0], [10.0]]) * np.ones((1, 5))
    judged = judge(found, seen, new, np.ones((2, 1)))
    own = np.einsum('np,pq,nq->n', new, np.linalg.inv(design.T @ design), new)
    deviation = np.sqrt(squares / 7 * (1 + own[:, None]))
    np.testing.assert_allclose(judged.deviation, deviation, rtol=1e-5)
    slopes = np.linalg.lstsq(design, values, rcond=None)[0]
    law = stats.t.cdf((seen - new @ slopes) / deviation, 7)
    np.testing.assert_allclose(judged.centile, law, atol=1e-4)


def test_few_people_cover_what_they_should() -> None:
    """12 people and 4 columns, 2000 times: 90 % of new ones are within the middle 90 %."""
    rng = np.random.default_rng(1)
    age = np.linspace(20, 80, 12)
    mean = np.column_stack([np.ones(12), spline_basis(age, [20, 80])])
    found = fit_norms(rng.normal(size=(12, 2000)), mean, np.ones((12, 1)))
    at = np.array([20.0, 50.0, 80.0])
    new = np.column_stack([np.ones(3), spline_basis(at, [20, 80])])
    centile = judge(found, rng.normal(size=(3, 2000)), new, np.ones((3, 1))).centile
    covered = ((centile > 0.05) & (centile < 0.95)).mean(axis=1)
    # Three standard errors of a share of 2000.
    np.testing.assert_allclose(covered, 0.9, atol=3 * np.sqrt(0.09 / 2000))
