"""Least squares against certified values, statsmodels, and what was planted."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm

from mriderived.core.joint_test import test_jointly
from mriderived.core.linear_model import DesignError, check_design, fit_linear, test_contrast

#: Certified by NIST (Statistical Reference Datasets: Longley): coefficients, standard errors.
LONGLEY = (
    (-3482258.63459582, 890420.383607373),
    (15.0618722713733, 84.9149257747669),
    (-0.358191792925910e-01, 0.334910077722432e-01),
    (-2.02022980381683, 0.488399681651699),
    (-1.03322686717359, 0.214274163161675),
    (-0.511041056535807e-01, 0.226073200069370),
    (1829.15146461355, 455.478499142212),
)


def make_cohort(people: int = 60, regions: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """Return values (n, m) with a group effect of 0.8 standard deviations, and a design."""
    rng = np.random.default_rng(1)
    group = np.repeat([0.0, 1.0], people // 2)
    design = np.column_stack([np.ones(people), group, rng.normal(50, 12, people)])
    noise = rng.normal(size=(people, regions)) * (1 + 0.5 * group[:, None])
    return design @ np.array([[2.5], [0.8], [-0.01]]) + noise, design


def test_coefficients_are_those_that_nist_certifies() -> None:
    data = sm.datasets.longley.load_pandas()
    design = np.column_stack([np.ones(16), data.exog.to_numpy()])
    fit = fit_linear(data.endog.to_numpy()[:, None], design)
    for place, (value, error) in enumerate(LONGLEY):
        found = test_contrast(fit, np.eye(7)[place])
        # Ten digits, of a design whose condition number is 5e9.
        assert found.effect[0] == pytest.approx(value, rel=1e-8)
        assert found.standard_error[0] == pytest.approx(error, rel=1e-8)
    assert np.sqrt(fit.variance[0]) == pytest.approx(304.854073561965, rel=1e-9)


@pytest.mark.parametrize('is_robust', [False, True], ids=['ols', 'HC3'])
def test_all_regions_at_once_equal_statsmodels_one_by_one(is_robust: bool) -> None:
    values, design = make_cohort()
    weights = np.array([0.0, 1.0, 0.5])
    found = test_contrast(fit_linear(values, design), weights, is_robust=is_robust)
    for region in range(values.shape[1]):
        model = sm.OLS(values[:, region], design)
        wanted = (model.fit(cov_type='HC3', use_t=True) if is_robust else model.fit()).t_test(
            weights
        )
        low, high = wanted.conf_int()[0]
        for mine, theirs in (
            (found.effect, wanted.effect[0]),
            (found.standard_error, wanted.sd[0, 0]),
            (found.t, wanted.tvalue[0, 0]),
            (found.p, wanted.pvalue),
            (found.lower, low),
            (found.upper, high),
        ):
            assert mine[region] == pytest.approx(float(theirs), rel=1e-10, abs=1e-10)


def test_partial_r2_is_the_share_that_the_column_explains_of_the_rest() -> None:
    values, design = make_cohort()
    found = test_contrast(fit_linear(values, design), [0, 1, 0])
    with_it = (fit_linear(values, design).residuals ** 2).sum(axis=0)
    without = (fit_linear(values, design[:, [0, 2]]).residuals ** 2).sum(axis=0)
    np.testing.assert_allclose(found.partial_r2, 1 - with_it / without, rtol=1e-10)


def test_cohens_d_of_two_groups_is_the_difference_over_the_pooled_deviation() -> None:
    values, design = make_cohort()
    first, second = values[:30], values[30:]
    pooled = np.sqrt((first.var(axis=0, ddof=1) + second.var(axis=0, ddof=1)) / 2)
    found = test_contrast(fit_linear(values, design[:, :2]), [0, 1])
    np.testing.assert_allclose(found.d, (second.mean(0) - first.mean(0)) / pooled, rtol=1e-10)


def test_p_values_are_uniform_where_there_is_no_effect() -> None:
    rng = np.random.default_rng(4)
    design = np.column_stack([np.ones(25), rng.normal(size=(25, 2))])
    p = test_contrast(fit_linear(rng.normal(size=(25, 20_000)), design), [0, 0, 1]).p
    for level in (0.01, 0.05, 0.5):
        assert (p <= level).mean() == pytest.approx(level, abs=4 * np.sqrt(level / 20_000))


def test_what_is_fitted_exactly_has_no_t() -> None:
    _, design = make_cohort()
    found = test_contrast(fit_linear(design @ np.ones((3, 1)), design), [0, 1, 0])
    assert np.isnan(found.t).all() and np.isnan(found.p).all()


@pytest.mark.parametrize(
    ('columns', 'message'),
    [
        ({'one': [1] * 6, 'age': [1, 2, 3, 5, 8, 9], 'sum': [3, 5, 7, 11, 17, 19]},
         "'sum' follows from the other columns (age)"),
        ({'one': [1] * 6, 'site': [2] * 6}, "'site' is the same for everybody"),
        ({'one': [1] * 6, 'zero': [0] * 6}, "'zero' is 0 for everybody"),
        ({'one': [1] * 6, 'age': [1, 2, np.nan, 5, 8, 9]}, "'age': values are missing"),
        ({'one': [1, 1], 'a': [1, 2]}, '2 observations leave 0 degrees of freedom'),
        ({'one': [1, 1], 'a': [1, 2], 'b': [5, 3]}, '2 observations do not determine 3'),
    ],
)  # fmt: skip
def test_a_design_without_a_solution_is_refused(
    columns: dict[str, list[float]], message: str
) -> None:
    with pytest.raises(DesignError) as caught:
        check_design(np.array(list(columns.values()), float).T, list(columns))
    assert message in str(caught.value)


def test_robust_errors_leave_partial_r2_and_d_as_they_are() -> None:
    random = np.random.default_rng(5)
    x = random.normal(size=60)
    values = (x + np.exp(x) * random.normal(size=60))[:, None]
    fit = fit_linear(values, np.column_stack([np.ones(60), x]))
    plain, robust = (test_contrast(fit, [0, 1], is_robust=one) for one in (False, True))
    assert robust.t[0] != pytest.approx(plain.t[0], rel=0.05)
    assert robust.partial_r2[0] == plain.partial_r2[0] == pytest.approx(np.corrcoef(x, values[:, 0])[0, 1] ** 2)  # noqa: E501  # fmt: skip
    assert robust.d[0] == plain.d[0]


def test_a_second_step_takes_the_rounding_of_a_large_level_off() -> None:
    """Small slopes on a level of 1e12, in exact integers: one step has errors of 5e-7."""
    x = np.arange(200.0)
    noise = np.random.default_rng(0).integers(-4, 5, (200, 50)).astype(float)
    values = 2.0**40 + 3 * x[:, None] + noise
    found = fit_linear(values, np.column_stack([np.ones(200), x])).coefficients[1]
    away = x - x.mean()
    exact = 3 + away @ noise / (away @ away)
    assert np.median(np.abs(found / exact - 1)) < 5e-8


def test_what_one_observation_determines_has_no_robust_error() -> None:
    """The only one of its site: its residual is 0, whatever it is."""
    rng = np.random.default_rng(3)
    age, third = rng.uniform(20, 80, 30), np.arange(30) == 29
    second = (np.arange(30) >= 20) & ~third
    design = np.column_stack([np.ones(30), age, second, third])
    values = rng.normal(size=(30, 4))
    fit = fit_linear(values, design)
    alone = test_contrast(fit, [0, 0, 0, 1], is_robust=True)
    assert np.isnan(alone.p).all() and np.isnan(alone.lower).all()
    assert np.isfinite(alone.effect).all()
    assert np.isnan(test_jointly(fit, [[0, 0, 1, 0], [0, 0, 0, 1]], is_robust=True).p).all()
    # Other coefficients are those of everybody else.
    others = fit_linear(values[:29], design[:29, :3])
    for weights in ([0, 1, 0], [0, 0, 1]):
        found = test_contrast(fit, [*weights, 0], is_robust=True)
        wanted = test_contrast(others, weights, is_robust=True)
        np.testing.assert_allclose(found.standard_error, wanted.standard_error, rtol=1e-10)
    # Equal variances are another matter: they tell how far off one value may be.
    assert np.isfinite(test_contrast(fit, [0, 0, 0, 1]).p).all()
