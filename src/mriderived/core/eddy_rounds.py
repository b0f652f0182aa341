"""Rounds of registration of the volumes of a shell to what the others predict.

First, each volume is aligned with the mean of the others, and voxels count by how alike the
volumes are: where water moves more freely one way than another, contrast changes with direction
and pretends motion. A lower shell, where there is one, foretells that contrast. Then predictions
follow the directions, too. They cannot tell motion that follows the directions as a tensor does
from a tensor, so that part stays as it was found before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.core.eddy_contrast import tensor_terms
from mriderived.core.eddy_levels import Fitted, Level, Pose, align, observe
from mriderived.core.eddy_precision import find_spreads
from mriderived.core.eddy_prediction import choose_weights, weigh_mean
from mriderived.core.eddy_transfer import Transfer, foretell, predict_contrast
from mriderived.core.rigid import rigid_matrix, rigid_parameters
from mriderived.core.slabs import run_slabs

Matrix = NDArray[np.float64]
Floats = NDArray[np.float32]
Read = Callable[[int], NDArray[np.float32]]

#: Voxels whose variance is below this percentile of all count in full.
ALIKE_PERCENTILE = 10
#: Voxels of which weights of predictions are chosen.
SOME = 5000
STEPS_COARSE, STEPS_FINE = 10, 3
#: Rounds with the mean, which weights of voxels need to settle, and with predictions.
TIMES_MEAN, TIMES_PREDICTED = 4, 2


class Rounds(NamedTuple):
    """The volumes of a shell, aligned, and the weights (n, n) that predict them best.

    ``spreads`` (n, 6), where measured, are the standard deviations of their positions.
    """

    fitted: list[Fitted]
    weights: Matrix
    spreads: Matrix | None = None

    @property
    def poses(self) -> list[Pose]:
        """Return where the head lies in each volume."""
        return [each.pose for each in self.fitted]


def start_rounds(
    read: Read,
    chosen: NDArray[np.intp],
    levels: list[Level],
    poses: list[Pose],
    transfer: Transfer | None,
    threads: int,
) -> Rounds:
    """Align the volumes of a shell with their mean, from coarse to fine.

    With a ``transfer`` from a lower shell, poses are near already, and coarse copies of volumes of
    a strong contrast would lead away.
    """
    if transfer is None:
        for level in levels[:-1]:
            for _ in range(2):
                poses = _align_with_mean(read, chosen, level, poses, threads, STEPS_COARSE).poses
    is_near = len(levels) > 1 or transfer is not None
    steps = STEPS_FINE if is_near else STEPS_COARSE
    poses = _align_with_mean(read, chosen, levels[-1], poses, threads, steps, transfer).poses
    return _align_with_mean(read, chosen, levels[-1], poses, threads, STEPS_FINE, transfer)


def average_rounds(
    read: Read,
    chosen: NDArray[np.intp],
    level: Level,
    poses: list[Pose],
    transfer: Transfer | None,
    threads: int,
) -> list[Pose]:
    """Align the volumes of a shell with their mean, or with what a lower shell tells."""
    for _ in range(TIMES_MEAN):
        poses = _align_with_mean(read, chosen, level, poses, threads, STEPS_FINE, transfer).poses
    return poses


def predict_rounds(
    read: Read,
    chosen: NDArray[np.intp],
    level: Level,
    poses: list[Pose],
    directions: Matrix,
    transfer: Transfer | None,
    threads: int,
) -> Rounds:
    """Align the volumes of a shell with predictions by direction.

    ``directions``, shape (n, 3), are those of the gradients in the scanner.
    """
    for _ in range(TIMES_PREDICTED):
        rounds = _align_with_predictions(read, chosen, level, poses, directions, transfer, threads)
        poses = rounds.poses
    return rounds


def _align_with_mean(
    read: Read,
    chosen: NDArray[np.intp],
    level: Level,
    poses: list[Pose],
    threads: int,
    steps: int,
    transfer: Transfer | None = None,
) -> Rounds:
    value, slopes = observe_all(read, chosen, level, poses, threads)
    weights = weigh_mean(len(chosen))
    if transfer is None:
        predicted, steep = _weigh(weights, value), _weigh(weights, slopes)
    else:
        predicted, steep = predict_contrast(transfer, value, slopes)
    # where contrast changes with direction, weak signal at a strong b turns and shears volumes
    counts = level.weights * _weigh_likeness(value, predicted)
    fitted = _align_all(read, chosen, level, poses, (predicted, steep), counts, steps, threads)
    return Rounds(fitted, weights)


def judge_poses(
    read: Read,
    chosen: NDArray[np.intp],
    level: Level,
    directions: Matrix,
    transfer: Transfer | None,
    threads: int,
    poses: list[Pose],
) -> Matrix:
    """Return the correlation of every volume of a shell, in its pose, with its prediction."""
    seen = _predict(read, chosen, level, poses, directions, transfer, threads)
    # a single step tells how alike they were before it
    fitted = _align_all(
        read, chosen, level, poses, (seen.predicted, seen.steep), level.weights, 1, threads
    )
    return np.array([each.fit for each in fitted])


class _Predicted(NamedTuple):
    """Values and predictions (n, p), slopes (n, 3, p), directions in the reference, weights."""

    value: Floats
    predicted: Floats
    steep: Floats
    turned: Matrix
    weights: Matrix


def _predict(
    read: Read,
    chosen: NDArray[np.intp],
    level: Level,
    poses: list[Pose],
    directions: Matrix,
    transfer: Transfer | None,
    threads: int,
) -> _Predicted:
    value, slopes = observe_all(read, chosen, level, poses, threads)
    turned = np.stack([d @ p.matrix[:3, :3] for d, p in zip(directions, poses, strict=True)])
    every = max(value.shape[1] // SOME, 1)
    weights = choose_weights(turned, value[:, ::every])
    if transfer is None:
        predicted, steep = _weigh(weights, value), _weigh(weights, slopes)
    else:
        likely, rise = foretell(transfer, value, slopes)
        rest = choose_weights(turned, (value - likely)[:, ::every])
        predicted = likely + _weigh(rest, value - likely)
        steep = rise + _weigh(rest, slopes - rise)
    return _Predicted(value, predicted, steep, turned, weights)


def _align_with_predictions(
    read: Read,
    chosen: NDArray[np.intp],
    level: Level,
    poses: list[Pose],
    directions: Matrix,
    transfer: Transfer | None,
    threads: int,
) -> Rounds:
    seen = _predict(read, chosen, level, poses, directions, transfer, threads)
    counts = level.weights * _weigh_likeness(seen.value, seen.predicted)
    prediction = (seen.predicted, seen.steep)
    fitted = _align_all(read, chosen, level, poses, prediction, counts, STEPS_FINE, threads)
    kept = hold_tensor_part(poses, [each.pose for each in fitted], seen.turned, level.centre)
    pairs = zip(fitted, kept, strict=True)
    spreads = find_spreads(read, chosen, level, poses, prediction, counts, threads)
    return Rounds([f._replace(pose=pose) for f, pose in pairs], seen.weights, spreads)


def hold_tensor_part(
    before: list[Pose], after: list[Pose], directions: Matrix, centre: Matrix
) -> list[Pose]:
    """Return poses whose change does not follow the directions as a tensor does.

    Parameters
    ----------
    before, after : list of Pose
    directions : array, shape (n, 3)
        Unit vectors.
    centre : array, shape (3,)
        In mm.

    Returns
    -------
    list of Pose
    """
    tensor = tensor_terms(directions)
    changes = []
    for old, new in zip(before, after, strict=True):
        moved = rigid_parameters(np.linalg.inv(old.matrix) @ new.matrix, centre)
        changes.append(np.concatenate([moved, new.eddy - old.eddy]))
    change = np.array(changes)
    change -= tensor @ np.linalg.lstsq(tensor, change, rcond=1e-3)[0]
    return [
        Pose(old.matrix @ rigid_matrix(step[:6], centre), old.eddy + step[6:], old.axis)
        for old, step in zip(before, change, strict=True)
    ]


def _weigh_likeness(value: Floats, predicted: Floats) -> Floats:
    """Weigh points, (p,), by how well all volumes are predicted there."""
    variance = np.mean((value - predicted) ** 2, axis=0)
    floor = max(float(np.percentile(variance, ALIKE_PERCENTILE)), 1e-12)
    return np.asarray((floor / (variance + floor)) ** 2, np.float32)


def _weigh(weights: Matrix, values: Floats) -> Floats:
    flat = values.reshape(len(values), -1)
    return np.asarray((weights.astype(np.float32) @ flat).reshape(values.shape))


def observe_all(
    read: Read, chosen: NDArray[np.intp], level: Level, poses: list[Pose], threads: int
) -> tuple[Floats, Floats]:
    """Return what volumes show at the points of a level, (n, p), and their slopes, (n, 3, p)."""
    points = level.points.shape[1]
    value = np.empty((len(chosen), points), np.float32)
    slopes = np.empty((len(chosen), 3, points), np.float32)

    def fill(start: int, stop: int) -> None:
        for index in range(start, stop):
            value[index], slopes[index] = observe(level, read(int(chosen[index])), poses[index])

    run_slabs(fill, len(chosen), threads)
    return value, slopes


def _align_all(
    read: Read,
    chosen: NDArray[np.intp],
    level: Level,
    poses: list[Pose],
    prediction: tuple[Floats, Floats],
    counts: Floats,
    steps: int,
    threads: int,
) -> list[Fitted]:
    predicted, slopes = prediction
    found: list[Fitted | None] = [None] * len(chosen)

    def fill(start: int, stop: int) -> None:
        for index in range(start, stop):
            volume, value, slope = read(int(chosen[index])), predicted[index], slopes[index]
            found[index] = align(level, volume, value, slope, counts, poses[index], steps)

    run_slabs(fill, len(chosen), threads)
    return [each for each in found if each is not None]
