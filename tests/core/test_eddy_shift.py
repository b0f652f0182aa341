"""Shifts that follow the gradients are told from those of the head."""

from __future__ import annotations

import numpy as np
import pytest

from mriderived.core.eddy_shift import find_eddy_shift, remove_eddy_shift
from mriderived.core.gradient_table import Gradients, make_gradients
from mriderived.core.motion_measures import framewise_displacement

ALONG = np.array([0.0, 1.0, 0.0])


def make_table(weighted: int = 40) -> Gradients:
    rng = np.random.default_rng(0)
    directions = rng.standard_normal((weighted, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    b = np.r_[np.zeros(4), np.where(np.arange(weighted) % 2, 1000.0, 2000.0)]
    return make_gradients(b, np.vstack([np.zeros((4, 3)), directions]))


def draw_head(count: int) -> np.ndarray:
    rng = np.random.default_rng(1)
    steps = 0.02 * rng.standard_normal((count, 6))
    steps[:, 3:] *= 0.02
    return np.cumsum(steps, axis=0)


def test_planted_shift_is_found() -> None:
    table = make_table()
    head = draw_head(len(table))
    planted = np.sqrt(table.b / 2000) * (table.directions @ [0.4, -0.3, 0.2])
    seen = head.copy()
    seen[:, 1] += planted
    found = find_eddy_shift(seen, table, ALONG)
    assert np.sqrt(np.mean((found - planted) ** 2)) < 0.03
    assert not found[:4].any()
    truth = np.nanmean(framewise_displacement(head))
    wrong = np.nanmean(framewise_displacement(seen))
    right = np.nanmean(framewise_displacement(remove_eddy_shift(seen, found, ALONG)))
    assert wrong > 3 * truth
    assert right == pytest.approx(truth, rel=0.15)


def test_a_head_that_moves_once_is_left_moving() -> None:
    table = make_table()
    head = np.zeros((len(table), 6))
    head[20:, 1] = 2.0
    alone = remove_eddy_shift(head, find_eddy_shift(head, table, ALONG), ALONG)
    assert framewise_displacement(alone)[20] == pytest.approx(2.0, abs=0.5)


def test_few_volumes_are_left_as_they_are() -> None:
    table = make_table(10)
    seen = np.random.default_rng(0).standard_normal((len(table), 6))
    assert not find_eddy_shift(seen, table, ALONG).any()
