"""Regional homogeneity: against the formula, truths, edges, ties."""

import numpy as np
import pytest
from scipy import stats

from mriderived.core.reho import Neighbourhood, measure_masked_reho, measure_reho

REACH = {7: 1, 19: 2, 27: 3}


def naive(series: np.ndarray, mask: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return Kendall's W and the number of neighbours of every voxel, with scipy's ranks."""
    frames = series.shape[3]
    found = np.full(mask.shape, np.nan)
    number = np.zeros(mask.shape, int)
    for place in np.argwhere(mask):
        rows = []
        for step in np.ndindex(3, 3, 3):
            offset = np.array(step) - 1
            near = place + offset
            if (offset**2).sum() > REACH[size] or (near < 0).any() or (near >= mask.shape).any():
                continue
            if mask[tuple(near)]:
                rows.append(stats.rankdata(series[tuple(near)]))
        m = len(rows)
        totals = np.sum(rows, axis=0)
        spread = np.sum((totals - totals.mean()) ** 2)
        tied = 0.0
        for row in rows:
            counts = np.unique(row, return_counts=True)[1].astype(float)
            tied += np.sum(counts**3 - counts)
        number[tuple(place)] = m
        found[tuple(place)] = 12 * spread / (m**2 * (frames**3 - frames) - m * tied)
    return found, number


def ball(size: int) -> np.ndarray:
    grid = np.stack(np.meshgrid(*[np.arange(size) - (size - 1) / 2] * 3, indexing='ij'))
    return np.asarray(np.sqrt((grid**2).sum(axis=0)) < size / 2)


@pytest.mark.parametrize('size', [7, 19, 27])
@pytest.mark.parametrize('ties', [False, True])
def test_kendalls_w_agrees_with_the_formula(size: Neighbourhood, ties: bool) -> None:
    rng = np.random.default_rng(0)
    series = rng.normal(size=(9, 8, 7, 40)) + rng.normal(size=40)
    series = (np.round(series) if ties else series).astype(np.float32)
    mask = rng.random((9, 8, 7)) < 0.8
    found = measure_reho(series, mask, size, minimum=2)
    expected, number = naive(series, mask, size)
    np.testing.assert_array_equal(found.neighbours, number)
    enough = number >= 2
    np.testing.assert_allclose(found.kendall_w[enough], expected[enough], rtol=1e-6)
    assert np.isnan(found.kendall_w[~enough]).all()
    r = (number * expected - 1) / (number - np.where(enough, 1, 0))
    np.testing.assert_allclose(
        found.reho[enough], ((1 + (size - 1) * r) / size)[enough], rtol=1e-5, atol=1e-7
    )
    whole = number == size
    np.testing.assert_array_equal(found.reho[whole], found.kendall_w[whole])


def test_the_correction_is_the_mean_spearman_correlation() -> None:
    series = np.random.default_rng(1).normal(size=(2, 2, 1, 60)).astype(np.float32)
    series += series[0, 0]
    found = measure_reho(series, np.ones((2, 2, 1), bool), 27, minimum=2)
    matrix = stats.spearmanr(series.reshape(4, 60), axis=1).statistic
    r = matrix[np.triu_indices(4, 1)].mean()
    np.testing.assert_allclose(found.reho, (1 + 26 * r) / 27, rtol=1e-5)


def test_independent_noise_is_one_over_the_neighbourhood_everywhere() -> None:
    mask = ball(30)
    series = np.random.default_rng(2).normal(size=(*mask.shape, 200)).astype(np.float32)
    found = measure_reho(series, mask, 27)
    inner = found.neighbours == 27
    edge = (found.neighbours >= 14) & (found.neighbours <= 20)
    assert edge.sum() > 500
    assert found.reho[inner].mean() == pytest.approx(1 / 27, abs=0.003)
    assert found.reho[inner].mean() == pytest.approx(1 / 27, abs=0.0002)
    assert found.reho[edge].mean() == pytest.approx(1 / 27, abs=0.001)
    # Kendall's W itself is 60 % larger at the edge.
    assert found.kendall_w[edge].mean() > 1.5 / 27


def test_a_common_signal_is_as_homogeneous_at_the_edge_as_inside() -> None:
    mask = ball(24)
    rng = np.random.default_rng(3)
    series = (rng.normal(size=(*mask.shape, 300)) + rng.normal(size=300)).astype(np.float32)
    found = measure_reho(series, mask, 27)
    inner, edge = found.neighbours == 27, (found.neighbours >= 14) & (found.neighbours <= 20)
    assert found.reho[edge].mean() == pytest.approx(found.reho[inner].mean(), abs=0.002)


@pytest.mark.parametrize('size', [7, 19, 27])
def test_identical_series_are_one(size: Neighbourhood) -> None:
    rng = np.random.default_rng(4)
    for course in (rng.normal(size=50), rng.integers(0, 3, 50)):
        series = np.broadcast_to(course.astype(np.float32), (5, 5, 5, 50))
        found = measure_reho(series, np.ones((5, 5, 5), bool), size, minimum=2)
        np.testing.assert_allclose(found.reho, 1, atol=1e-6)


def test_only_the_order_of_values_counts() -> None:
    series = np.random.default_rng(5).normal(size=(6, 6, 6, 30)).astype(np.float32)
    mask = np.ones((6, 6, 6), bool)
    found = measure_reho(np.exp(series) * 7, mask)
    np.testing.assert_array_equal(found.reho, measure_reho(series, mask).reho)


def test_too_few_neighbours_give_nothing() -> None:
    series = np.random.default_rng(6).normal(size=(4, 4, 4, 30)).astype(np.float32)
    mask = np.zeros((4, 4, 4), bool)
    mask[:2, :2, :2] = True
    found = measure_reho(series, mask)
    assert (found.neighbours[mask] == 8).all()
    assert np.isnan(found.reho).all() and np.isnan(found.kendall_w).all()
    assert np.isfinite(measure_reho(series, mask, minimum=8).reho[mask]).all()
    assert np.isfinite(measure_reho(series, mask, 7).reho[mask]).all()  # 4 of 7


def test_constant_and_missing_voxels_are_no_neighbours() -> None:
    series = np.random.default_rng(7).normal(size=(5, 5, 5, 30)).astype(np.float32)
    series[2, 2, 2] = 4
    series[1, 1, 1, 3] = np.nan
    mask = np.ones((5, 5, 5), bool)
    spoilt = measure_reho(series, mask)
    mask[2, 2, 2] = mask[1, 1, 1] = False
    expected = measure_reho(series, mask)
    for one, other in zip(spoilt, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_order_in_memory_and_threads_change_no_bit() -> None:
    series = np.random.default_rng(8).normal(size=(17, 9, 8, 25)).astype(np.float32)
    mask = ball(17)[:, 4:13, 4:12]
    expected = measure_reho(series, mask).reho
    np.testing.assert_array_equal(measure_reho(np.asfortranarray(series), mask).reho, expected)
    np.testing.assert_array_equal(measure_reho(series, mask, threads=3).reho, expected)


def test_what_cannot_be_measured_is_refused() -> None:
    series = np.zeros((3, 3, 3, 9), np.float32)
    mask = np.ones((3, 3, 3), bool)
    with pytest.raises(ValueError, match='7, 19 or 27 voxels, not 26'):
        measure_reho(series, mask, 26)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match='2 frames have no concordance'):
        measure_reho(series[..., :2], mask)
    with pytest.raises(ValueError, match='and mask of shape'):
        measure_reho(series, mask[:2])
    with pytest.raises(ValueError, match='needs two voxels'):
        measure_reho(series, mask, minimum=1)


def test_noise_of_a_whole_run_has_the_concordance_of_chance() -> None:
    series = np.random.default_rng(9).standard_normal((32, 32, 18, 200), np.float32)
    found = measure_reho(series, np.ones((32, 32, 18), bool), threads=2)
    assert np.nanmean(found.reho) == pytest.approx(1 / 27, abs=0.001)


@pytest.mark.parametrize('neighbourhood', [7, 19, 27])
def test_the_voxels_of_the_mask_alone_give_the_same(neighbourhood):
    rng = np.random.default_rng(4)
    series = rng.normal(size=(11, 7, 6, 30)).astype(np.float32)
    series[3, 3, 3] = 1  # constant
    mask = rng.uniform(size=series.shape[:3]) < 0.8
    mask[5] = False
    whole = measure_reho(series, mask, neighbourhood)
    masked = measure_masked_reho(series[mask], mask, neighbourhood, threads=2)
    for one, other in zip(whole, masked, strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(ValueError, match=r'series of shape \(5, 30\) and mask of \d+ voxels'):
        measure_masked_reho(series[mask][:5], mask)
