"""A series as acquired, with slices that lost their signal replaced by their prediction."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from mriderived.core.eddy_levels import Pose
from mriderived.core.eddy_outliers import Shell, replace_slices
from mriderived.core.eddy_prediction import choose_weights, weigh_mean
from mriderived.core.eddy_stack import predict_volume, stack_volumes
from mriderived.core.eddy_terms import EddyMotion
from mriderived.core.filters import box_mean
from mriderived.core.gradient_table import Gradients
from mriderived.core.masks import find_bright
from mriderived.core.rigid_series import read_volume

Volume = NDArray[np.float32]
Matrix = NDArray[np.float64]

#: Voxels of which weights of predictions are chosen.
SOME = 5000
#: The second time, the slices of other volumes are repaired already.
TIMES = 2


def repair_volumes(
    series: NDArray[np.float32],
    affine: Matrix,
    gradients: Gradients,
    motion: EddyMotion,
    slice_axis: int = 2,
    threads: int = 1,
) -> Iterator[Volume]:
    """Yield the volumes of a series in their order, with outlying slices replaced.

    Parameters
    ----------
    series : array of float32, shape (x, y, z, n)
        As given to ``core.eddy_motion.estimate_eddy``.
    affine : array, shape (4, 4)
        From voxels to RAS mm.
    gradients : Gradients
        As the scanner applied them.
    motion : EddyMotion
        Its outliers are replaced.
    slice_axis : int
    threads : int

    Yields
    ------
    array of float32, shape (x, y, z)
        On the grid of the series, still moved and displaced.
    """
    repaired: dict[int, Volume] = {}
    for shell in np.unique(gradients.shell[motion.outliers.any(axis=1)]):
        chosen = np.flatnonzero(gradients.shell == shell)
        if len(chosen) > 1:
            for _ in range(TIMES):
                _repair_shell(
                    series, affine, gradients, motion, chosen, slice_axis, repaired, threads
                )
    for index in range(series.shape[3]):
        yield repaired[index] if index in repaired else read_volume(series, index)


def _repair_shell(
    series: NDArray[np.float32],
    affine: Matrix,
    gradients: Gradients,
    motion: EddyMotion,
    chosen: NDArray[np.intp],
    slice_axis: int,
    repaired: dict[int, Volume],
    threads: int,
) -> None:
    def read(index: int) -> Volume:
        return repaired[index] if index in repaired else read_volume(series, index)

    poses = [Pose(motion.matrices[i], motion.eddy[i], int(motion.axes[i])) for i in chosen]
    stack = stack_volumes(read, chosen, poses, affine, threads, smoothed=False)
    mask = find_bright(box_mean(np.maximum(stack.mean(axis=0), 0), 1))
    directions = gradients.directions[chosen]
    if gradients.shell[chosen[0]] == 0:
        weights = weigh_mean(len(chosen))
    else:
        turned = np.stack([d @ p.matrix[:3, :3] for d, p in zip(directions, poses, strict=True)])
        voxels = np.flatnonzero(mask)[:: max(int(mask.sum()) // SOME, 1)]
        weights = choose_weights(turned, stack.reshape(len(chosen), -1)[:, voxels])
    shell = Shell(chosen, poses, [], stack, weights, mask)
    for place, index in enumerate(chosen):
        bad = motion.outliers[index]
        if bad.any():
            volume = read_volume(series, int(index))
            predicted = predict_volume(shell.predict(place), poses[place], affine)
            factor = _match(volume, predicted, bad, slice_axis)
            repaired[int(index)] = replace_slices(volume, factor * predicted, bad, slice_axis)


def _match(
    volume: Volume, predicted: Volume, bad: NDArray[np.bool_], slice_axis: int
) -> np.float32:
    """Return the factor of brightness between prediction and volume, of slices that are good."""
    good = np.flatnonzero(~bad)
    if len(good) == 0:
        return np.float32(1)
    seen, wanted = (np.take(each, good, axis=slice_axis) for each in (volume, predicted))
    total = float((wanted * wanted).sum(dtype=np.float64))
    return np.float32((seen * wanted).sum(dtype=np.float64) / total if total > 0 else 1)
