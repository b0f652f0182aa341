"""Positions of volumes: the head, what follows the gradients, and how precise they are."""

from __future__ import annotations

import numpy as np
import pytest
from dwi_phantoms import CENTRE, draw_volume, make_affine

from mriderived.core.eddy_head import Positions, follow_head, remove_eddy_shift
from mriderived.core.eddy_levels import Pose, align, observe, prepare_levels
from mriderived.core.eddy_precision import find_spreads
from mriderived.core.gradient_table import Gradients, make_gradients
from mriderived.core.motion_measures import framewise_displacement
from mriderived.core.rigid import rigid_matrix, rigid_parameters

ALONG = np.array([0.0, 1.0, 0.0])


def make_table(weighted: int = 40) -> Gradients:
    rng = np.random.default_rng(0)
    directions = rng.standard_normal((weighted, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    b = np.r_[np.zeros(4), np.where(np.arange(weighted) % 2, 1000.0, 2000.0)]
    return make_gradients(b, np.vstack([np.zeros((4, 3)), directions]))


def follow(moves: np.ndarray, table: Gradients) -> tuple[np.ndarray, np.ndarray]:
    """Return the parameters of the head alone, and the shift."""
    poses = [Pose(rigid_matrix(move, CENTRE), np.zeros(3), 1) for move in moves]
    spreads = np.full((len(table), 6), 0.01)
    spreads[:, 3:] /= 50
    positions = Positions(poses, spreads, np.ones(len(table), bool))
    found, shift = follow_head(positions, table, table.directions, ALONG, CENTRE)
    parameters = rigid_parameters(np.stack([pose.matrix for pose in found]), CENTRE)
    return remove_eddy_shift(parameters, shift, ALONG), shift


def test_a_planted_shift_is_found_and_a_walk_stays() -> None:
    table = make_table()
    rng = np.random.default_rng(1)
    steps = 0.02 * rng.standard_normal((len(table), 6))
    steps[:, 3:] *= 0.02
    head = np.cumsum(steps, axis=0)
    planted = np.sqrt(table.b / 2000) * (table.directions @ [0.4, -0.3, 0.2])
    seen = head.copy()
    seen[:, 1] += planted
    alone, shift = follow(seen, table)
    assert np.sqrt(np.mean((shift - planted) ** 2)) < 0.02
    assert not shift[:4].any()
    truth = np.nanmean(framewise_displacement(head))
    assert np.nanmean(framewise_displacement(seen)) > 3 * truth
    assert np.nanmean(framewise_displacement(alone)) == pytest.approx(truth, rel=0.25)


def test_a_head_that_moves_once_is_left_moving() -> None:
    table = make_table()
    head = np.zeros((len(table), 6))
    head[20:, 1] = 2.0
    alone, shift = follow(head, table)
    displacement = framewise_displacement(alone)
    assert displacement[20] == pytest.approx(2.0, abs=0.05)
    assert np.delete(displacement, [0, 20]).max() < 0.01
    assert np.abs(shift).max() < 0.02


def test_few_volumes_are_left_as_they_are() -> None:
    table = make_table(10)
    seen = 0.01 * np.random.default_rng(0).standard_normal((len(table), 6))
    alone, shift = follow(seen, table)
    np.testing.assert_allclose(alone, seen, atol=1e-12)
    assert not shift.any()


def test_spreads_are_those_of_repeated_registrations() -> None:
    shape, affine = (30, 34, 22), make_affine((30, 34, 22), 6.4)
    args = (np.eye(4), np.zeros(3), 1, 1000.0, np.array([0.6, 0, 0.8]))
    clean = draw_volume(shape, affine, *args)
    level = prepare_levels(shape, affine, (clean > 20).astype(np.float32))[-1]
    start = Pose(np.eye(4), np.zeros(3), 1)
    value, slopes = observe(level, clean, start)
    rng = np.random.default_rng(0)
    repeats = 40
    noisy = [clean + 8 * rng.standard_normal(shape).astype(np.float32) for _ in range(repeats)]
    found = [align(level, each, value, slopes, level.weights, start, 5).pose for each in noisy]
    moves = rigid_parameters(np.stack([pose.matrix for pose in found]), CENTRE)
    predicted = np.repeat(value[None], repeats, axis=0), np.repeat(slopes[None], repeats, axis=0)
    spreads = find_spreads(
        noisy.__getitem__, np.arange(repeats), level, found, predicted, level.weights, 1
    )
    # neighbouring blocks share some noise, for volumes are interpolated
    ratio = np.median(spreads, axis=0) / moves.std(axis=0)
    assert ((ratio > 0.5) & (ratio < 1.2)).all()
