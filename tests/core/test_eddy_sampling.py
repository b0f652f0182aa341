"""One interpolation undoes motion, eddy currents and distortion together."""

import numpy as np
import pytest
from dwi_phantoms import brain_at, draw_volume, make_affine
from scipy import ndimage

from mriderived.core.eddy_levels import Pose
from mriderived.core.eddy_sampling import plan_eddy_route, resample_eddy
from mriderived.core.eddy_stack import predict_volume, stack_volumes
from mriderived.core.eddy_terms import (
    displace_all,
    rotations_to_reference,
    scale_places,
    still_motion,
)
from mriderived.core.rigid import rigid_matrix

SHAPE = (48, 56, 36)
AFFINE = make_affine(SHAPE, 3.8)
DIRECTION = np.array([0.6, 0.0, 0.8])
MATRIX = rigid_matrix(np.array([2.0, -1.5, 1.0, 0.04, -0.03, 0.05]), np.array([1.0, -8, 5]))
EDDY = np.array([1.2, -2.0, 1.5])


def _draw(matrix: np.ndarray, eddy: np.ndarray, axis: int = 1) -> np.ndarray:
    turned = matrix[:3, :3] @ DIRECTION
    return draw_volume(SHAPE, AFFINE, matrix, eddy, axis, 1000.0, turned)


def _error(found: np.ndarray, wanted: np.ndarray) -> float:
    inside = ndimage.binary_erosion(brain_at(SHAPE, AFFINE), iterations=2)
    return float(np.sqrt(((found - wanted)[inside] ** 2).mean()) / wanted[inside].mean())


@pytest.mark.parametrize('axis', [0, 1, 2])
def test_motion_and_eddy_currents_are_undone(axis) -> None:
    resting = _draw(np.eye(4), np.zeros(3), axis)
    motion = still_motion(1, resting, axis)._replace(matrices=MATRIX[None], eddy=EDDY[None])
    moved = _draw(MATRIX, EDDY, axis)
    plan = plan_eddy_route(SHAPE, AFFINE, SHAPE, AFFINE)
    (found,) = resample_eddy([moved], motion, plan)
    assert _error(moved, resting) > 0.08
    assert _error(found, resting) < 0.02
    (unscaled,) = resample_eddy([moved], motion, plan, modulate=False)
    assert _error(unscaled, resting) > 0.02


def test_directions_turn_back_with_the_head() -> None:
    turned = MATRIX[:3, :3] @ DIRECTION
    back = rotations_to_reference(MATRIX[None])[0] @ turned
    np.testing.assert_allclose(back, DIRECTION, atol=1e-12)


def test_distortion_of_opposite_encodings_is_undone() -> None:
    x, y, z = np.indices(SHAPE)
    shift = (2.5 * np.exp(-((x - 24) ** 2 + (y - 40) ** 2 + (z - 14) ** 2) / 250)).astype(
        np.float32
    )
    resting = _draw(np.eye(4), np.zeros(3))
    seen = [_distort(resting, share * shift) for share in (1.0, -0.5)]
    motion = still_motion(2, resting, 1)
    plan = plan_eddy_route(SHAPE, AFFINE, SHAPE, AFFINE, displacement=shift)
    found = list(resample_eddy(seen, motion, plan, [1.0, -0.5]))
    for volume, distorted in zip(found, seen, strict=True):
        assert _error(distorted, resting) > 0.05
        assert _error(volume, resting) < 0.025


def _distort(volume: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Put every piece of each line where the shift says, with its intensity spread."""
    lines = volume.transpose(0, 2, 1).reshape(-1, volume.shape[1]).astype(float)
    moves = shift.transpose(0, 2, 1).reshape(-1, volume.shape[1])
    target = np.empty_like(lines)
    fine = np.linspace(-0.5, volume.shape[1] - 0.5, 20 * volume.shape[1] + 1)
    places = np.arange(volume.shape[1])
    for index, (line, move) in enumerate(zip(lines, moves, strict=True)):
        mass = np.concatenate(
            [[0], np.cumsum(np.interp((fine[1:] + fine[:-1]) / 2, places, line))]
        )
        moved = fine + np.interp(fine, places, move)
        edges = np.interp(np.arange(volume.shape[1] + 1) - 0.5, moved, mass / 20)
        target[index] = np.diff(edges)
    shape = volume.shape[0], volume.shape[2], volume.shape[1]
    return target.reshape(shape).transpose(0, 2, 1).astype(np.float32)


def test_the_signal_along_the_phase_axis_is_kept() -> None:
    resting = _draw(np.eye(4), np.zeros(3))
    squeezed = _draw(np.eye(4), EDDY)
    motion = still_motion(1, resting, 1)._replace(eddy=EDDY[None])
    plan = plan_eddy_route(SHAPE, AFFINE, SHAPE, AFFINE)
    (found,) = resample_eddy([squeezed], motion, plan)
    assert found.sum() == pytest.approx(squeezed.sum(), rel=2e-3)


def test_a_stack_and_a_prediction_are_the_inverse_of_each_other() -> None:
    resting = _draw(np.eye(4), np.zeros(3))
    moved = _draw(MATRIX, EDDY)
    pose = Pose(MATRIX, EDDY, 1)
    stack = stack_volumes(lambda _: moved, np.zeros(1, int), [pose], AFFINE, smoothed=False)
    assert _error(stack[0], resting) < 0.02
    assert _error(predict_volume(resting, pose, AFFINE), moved) < 0.04
    brighter = predict_volume(resting, pose, AFFINE, np.array([2.0, 5.0]))
    np.testing.assert_allclose(brighter, 2 * predict_volume(resting, pose, AFFINE) + 5, rtol=1e-5)


def test_quadratic_terms() -> None:
    eddy = np.array([0.5, -1, 0.2, 0.3, 0.4, -0.2, 0.1, 0.2, -0.3])
    pose = Pose(np.eye(4), eddy, 1)
    ramp = np.broadcast_to(np.arange(56.0)[:, None], SHAPE).astype(np.float32)
    (seen,) = stack_volumes(lambda _: ramp, np.zeros(1, int), [pose], AFFINE, smoothed=False)
    scale = scale_places(SHAPE)
    points = np.array([[10, 20, 30], [20, 30, 12], [30, 30, 20]])
    for point in points:
        place = scale[:, 0] * point + scale[:, 1]
        slope = eddy[1] + 2 * eddy[4] * place[1] + eddy[6] * place[0] + eddy[8] * place[2]
        wanted = (point[1] + displace_all(eddy, place)) * (1 + slope * scale[1, 0])
        assert seen[tuple(point)] == pytest.approx(wanted, abs=2e-3)


def test_what_does_not_fit_together_is_said() -> None:
    plan = plan_eddy_route(SHAPE, AFFINE, SHAPE, AFFINE)
    volume = np.ones((4, 4, 4), np.float32)
    with pytest.raises(ValueError, match='a volume has shape'):
        list(resample_eddy([volume], still_motion(1, volume, 1), plan))
    with pytest.raises(ValueError, match='shorter'):
        list(resample_eddy([], still_motion(1, volume, 1), plan))
    with pytest.raises(ValueError, match='the distortion has shape'):
        plan_eddy_route(SHAPE, AFFINE, SHAPE, AFFINE, displacement=volume)
