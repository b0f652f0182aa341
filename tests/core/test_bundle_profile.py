"""Profiles of bundles, on bundles whose way and whose map are known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from mriderived.core.bundle_profile import (
    NODES,
    find_core,
    measure_distances,
    orient_streamlines,
    profile_bundle,
    resample_streamlines,
)
from mriderived.core.streamlines import Streamlines, make_streamlines, measure_lengths


def draw_arc(count: int = 80, spread: float = 1.5, seed: int = 0) -> Streamlines:
    """Streamlines along half a circle of 30 mm, irregularly spaced points."""
    rng = np.random.default_rng(seed)
    lines = []
    for shift in rng.normal(0, spread, (count, 3)):
        angle = np.sort(np.r_[0, np.pi, rng.uniform(0, np.pi, 60)])
        circle = 30 * np.stack([np.cos(angle), np.sin(angle), np.zeros_like(angle)], 1)
        lines.append(circle + 40 + shift)
    return make_streamlines(lines)


def test_points_are_equally_spaced() -> None:
    lines = resample_streamlines(draw_arc(spread=0))
    steps = np.linalg.norm(np.diff(lines, axis=1), axis=2)
    assert lines.shape == (80, NODES, 3)
    assert steps.mean() == pytest.approx(np.pi * 30 / (NODES - 1), rel=0.01)
    assert steps.std() < 0.02 * steps.mean()


def test_ends_stay_and_single_points_are_no_fault() -> None:
    lines = make_streamlines([np.array([[1.0, 2, 3]]), np.array([[0.0, 0, 0], [0, 0, 9]])])
    found = resample_streamlines(lines, 4)
    assert np.array_equal(found[0], np.tile([1, 2, 3], (4, 1)))
    assert found[1, :, 2].tolist() == [0, 3, 6, 9]


def test_profile_is_the_map_along_the_arc() -> None:
    """The map rises from front to back: along the arc it is a cosine, whatever the spread."""
    ramp = np.arange(100, dtype=np.float32)[:, None, None] * np.ones((1, 100, 80), np.float32)
    lines = resample_streamlines(draw_arc(200))
    found = profile_bundle(lines, ramp, np.eye(4))
    expected = 40 + 30 * np.cos(np.linspace(0, np.pi, NODES))
    assert np.abs(found - expected).max() < 0.35


def test_profile_does_not_depend_on_the_direction_of_streamlines() -> None:
    rng = np.random.default_rng(1)
    lines = resample_streamlines(draw_arc())
    turned = rng.random(len(lines)) < 0.5
    mixed = orient_streamlines(lines, turned)
    volume = rng.random((90, 90, 80)).astype(np.float32)
    again = profile_bundle(orient_streamlines(mixed, turned), volume, np.eye(4))
    assert np.allclose(again, profile_bundle(lines, volume, np.eye(4)))


def test_profile_leaves_out_what_has_no_value() -> None:
    lines = resample_streamlines(draw_arc())
    volume = np.full((90, 90, 80), 2, np.float32)
    volume[:, 60:] = np.nan
    found = profile_bundle(lines, volume, np.eye(4))
    assert np.isnan(found[NODES // 2])
    assert found[0] == pytest.approx(2)


def test_strays_are_found_and_nothing_else() -> None:
    arc = resample_streamlines(draw_arc(100, spread=1.0))
    stray = resample_streamlines(draw_arc(3, seed=5)) + np.float32([0, 0, 14])
    lines = np.concatenate([arc, stray]).astype(np.float32)
    lengths = np.full(len(lines), 94.0)
    lengths[7] = 400
    kept = find_core(lines, lengths)
    assert not kept[100:].any()
    assert not kept[7]
    assert kept[:100].sum() >= 93


def test_distances_are_standard_deviations() -> None:
    rng = np.random.default_rng(2)
    lines = rng.normal(0, [1, 2, 3], (5000, 4, 3)).astype(np.float32)
    squares = measure_distances(lines) ** 2
    assert squares.mean() == pytest.approx(3, rel=0.01)
    flat: NDArray[np.float32] = np.zeros((20, 4, 3), np.float32)
    assert np.isfinite(measure_distances(flat)).all()


def test_lengths_are_those_of_the_arc() -> None:
    assert measure_lengths(draw_arc()).mean() == pytest.approx(np.pi * 30, rel=0.01)
