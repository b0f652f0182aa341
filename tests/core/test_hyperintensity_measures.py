"""Volumes of hyperintensities by place."""

from __future__ import annotations

import numpy as np
import pytest

from mriderived.core.hyperintensity_measures import (
    label_components,
    list_components,
    sum_volumes,
)


def make() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    mask = np.zeros((20, 20, 20), bool)
    mask[2:4, 2:4, 2:4] = True
    mask[10:13, 10:13, 10:13] = True
    far = np.broadcast_to(np.arange(20, dtype=np.float32)[:, None, None], mask.shape)
    lobes = np.where(np.indices(mask.shape)[0] < 8, 1, 2).astype(np.int32)
    return mask, far, lobes


def test_parts_add_up() -> None:
    mask, far, lobes = make()
    found = sum_volumes(mask, far, (1, 1, 2), lobes, {1: 'frontal', 2: 'occipital', 3: 'insula'})
    assert found['count'] == 2
    assert found['volume_ml'] == pytest.approx(0.07)
    assert found['periventricular_ml'] == pytest.approx(0.034)  # 8 + 9 voxels of 2 mm3
    assert found['deep_ml'] == pytest.approx(0.036)
    assert found['frontal_ml'] == pytest.approx(0.016)
    assert found['occipital_ml'] == pytest.approx(0.054)
    assert found['insula_ml'] == 0
    assert found['log_volume'] == pytest.approx(np.log(0.08))


def test_components_are_described() -> None:
    mask, far, lobes = make()
    parts = label_components(mask)
    probability = np.where(parts == 1, 0.9, 0.6).astype(np.float32)
    table = list_components(parts, probability, far, (1, 1, 1), lobes)
    assert table['volume_ml'].tolist() == [0.027, 0.008]
    assert table['place'].tolist() == ['periventricular', 'periventricular']
    assert table['lobe'].tolist() == [2, 1]
    assert table['probability'].tolist() == pytest.approx([0.9, 0.6])
    assert table[['x', 'y', 'z']].to_numpy().tolist() == [[11, 11, 11], [2.5, 2.5, 2.5]]


def test_none_at_all_and_no_ventricles() -> None:
    mask, far, _ = make()
    none = np.zeros_like(mask)
    found = sum_volumes(none, far, (1, 1, 1))
    assert found['volume_ml'] == 0 and found['log_volume'] == pytest.approx(np.log(0.01))
    assert len(list_components(label_components(none), 0 * far, far, (1, 1, 1))) == 0
    unknown = sum_volumes(mask, np.full(mask.shape, np.inf, np.float32), (1, 1, 1))
    assert np.isnan(unknown['periventricular_ml']) and np.isnan(unknown['deep_ml'])
