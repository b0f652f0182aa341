"""EPI and T1w of one synthetic brain: known shifts and turns are found again.

The cost is flat where every contrast is far beyond its slope, as in a synthetic brain: with voxels
of 3 mm, the root mean square distance ends below 0.6 mm.
"""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from mriderived.core import boundary_registration, mutual_information
from mriderived.core.boundary_registration import find_boundary, register_boundary
from mriderived.core.mutual_information import register_rigid
from mriderived.core.rigid_search import RADIUS, to_matrix

Array = NDArray[np.float64]
#: Half-axes of the brain in mm, and its centre in the T1w.
HALF = np.array([52.0, 64.0, 46.0])
CENTRE = np.array([3.0, -12.0, 8.0])
T1W_SHAPE, T1W_MM = (64, 76, 56), 2.0
EPI_SHAPE, EPI_MM = (42, 50, 38), 3.0


class Brain(NamedTuple):
    """Fractions of the tissues, shape of the grid."""

    grey: NDArray[np.float32]
    white: NDArray[np.float32]
    fluid: NDArray[np.float32]


def make_grid(shape: tuple[int, ...], size: float, centre: Array) -> Array:
    affine = np.diag([-size, size, size, 1.0])
    affine[:3, 3] = centre - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return affine


def draw(shape: tuple[int, ...], affine: Array, matrix: Array) -> Brain:
    """Draw the folded brain that ``matrix`` has moved from its place in the T1w (mm)."""
    back = np.linalg.inv(matrix) @ affine
    voxels = np.indices(shape).reshape(3, -1)
    x, y, z = ((back[:3, :3] @ voxels).T + back[:3, 3] - CENTRE).T.reshape(3, *shape)
    radius = np.sqrt((x / HALF[0]) ** 2 + (y / HALF[1]) ** 2 + (z / HALF[2]) ** 2) + 1e-9
    folds = np.sin(x / 4 + 1) * np.cos(y / 4.5) + np.sin(z / 4 + y / 9 + 2) * np.cos(x / 9)
    depth = (1 - radius - 0.02 * x / HALF[0]) * HALF.mean()

    def inside(distance: Array) -> NDArray[np.float32]:
        return np.asarray(1 / (1 + np.exp(-distance / 0.5)), np.float32)

    brain = inside(depth)
    cortex = inside(depth - 5 + 3.3 * folds)
    white = inside(depth - 11.5 + 3.3 * folds)
    ventricle = inside(10 - np.sqrt((x / 1) ** 2 + (y / 2.4) ** 2 + ((z - 4) / 0.9) ** 2))
    white = white * (1 - ventricle)
    grey = (cortex - white - ventricle).clip(0)
    return Brain(grey, white, (brain - grey - white).clip(0))


@pytest.fixture(scope='module')
def t1w() -> tuple[Brain, Array]:
    affine = make_grid(T1W_SHAPE, T1W_MM, np.add(CENTRE, [4, 0, -3]))
    return draw(T1W_SHAPE, affine, np.eye(4)), affine


def make_t1w(brain: Brain) -> NDArray[np.float32]:
    return np.asarray(70 * brain.grey + 110 * brain.white + 20 * brain.fluid, np.float32)


def make_epi(
    matrix: Array, shape: tuple[int, int, int] = EPI_SHAPE, above: float = 0.0
) -> tuple[NDArray[np.float32], Array]:
    """Draw the EPI, each voxel the mean of 27 points: contrasts are inverted, noise is added."""
    centre = np.add(CENTRE, [0, 0, above])
    fine = make_grid(tuple(3 * n for n in shape), EPI_MM / 3, centre)
    brain = draw(tuple(3 * n for n in shape), fine, matrix)
    epi = 560 * brain.grey + 500 * brain.white + 900 * brain.fluid
    epi = epi.reshape(shape[0], 3, shape[1], 3, shape[2], 3).mean(axis=(1, 3, 5))
    epi *= np.linspace(0.9, 1.1, shape[1])[:, None]
    noise = np.random.default_rng(0).normal(0, 6, shape)
    return np.asarray(np.abs(epi + noise), np.float32), make_grid(shape, EPI_MM, centre)


def make_truth(degrees: float = 5.0, mm: float = 5.0) -> Array:
    turn = np.radians(degrees) * np.array([0.8, -0.36, 0.48]) * RADIUS
    shift = mm * np.array([0.48, 0.6, -0.64])
    return to_matrix(np.concatenate([shift, turn]), CENTRE)


def distance(found: Array, truth: Array) -> float:
    """Return the root mean square distance in mm between two images of points of the brain."""
    signs = np.array(list(product((-1, 0, 1), repeat=3)))
    points = CENTRE + 0.75 * signs / np.maximum(np.linalg.norm(signs, axis=1), 1)[:, None] * HALF
    apart = (found - truth)[:3, :3] @ points.T + (found - truth)[:3, 3:]
    return float(np.sqrt(np.square(apart).sum(axis=0).mean()))


def test_the_turn_and_shift_of_these_tests_are_those_they_say() -> None:
    truth = make_truth()
    assert np.linalg.norm(truth[:3, :3] @ CENTRE + truth[:3, 3] - CENTRE) == pytest.approx(5)
    angle = np.arccos((np.trace(truth[:3, :3]) - 1) / 2)
    assert np.degrees(angle) == pytest.approx(5, abs=0.2)


def test_an_inverted_contrast_is_found_by_information_and_then_by_boundaries(
    t1w: tuple[Brain, Array],
) -> None:
    brain, affine = t1w
    truth = make_truth()
    epi, epi_affine = make_epi(truth)
    mask = sum(brain) > 0.5
    rough = register_rigid(make_t1w(brain), affine, mask, epi, epi_affine)
    assert distance(rough.matrix, truth) < 1.5
    assert rough.information > 0.1
    boundary = find_boundary(brain.grey, brain.white, affine)
    fine = register_boundary(boundary, epi, epi_affine, rough.matrix)
    assert distance(fine.matrix, truth) < 0.6
    assert fine.cost < 0.05
    assert fine.contrast == pytest.approx(200 * 60 / 1060, abs=2)


def test_a_slab_that_holds_a_part_of_the_brain_is_found(t1w: tuple[Brain, Array]) -> None:
    brain, affine = t1w
    truth = make_truth()
    epi, epi_affine = make_epi(truth, (*EPI_SHAPE[:2], 18), above=14.0)
    mask = sum(brain) > 0.5
    rough = register_rigid(make_t1w(brain), affine, mask, epi, epi_affine)
    boundary = find_boundary(brain.grey, brain.white, affine)
    fine = register_boundary(boundary, epi, epi_affine, rough.matrix)
    assert distance(fine.matrix, truth) < 0.6


def test_boundaries_alone_find_the_way_back_from_3_mm(t1w: tuple[Brain, Array]) -> None:
    brain, affine = t1w
    epi, epi_affine = make_epi(np.eye(4))
    boundary = find_boundary(brain.grey, brain.white, affine)
    fine = register_boundary(boundary, epi, epi_affine, make_truth(2.0, 3.0))
    assert distance(fine.matrix, np.eye(4)) < 0.6


def test_normals_lead_from_white_to_grey_matter(t1w: tuple[Brain, Array]) -> None:
    brain, affine = t1w
    boundary = find_boundary(brain.grey, brain.white, affine)
    assert len(boundary.points) > boundary_registration.MIN_POINTS
    np.testing.assert_allclose(np.linalg.norm(boundary.normals, axis=1), 1, atol=1e-6)
    inverse = np.linalg.inv(affine)
    places = (boundary.points + 2 * boundary.normals) @ inverse[:3, :3].T + inverse[:3, 3]
    there = brain.grey[tuple(np.rint(places).astype(int).T)]
    assert there.min() > 0.5


def test_a_brain_without_white_matter_has_no_boundary() -> None:
    nothing = np.zeros((10, 10, 10), np.float32)
    with pytest.raises(ValueError, match='no boundary of white and grey matter'):
        find_boundary(nothing, nothing, np.eye(4))


def test_without_contrast_the_cost_is_one(t1w: tuple[Brain, Array]) -> None:
    brain, affine = t1w
    boundary = find_boundary(brain.grey, brain.white, affine)
    flat = np.full(EPI_SHAPE, 7, np.float32)
    found = register_boundary(boundary, flat, make_grid(EPI_SHAPE, EPI_MM, CENTRE), np.eye(4))
    assert found.cost == pytest.approx(1, abs=1e-6)
    assert found.contrast == pytest.approx(0, abs=1e-6)


def test_images_that_are_apart_are_refused() -> None:
    ball = np.zeros((12, 12, 12), bool)
    ball[3:9, 3:9, 3:9] = True
    here = np.diag([4.0, 4, 4, 1])
    flat = np.ones(ball.shape, np.float32)
    with pytest.raises(ValueError, match='do not overlap: look at their orientation'):
        register_rigid(np.where(ball, 5, 0).astype(np.float32), here, ball, flat, here)
    assert mutual_information.MIN_OVERLAP == 0.25


def test_registration_gives_the_same_matrix_again(t1w: tuple[Brain, Array]) -> None:
    brain, affine = t1w
    epi, epi_affine = make_epi(make_truth(2.0, 2.0))
    boundary = find_boundary(brain.grey, brain.white, affine)
    first, second = (register_boundary(boundary, epi, epi_affine, np.eye(4)) for _ in range(2))
    np.testing.assert_array_equal(first.matrix, second.matrix)
