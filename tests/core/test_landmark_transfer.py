"""Landmarks brought from a template: what is refined, what stays, what is outside."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from mriderived.core.landmark_transfer import (
    MOST_SHIFT_MM,
    Start,
    make_probes,
    place_landmark,
    read_probes,
)
from mriderived.core.landmarks import cut_patch

AFFINE = np.eye(4)
CENTRE = np.full(3, 25.0)
SHIFT = np.array([1, -0.7, 0.4])


@pytest.fixture(scope='module')
def lumps() -> np.ndarray:
    noise = np.random.default_rng(0).normal(size=(50, 50, 50))
    return (100 + 300 * ndimage.gaussian_filter(noise, 2.5)).astype(np.float32)


def test_probes_tell_place_and_linear_part() -> None:
    matrix = np.array([[1.1, 0.1, 0], [-0.1, 0.9, 0.05], [0, 0.02, 1.0]])
    points = np.random.default_rng(1).uniform(-50, 50, (4, 3))
    starts = read_probes(make_probes(points) @ matrix.T + [3, 2, 1])
    for point, start in zip(points, starts, strict=True):
        assert np.allclose(start.position, matrix @ point + [3, 2, 1])
        assert np.allclose(start.linear, matrix)


def test_a_pattern_nearby_is_found(lumps: np.ndarray) -> None:
    patch = cut_patch(lumps, AFFINE, CENTRE)
    found = place_landmark(lumps, AFFINE, Start(CENTRE + SHIFT, np.eye(3)), patch)
    assert found.is_refined and found.correlation > 0.99
    assert np.linalg.norm(found.position - CENTRE) < 0.1
    assert np.allclose(found.transferred, CENTRE + SHIFT)


def test_a_pattern_far_away_is_another_one(lumps: np.ndarray) -> None:
    patch = cut_patch(lumps, AFFINE, CENTRE)
    start = CENTRE + np.array([MOST_SHIFT_MM + 1, 0, 0])
    found = place_landmark(lumps, AFFINE, Start(start, np.eye(3)), patch)
    assert not found.is_refined
    assert np.allclose(found.position, start)


def test_without_a_pattern_a_landmark_stays(lumps: np.ndarray) -> None:
    found = place_landmark(lumps, AFFINE, Start(CENTRE, np.eye(3)))
    assert not found.is_refined and np.isnan(found.correlation)
    assert np.allclose(found.position, CENTRE)


def test_outside_of_the_image(lumps: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r'landmark at \(25\.0, 25\.0, 49\.5\) mm is outside'):
        place_landmark(lumps, AFFINE, Start(np.array([25.0, 25, 49.5]), np.eye(3)))
