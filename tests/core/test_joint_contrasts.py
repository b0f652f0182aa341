"""F of several contrasts at once: statsmodels, region by region, and what chance gives."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats

from mriderived.core.joint_test import test_jointly
from mriderived.core.linear_model import DesignError, fit_linear, test_contrast

ROWS = np.array([[0.0, 1, 0, 0, 0], [0, 0, 1, 0, 0], [0, 0, 0, 1, 0]])


def make_cohort(people: int = 80, regions: int = 25) -> tuple[np.ndarray, np.ndarray]:
    """Return values (n, m) of four groups, the last of which is more and noisier, and a design."""
    rng = np.random.default_rng(4)
    group = np.arange(people) % 4
    levels = [(group == one).astype(float) for one in (1, 2, 3)]
    design = np.column_stack([np.ones(people), *levels, rng.normal(50, 12, people)])
    noise = rng.normal(size=(people, regions)) * (1 + 0.7 * (group == 3)[:, None])
    return design @ np.array([[2.5], [0], [0], [0.6], [-0.01]]) + noise, design


@pytest.mark.parametrize('is_robust', [False, True], ids=['ols', 'HC3'])
def test_f_of_all_regions_is_that_of_statsmodels(is_robust: bool) -> None:
    values, design = make_cohort()
    found = test_jointly(fit_linear(values, design), ROWS, is_robust=is_robust)
    assert (found.tested, found.dof) == (3, 75)
    for region in range(values.shape[1]):
        model = sm.OLS(values[:, region], design)
        plain = model.fit()
        fit = model.fit(cov_type='HC3', use_t=True) if is_robust else plain
        wanted = fit.f_test(ROWS)
        assert (wanted.df_num, wanted.df_denom) == (3, 75)
        assert found.f[region] == pytest.approx(float(wanted.fvalue), rel=1e-10)
        assert found.p[region] == pytest.approx(float(wanted.pvalue), rel=1e-10)
        rest = sm.OLS(values[:, region], design[:, [0, 4]]).fit()
        share = 1 - plain.ssr / rest.ssr
        assert found.partial_r2[region] == pytest.approx(share, rel=1e-10)


@pytest.mark.parametrize('is_robust', [False, True])
def test_of_one_row_f_is_the_square_of_t(is_robust: bool) -> None:
    values, design = make_cohort()
    fit = fit_linear(values, design)
    one = test_contrast(fit, ROWS[2], is_robust=is_robust)
    found = test_jointly(fit, ROWS[2], is_robust=is_robust)
    np.testing.assert_allclose(found.f, one.t**2, rtol=1e-10)
    np.testing.assert_allclose(found.p, one.p, rtol=1e-9)
    np.testing.assert_allclose(found.partial_r2, one.partial_r2, rtol=1e-10)


def test_the_choice_of_the_first_level_does_not_matter() -> None:
    values, design = make_cohort()
    other = design.copy()
    other[:, 1] = 1 - design[:, 1:4].sum(axis=1)
    first, second = (test_jointly(fit_linear(values, one), ROWS).f for one in (design, other))
    np.testing.assert_allclose(first, second, rtol=1e-9)


def test_without_an_effect_p_is_uniform() -> None:
    rng = np.random.default_rng(0)
    _, design = make_cohort(40)
    found = test_jointly(fit_linear(rng.normal(size=(40, 4000)), design), ROWS)
    assert stats.kstest(found.p, 'uniform').statistic < 1.63 / np.sqrt(4000)


def test_what_does_not_vary_has_no_f() -> None:
    values, design = make_cohort()
    values[:, 3] = 2.0
    for is_robust in (False, True):
        found = test_jointly(fit_linear(values, design), ROWS, is_robust=is_robust)
        assert np.isnan(found.f[3]) and np.isnan(found.p[3])
        assert np.isfinite(np.delete(found.f, 3)).all()


def test_rows_that_follow_from_each_other_are_refused() -> None:
    values, design = make_cohort()
    with pytest.raises(DesignError, match='follow from each other'):
        test_jointly(fit_linear(values, design), [ROWS[0], 2 * ROWS[0]])
