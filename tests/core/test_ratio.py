"""The ratio of T1w to T2w, its outliers, and its calibration."""

from __future__ import annotations

import numpy as np
import pytest

from mriderived.core.ratio import Anchors, calibrate, divide, find_mode


def make_pair(noise: float = 0.02) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    shape = (24, 24, 24)
    truth = np.where(np.indices(shape)[0] < 12, 2.0, 1.2).astype(np.float32)
    field = np.exp(0.3 * np.indices(shape)[1] / 24)
    t2w = (500 * field * (1 + rng.normal(0, noise, shape))).astype(np.float32)
    t1w = (500 * field * truth * (1 + rng.normal(0, noise, shape))).astype(np.float32)
    return t1w, t2w, truth, np.ones(shape, bool)


def test_field_of_the_coils_cancels() -> None:
    t1w, t2w, truth, brain = make_pair()
    found = divide(t1w, t2w, brain)
    assert abs(np.nanmedian(found.values / truth) - 1) < 0.002
    assert np.nanstd(found.values / truth) == pytest.approx(0.02 * 2**0.5, rel=0.1)
    assert (found.voids, found.outliers) == (0, 0)


def test_voids_and_outliers_are_masked_and_counted() -> None:
    t1w, t2w, _, brain = make_pair()
    t2w[:2, 0, 0] = (0, 1)
    t1w[5, 5, :3] *= 40
    found = divide(t1w, t2w, brain)
    assert (found.voids, found.outliers) == (2, 3)
    assert np.isnan(found.values[:2, 0, 0]).all() and np.isnan(found.values[5, 5, :3]).all()
    assert np.isfinite(found.values).sum() == brain.sum() - 5


def test_outside_of_the_brain_is_no_number() -> None:
    t1w, t2w, _, brain = make_pair()
    brain[:, :4] = False
    found = divide(t1w, t2w, brain)
    assert np.isnan(found.values[:, :4]).all() and np.isfinite(found.values[:, 4:]).all()


def test_images_that_cannot_be_divided() -> None:
    t1w, t2w, _, brain = make_pair()
    with pytest.raises(ValueError, match='not on one grid'):
        divide(t1w, t2w[1:], brain)
    with pytest.raises(ValueError, match='no voxel of the brain has a signal in both'):
        divide(t1w, 0 * t2w, brain)


@pytest.mark.parametrize(('slope', 'offset'), [(1.0, 0.0), (0.4, 30.0), (5.0, -20.0)])
def test_calibration_undoes_the_scale_of_a_scanner(slope: float, offset: float) -> None:
    rng = np.random.default_rng(1)
    values = rng.uniform(100, 900, (10, 10, 10)).astype(np.float32)
    reference = Anchors(150.0, 500.0)
    found = Anchors(*(slope * value + offset for value in reference))
    restored = calibrate(slope * values + offset, found, reference)
    assert np.abs(restored - values).max() < 1e-3 * 900


def test_tissues_of_one_intensity_calibrate_nothing() -> None:
    with pytest.raises(ValueError, match=r'fluid \(10\) and solid tissue \(10\)'):
        calibrate(np.ones(3, np.float32), Anchors(10, 10), Anchors(1, 2))


def test_mode_ignores_what_surrounds_a_tissue() -> None:
    rng = np.random.default_rng(2)
    values = np.concatenate([rng.normal(300, 15, 3000), rng.normal(80, 60, 1500)])
    image = np.abs(values).astype(np.float32)
    assert find_mode(image, np.ones(image.shape, bool)) == pytest.approx(300, abs=6)
    with pytest.raises(ValueError, match='100 voxels of a tissue'):
        find_mode(image[:100], np.ones(100, bool))
