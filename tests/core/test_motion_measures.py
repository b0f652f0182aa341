"""Framewise displacement and the 24 regressors, against their definitions."""

import numpy as np
import pytest

from mriderived.core.motion_measures import (
    expand_motion,
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


def test_the_expansion_has_24_columns_with_names_that_nilearn_knows() -> None:
    found = expand_motion(PARAMETERS)
    names = {
        f'{kind}_{axis}{end}'
        for kind in ('trans', 'rot')
        for axis in 'xyz'
        for end in ('', '_derivative1', '_power2', '_derivative1_power2')
    }
    assert set(found) == names
    change = PARAMETERS[5, 4] - PARAMETERS[4, 4]
    assert found['rot_y'][5] == PARAMETERS[5, 4]
    assert found['rot_y_derivative1'][5] == pytest.approx(change)
    assert found['rot_y_power2'][5] == pytest.approx(PARAMETERS[5, 4] ** 2)
    assert found['rot_y_derivative1_power2'][5] == pytest.approx(change**2)
    assert {name for name, values in found.items() if np.isnan(values[0])} == {
        name for name in names if 'derivative1' in name
    }


def test_one_volume_has_no_displacement() -> None:
    assert np.isnan(framewise_displacement(np.zeros((1, 6)))).tolist() == [True]
    assert np.isnan(rms_displacement(np.eye(4)[None], CENTRE)).tolist() == [True]


@pytest.mark.parametrize('function', [framewise_displacement, expand_motion])
def test_the_shape_is_checked(function) -> None:
    with pytest.raises(ValueError, match=r'six parameters per volume, not an array of \(4, 3\)'):
        function(np.zeros((4, 3)))
