"""Region tables against plain loops."""

import numpy as np
import pytest

from mriderived.core.regions import region_table


def test_the_table_agrees_with_a_loop() -> None:
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 40, (20, 21, 22)).astype(np.int32) * 300
    values = rng.normal(1e4, 1.0, labels.shape)
    values[rng.random(labels.shape) < 0.05] = np.nan
    index = np.array([900, 300, 11700, 77, 600])
    found = region_table(values, labels, index).set_index('index')
    assert found.index.tolist() == index.tolist()
    for label in (300, 600, 900, 11700):
        inside = values[(labels == label) & np.isfinite(values)]
        row = found.loc[label]
        expected = (inside.mean(), inside.std(), np.median(inside), inside.size)
        assert tuple(row) == pytest.approx(expected, rel=1e-12, abs=1e-9)


def test_an_empty_region_has_no_numbers() -> None:
    found = region_table(np.ones(4), np.array([1, 1, 0, 0]), [2, 1])
    assert found['n_voxels'].tolist() == [0, 2]
    assert found.iloc[0][['mean', 'std', 'median']].isna().all()


def test_infinite_values_are_left_out() -> None:
    found = region_table(np.array([1.0, np.inf, 3.0]), np.array([1, 1, 1]), [1])
    assert found.loc[0, ['mean', 'n_voxels']].tolist() == [2.0, 2]


def test_no_region_at_all() -> None:
    found = region_table(np.ones(3), np.array([1, 1, 2]), [])
    assert len(found) == 0
    assert list(found) == ['index', 'mean', 'std', 'median', 'n_voxels']


def test_no_value_at_all() -> None:
    found = region_table(np.full(3, np.nan), np.array([1, 1, 2]), [1, 2])
    assert found['n_voxels'].tolist() == [0, 0]
    assert found['median'].isna().all()
