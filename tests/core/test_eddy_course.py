"""The course of the head is told from noise and from terms, and real motion stays."""

from __future__ import annotations

import numpy as np
import pytest

from mriderived.core.eddy_course import follow_course
from mriderived.core.motion_measures import framewise_displacement

COUNT = 80
NOISE = 0.1
BASE = np.arange(COUNT) % 10 == 0
NO_TERMS = np.zeros((COUNT, 0)), np.zeros(0, int), np.zeros((0, 6))


def follow(seen: np.ndarray, most: float = 0.2, terms: tuple = NO_TERMS) -> np.ndarray:
    limits = np.where(BASE[:, None], 0.03, most) * np.ones((1, 6))
    sure = np.ones(COUNT, bool)
    return follow_course(seen, *terms, (~BASE).astype(int), limits, sure).head


def make_noise(seed: int) -> np.ndarray:
    noise = NOISE * np.random.default_rng(seed).standard_normal((COUNT, 6))
    noise[BASE] *= 0.1
    return noise


def rms(values: np.ndarray) -> float:
    return float(np.sqrt((values**2).mean()))


def measure(positions: np.ndarray) -> float:
    """Return the mean framewise displacement of positions in mm."""
    return float(np.nanmean(framewise_displacement(positions, radius=1.0)))


@pytest.mark.parametrize('seed', range(3))
def test_a_head_that_rests_does_not_tremble(seed: int) -> None:
    noise = make_noise(seed)
    assert measure(noise) > 0.5
    found = follow(noise)
    assert measure(found) < 0.02
    assert rms(found) < 0.02


@pytest.mark.parametrize('seed', range(3))
def test_drift_jumps_and_nods_stay(seed: int) -> None:
    rng = np.random.default_rng(10 + seed)
    head = np.linspace(0, 1, COUNT)[:, None] * rng.uniform(-1, 1, 6)
    head[30:] += rng.uniform(-1, 1, 6)
    head[[17, 52]] += 1.5
    found = follow(head + make_noise(seed))
    assert rms(found - head) < 0.05
    assert measure(found) == pytest.approx(measure(head), rel=0.1)
    # what was seen tells far more motion than there was
    assert measure(head + make_noise(seed)) > 1.8 * measure(head)
    assert np.abs(found[[17, 52]] - head[[17, 52]]).max() < 0.3


def test_a_head_that_never_rests_is_not_taken_for_noise() -> None:
    head = 1.0 * np.random.default_rng(0).standard_normal((COUNT, 6))
    found = follow(head + make_noise(0))
    assert measure(found) == pytest.approx(measure(head), rel=0.05)
    assert rms(found - head) < 1.1 * NOISE


def test_terms_are_told_from_the_head_and_only_where_they_can_be() -> None:
    rng = np.random.default_rng(3)
    columns = rng.standard_normal((COUNT, 3)) * ~BASE[:, None]
    amounts = np.zeros((3, 6))
    amounts[:, 0] = 0.4, -0.3, 0.2
    head = np.zeros((COUNT, 6))
    head[40:] = 2.0
    largest = np.tile([3.0, 0, 0, 0, 0, 0], (3, 1))
    limits = np.where(BASE[:, None], 0.03, 0.2) * np.ones((1, 6))
    course = follow_course(
        head + columns @ amounts + make_noise(1), columns, np.zeros(3, int), largest,
        (~BASE).astype(int), limits, np.ones(COUNT, bool),
    )  # fmt: skip
    np.testing.assert_allclose(course.amounts, amounts, atol=0.05)
    assert np.abs(course.amounts[:, 1:]).max() < 1e-3
    assert rms(course.head - head) < 0.03


def test_positions_that_are_not_believed_do_not_count() -> None:
    seen = make_noise(5)
    believed = np.ones(COUNT, bool)
    believed[[13, 44]] = False
    limits = np.where(BASE[:, None], 0.03, 0.2) * np.ones((1, 6))
    groups = (~BASE).astype(int)
    one = follow_course(seen, *NO_TERMS, groups, limits, believed).head
    seen[[13, 44]] = 50.0
    other = follow_course(seen, *NO_TERMS, groups, limits, believed).head
    np.testing.assert_allclose(one, other, atol=1e-9)
    assert np.abs(other).max() < 0.1
