"""Volumes are predicted from others, by direction and from a lower shell."""

import numpy as np

from mriderived.core.eddy_levels import Pose
from mriderived.core.eddy_outliers import judge
from mriderived.core.eddy_prediction import choose_weights, weigh_directions, weigh_mean
from mriderived.core.eddy_rounds import hold_tensor_part
from mriderived.core.eddy_transfer import predict_contrast, prepare_transfer
from mriderived.core.rigid import rigid_matrix, rigid_parameters


def _directions(count: int, seed: int = 0) -> np.ndarray:
    found = np.random.default_rng(seed).normal(size=(count, 3))
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def _signals(directions: np.ndarray, b: float, voxels: int = 400) -> np.ndarray:
    fibres = _directions(voxels, 1)
    return 100 * np.exp(-b * (0.4e-3 + 1.0e-3 * (directions @ fibres.T) ** 2))


def test_predictions_by_direction_beat_the_mean_and_noise_is_not_predicted() -> None:
    directions = _directions(40)
    truth = _signals(directions, 1000)
    noisy = truth + 3 * np.random.default_rng(2).standard_normal(truth.shape)
    weights = choose_weights(directions, noisy.astype(np.float32))
    assert not np.diag(weights).any()
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    error = np.sqrt(((weights @ noisy - truth) ** 2).mean())
    assert error < 3.2
    assert error < 0.4 * np.sqrt(((weigh_mean(40) @ noisy - truth) ** 2).mean())


def test_alike_volumes_are_predicted_by_their_mean() -> None:
    noise = np.random.default_rng(3).standard_normal((30, 2000)).astype(np.float32)
    weights = choose_weights(_directions(30), 50 + noise)
    np.testing.assert_allclose(weights, weigh_mean(30), atol=0.02)


def test_opposite_directions_predict_the_same() -> None:
    directions = _directions(12)
    flipped = directions * np.where(np.arange(12) % 2, 1, -1)[:, None]
    np.testing.assert_allclose(
        weigh_directions(directions, 3, 1), weigh_directions(flipped, 3, 1), atol=1e-9
    )


def test_a_lower_shell_foretells_the_contrast_of_a_higher_one() -> None:
    low, high = _directions(20), _directions(30, 5)
    known = np.concatenate([np.full((1, 400), 100.0), _signals(low, 1000)])
    b = np.array([0] + [1000] * 20)
    table = np.concatenate([np.zeros((1, 3)), low])
    slopes = np.repeat(known[:, None], 3, axis=1) * 0.01
    transfer = prepare_transfer(known, slopes, b, table, np.full(30, 2500), high)
    assert transfer is not None
    truth = _signals(high, 2500)
    value, steep = predict_contrast(transfer, truth, np.repeat(truth[:, None], 3, axis=1) * 0.01)
    assert np.sqrt(((value - truth) ** 2).mean()) < 0.05 * truth.std()
    np.testing.assert_allclose(steep[:, 0], 0.01 * truth, atol=0.02 * truth.max() * 0.1)


def test_too_few_directions_foretell_nothing() -> None:
    values, slopes = np.ones((5, 10)), np.ones((5, 3, 10))
    b, directions = np.full(5, 1000.0), _directions(5)
    assert prepare_transfer(values, slopes, b, directions, b, directions) is None


def test_motion_that_follows_a_tensor_is_held_and_other_motion_is_not() -> None:
    directions = _directions(60)
    centre = np.array([1.0, 2, 3])
    still = [Pose(np.eye(4), np.zeros(3), 1)] * 60

    def after(amount: np.ndarray) -> np.ndarray:
        moved = [
            Pose(rigid_matrix(np.r_[each, 0, 0, 0, 0, 0], centre), np.r_[each, 0, 0], 1)
            for each in amount
        ]
        kept = hold_tensor_part(still, moved, directions, centre)
        found = rigid_parameters(np.stack([pose.matrix for pose in kept]), centre)[:, 0]
        np.testing.assert_allclose([pose.eddy[0] for pose in kept], found, atol=1e-9)
        return found

    assert np.abs(after(directions[:, 0] ** 2 - directions[:, 1] * directions[:, 2])).max() < 1e-9
    jumps = np.random.default_rng(0).standard_normal(60)
    assert np.corrcoef(after(jumps), jumps)[0, 1] > 0.9


def test_outliers_are_judged_per_slice() -> None:
    rng = np.random.default_rng(0)
    losses = rng.standard_normal((40, 10)) * 0.02 + np.linspace(-0.1, 0.1, 10)
    losses[:, 0] = np.nan
    losses[7, 4] += 0.5
    losses[8, 4] += 0.07  # beyond four standard deviations hardly, and too little to matter
    losses[9, 5] -= 0.5  # brighter than predicted
    assert np.argwhere(judge(losses)).tolist() == [[7, 4]]
    assert not judge(np.full((3, 4), np.nan)).any()
