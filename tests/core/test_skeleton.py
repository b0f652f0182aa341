"""The skeleton of white matter, on tracts whose middle is known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from mriderived.core.skeleton import find_skeleton

SHAPE = (32, 32, 32)


def grid() -> NDArray[np.float64]:
    return np.asarray(np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing='ij'), -1) - 15.5)


@pytest.mark.parametrize('normal', [(0, 0, 1), (1, 1, 0), (1, 2, 3)])
def test_sheet(normal: tuple[int, int, int]) -> None:
    axis = np.array(normal) / np.linalg.norm(normal)
    away = grid() @ axis - 0.3
    fa = (0.8 * np.exp(-0.5 * (away / 2.0) ** 2)).astype(np.float32)
    found = find_skeleton(fa, np.ones(SHAPE, bool))
    core = (np.abs(grid()) < 9).all(axis=-1)
    assert np.abs(away[found & core]).max() < 1.2
    # every line along the steepest axis that meets the sheet meets the skeleton, once or twice
    along = int(np.abs(axis).argmax())
    meets = ((np.abs(away) <= 0.5 * np.abs(axis).max()) & core).any(axis=along)
    count = found.sum(axis=along)[meets]
    assert (count > 0).mean() > 0.98
    assert count.max() <= 2
    assert fa[found & core].mean() > 0.95 * 0.8


def test_curved_sheet_and_shift_of_a_voxel() -> None:
    radius = np.linalg.norm(grid(), axis=-1)
    fa = (0.7 * np.exp(-0.5 * ((radius - 10) / 1.8) ** 2)).astype(np.float32)
    found = find_skeleton(fa, np.ones(SHAPE, bool))
    assert np.abs(radius[found] - 10).max() < 1.5
    assert np.abs(radius[found] - 10).mean() < 0.45
    moved = find_skeleton(np.roll(fa, 1, axis=0), np.ones(SHAPE, bool))
    assert np.array_equal(moved, np.roll(found, 1, axis=0))


def test_weak_anisotropy_and_what_is_outside_are_left_out() -> None:
    away = grid()[..., 2]
    fa = (0.18 * np.exp(-0.5 * (away / 2) ** 2)).astype(np.float32)
    assert not find_skeleton(fa, np.ones(SHAPE, bool)).any()
    strong, half = fa * 4, grid()[..., 0] < 0
    assert not find_skeleton(strong, half)[~half].any()


def test_means_on_the_skeleton_withstand_blur() -> None:
    rng = np.random.default_rng(0)
    away = grid() @ [0, 0.6, 0.8]
    sharp = (0.8 * np.exp(-0.5 * (away / 2.5) ** 2)).astype(np.float32)
    noisy = sharp + 0.03 * rng.standard_normal(SHAPE).astype(np.float32)
    everywhere = np.ones(SHAPE, bool)
    mean = noisy[find_skeleton(noisy, everywhere) & (np.abs(away) < 4)].mean()
    assert mean == pytest.approx(0.8, abs=0.04)
    assert noisy[(noisy > 0.2)].mean() < 0.65
