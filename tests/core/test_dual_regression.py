"""Dual regression against its definition, and the reduction of a run against an SVD."""

import numpy as np
import pytest
from scipy import stats

from mriderived.core.dual_regression import regress_dually, t_to_z
from mriderived.core.frame_reduction import reduce_frames

VOXELS, FRAMES = 5000, 60


@pytest.fixture(scope='module')
def run():
    rng = np.random.default_rng(0)
    maps = rng.normal(size=(3, VOXELS)).astype(np.float32)
    courses = rng.normal(size=(FRAMES, 3))
    series = (courses @ maps).T + rng.normal(0, 2, (VOXELS, FRAMES)) + 100
    return series.astype(np.float32), maps, courses


def naive(series, maps, valid, degrees):
    """Both stages as two fits by least squares."""
    design = maps[:, valid].T.astype(float)
    design = design - design.mean(axis=0)
    data = series[valid].astype(float)
    courses = np.linalg.lstsq(design, data - data.mean(axis=0), rcond=None)[0].T
    courses = (courses - courses.mean(axis=0)) / courses.std(axis=0)
    demeaned = (series - series.mean(axis=1, keepdims=True, dtype=float)).T
    beta = np.linalg.lstsq(courses, demeaned, rcond=None)[0]
    rest = ((demeaned - courses @ beta) ** 2).sum(axis=0) / (degrees - 3)
    t = beta / np.sqrt(rest * np.diag(np.linalg.inv(courses.T @ courses))[:, None])
    return courses, beta, stats.norm.isf(stats.t.sf(t, degrees - 3))


def test_both_stages_are_least_squares(run):
    series, maps, _ = run
    valid = np.arange(VOXELS) % 50 > 0
    found = regress_dually(series, maps, valid, FRAMES - 1)
    courses, beta, z = naive(series, maps, valid, FRAMES - 1)
    assert found.courses == pytest.approx(courses, abs=1e-6)
    assert found.beta[:, valid] == pytest.approx(beta[:, valid], abs=1e-5)
    shown = valid & (np.abs(z) < 7).all(axis=0)
    assert found.z[:, shown] == pytest.approx(z[:, shown], abs=1e-4)
    assert np.isnan(found.beta[:, ~valid]).all() and np.isnan(found.z[:, ~valid]).all()


def test_twice_the_amplitude_is_twice_the_beta(run):
    series, maps, _ = run
    everywhere = np.ones(VOXELS, bool)
    once = regress_dually(series, maps, everywhere, FRAMES - 1)
    twice = regress_dually(2 * series, maps, everywhere, FRAMES - 1, threads=2)
    assert twice.beta == pytest.approx(2 * once.beta, abs=1e-4)
    assert twice.courses == pytest.approx(once.courses, abs=1e-6)
    assert twice.z == pytest.approx(once.z, abs=1e-3)


def test_noise_has_z_of_unit_variance(run):
    _, maps, _ = run
    noise = np.random.default_rng(1).normal(size=(VOXELS, FRAMES)).astype(np.float32)
    found = regress_dually(noise, maps, np.ones(VOXELS, bool), FRAMES - 1)
    assert found.z.std() == pytest.approx(1, abs=0.03)


def test_what_cannot_be_fitted_is_refused(run):
    series, maps, _ = run
    everywhere = np.ones(VOXELS, bool)
    with pytest.raises(ValueError, match='3 degrees of freedom are too few for 3'):
        regress_dually(series, maps, everywhere, 3)
    with pytest.raises(ValueError, match='maps depend on each other'):
        regress_dually(series, maps[[0, 1, 1]], everywhere, 50)
    with pytest.raises(ValueError, match='5000 voxels of the run and 4999'):
        regress_dually(series, maps[:, 1:], everywhere[1:], 50)


def test_z_has_the_tail_of_t():
    t = np.array([-3.0, -0.5, 0.0, 1.0, 4.0])
    assert stats.norm.sf(t_to_z(t, 7)) == pytest.approx(stats.t.sf(t, 7), rel=1e-9)


def test_reduction_is_the_truncated_svd(run):
    series = run[0].copy()
    series[7] = 42  # constant
    unit = series - series.mean(axis=1, keepdims=True, dtype=float)
    spread = unit.std(axis=1, keepdims=True)
    left, values, _ = np.linalg.svd(unit / np.where(spread > 1e-9, spread, np.inf), False)
    expected = (left[:, :4] * values[:4]).T
    found = reduce_frames(series, 4, threads=2)
    signs = np.sign((expected * found).sum(axis=1, keepdims=True))
    assert found == pytest.approx(signs * expected, abs=2e-3)
    assert (found[:, 7] == 0).all()
    assert (found == reduce_frames(series, 4, threads=1)).all()
    with pytest.raises(ValueError, match='61 are needed'):
        reduce_frames(series, 61)
