"""Robust summaries against numpy on awkward columns."""

import numpy as np
import pytest

from mriderived.group.outliers import find_outliers, summarise
from mriderived.group.small_samples import MANY, chance_share, widen


def test_summary_agrees_with_numpy():
    random = np.random.default_rng(1)
    values = random.normal(size=(101, 600)) * 10.0 ** random.integers(-6, 6, 600)
    values[random.random(values.shape) < 0.2] = np.nan
    summary = summarise(values)
    median = np.nanmedian(values, axis=0)
    for name, q in (
        ('minimum', 0),
        ('lower', 25),
        ('median', 50),
        ('upper', 75),
        ('maximum', 100),
    ):
        np.testing.assert_allclose(
            getattr(summary, name), np.nanpercentile(values, q, axis=0), rtol=1e-12
        )
    np.testing.assert_allclose(summary.mad, np.nanmedian(np.abs(values - median), axis=0))
    np.testing.assert_array_equal(summary.n, np.isfinite(values).sum(axis=0))


def test_score_is_the_distance_in_scaled_mad():
    values = np.array([[1.0], [2.0], [3.0], [4.0], [-30.0]])
    (outlier,) = find_outliers(values, summarise(values))
    assert (outlier.row, outlier.column) == (4, 0)
    # Median 2, MAD 1, widened for five values.
    assert outlier.score == pytest.approx(-32 / 1.4826 / widen(5), rel=1e-12)


def test_threshold_is_exclusive():
    base = np.arange(-5.0, 6.0)
    for factor, expected in ((3.499, 0), (3.501, 1)):
        # One more value moves the median to 0.5 and leaves the MAD at 3.
        values = np.append(base, 0.5 + factor * 1.4826 * 3.0 * widen(12))[:, None]
        summary = summarise(values)
        assert (summary.median[0], summary.mad[0]) == (0.5, 3.0)
        assert len(find_outliers(values, summary)) == expected


def test_no_spread_in_most_values():
    values = np.full((50, 1), 1.0)
    assert find_outliers(values, summarise(values)) == []
    values[7] = 1.2
    found = find_outliers(values, summarise(values))
    assert [item.row for item in found] == [7]
    # The mean absolute deviation is 0.2 / 50.
    assert found[0].score == pytest.approx(50 / np.sqrt(np.pi / 2), rel=1e-9)


def test_rounding_noise_is_no_spread():
    values = np.full((20, 1), 0.3)
    values[:9] = 0.1 + 0.2
    assert find_outliers(values, summarise(values)) == []


@pytest.mark.parametrize('n', [0, 1, 2, 3, 4])
def test_few_values_have_no_outliers(n):
    values = np.array([0.0, 1.0, 2.0, 1e9])[:n, None]
    assert find_outliers(values, summarise(values)) == []


def test_missing_values_count_neither_way():
    values = np.array([[1.0, np.nan]] * 3 + [[2.0, np.nan], [3.0, np.nan], [100.0, 4.0]])
    summary = summarise(values)
    assert summary.n.tolist() == [6, 1]
    assert {(item.row, item.column) for item in find_outliers(values, summary)} == {(5, 0)}


def two_sites(small):
    """Return values of a site around 0 and one around 100, and their sites."""
    usual = np.concatenate([np.linspace(-1, 1, 21), np.linspace(99, 101, small)])
    return usual[:, None], np.array(['a'] * 21 + ['b'] * small)


def test_what_is_usual_elsewhere_is_far_within_a_site():
    values, sites = two_sites(21)
    values[3] = 100.0
    assert 3 not in {item.row for item in find_outliers(values, summarise(values))}
    (found,) = find_outliers(values, summarise(values), sites)
    own = values[:21, 0]
    mad = np.median(np.abs(own - np.median(own)))
    assert (found.row, found.column, found.median) == (3, 0, np.median(own))
    scale = 1.4826 * mad * widen(21)
    assert found.score == pytest.approx((100 - np.median(own)) / scale, rel=1e-12)


def test_a_shift_of_a_site_makes_nobody_an_outlier():
    values, sites = two_sites(10)
    assert {item.row for item in find_outliers(values, summarise(values))} == set(range(21, 31))
    assert find_outliers(values, summarise(values), sites) == []


def test_few_values_of_a_site_are_judged_among_all():
    values, sites = two_sites(9)
    among_all = find_outliers(values, summarise(values))
    assert {item.row for item in among_all} == set(range(21, 30))
    assert find_outliers(values, summarise(values), sites) == among_all
    unknown = np.where(sites == 'b', '', sites)
    assert find_outliers(values, summarise(values), unknown) == among_all


@pytest.mark.parametrize('n', [5, 6, 10, 20, 33, 67, 200])
def test_no_more_normal_values_stand_apart_by_chance_than_is_said(n):
    columns = 1_500_000 // n
    values = np.random.default_rng(n).normal(size=(n, columns))
    share = len(find_outliers(values, summarise(values))) / values.size
    # 1,500,000 values: 3 standard errors of a share are 0.0086 % at 0.05 %, 0.04 % at 1 %; values
    # of a column are not independent, hence 12 %.
    assert share == pytest.approx(chance_share(n), rel=0.12)


def test_a_gross_error_stands_apart_in_the_smallest_cohort():
    values = np.array([1500.0, 1450.0, 1600.0, 1520.0, 0.0])[:, None]
    assert [item.row for item in find_outliers(values, summarise(values))] == [4]


def test_widening_falls_to_nothing_without_a_jump():
    for start in (5, 6):
        factors = widen(np.arange(start, 100_000, 2))
        assert (factors >= 1).all() and factors[-1] < 1.0005
        assert np.diff(factors).max() < 1e-3 and factors[0] == factors.max()
    assert MANY == 108
