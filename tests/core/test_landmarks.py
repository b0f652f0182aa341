"""The commissures of a synthetic head: found where they are, and moving with the head."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

from mriderived.core.landmarks import TEMPLATE, Patch, cut_patch, refine_landmark
from mriderived.phantom.anatomy import load_anatomy
from mriderived.phantom.deformation import HIGH, LOW, SPACING, Deformation, draw_field, draw_matrix
from mriderived.phantom.head import MEANS
from mriderived.phantom.rendering import render

HALF = np.array([22.0, 34.0, 22.0])
LANDMARKS = {name: np.array(place) for name, place in TEMPLATE.items()}
NODES = tuple(int((b - a) / SPACING) + 1 for a, b in zip(LOW, HIGH, strict=True))
STILL = np.zeros((3, *NODES), np.float32)


class Box(NamedTuple):
    image: np.ndarray
    affine: np.ndarray
    truth: dict[str, np.ndarray]


def draw(warp: Deformation, noise: float = 0.0, seed: int = 0, voxel: float = 1.0) -> Box:
    """Render a box around the commissures of a head."""
    truth = {name: warp.from_template(place) for name, place in LANDMARKS.items()}
    affine = np.diag([voxel, voxel, voxel, 1.0])
    affine[:3, 3] = np.round((truth['AC'] + truth['PC']) / 2) - HALF + 0.3
    x, y, z = (int(n) for n in 2 * HALF / voxel)
    image = render(load_anatomy(), warp, affine, (x, y, z), MEANS).intensity
    noisy = image + np.random.default_rng(seed).normal(0, noise * MEANS[1], image.shape)
    return Box(noisy.astype(np.float32), affine, truth)


@pytest.fixture(scope='module')
def patches() -> dict[str, Patch]:
    box = draw(Deformation(np.eye(4), STILL))
    return {name: cut_patch(box.image, box.affine, place) for name, place in LANDMARKS.items()}


def move(seed: int, *, flip: bool = False) -> np.ndarray:
    return draw_matrix(np.random.default_rng([seed, 1]), 0.95, flip=flip)


@pytest.mark.parametrize('name', ['AC', 'PC'])
def test_landmarks_of_the_template_move_with_the_head(
    name: str, patches: dict[str, Patch]
) -> None:
    rng = np.random.default_rng(0)
    for seed in range(3):
        warp = Deformation(move(seed), STILL)
        box = draw(warp, noise=0.025, seed=seed)
        start = box.truth[name] + rng.uniform(-2, 2, 3)
        linear = np.linalg.inv(warp.matrix[:3, :3])
        found = refine_landmark(box.image, box.affine, start, patches[name], linear)
        assert np.linalg.norm(found.position - box.truth[name]) < 0.2
        assert found.is_found and found.correlation > 0.95


@pytest.mark.parametrize('name', ['AC', 'PC'])
def test_a_warped_head_that_moves_or_is_flipped(name: str, patches: dict[str, Patch]) -> None:
    """The warp shifts what fits best; that shift is the same however the head lies."""
    field = draw_field(np.random.default_rng([5, 2]))
    errors = []
    for seed, flip in ((1, False), (2, False), (3, True), (4, True)):
        warp = Deformation(move(seed, flip=flip), field)
        box = draw(warp, noise=0.025, seed=seed)
        linear = np.linalg.inv(warp.matrix[:3, :3])
        found = refine_landmark(
            box.image, box.affine, box.truth[name] + 0.8, patches[name], linear
        )
        assert np.linalg.norm(found.position - box.truth[name]) < 0.6
        errors.append(warp.matrix[:3, :3] @ (found.position - box.truth[name]))
    spread = np.linalg.norm(errors - np.mean(errors, axis=0), axis=1)
    assert spread.max() < 0.3


def test_axes_of_storage_do_not_matter(patches: dict[str, Patch]) -> None:
    box = draw(Deformation(move(1), STILL), noise=0.02)
    start = box.truth['AC'] + (1, -1, 0.5)
    usual = refine_landmark(box.image, box.affine, start, patches['AC'])
    turned = np.ascontiguousarray(np.transpose(box.image[::-1], (2, 0, 1)))
    change = np.zeros((4, 4))
    change[0, 1], change[0, 3] = -1, box.image.shape[0] - 1
    change[1, 2] = change[2, 0] = change[3, 3] = 1
    other = refine_landmark(turned, box.affine @ change, start, patches['AC'])
    assert np.linalg.norm(usual.position - other.position) < 0.05


def test_coarser_voxels(patches: dict[str, Patch]) -> None:
    box = draw(Deformation(move(2), STILL), noise=0.02, voxel=1.5)
    for name, place in box.truth.items():
        found = refine_landmark(box.image, box.affine, place - 1, patches[name])
        assert np.linalg.norm(found.position - place) < 0.5


def test_what_is_not_there_does_not_fit(patches: dict[str, Patch]) -> None:
    noise = np.random.default_rng(0).normal(100, 10, (50, 50, 50)).astype(np.float32)
    found = refine_landmark(noise, np.eye(4), np.full(3, 25.0), patches['AC'])
    assert not found.is_found


def test_bad_places(patches: dict[str, Patch]) -> None:
    image = np.ones((30, 30, 30), np.float32)
    with pytest.raises(ValueError, match=r'landmark at \(-5\.0, 3\.0, 3\.0\) mm is outside'):
        refine_landmark(image, np.eye(4), np.array([-5.0, 3, 3]), patches['AC'])
    with pytest.raises(ValueError, match=r'ball around \(3\.0, 15\.0, 15\.0\) mm is not inside'):
        cut_patch(image, np.eye(4), np.array([3.0, 15, 15]))
