"""Diffusion series of several phase encodings: estimated apart, then brought to one reference.

Volumes of opposite phase encoding are distorted otherwise, so that none of them predicts another.
Head motion and eddy currents are found among volumes of one encoding. Once the displacement by
field inhomogeneity is known, the means of the unweighted volumes of the encodings are corrected,
each in its own direction, and aligned rigidly (cf. Andersson et al. 2003,
doi:10.1016/S1053-8119(03)00336-7).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from mriderived.core.eddy_motion import estimate_eddy
from mriderived.core.eddy_repair import repair_volumes
from mriderived.core.eddy_sampling import EddyRoute, plan_eddy_route, resample_eddy
from mriderived.core.eddy_terms import EddyMotion
from mriderived.core.gradient_table import Gradients, select
from mriderived.core.motion_reference import weigh_head
from mriderived.core.rigid_volume import align_volume, prepare_target

Volume = NDArray[np.float32]
Series = NDArray[np.float32]
Matrix = NDArray[np.float64]

#: Each round corrects where the last one has found the head.
ROUNDS = 3


def list_groups(encoding: NDArray[np.int64]) -> list[NDArray[np.intp]]:
    """Return the volumes of every phase encoding.

    Examples
    --------
    >>> [volumes.tolist() for volumes in list_groups(np.array([0, 1, 1, 0]))]
    [[0, 3], [1, 2]]
    """
    return [np.flatnonzero(encoding == number) for number in np.unique(encoding)]


def take_volumes(series: Series, volumes: NDArray[np.intp]) -> Series:
    """Return some volumes of a series, contiguous; all of them are not copied."""
    if len(volumes) == series.shape[-1]:
        return series
    return np.ascontiguousarray(series[..., volumes])


def estimate_encodings(
    series: Series,
    affine: Matrix,
    gradients: Gradients,
    encoding: NDArray[np.int64],
    axis: int,
    slice_axis: int = 2,
    threads: int = 1,
) -> EddyMotion:
    """Estimate head motion and eddy currents of the volumes of every phase encoding by themselves.

    Parameters
    ----------
    series : array of float32, shape (x, y, z, n)
    affine : array, shape (4, 4)
        From voxels to RAS mm.
    gradients : Gradients
        Of the n volumes.
    encoding : array of int, shape (n,)
        The number of the phase encoding of each volume.
    axis, slice_axis : int
        The phase axis of all of them, and that of slices.
    threads : int

    Returns
    -------
    EddyMotion
        Positions of volumes are from the reference of their own encoding; ``reference`` and
        ``centre`` are those of the first one.

    Raises
    ------
    ValueError
        As ``core.eddy_motion.estimate_eddy``.
    """
    groups = list_groups(encoding)
    found = [
        estimate_eddy(
            take_volumes(series, volumes), affine, select(gradients, volumes), axis, slice_axis,
            threads=threads,
        )
        for volumes in groups
    ]  # fmt: skip
    return found[0] if len(found) == 1 else _join(found, groups)


def _join(found: list[EddyMotion], groups: list[NDArray[np.intp]]) -> EddyMotion:
    """Return what was found in the order of the volumes of the whole series."""
    order = np.argsort(np.concatenate(groups), kind='stable')
    together = found[0]._replace(
        matrices=np.concatenate([motion.matrices for motion in found]),
        eddy=np.concatenate([motion.eddy for motion in found]),
        axes=np.concatenate([motion.axes for motion in found]),
        outliers=np.concatenate([motion.outliers for motion in found]),
        losses=np.concatenate([motion.losses for motion in found]),
        parameters=np.concatenate([motion.parameters for motion in found]),
        fit=np.concatenate([motion.fit for motion in found]),
        untold=np.concatenate([motion.untold for motion in found]),
        shift=np.concatenate([motion.shift for motion in found]),
    )
    return take_motion(together, order)


def repair_encodings(
    series: Series,
    affine: Matrix,
    gradients: Gradients,
    encoding: NDArray[np.int64],
    motion: EddyMotion,
    slice_axis: int = 2,
    threads: int = 1,
) -> Iterator[Volume]:
    """Yield the volumes in their order, lost slices replaced by what their own encoding predicts.

    Parameters
    ----------
    series, affine, gradients, encoding, slice_axis, threads
        As given to :func:`estimate_encodings`.
    motion : EddyMotion

    Yields
    ------
    array of float32, shape (x, y, z)
    """
    repaired = [
        repair_volumes(
            take_volumes(series, volumes), affine, select(gradients, volumes),
            take_motion(motion, volumes), slice_axis, threads,
        )
        for volumes in list_groups(encoding)
    ]  # fmt: skip
    numbers = np.unique(encoding, return_inverse=True)[1]
    for number in numbers:
        yield next(repaired[number])


def take_motion(motion: EddyMotion, volumes: NDArray[np.intp]) -> EddyMotion:
    """Return what is known of some volumes."""
    return motion._replace(
        matrices=motion.matrices[volumes],
        eddy=motion.eddy[volumes],
        axes=motion.axes[volumes],
        outliers=motion.outliers[volumes],
        losses=motion.losses[volumes],
        parameters=motion.parameters[volumes],
        fit=motion.fit[volumes],
        untold=motion.untold[volumes],
        shift=motion.shift[volumes],
    )


def align_encodings(
    series: Series,
    affine: Matrix,
    gradients: Gradients,
    encoding: NDArray[np.int64],
    motion: EddyMotion,
    displacement: Volume,
    shares: Matrix,
    threads: int = 1,
) -> tuple[EddyMotion, float]:
    """Bring the positions of all encodings to the undistorted reference of the first one.

    Parameters
    ----------
    series, affine, gradients, encoding, threads
        As given to :func:`estimate_encodings`.
    motion : EddyMotion
        As that has returned it.
    displacement : array of float32, shape (x, y, z)
        By field inhomogeneity, in voxels along the phase axis, of the first encoding.
    shares : array, shape (n,)
        What each volume has of it: negative where the direction is the opposite one.

    Returns
    -------
    EddyMotion
        With matrices from the one reference.
    float
        By how much an encoding had moved at most, in mm, at the corners of the middle half of the
        image.

    Raises
    ------
    ValueError
        If an encoding has no unweighted volume, or the means cannot be aligned.
    """
    groups = list_groups(encoding)
    if len(groups) == 1:
        return motion, 0.0
    shape = displacement.shape
    plan = plan_eddy_route(shape, affine, shape, affine, displacement=displacement,
                           threads=threads)  # fmt: skip
    bases = [volumes[gradients.shell[volumes] == 0] for volumes in groups]
    if not all(len(base) for base in bases):
        raise ValueError('a phase encoding has no volume without diffusion weighting')
    first = _mean(series, bases[0], motion, plan, shares, threads)
    target = prepare_target(first, affine, weigh_head(first), threads)
    matrices, moved = motion.matrices.copy(), 0.0
    for volumes, base in zip(groups[1:], bases[1:], strict=True):
        total = np.eye(4)
        for _ in range(ROUNDS):
            current = motion._replace(matrices=motion.matrices @ total)
            mean = _mean(series, base, current, plan, shares, threads)
            total = total @ align_volume(target, mean).matrix
        matrices[volumes] = motion.matrices[volumes] @ total
        moved = max(moved, _farthest(total, affine, shape))
    return motion._replace(matrices=matrices), moved


def _mean(
    series: Series,
    base: NDArray[np.intp],
    motion: EddyMotion,
    plan: EddyRoute,
    shares: Matrix,
    threads: int,
) -> Volume:
    """Return the mean of corrected volumes."""
    volumes = (np.ascontiguousarray(series[..., index]) for index in base)
    some = resample_eddy(volumes, take_motion(motion, base), plan, shares[base], threads=threads)
    total = np.zeros(plan.route.points.shape[1:], np.float32)
    for volume in some:
        total += volume / np.float32(len(base))
    return total


def _farthest(matrix: Matrix, affine: Matrix, shape: tuple[int, ...]) -> float:
    corners = np.array(np.meshgrid(*([n * 0.25, n * 0.75] for n in shape))).reshape(3, -1)
    points = affine[:3, :3] @ corners + affine[:3, 3:]
    moves = matrix[:3, :3] @ points + matrix[:3, 3:] - points
    return float(np.sqrt((moves**2).sum(axis=0)).max())
