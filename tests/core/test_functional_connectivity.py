"""Regional series, correlations of every kind, networks, seeds."""

import numpy as np
import pytest

from mriderived.core.autocorrelation import autocorrelation, effective_frames, lag_one
from mriderived.core.connectivity import (
    average_networks,
    correlate,
    fisher_z,
    ridge_partial_correlate,
    shrunk_partial_correlate,
)
from mriderived.core.denoising import denoise, make_design
from mriderived.core.region_series import amplitude, average_regions
from mriderived.core.voxel_connectivity import global_correlation, map_seed


def make_volume() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 6, (12, 13, 14)).astype(np.int32) * 100
    mask = rng.random(labels.shape) < 0.7
    series = rng.normal(1000, 10, (int(mask.sum()), 40)).astype(np.float32)
    return series, mask, labels


def test_regional_means_agree_with_a_loop() -> None:
    series, mask, labels = make_volume()
    found = average_regions(series, mask, labels, [300, 100, 500])
    for column, label in enumerate((300, 100, 500)):
        rows = labels[mask] == label
        expected = series[rows].mean(axis=0, dtype=np.float64)
        np.testing.assert_allclose(found.courses[:, column], expected, rtol=1e-12)
        share = np.sum((labels == label) & mask) / np.sum(labels == label)
        assert found.coverage[column] == pytest.approx(share, abs=1e-12)
        assert found.voxels[column] == rows.sum()


def test_uncovered_regions_have_no_series() -> None:
    series, mask, labels = make_volume()
    flat = labels[mask] == 200
    series[np.flatnonzero(flat)[: int(0.4 * flat.sum())]] = 7
    found = average_regions(series, mask, labels, [100, 200, 777])
    assert np.isfinite(found.courses[:, 0]).all()
    assert np.isnan(found.courses[:, 1:]).all()
    assert found.coverage[1] < 0.5
    assert np.isnan(found.coverage[2]) and found.voxels[2] == 0
    kept = average_regions(series, mask, labels, [200], minimum=0.2)
    changing = flat & (series != 7).any(axis=1)
    expected = series[changing].mean(axis=0, dtype=np.float64)
    np.testing.assert_allclose(kept.courses[:, 0], expected, rtol=1e-12)


def test_arrays_that_do_not_fit_are_refused() -> None:
    series, mask, labels = make_volume()
    with pytest.raises(ValueError, match=r'labels of shape \(11, 13, 14\)'):
        average_regions(series, mask, labels[1:], [100])


def test_planted_correlations_are_found() -> None:
    rng = np.random.default_rng(1)
    planted = np.array([[1, 0.6, -0.3], [0.6, 1, 0.1], [-0.3, 0.1, 1]])
    courses = rng.normal(size=(20_000, 3)) @ np.linalg.cholesky(planted).T
    found = correlate(courses * [1, 50, 0.1] + 1000)
    np.testing.assert_allclose(found, planted, atol=0.02)
    np.testing.assert_allclose(found, np.corrcoef(courses.T), atol=1e-6)


def make_chain(frames: int) -> np.ndarray:
    rng = np.random.default_rng(2)
    first = rng.normal(size=frames)
    second = first + rng.normal(size=frames)
    return np.column_stack([first, second, second + rng.normal(size=frames)])


def test_the_ends_of_a_chain_have_no_partial_correlation() -> None:
    courses = make_chain(50_000)
    assert correlate(courses)[0, 2] > 0.5
    found = shrunk_partial_correlate(courses)[0]
    assert abs(found[0, 2]) < 0.01
    assert found[0, 1] == pytest.approx(0.5, abs=0.02)
    assert found[1, 2] == pytest.approx(np.sqrt(0.5), abs=0.02)


def test_partial_correlations_are_those_of_residuals() -> None:
    rng = np.random.default_rng(3)
    courses = rng.normal(size=(100_000, 5)) @ rng.normal(size=(5, 5))
    found, shrinkage = shrunk_partial_correlate(courses)
    assert shrinkage < 1e-3
    others = np.column_stack([courses[:, [0, 2, 4]], np.ones(len(courses))])
    left = [courses[:, k] - others @ np.linalg.lstsq(others, courses[:, k])[0] for k in (1, 3)]
    assert found[1, 3] == pytest.approx(np.corrcoef(left)[0, 1], abs=0.01)
    np.testing.assert_array_equal(found, found.T)
    np.testing.assert_array_equal(np.diag(found), 1)


def test_a_ridge_makes_partial_correlations_smaller_and_needs_no_frames() -> None:
    rng = np.random.default_rng(3)
    middle = rng.normal(size=5000)
    ends = middle[:, None] + rng.normal(size=(5000, 2))
    chain = np.column_stack([ends[:, 0], middle, ends[:, 1]])
    none = ridge_partial_correlate(chain, 1e-9)
    usual = ridge_partial_correlate(chain)
    correlation = correlate(chain)
    residuals = [
        ends[:, k] - ends[:, k].mean() - (c := np.cov(ends[:, k], middle))[0, 1] / c[1, 1]
        * (middle - middle.mean())
        for k in (0, 1)
    ]  # fmt: skip
    assert none[0, 2] == pytest.approx(np.corrcoef(residuals)[0, 1], abs=1e-6)
    assert 0 < none[0, 2] + 0.05 < usual[0, 2] + 0.05 < correlation[0, 2]
    # A scale is no matter, and there may be fewer frames than regions.
    assert ridge_partial_correlate(chain * [1, 50, 0.01]) == pytest.approx(usual, abs=1e-12)
    few = ridge_partial_correlate(rng.normal(size=(20, 60)))
    assert np.isfinite(few).all() and np.abs(few).max() <= 1
    with pytest.raises(ValueError, match='a ridge of 0 is not above 0'):
        ridge_partial_correlate(chain, 0)


def test_shrinkage_grows_as_frames_get_few() -> None:
    rng = np.random.default_rng(5)
    mixed = rng.normal(size=(5000, 20)) @ rng.normal(size=(20, 20))
    shrinkages = [shrunk_partial_correlate(mixed[:count])[1] for count in (10, 100, 5000)]
    assert 1 >= shrinkages[0] > shrinkages[1] > shrinkages[2] >= 0
    matrix = shrunk_partial_correlate(mixed * 10.0 ** np.arange(-10, 10))[0]
    np.testing.assert_allclose(matrix, shrunk_partial_correlate(mixed)[0], atol=1e-9)


def test_missing_regions_leave_the_others_alone() -> None:
    rng = np.random.default_rng(6)
    courses = rng.normal(size=(80, 4))
    spoilt = np.insert(courses, [1, 3], [[np.nan, 5.0]], axis=1)
    whole = [0, 2, 3, 5]
    found = correlate(spoilt)
    np.testing.assert_allclose(found[np.ix_(whole, whole)], correlate(courses))
    assert np.isnan(found[[1, 4]]).all() and np.isnan(found[:, [1, 4]]).all()
    shrunk = shrunk_partial_correlate(spoilt)[0]
    np.testing.assert_allclose(shrunk[np.ix_(whole, whole)], shrunk_partial_correlate(courses)[0])


def test_fishers_transform_has_no_diagonal_and_is_finite() -> None:
    z = fisher_z(np.array([[1, 0.3], [0.3, 1]]))
    assert z[0, 1] == pytest.approx(np.arctanh(0.3), abs=1e-12)
    assert np.isnan(np.diag(z)).all()
    assert np.isfinite(fisher_z(np.array([1.0, -1.0]))).all()


def test_means_of_networks_are_those_of_their_edges() -> None:
    rng = np.random.default_rng(7)
    z = rng.normal(size=(9, 9))
    z = z + z.T
    names = ['Vis', 'Default', 'Vis', 'Cont', 'Default', 'Default', 'Cont', 'Vis', 'SomMot']
    z[0, 2] = z[2, 0] = np.nan
    table = average_networks(z, names).set_index(['network_a', 'network_b'])
    assert len(table) == 10
    assert table.loc[('Default', 'Default'), 'mean_z'] == pytest.approx(
        np.mean([z[1, 4], z[1, 5], z[4, 5]])
    )
    assert table.loc[('Vis', 'Vis'), 'n_edges'] == 2
    between = z[np.ix_([1, 4, 5], [3, 6])].mean()
    assert table.loc[('Default', 'Cont'), 'mean_z'] == pytest.approx(between)
    assert np.isnan(table.loc[('SomMot', 'SomMot'), 'mean_z'])
    with pytest.raises(ValueError, match='2 networks for a matrix of shape'):
        average_networks(z, ['a', 'b'])


def make_autoregressive(rho: float, shape: tuple[int, int], seed: int = 8) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=shape)
    courses = np.empty(shape)
    courses[0] = noise[0]
    for frame in range(1, shape[0]):
        courses[frame] = rho * courses[frame - 1] + np.sqrt(1 - rho**2) * noise[frame]
    return courses


def test_autocorrelation_is_found() -> None:
    courses = make_autoregressive(0.6, (4000, 20))
    assert lag_one(courses).mean() == pytest.approx(0.6, abs=0.02)
    row = courses[:, 3] - courses[:, 3].mean()
    expected = np.sum(row[5:] * row[:-5]) / np.sum(row * row)
    assert autocorrelation(courses)[5, 3] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize('rho', [0.0, 0.4, 0.8])
def test_effective_frames_predict_the_spread_of_chance_correlations(rho: float) -> None:
    courses = make_autoregressive(rho, (400, 120))
    upper = np.triu_indices(120, 1)
    spread = np.square(correlate(courses)[upper]).mean()
    effective = effective_frames(courses)[upper]
    assert effective.mean() == pytest.approx(1 / spread, rel=0.1)
    assert effective.mean() == pytest.approx(400 * (1 - rho**2) / (1 + rho**2), rel=0.15)
    assert effective.max() <= 400


@pytest.mark.parametrize('censored', [0, 30])
def test_the_degrees_of_freedom_left_are_the_effective_frames_of_filtered_noise(
    censored: int,
) -> None:
    rng = np.random.default_rng(13)
    keep = np.ones(300, bool)
    keep[rng.choice(300, censored, replace=False)] = False
    design = make_design(rng.normal(size=(300, 6)), keep, 2.0)
    noise = rng.normal(size=(200, 300)).astype(np.float32)
    courses = denoise(noise, design).series.T.astype(np.float64)
    upper = np.triu_indices(200, 1)
    spread = np.square(correlate(courses)[upper]).mean()
    assert 1 / spread == pytest.approx(design.degrees.left, rel=0.05)
    effective = effective_frames(courses, keep, design.degrees.left)[upper]
    assert effective.mean() == pytest.approx(1 / spread, rel=0.05)


def test_planted_networks_are_found_in_spite_of_motion_drift_and_spikes() -> None:
    rng = np.random.default_rng(14)
    frames, repetition_time = 600, 2.0
    motion = np.cumsum(rng.normal(size=(frames, 6)), axis=0)
    keep = np.ones(frames, bool)
    keep[rng.choice(frames, 40, replace=False)] = False
    design = make_design(motion, keep, repetition_time)
    mixing = np.linalg.cholesky([[1, 0.6, -0.3], [0.6, 1, 0.1], [-0.3, 0.1, 1]])
    planted = mixing @ rng.normal(size=(3, frames))
    truth = correlate(denoise(planted.astype(np.float32), design).series.T.astype(np.float64))
    labels = np.repeat([1, 2, 3], 1000).reshape(30, 10, 10).astype(np.int32)
    voxels = 1000 + planted[labels.ravel() - 1] + rng.normal(size=(3000, frames))
    voxels += rng.normal(size=(3000, 6)) @ motion.T + rng.normal(size=(3000, 1)) * np.arange(
        frames
    )
    voxels[:, ~keep] += 300
    clean = denoise(voxels.astype(np.float32), design).series
    found = average_regions(clean, labels > 0, labels, [1, 2, 3])
    np.testing.assert_allclose(correlate(found.courses), truth, atol=0.02)


def test_a_gap_does_not_bring_distant_frames_together() -> None:
    courses = make_autoregressive(0.7, (6000, 10))
    keep = np.random.default_rng(9).random(6000) < 0.7
    assert lag_one(courses[keep], keep).mean() == pytest.approx(0.7, abs=0.02)
    assert lag_one(courses[keep]).mean() < 0.65
    constant = np.column_stack([courses[:, 0], np.ones(6000), np.full(6000, np.nan)])
    assert np.isnan(lag_one(constant)[1:]).all()
    assert np.isnan(effective_frames(constant)[0, 1:]).all()


def test_amplitude_is_the_standard_deviation() -> None:
    courses = np.random.default_rng(10).normal(0, [1, 5], (500, 2))
    np.testing.assert_allclose(amplitude(courses), courses.std(axis=0, ddof=1))


def test_a_seed_map_is_the_correlation_of_every_voxel() -> None:
    rng = np.random.default_rng(11)
    seed = rng.normal(size=60)
    series = 1000 + rng.normal(size=(300, 60)) + rng.normal(size=(300, 1)) * seed
    series = series.astype(np.float32)
    series[7] = 3
    series[8, 2] = np.nan
    found = map_seed(series, seed)
    for voxel in (0, 100, 299):
        expected = np.arctanh(np.corrcoef(series[voxel], seed)[0, 1])
        assert found[voxel] == pytest.approx(expected, abs=1e-6)
    assert np.isnan(found[7:9]).all() and np.isfinite(np.delete(found, [7, 8])).all()
    with pytest.raises(ValueError, match='constant or missing'):
        map_seed(series, np.ones(60))
    with pytest.raises(ValueError, match='the seed has 9 frames and the series 60'):
        map_seed(series, seed[:9])


def test_the_global_correlation_is_the_mean_of_all_pairs() -> None:
    rng = np.random.default_rng(12)
    series = (rng.normal(size=(200, 50)) + 0.7 * rng.normal(size=50)).astype(np.float32)
    expected = np.corrcoef(series).mean()
    assert global_correlation(series) == pytest.approx(expected, rel=1e-5)
    series = np.vstack([series, np.full((1, 50), 9, np.float32)])
    assert global_correlation(series) == pytest.approx(expected, rel=1e-5)
    assert np.isnan(global_correlation(np.ones((3, 9), np.float32)))
