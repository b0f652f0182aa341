"""Head motion is recovered from series drawn with known motion."""

import numpy as np
import pytest
from bold_phantoms import CENTRE, draw_head, draw_series, make_affine, make_motion

from mriderived.core.motion_reference import pick_typical, take_median, weigh_head
from mriderived.core.rigid import rigid_matrix, rigid_parameters
from mriderived.core.rigid_series import align_volumes, estimate_series, read_volume
from mriderived.core.rigid_volume import align_volume, prepare_target

SHAPE, VOXEL = (48, 56, 34), (3.6, 3.6, 4.0)
AFFINE = make_affine(SHAPE, VOXEL)


def _matrices(parameters: np.ndarray) -> np.ndarray:
    return np.stack([rigid_matrix(each, CENTRE) for each in parameters])


def _errors(found: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """Return the RMS errors in mm and degrees, up to where the reference lies."""
    apart = np.linalg.inv(truth) @ found
    common = rigid_matrix(rigid_parameters(apart, CENTRE).mean(axis=0), CENTRE)
    error = rigid_parameters(apart @ np.linalg.inv(common), CENTRE)
    shift, turn = (np.sqrt((part**2).mean()) for part in (error[:, :3], error[:, 3:]))
    return float(shift), float(np.degrees(turn))


@pytest.fixture(scope='module')
def moving() -> tuple[np.ndarray, np.ndarray]:
    truth = _matrices(make_motion(12))
    return draw_series(SHAPE, AFFINE, truth), truth


def test_motion_of_3_mm_and_3_degrees_is_recovered(moving) -> None:
    series, truth = moving
    found = estimate_series(series, AFFINE)
    shift, turn = _errors(found.matrices, truth)
    assert shift < 0.01  # mm; the goal is 0.05
    assert turn < 0.01  # degrees; the goal is 0.05
    assert found.fit.min() > 0.999
    np.testing.assert_allclose(found.centre, CENTRE, atol=4)


def test_the_matrix_leads_from_the_reference_to_the_volume() -> None:
    truth = rigid_matrix(np.array([2.0, -1.0, 1.5, 0.03, -0.02, 0.04]), CENTRE)
    resting = draw_head(SHAPE, AFFINE)
    target = prepare_target(resting, AFFINE, weigh_head(resting))
    found = align_volume(target, draw_head(SHAPE, AFFINE, truth))
    np.testing.assert_allclose(found.matrix[:3, :3], truth[:3, :3], atol=2e-4)
    error = rigid_parameters(found.matrix @ np.linalg.inv(truth), CENTRE)
    assert np.abs(error[:3]).max() < 0.01


def test_a_still_series_stays_still() -> None:
    series = draw_series(SHAPE, AFFINE, np.stack([np.eye(4)] * 8))
    found = estimate_series(series, AFFINE)
    assert np.abs(found.parameters[:, :3]).max() < 0.01  # mm
    assert np.degrees(np.abs(found.parameters[:, 3:]).max()) < 0.01


@pytest.mark.parametrize(
    ('shape', 'voxel', 'shift', 'turn'),
    [((56, 64, 14), (3, 3, 8), 0.02, 0.03), ((64, 64, 12), (2.5, 2.5, 4), 0.02, 0.04)],
)
def test_thick_and_few_slices_work(shape, voxel, shift: float, turn: float) -> None:
    # the second cuts the head above and below, so that slices leave the field of view
    affine = make_affine(shape, voxel)
    truth = _matrices(make_motion(6, seed=1))
    found = estimate_series(draw_series(shape, affine, truth), affine)
    errors = _errors(found.matrices, truth)
    assert errors[0] < shift
    assert errors[1] < turn


def test_large_motion_is_found_from_rest() -> None:
    resting = draw_head(SHAPE, AFFINE)
    target = prepare_target(resting, AFFINE, weigh_head(resting))
    for seed in range(4):
        given = make_motion(6, 15, 15, seed)[np.abs(make_motion(6, 15, 15, seed)).argmax() // 6]
        truth = rigid_matrix(given, CENTRE)
        found = align_volume(target, draw_head(SHAPE, AFFINE, truth)).matrix
        error = rigid_parameters(found @ np.linalg.inv(truth), CENTRE)
        assert np.abs(error[:3]).max() < 0.05
        assert np.degrees(np.abs(error[3:]).max()) < 0.05


def test_brightness_and_a_blinking_spot_do_not_pull() -> None:
    truth = _matrices(make_motion(5, seed=2))
    series = draw_series(SHAPE, AFFINE, truth)
    series *= np.array([1.0, 1.3, 0.8, 1.1, 0.9], np.float32)
    series[20:26, 40:46, 15:20, ::2] += 800
    assert max(_errors(estimate_series(series, AFFINE).matrices, truth)) < 0.05


def test_volumes_before_the_steady_state_define_the_position() -> None:
    parameters = make_motion(8, seed=3)
    parameters[:2] = parameters[1]
    truth = _matrices(parameters)
    series = draw_series(SHAPE, AFFINE, truth)
    series[..., :2] = 1.4 * series[..., :2] + 0.0003 * series[..., :2] ** 2
    found = estimate_series(series, AFFINE, unsteady=2)
    assert max(_errors(found.matrices, truth)) < 0.05
    assert np.abs(found.parameters[:2, :3]).max() < 0.05
    assert np.degrees(np.abs(found.parameters[:2, 3:]).max()) < 0.05


def test_any_number_of_threads_and_any_kind_of_array_give_the_same_bits(moving, tmp_path) -> None:
    series = moving[0][..., :5]
    mapped = np.memmap(tmp_path / 'series', np.float32, 'w+', shape=series.shape, order='F')
    mapped[:] = series
    once, again = estimate_series(series, AFFINE), estimate_series(mapped, AFFINE, threads=3)
    assert np.array_equal(once.matrices, again.matrices)
    assert np.array_equal(once.reference, again.reference)
    assert np.array_equal(once.fit, again.fit)


def test_volumes_are_taken_from_an_iterator_a_few_at_a_time(moving) -> None:
    series = moving[0]
    reference = read_volume(series, 0)
    target = prepare_target(reference, AFFINE, weigh_head(reference))
    taken: list[int] = []

    def read():
        for index in range(series.shape[3]):
            taken.append(index)
            yield read_volume(series, index)

    first = next(align_volumes(read(), target, threads=2))
    assert len(taken) <= 4
    assert rigid_parameters(first.matrix, CENTRE) == pytest.approx(0, abs=1e-3)


def test_voxels_that_are_not_finite_are_background_and_empty_volumes_are_named() -> None:
    series = draw_series(SHAPE, AFFINE, np.stack([np.eye(4)] * 4))
    series[:2] = np.nan
    assert np.abs(estimate_series(series, AFFINE).parameters[:, :3]).max() < 0.02
    series[..., 2] = np.nan
    with pytest.raises(ValueError, match=r'volume 2 of the series .* is empty'):
        estimate_series(series, AFFINE)


def test_what_is_no_series_is_refused() -> None:
    with pytest.raises(ValueError, match='four axes'):
        estimate_series(np.zeros((4, 4, 4)), AFFINE)
    with pytest.raises(ValueError, match='5 of 5 volumes are before the steady state'):
        estimate_series(np.ones((8, 8, 8, 5)), AFFINE, unsteady=5)
    with pytest.raises(ValueError, match='only 0 voxels of the reference'):
        prepare_target(np.ones(SHAPE, np.float32), AFFINE, np.zeros(SHAPE, np.float32))
    with pytest.raises(ValueError, match='no signal'):
        weigh_head(np.zeros(SHAPE, np.float32))
    target = prepare_target(draw_head(SHAPE, AFFINE), AFFINE, np.ones(SHAPE, np.float32))
    with pytest.raises(ValueError, match=r'shape \(3, 3, 3\), but the reference'):
        list(align_volumes([np.ones((3, 3, 3), np.float32)], target))


def test_one_slice_moves_in_its_plane_only() -> None:
    affine = make_affine((64, 72, 1), (3, 3, 5))
    inward = np.linalg.inv(affine[:3, :3])
    plane = affine[:3, :3] @ (inward @ [2.0, -1.5, 0.5] * [1, 1, 0])
    truth = rigid_matrix(np.array([*plane, 0, 0, 0]), CENTRE)
    resting = draw_head((64, 72, 1), affine)
    target = prepare_target(resting, affine, weigh_head(resting))
    found = align_volume(target, draw_head((64, 72, 1), affine, truth))
    moved = found.matrix @ [*CENTRE, 1]
    np.testing.assert_allclose(moved[:3] - CENTRE, plane, atol=0.05)


def test_the_typical_volume_is_no_outlier_and_the_median_leaves_gaps_out() -> None:
    rng = np.random.default_rng(0)
    common = rng.random((20, 20, 20), np.float32)
    volumes = [rng.random((20, 20, 20), np.float32), common + 0.01, common, common * 2]
    assert pick_typical(volumes) in (1, 2, 3)
    covered = [np.ones((20, 20, 20), bool) for _ in volumes]
    covered[0][:] = False
    covered[3][5:] = False
    median = take_median(volumes, covered, threads=2)
    np.testing.assert_allclose(median[5:], (common + 0.005)[5:], rtol=1e-5)
    np.testing.assert_allclose(median[:5], np.median(volumes[1:], axis=0)[:5], rtol=1e-5)
