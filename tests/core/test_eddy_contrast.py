"""Motion and eddy currents that follow the directions as a tensor does are taken away."""

import numpy as np
import pytest

from mriderived.core.eddy_contrast import explain, remove_feigned, tensor_terms
from mriderived.core.eddy_levels import Pose
from mriderived.core.rigid import rigid_matrix, rigid_parameters

CENTRE = np.array([1.0, -8, 5])


def spread(count: int, rng: np.random.Generator) -> np.ndarray:
    vectors = rng.standard_normal((count, 3))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def walk(count: int, rng: np.random.Generator) -> np.ndarray:
    """Return a head that lies still but for a slow drift, and jumps twice."""
    steps = 0.02 * rng.standard_normal((count, 6))
    steps[[count // 3, count // 2]] += rng.uniform(-1, 1, (2, 6))
    return np.cumsum(steps, axis=0) * ([1.0] * 3 + [np.radians(1)] * 3)


@pytest.mark.parametrize('seed', range(4))
def test_what_is_feigned_goes_and_what_the_head_did_stays(seed: int) -> None:
    rng = np.random.default_rng(seed)
    count = 48
    fresh = np.arange(count) % 8 > 0
    directions = spread(int(fresh.sum()), rng)
    true = walk(count, rng)
    eddy = directions @ rng.standard_normal((3, 3))
    feigned = tensor_terms(directions) @ rng.standard_normal((6, 9))
    feigned *= [0.2] * 3 + [np.radians(0.2)] * 3 + [0.2] * 3
    found = np.zeros((count, 9))
    found[:, :6] = true
    found[fresh, 6:] = eddy
    found[fresh] += feigned
    poses = [Pose(rigid_matrix(row[:6], CENTRE), row[6:], 1) for row in found]
    everywhere = np.zeros((count, 3))
    everywhere[fresh] = directions
    b = np.where(fresh, 2000.0, 0.0)
    settled = remove_feigned(poses, fresh.astype(int), b, everywhere, everywhere, CENTRE)
    for n in np.flatnonzero(~fresh):
        np.testing.assert_allclose(settled[n].matrix, poses[n].matrix)
    settled = [settled[n] for n in np.flatnonzero(fresh)]
    left = rigid_parameters(np.stack([pose.matrix for pose in settled]), CENTRE) - true[fresh]
    assert np.sqrt((feigned[:, :3] ** 2).mean()) > 0.1
    assert np.sqrt((left[:, :3] ** 2).mean()) < 0.05  # mm
    assert np.degrees(np.sqrt((left[:, 3:] ** 2).mean())) < 0.05
    wrong = np.stack([pose.eddy for pose in settled]) - eddy
    assert np.sqrt((wrong**2).mean()) < 0.02  # voxels


def test_a_head_that_never_rests_is_left_about_as_it_was_found() -> None:
    rng = np.random.default_rng(0)
    directions = spread(30, rng)
    true = rng.standard_normal((30, 6)) * ([1.0] * 3 + [np.radians(1)] * 3)
    poses = [Pose(rigid_matrix(row, CENTRE), np.zeros(3), 1) for row in true]
    shell, b = np.ones(30, int), np.full(30, 1000.0)
    settled = remove_feigned(poses, shell, b, directions, directions, CENTRE)
    change = rigid_parameters(np.stack([pose.matrix for pose in settled]), CENTRE) - true
    assert np.sqrt((change[:, :3] ** 2).mean()) < 0.1  # mm, of steps of more than 1 mm


def test_few_volumes_stay_as_they_are() -> None:
    rng = np.random.default_rng(0)
    poses = [Pose(rigid_matrix(row, CENTRE), np.ones(3), 1) for row in rng.random((11, 6))]
    directions = spread(11, rng)
    shell, b = np.ones(11, int), np.full(11, 1000.0)
    same = remove_feigned(poses, shell, b, directions, directions, CENTRE)
    assert all(one is other for one, other in zip(same, poses, strict=True))


def test_values_that_do_not_tell_leave_coefficients_at_0() -> None:
    rng = np.random.default_rng(1)
    terms = rng.standard_normal((20, 3))
    assert np.abs(explain(10 * rng.standard_normal(20), terms, 0.1)).max() < 0.02
