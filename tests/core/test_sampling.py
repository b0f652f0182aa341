"""Interpolation: exact for linear functions, defined beyond the edge, the same on any threads."""

import numpy as np
import pytest

from mriderived.core.sampling import compose, invert, pull, resample, warp

SHAPE = (14, 17, 12)
SLOPE = np.array([1.5, -0.75, 2.0])
#: Oblique: from voxels of the new grid to voxels of the volume.
MATRIX = np.array([[0.6, 0.1, 0, 2.1], [-0.1, 0.7, 0.05, 2.9], [0, 0.1, 0.5, 1.3], [0, 0, 0, 1]])


def _ramp(offset=4.0):
    return (np.tensordot(SLOPE, np.indices(SHAPE), axes=1) + offset).astype(np.float32)


def _field(seed=0, size=0.6):
    noise = np.random.default_rng(seed).uniform(-size, size, (3, *SHAPE))
    return noise.astype(np.float32)


def _at(voxels, offset=4.0):
    return np.tensordot(SLOPE, voxels, axes=1) + offset


def test_resampling_reproduces_a_linear_function():
    where = np.tensordot(MATRIX[:3, :3], np.indices((12, 14, 10)), axes=1)
    where += MATRIX[:3, 3, None, None, None]
    np.testing.assert_allclose(resample(_ramp(), MATRIX, (12, 14, 10)), _at(where), atol=1e-5)


def test_warping_reproduces_a_linear_function():
    field = _field()
    moved = np.indices(SHAPE) + field
    inside = _inside(moved)
    found = warp(_ramp(), field)
    assert inside.mean() > 0.6
    np.testing.assert_allclose(found[inside], _at(moved)[inside], atol=1e-5)
    assert not found[~inside].any()


def test_pulling_adds_the_displacement_after_the_matrix():
    slope = np.array([0.05, -0.04, 0.03], np.float32)
    field = slope[:, None, None, None] * np.indices(SHAPE, dtype=np.float32)
    where = np.tensordot(MATRIX[:3, :3], np.indices((9, 9, 9)), axes=1)
    where += MATRIX[:3, 3, None, None, None]
    expected = _at(where * (1 + slope[:, None, None, None]))
    found = pull(_ramp(), field, MATRIX, (9, 9, 9))
    np.testing.assert_allclose(found, expected, atol=2e-5)


def test_the_last_voxel_is_inside_and_a_hair_beyond_is_zero():
    ones = np.ones(SHAPE, np.float32)
    for axis in range(3):
        for edge, beyond in ((0.0, -1e-3), (SHAPE[axis] - 1.0, SHAPE[axis] - 1 + 1e-3)):
            for position, expected in ((edge, 1.0), (beyond, 0.0)):
                matrix = np.eye(4)
                matrix[axis, 3] = position
                assert resample(ones, matrix, (1, 1, 1)).item() == expected


def test_displacements_repeat_beyond_the_edge_of_their_grid():
    second = np.zeros((3, *SHAPE), np.float32)
    second[1, -1] = 0.5
    first = np.zeros_like(second)
    first[0] = 100
    assert (compose(first, second)[1] == 0.5).all()
    shift = np.zeros((3, *SHAPE), np.float32)
    shift[0] = 3
    outside = np.eye(4)
    outside[0, 3] = -2  # lands on voxel 1 after the displacement
    assert pull(_ramp(), shift, outside, (1, 1, 1)).item() == pytest.approx(_ramp()[1, 0, 0])


def test_composing_is_exact_for_linear_fields():
    grid = np.indices(SHAPE, dtype=np.float32)
    first, second = np.float32(0.02) * grid[[1, 2, 0]], np.float32(-0.03) * grid[[2, 0, 1]]
    moved = grid + first
    inside = _inside(moved)
    expected = first - np.float32(0.03) * moved[[2, 0, 1]]
    assert inside.mean() > 0.5
    np.testing.assert_allclose(compose(first, second)[:, inside], expected[:, inside], atol=1e-5)


def test_the_inverse_of_a_linear_field_is_that_of_its_matrix():
    matrix = np.array([[0.05, 0.04, 0], [-0.03, -0.06, 0.02], [0.01, 0, 0.08]])
    centre = (np.array(SHAPE) - 1) / 2
    away = np.indices(SHAPE) - centre[:, None, None, None]
    field = np.einsum('ab,bxyz->axyz', matrix, away).astype(np.float32)
    expected = np.einsum('ab,bxyz->axyz', np.linalg.inv(np.eye(3) + matrix) - np.eye(3), away)
    inner = (slice(None), *((slice(2, -2),) * 3))
    np.testing.assert_allclose(invert(field)[inner], expected[inner], atol=1e-4)


def test_any_number_of_threads_gives_the_same_bits():
    volume = np.random.default_rng(1).random(SHAPE, np.float32)
    field, other = _field(2), _field(3)
    for call in (
        lambda threads: resample(volume, MATRIX, SHAPE, threads),
        lambda threads: warp(volume, field, MATRIX, threads),
        lambda threads: pull(volume, field, MATRIX, SHAPE, threads),
        lambda threads: compose(field, other, threads),
        lambda threads: invert(field, 5, threads),
    ):
        assert np.array_equal(call(1), call(3))


def _inside(voxels):
    limits = np.array(SHAPE)[:, None, None, None] - 1
    return ((voxels >= 0) & (voxels <= limits)).all(axis=0)
