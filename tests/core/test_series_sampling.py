"""One interpolation: identity, known transforms, distortion, deformation and the field of view."""

import numpy as np
import pytest
from bold_phantoms import CENTRE, draw_head, make_affine, make_motion
from scipy import ndimage

from mriderived.core.rigid import rigid_matrix
from mriderived.core.sampling import jacobian
from mriderived.core.series_route import Deformation, Distortion, plan_route
from mriderived.core.series_sampling import resample_series

SHAPE, VOXEL = (48, 56, 34), (3.6, 3.6, 4.0)
AFFINE = make_affine(SHAPE, VOXEL)
STILL = np.eye(4)
#: Of about 600. The outer edge of the phantom is sharper than its voxels and is left out.
CLOSE, CLOSE_ON_AVERAGE = 20.0, 1.5


def _one(volume, matrix, route, threads=1):
    (found,) = resample_series([volume], [matrix], route, threads)
    return found


def _covered(matrices, route):
    """Return what lies in the field of view of every volume."""
    ones = [np.ones(route.size, np.float32)] * len(matrices)
    return np.all([volume > 0.5 for volume in resample_series(ones, matrices, route)], axis=0)


def _inside(shape=SHAPE, affine=AFFINE, matrix=STILL):
    return ndimage.binary_erosion(draw_head(shape, affine, matrix) > 250, iterations=2)


def _bump(size=3.0):
    """Return a smooth displacement along an axis, and its grid."""
    i, j, k = (np.indices(SHAPE, np.float32) + 0.5) / np.array(SHAPE)[:, None, None, None]
    return (size * np.sin(np.pi * i) * np.sin(np.pi * j) ** 2 * np.sin(np.pi * k)).astype(
        np.float32
    )


def test_identity_is_exact() -> None:
    volume = np.random.default_rng(0).random(SHAPE, np.float32)
    route = plan_route(SHAPE, AFFINE, SHAPE, AFFINE)
    assert np.abs(_one(volume, STILL, route) - volume).max() < 1e-4
    assert _covered([STILL], route).all()


def test_motion_is_undone() -> None:
    route = plan_route(SHAPE, AFFINE, SHAPE, AFFINE)
    resting = draw_head(SHAPE, AFFINE)
    matrices = [rigid_matrix(each, CENTRE) for each in make_motion(4)]
    volumes = [draw_head(SHAPE, AFFINE, matrix) for matrix in matrices]
    seen = _covered(matrices, route) & _inside()
    for volume, found in zip(volumes, resample_series(volumes, matrices, route), strict=True):
        before = np.abs(volume - resting)[seen].mean()
        after = np.abs(found - resting)[seen]
        assert after.mean() < min(0.05 * before, CLOSE_ON_AVERAGE)
        assert after.max() < CLOSE


def test_the_way_to_another_space_is_one_matrix() -> None:
    to_series = rigid_matrix(np.array([5, -7, 4, 0.1, -0.15, 0.2]), CENTRE)
    shape, voxel = (60, 70, 52), (2.7, 2.7, 2.7)
    there = make_affine(shape, voxel)
    move = rigid_matrix(make_motion(3)[1], CENTRE)
    route = plan_route(shape, there, SHAPE, AFFINE, to_series)
    found = _one(draw_head(SHAPE, AFFINE, move), move, route)
    expected = draw_head(shape, there, np.linalg.inv(to_series))
    covered = _covered([move], route)
    assert 0.5 < covered.mean() < 1
    assert not found[~covered].any()
    inside = covered & _inside(shape, there, np.linalg.inv(to_series))
    assert np.abs(found - expected)[inside].mean() < CLOSE_ON_AVERAGE
    assert np.abs(found - expected)[inside].max() < CLOSE


@pytest.mark.parametrize('axis', [0, 1, 2])
def test_distortion_is_taken_along_the_axis_of_the_scanner(axis: int) -> None:
    # drawn: the head moves first, then the scanner shifts what it sees along its own axis
    shift = np.full(SHAPE, 2.3, np.float32)
    move = rigid_matrix(np.array([1, 2, -1, 0.05, -0.04, 0.06]), CENTRE)
    along = np.eye(4)
    along[:3, 3] = AFFINE[:3, axis] * 2.3
    seen = draw_head(SHAPE, AFFINE, along @ move)
    route = plan_route(SHAPE, AFFINE, SHAPE, AFFINE, distortion=Distortion(shift, axis))
    covered = _covered([move], route) & _inside()
    error = np.abs(_one(seen, move, route) - draw_head(SHAPE, AFFINE))[covered]
    assert error.mean() < CLOSE_ON_AVERAGE
    assert error.max() < CLOSE


def test_modulation_gives_back_what_distortion_has_squeezed() -> None:
    shift = _bump()
    plain = draw_head(SHAPE, AFFINE)
    # what the scanner sees at u + shift(u), with the signal kept: solve for u at every voxel
    grid = np.arange(SHAPE[1], dtype=float)
    seen = np.zeros(SHAPE, np.float32)
    slope = np.gradient(shift, axis=1)
    for i in range(SHAPE[0]):
        for k in range(SHAPE[2]):
            origin = np.interp(grid, grid + shift[i, :, k], grid)
            signal = np.interp(origin, grid, plain[i, :, k])
            seen[i, :, k] = signal / (1 + np.interp(origin, grid, slope[i, :, k]))
    routes = {
        modulate: plan_route(
            SHAPE, AFFINE, SHAPE, AFFINE, distortion=Distortion(shift, 1), modulate=modulate
        )
        for modulate in (False, True)
    }
    inside = plain > 500
    errors = {
        modulate: np.abs(_one(seen, STILL, route) - plain)[inside].mean()
        for modulate, route in routes.items()
    }
    assert errors[True] < 0.01 * plain[inside].mean()
    assert errors[False] > 5 * errors[True]


def test_a_deformation_is_composed_with_the_matrix() -> None:
    grid_shape = (30, 36, 28)
    grid = make_affine(grid_shape, (5.6, 5.6, 5.0))
    i, j, k = (
        np.indices(grid_shape, np.float32) / np.array(grid_shape, np.float32)[:, None, None, None]
    )
    field = np.stack(
        [1.2 * np.sin(3 * j), -0.9 * np.cos(2 * k + i), 0.8 * np.sin(2 * i + j)]
    ).astype(np.float32)
    assert jacobian(field).min() > 0.5
    to_series = rigid_matrix(np.array([3, -2, 4, 0.05, 0.1, -0.05]), CENTRE)
    route = plan_route(
        SHAPE, AFFINE, SHAPE, AFFINE, to_series, deformation=Deformation(field, grid)
    )
    # the same by hand at one voxel that is a node of neither grid
    voxel = np.array([20, 31, 17, 1.0])
    node = (np.linalg.inv(grid) @ AFFINE @ voxel)[:3]
    low = np.floor(node).astype(int)
    part = node - low
    moved = node.copy()
    for a in range(3):
        for corner in np.ndindex(2, 2, 2):
            weight = np.prod(np.where(corner, part, 1 - part))
            moved[a] += weight * field[(a, *(low + corner))]
    by_hand = np.linalg.inv(AFFINE) @ to_series @ grid @ [*moved, 1]
    np.testing.assert_allclose(route.points[:, 20, 31, 17], by_hand[:3], atol=1e-4)


def test_what_lies_outside_is_zero_in_every_volume() -> None:
    volume = np.full((10, 10, 10), 7, np.float32)
    route = plan_route((10, 10, 10), np.eye(4), (10, 10, 10), np.eye(4))
    moves = np.stack([np.eye(4)] * 2)
    moves[1, 2, 3] = 2.0
    first, second = resample_series([volume, volume], moves, route)
    assert (first > 6.99).all()
    assert not second[..., 8:].any()
    np.testing.assert_allclose(second[..., :8], 7, rtol=1e-5)


def test_it_reads_and_writes_a_few_volumes_at_a_time() -> None:
    route = plan_route((6, 6, 6), np.eye(4), (6, 6, 6), np.eye(4))
    taken: list[int] = []

    def read():
        for index in range(20):
            taken.append(index)
            yield np.full((6, 6, 6), index, np.float32)

    stream = resample_series(read(), [STILL] * 20, route, threads=2)
    assert next(stream).mean() == pytest.approx(0)
    assert len(taken) <= 3
    assert [round(float(volume.mean())) for volume in stream] == list(range(1, 20))


def test_any_number_of_threads_gives_the_same_bits() -> None:
    rng = np.random.default_rng(1)
    volumes = [rng.random(SHAPE, np.float32) for _ in range(4)]
    matrices = [rigid_matrix(each, CENTRE) for each in make_motion(4)]
    found = []
    for threads in (1, 3):
        route = plan_route(
            SHAPE,
            AFFINE,
            SHAPE,
            AFFINE,
            rigid_matrix(np.full(6, 0.1), CENTRE),
            distortion=Distortion(_bump(), 1),
            modulate=True,
            threads=threads,
        )
        found.append(np.stack(list(resample_series(volumes, matrices, route, threads))))
    assert np.array_equal(found[0], found[1])


def test_voxels_that_are_not_finite_count_as_zero() -> None:
    volume = np.ones((8, 8, 8), np.float32)
    volume[0, 0, 0] = np.nan
    route = plan_route((8, 8, 8), np.eye(4), (8, 8, 8), np.eye(4))
    found = _one(volume, STILL, route)
    assert found[0, 0, 0] == pytest.approx(0, abs=1e-5)
    assert np.delete(found.ravel(), 0) == pytest.approx(1, abs=1e-5)


def test_what_does_not_match_is_refused() -> None:
    route = plan_route((6, 6, 6), np.eye(4), (6, 6, 6), np.eye(4))
    volume = np.ones((6, 6, 6), np.float32)
    with pytest.raises(ValueError, match='zip'):
        list(resample_series([volume] * 3, [STILL] * 2, route))
    with pytest.raises(ValueError, match=r'shape \(5, 6, 6\), but the series \(6, 6, 6\)'):
        list(resample_series([volume[1:]], [STILL], route))
    with pytest.raises(ValueError, match='only be modulated where there is a distortion'):
        plan_route((6, 6, 6), np.eye(4), (6, 6, 6), np.eye(4), modulate=True)
    for shift, axis, reason in (
        (volume[1:], 0, 'the distortion has shape'),
        (volume, 3, 'axis is'),
    ):
        with pytest.raises(ValueError, match=reason):
            plan_route(
                (6, 6, 6), np.eye(4), (6, 6, 6), np.eye(4), distortion=Distortion(shift, axis)
            )
