"""Volumes of tissues and regions with known answers."""

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

from mriderived.core.morphometry import region_volumes, tissue_volumes
from mriderived.core.partial_volume import Fractions


def shells(size: int, scale: float = 1.0) -> Fractions:
    """White ball, grey shell and fluid shell with partial volume, in a grid of ``size``."""
    fine = 3
    axes = (np.arange(size * fine) + 0.5) / fine - size / 2
    radius = np.sqrt(sum(np.square(axis) for axis in np.meshgrid(axes, axes, axes))) / scale
    inside = [radius < edge for edge in (8.0, 11.0, 13.0)]
    parts = (inside[1] & ~inside[0], inside[0], inside[2] & ~inside[1])
    blocks = (size, fine, size, fine, size, fine)
    return Fractions(*(part.reshape(blocks).mean(axis=(1, 3, 5)) for part in parts))


def ball(radius: float) -> float:
    return 4 / 3 * np.pi * radius**3


def test_tissue_volumes_of_shells() -> None:
    found = tissue_volumes(shells(32), 1.0)
    assert found.wm_volume == pytest.approx(ball(8), rel=0.005)
    assert found.gm_volume == pytest.approx(ball(11) - ball(8), rel=0.005)
    assert found.tiv_volume == pytest.approx(ball(13), rel=0.005)
    assert found.brain_volume == pytest.approx(found.gm_volume + found.wm_volume)
    assert found.brain_parenchymal_fraction == pytest.approx((11 / 13) ** 3, rel=0.005)


def test_a_head_ten_percent_larger_has_a_third_more_volume() -> None:
    small, large = (tissue_volumes(shells(36, scale), 1.0) for scale in (1.0, 1.1))
    for name in ('gm_volume', 'wm_volume', 'csf_volume', 'tiv_volume'):
        assert getattr(large, name) / getattr(small, name) == pytest.approx(1.331, rel=0.01)
    assert large.gm_fraction == pytest.approx(small.gm_fraction, rel=0.01)


def test_nothing_has_no_fractions() -> None:
    empty = np.zeros((2, 2, 2))
    found = tissue_volumes(Fractions(empty, empty, empty), 1.0)
    assert found.tiv_volume == 0
    assert np.isnan(found.gm_fraction)


TABLE = pd.DataFrame({'index': [2, 3, 4, 5, 6], 'composition': ['gm', 'gm', 'wm', 'csf', 'gm+wm']})


def test_regions_of_a_shell_add_up_to_all_of_its_grey_matter() -> None:
    tissues = shells(32)
    left = np.indices(tissues.gm.shape)[0] < 16
    grey = (tissues.gm > tissues.wm) & (tissues.gm > tissues.csf)
    labels = np.where(grey, np.where(left, 2, 3), 0)
    labels = np.where(tissues.wm > 0.5, 4, labels).astype(np.int32)
    found = region_volumes(labels, TABLE, tissues, (1, 1, 1)).set_index('index')
    assert found.volume[2] == pytest.approx(found.volume[3], rel=1e-9)
    assert found.volume[[2, 3]].sum() == pytest.approx(ball(11) - ball(8), rel=0.01)
    assert found.volume[4] == pytest.approx(ball(8), rel=0.01)
    hard = tissues.gm[grey].sum()
    assert hard < 0.95 * (ball(11) - ball(8)), 'the case does not need what it tests'


def test_composition_decides_what_is_summed() -> None:
    labels = np.full((4, 4, 4), 6, np.int32)
    labels[:, :, 2:] = 5
    parts = [np.full(labels.shape, value) for value in (0.5, 0.3, 0.2)]
    found = region_volumes(labels, TABLE, Fractions(*parts), (1.0, 2.0, 0.5)).set_index('index')
    assert found.volume[6] == pytest.approx(32 * 0.8)
    assert found.volume[5] == pytest.approx(32 * 0.2)
    assert found.n_voxels[[2, 5, 6]].tolist() == [0, 32, 32]


def test_a_deep_region_is_closed_to_its_neighbours() -> None:
    labels = np.array([2, 6, 0], np.int32)[:, None, None]
    gm = np.array([1.0, 0.4, 0.4])[:, None, None]
    found = region_volumes(labels, TABLE, Fractions(gm, 1 - gm, 0 * gm), (1, 1, 1))
    assert found.volume[0] == 1.0  # the 0.4 next to it belong to region 6
    assert found.volume[4] == 1.0


def test_volume_does_not_depend_on_orientation() -> None:
    rng = np.random.default_rng(2)
    labels = ndimage.zoom(rng.integers(2, 7, (4, 5, 6)), 4, order=0).astype(np.int32)
    parts = rng.dirichlet((1, 1, 1), labels.shape)
    tissues = Fractions(*np.moveaxis(parts, -1, 0))
    turned = Fractions(*(part[::-1].transpose(2, 0, 1) for part in tissues))
    one = region_volumes(labels, TABLE, tissues, (1.0, 1.5, 2.0))
    other = region_volumes(labels[::-1].transpose(2, 0, 1), TABLE, turned, (2.0, 1.0, 1.5))
    # Ties between equally near regions may fall either way.
    assert other.volume.to_numpy() == pytest.approx(one.volume.to_numpy(), rel=0.02)
    assert (other.n_voxels == one.n_voxels).all()
