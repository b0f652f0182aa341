"""Mean and t over participants, against nilearn's model of the second level."""

from __future__ import annotations

import nibabel as nb
import numpy as np
import pandas as pd
import pytest
from nilearn.glm.second_level import SecondLevelModel

from mriderived.core.one_sample import RunningMean

SHAPE = (6, 5, 4)


@pytest.mark.filterwarnings('ignore')
def test_it_equals_nilearn() -> None:
    rng = np.random.default_rng(0)
    maps = rng.normal(0.4, 1, (9, *SHAPE))
    running = RunningMean(SHAPE)
    for values in maps:
        running.add(values)
    found = running.finish(least=9)
    images = [nb.Nifti1Image(values, np.eye(4)) for values in maps]
    mask = nb.Nifti1Image(np.ones(SHAPE, np.uint8), np.eye(4))
    model = SecondLevelModel(mask_img=mask)
    model.fit(images, design_matrix=pd.DataFrame({'intercept': np.ones(9)}))
    known = model.compute_contrast('intercept', output_type='all')
    for mine, name in ((found.effect, 'effect_size'), (found.t, 'stat'), (found.z, 'z_score')):
        np.testing.assert_allclose(mine, known[name].get_fdata(), rtol=1e-5, atol=1e-6)
    assert (found.number == 9).all()


def test_missing_values_are_left_out() -> None:
    running = RunningMean((3,))
    for values in ([1, np.nan, np.nan], [3, 5, np.nan], [2, 7, 4]):
        running.add(np.array(values, float))
    found = running.finish(least=2)
    assert found.number.tolist() == [3, 2, 1]
    assert found.effect[:2].tolist() == [2, 6]
    assert np.isnan(found.effect[2])
    assert running.mean().tolist() == [2, 6, 4]
    assert found.t[1] == pytest.approx(6)


def test_maps_that_are_all_the_same_have_no_t() -> None:
    running = RunningMean((1,))
    for _ in range(3):
        running.add(np.ones(1))
    found = running.finish(least=2)
    assert found.effect[0] == 1
    assert np.isnan(found.t[0])
    assert np.isnan(found.z[0])
