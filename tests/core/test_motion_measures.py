"""Displacements from volume to volume, against their definitions."""

import numpy as np
import pytest

from mriderived.core.motion_measures import (
    framewise_displacement,
    rms_displacement,
)
from mriderived.core.rigid import rigid_matrix

PARAMETERS = np.random.default_rng(0).normal(0, 1, (40, 6)) * [1, 1, 1, 0.02, 0.02, 0.02]
CENTRE = np.array([2.0, -15.0, 8.0])


def test_framewise_displacement_is_the_sum_of_changes() -> None:
    found = framewise_displacement(PARAMETERS)
    assert np.isnan(found[0])
    for t in range(1, 40):
        change = np.abs(PARAMETERS[t] - PARAMETERS[t - 1])
        assert found[t] == pytest.approx(change[:3].sum() + 50 * change[3:].sum(), abs=1e-12)


def test_rms_is_the_mean_over_points_of_a_sphere() -> None:
    rng = np.random.default_rng(1)
    points = rng.uniform(-1, 1, (400_000, 3))
    points = 80 * points[(points**2).sum(axis=1) < 1] + CENTRE
    matrices = np.stack([rigid_matrix(each, CENTRE) for each in PARAMETERS[:3]])
    places = [points @ m[:3, :3].T + m[:3, 3] for m in matrices]
    found = rms_displacement(matrices, CENTRE)
    assert np.isnan(found[0])
    for t in (1, 2):
        naive = np.sqrt(((places[t] - places[t - 1]) ** 2).sum(axis=1).mean())
        assert found[t] == pytest.approx(naive, rel=3e-3)


def test_one_volume_has_no_displacement() -> None:
    assert np.isnan(framewise_displacement(np.zeros((1, 6)))).tolist() == [True]
    assert np.isnan(rms_displacement(np.eye(4)[None], CENTRE)).tolist() == [True]


def test_the_shape_is_checked() -> None:
    with pytest.raises(ValueError, match=r'six parameters per volume, not an array of \(4, 3\)'):
        framewise_displacement(np.zeros((4, 3)))
