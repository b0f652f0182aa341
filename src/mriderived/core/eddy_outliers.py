"""Slices that lost their signal: the head moved while they were acquired.

A slice is compared with what the other volumes predict for it (Andersson et al. 2016,
doi:10.1016/j.neuroimage.2016.06.058).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.core.eddy_levels import Pose
from mriderived.core.eddy_stack import Read, predict_volume
from mriderived.core.slabs import run_slabs

Volume = NDArray[np.float32]
Matrix = NDArray[np.float64]

#: A slice is an outlier so many standard deviations below its prediction ...
LEAST_Z = 4.0
#: ... if it lost this share of its signal, too: in good data, tiny differences are many of them.
LEAST_LOSS = 0.1
#: Slices with fewer voxels of the brain are not looked at.
LEAST_VOXELS = 100


class Slices(NamedTuple):
    """Shape (n, slices) each: which are outliers, and the share of signal lost, NaN if unknown."""

    outliers: NDArray[np.bool_]
    losses: Matrix


class Shell(NamedTuple):
    """The volumes of a shell, as they are and as the others predict them."""

    chosen: NDArray[np.intp]
    poses: Sequence[Pose]
    #: Factor and offset of brightness of each against its prediction.
    brightness: Sequence[Matrix]
    #: Shape (n, x, y, z): on the grid of the reference.
    stack: NDArray[np.float32]
    #: Shape (n, n): how each is predicted from the stack.
    weights: Matrix
    #: Shape (x, y, z): voxels whose signal counts.
    mask: NDArray[np.bool_]

    def predict(self, index: int) -> Volume:
        """Return the prediction of a volume on the grid of the reference."""
        weights = self.weights[index].astype(np.float32)
        return np.asarray(np.tensordot(weights, self.stack, axes=1), np.float32)


def find_outliers(
    read: Read, shell: Shell, affine: Matrix, slice_axis: int, threads: int = 1
) -> Slices:
    """Find slices far below their prediction.

    Parameters
    ----------
    read : callable
        Returns a volume as acquired for its number.
    shell : Shell
    affine : array, shape (4, 4)
        From voxels to mm.
    slice_axis : int
    threads : int

    Returns
    -------
    Slices
    """
    count = len(shell.chosen)
    losses = np.full((count, shell.mask.shape[slice_axis]), np.nan)
    mask = shell.mask.astype(np.float32)

    def compare(start: int, stop: int) -> None:
        for index in range(start, stop):
            pose = shell.poses[index]
            predicted = predict_volume(shell.predict(index), pose, affine, shell.brightness[index])
            inside = predict_volume(mask, pose, affine) > 0.5
            losses[index] = _compare(read(int(shell.chosen[index])), predicted, inside, slice_axis)

    run_slabs(compare, count, threads)
    return Slices(judge(losses), losses)


def judge(losses: Matrix) -> NDArray[np.bool_]:
    """Return which slices are outliers, of losses (n, slices); NaN is none.

    Examples
    --------
    >>> losses = 0.01 * np.random.default_rng(0).standard_normal((20, 6))
    >>> losses[3, 2] = 0.5
    >>> np.argwhere(judge(losses)).tolist()
    [[3, 2]]
    """
    known = np.isfinite(losses).sum(axis=0) > 2
    if not known.any():
        return np.zeros(losses.shape, bool)
    middle, spread = np.zeros(losses.shape[1]), np.zeros(losses.shape[1])
    middle[known] = np.nanmedian(losses[:, known], axis=0)
    spread[known] = 1.4826 * np.nanmedian(np.abs(losses - middle)[:, known], axis=0)
    # few volumes may be alike in a slice by chance
    spread = np.maximum(spread, np.median(spread[known]))
    beyond = np.where(np.isfinite(losses), losses, 0) - middle
    return np.asarray((beyond >= LEAST_Z * spread) & (beyond >= LEAST_LOSS) & known)


def replace_slices(
    volume: Volume, predicted: Volume, outliers: NDArray[np.bool_], slice_axis: int
) -> Volume:
    """Return a volume with its outliers, shape (slices,), replaced by the prediction.

    Examples
    --------
    >>> ones = np.ones((1, 1, 3), np.float32)
    >>> replace_slices(ones, 2 * ones, np.array([False, True, False]), 2).ravel().tolist()
    [1.0, 2.0, 1.0]
    """
    place = tuple(outliers if axis == slice_axis else slice(None) for axis in range(3))
    repaired = volume.copy()
    repaired[place] = predicted[place]
    return repaired


def _compare(
    volume: Volume, predicted: Volume, inside: NDArray[np.bool_], slice_axis: int
) -> Matrix:
    axes = tuple(axis for axis in range(3) if axis != slice_axis)
    voxels = inside.sum(axis=axes)
    seen, wanted = (
        np.where(inside, each, 0).sum(axis=axes, dtype=np.float64) for each in (volume, predicted)
    )
    enough = (voxels >= LEAST_VOXELS) & (wanted > 0)
    return np.asarray(np.where(enough, 1 - seen / np.where(enough, wanted, 1), np.nan))
