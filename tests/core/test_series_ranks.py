"""Blocks of voxels, ranks and medians against plain formulas."""

import numpy as np
import pytest
from scipy import stats

from mriderived.core import series as series_module
from mriderived.core.ranks import median_of, rank_rows
from mriderived.core.series import BLOCK, check_series, find_varying, map_blocks, mean_series


def test_ranks_agree_with_scipy_with_and_without_ties() -> None:
    rng = np.random.default_rng(0)
    for values in (rng.normal(size=(50, 77)), rng.integers(-3, 3, (50, 77)) / 2):
        ranks, ties = rank_rows(values.astype(np.float32))
        expected = stats.rankdata(values, axis=1)
        np.testing.assert_array_equal(ranks / 2, expected)
        for row, tied in zip(values, ties, strict=True):
            counts = np.unique(row, return_counts=True)[1].astype(float)
            assert tied == np.sum(counts**3 - counts)


def test_both_zeros_are_the_same_number() -> None:
    assert rank_rows(np.float32([[0.0, -0.0, -1.0]]))[0].tolist() == [[5, 5, 2]]


@pytest.mark.parametrize('size', [1, 2, 3, 1000, 1001])
def test_the_median_is_exact(size: int) -> None:
    rng = np.random.default_rng(size)
    for values in (rng.normal(size=size), rng.integers(-2, 2, size), rng.normal(1e4, 1e-3, size)):
        single = values.astype(np.float32)
        assert median_of(single) == float(np.median(single.astype(np.float64)))


def test_the_median_of_nothing_is_nan() -> None:
    assert np.isnan(median_of(np.zeros(0, np.float32)))


def test_blocks_come_in_order_whatever_the_threads() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(size=5 * BLOCK + 3)
    sums = [map_blocks(lambda rows: values[rows].sum(), len(values), n) for n in (1, 2, 5)]
    assert sums[0] == sums[1] == sums[2]
    assert len(sums[0]) == 6
    assert map_blocks(lambda rows: 1, 0) == []


def test_the_mean_leaves_out_what_is_not_finite() -> None:
    rng = np.random.default_rng(2)
    series = rng.normal(1000, 1, (3 * series_module.BLOCK, 4)).astype(np.float32)
    mask = rng.random(len(series)) < 0.5
    expected = series[mask].mean(axis=0, dtype=np.float64)
    np.testing.assert_allclose(mean_series(series, mask), expected, rtol=1e-12)
    series[np.flatnonzero(mask)[3], 2] = np.nan
    assert np.isfinite(mean_series(series, mask)).all()
    assert np.isnan(mean_series(series, np.zeros(len(series), bool))).all()


def test_constant_and_missing_voxels_do_not_vary() -> None:
    series = np.float32([[1, 1, 1], [1, 2, 1], [np.inf, 1, 2], [np.nan] * 3])
    assert find_varying(series).tolist() == [False, True, False, False]


def test_what_is_no_series_is_refused() -> None:
    with pytest.raises(ValueError, match='two axes, voxels and frames, not 3'):
        check_series(np.zeros((2, 2, 2)))
    with pytest.raises(ValueError, match='has 4 frames, and 9 are needed'):
        check_series(np.zeros((2, 4)), 9)
