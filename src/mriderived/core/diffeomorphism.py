"""Symmetric diffeomorphic registration of several channels with local correlation.

The scheme of symmetric normalisation (Avants et al. 2008, doi:10.1016/j.media.2007.06.004): both
images are deformed towards a midpoint, each step is smoothed, limited in length and composed
with what is there, so that both halves stay invertible. All channels are compared by their local
correlation and pull together. There is no sampling at random and no sum over voxels that decides
anything, so the result has the same bits for any number of threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mriderived.core.filters import box_mean, smooth
from mriderived.core.sampling import compose, invert, jacobian, resample, warp
from mriderived.core.slabs import run_slabs

Volume = NDArray[np.float32]
Field = NDArray[np.float32]

#: A volume that shrinks to less than this counts as folded.
LEAST_CHANGE = 0.02
MOST_ROUNDS = 100


class Channel(NamedTuple):
    """A pair of images on one grid, scaled to about 0 to 1, and how much it counts."""

    fixed: Volume
    moving: Volume
    weight: float = 1.0


@dataclass(frozen=True)
class Schedule:
    """How far and how long to go at each level, from coarse to fine."""

    factors: tuple[int, ...] = (4, 2, 1)
    iterations: tuple[int, ...] = (40, 30, 15)
    #: Longest step of an iteration in voxels of the level.
    step: float = 0.3
    #: Smoothing of each step, and of the whole field, in voxels of the level.
    step_sigma: float = 2.0
    field_sigma: float = 0.8
    #: Half the edge of the window of the local correlation in voxels of the level.
    radius: int = 2
    #: Added to local variances, so that flat regions with noise do not count.
    floor: float = 3e-3
    #: Share of each step along the three axes; with one axis alone nothing leaves its line.
    axes: tuple[float, float, float] = (1.0, 1.0, 1.0)


class Diffeomorphism(NamedTuple):
    """Displacements in voxels: where a voxel of one image lies in the other."""

    fixed_to_moving: Field
    moving_to_fixed: Field
    #: Voxels where ``fixed_to_moving`` was smoothed because it nearly folded.
    mended: int = 0


def register(
    channels: Sequence[Channel],
    schedule: Schedule | None = None,
    threads: int = 1,
    ignored: Volume | None = None,
) -> Diffeomorphism:
    """Align the moving with the fixed images of all channels.

    Parameters
    ----------
    channels : sequence of Channel
        Images of shape (x, y, z), affinely aligned.
    schedule : Schedule, optional
    threads : int
    ignored : array of float32, shape (x, y, z), optional
        How much of each voxel of the moving images must not pull, 0 to 1.

    Returns
    -------
    Diffeomorphism
        Two fields of shape (3, x, y, z) in voxels, inverse to one another; ``warp(moving,
        fixed_to_moving)`` looks like ``fixed``.

    Examples
    --------
    >>> x, y, z = np.indices((32, 32, 32)) - 15.5
    >>> ball = np.exp(-(x**2 + y**2 + z**2) / 50).astype(np.float32)
    >>> egg = np.exp(-(x**2 + y**2 + (z / 1.2)**2) / 50).astype(np.float32)
    >>> found = register([Channel(ball, egg)], Schedule((2, 1), (30, 20)))
    >>> bool(abs(warp(egg, found.fixed_to_moving) - ball).mean() < 0.3 * abs(egg - ball).mean())
    True
    """
    schedule = schedule or Schedule()
    halves = None
    last = next(iter(schedule.factors), 1)
    for factor, iterations in zip(schedule.factors, schedule.iterations, strict=True):
        level = [_shrink(channel, factor, threads) for channel in channels]
        shape = level[0].fixed.shape
        hidden = None if ignored is None else _shrink_one(ignored, factor, threads)
        halves = (
            _start(shape) if halves is None else _refine(halves, last / factor, shape, threads)
        )
        last = factor
        for _ in range(iterations):
            halves = _advance(level, halves, schedule, threads, hidden)
    if halves is None:
        raise ValueError('the schedule has no levels')
    halves = _refine(halves, last, channels[0].fixed.shape, threads)
    to_fixed, to_moving = halves
    forward = compose(invert(to_fixed, threads=threads), to_moving, threads)
    backward = compose(invert(to_moving, threads=threads), to_fixed, threads)
    mended = int((jacobian(forward, threads) < LEAST_CHANGE).sum())
    return Diffeomorphism(unfold(forward, threads), unfold(backward, threads), mended)


def unfold(field: Field, threads: int = 1) -> Field:
    """Smooth a field where it folds or nearly does, and nowhere else.

    Two smooth halves that are sampled on a grid can fold in a few voxels when they are composed,
    most often at the edge of the brain, where nothing but noise is left to align.

    Parameters
    ----------
    field : array of float32, shape (3, x, y, z)
        In voxels.
    threads : int

    Returns
    -------
    array of float32, shape (3, x, y, z)
        Equal to ``field`` farther than about 8 voxels from any fold.

    Examples
    --------
    >>> field = np.zeros((3, 24, 24, 24), np.float32)
    >>> field[0, 12:, 8:16, 8:16] = -3  # both sides of x = 12 go to the same place
    >>> bool(jacobian(field).min() < 0), bool(jacobian(unfold(field)).min() > 0)
    (True, True)
    """
    for _ in range(MOST_ROUNDS):
        folded = jacobian(field, threads) < LEAST_CHANGE
        if not folded.any():
            break
        near = ndimage.binary_dilation(folded, iterations=3).astype(np.float32)
        share = smooth(near, 1.0, threads)
        smoothed = np.stack([smooth(part, 1.5, threads) for part in field])
        field = (field + share * (smoothed - field)).astype(np.float32)
    return field


class _Halves(NamedTuple):
    """From the midpoint to either image."""

    to_fixed: Field
    to_moving: Field


def _start(shape: tuple[int, ...]) -> _Halves:
    return _Halves(np.zeros((3, *shape), np.float32), np.zeros((3, *shape), np.float32))


def _shrink(channel: Channel, factor: int, threads: int) -> Channel:
    if factor == 1:
        return channel
    fixed, moving = (
        _shrink_one(image, factor, threads) for image in (channel.fixed, channel.moving)
    )
    return Channel(fixed, moving, channel.weight)


def _shrink_one(image: Volume, factor: int, threads: int) -> Volume:
    if factor == 1:
        return image
    shape = tuple((n - 2) // factor + 2 for n in image.shape)
    matrix = np.diag([factor, factor, factor, 1.0])
    return resample(smooth(image, 0.4 * factor, threads), matrix, shape, threads)


def _refine(halves: _Halves, ratio: float, shape: tuple[int, ...], threads: int) -> _Halves:
    if ratio == 1:
        return halves
    matrix = np.diag([1 / ratio, 1 / ratio, 1 / ratio, 1.0])
    fields = (
        np.stack([resample(part, matrix, shape, threads) for part in half]) * np.float32(ratio)
        for half in halves
    )
    return _Halves(*fields)


def _advance(
    level: Sequence[Channel],
    halves: _Halves,
    schedule: Schedule,
    threads: int,
    hidden: Volume | None = None,
) -> _Halves:
    forces = _start(level[0].fixed.shape)
    for channel in level:
        fixed = warp(channel.fixed, halves.to_fixed, threads=threads)
        moving = warp(channel.moving, halves.to_moving, threads=threads)
        _add_forces(fixed, moving, channel.weight, forces, schedule, threads)
    if hidden is not None:
        seen = 1 - warp(hidden, halves.to_moving, threads=threads)
        forces = _Halves(forces.to_fixed * seen, forces.to_moving * seen)
    return _Halves(
        *(
            _step(half, force, schedule, threads)
            for half, force in zip(halves, forces, strict=True)
        )
    )


def _step(half: Field, force: Field, schedule: Schedule, threads: int) -> Field:
    step = np.stack(
        [
            smooth(part, schedule.step_sigma, threads) * np.float32(share)
            if share
            else np.zeros_like(part)
            for part, share in zip(force, schedule.axes, strict=True)
        ]
    )
    longest = float(np.sqrt((step**2).sum(axis=0).max()))
    if longest < 1e-12:
        return half
    moved = compose(step * np.float32(schedule.step / longest), half, threads)
    if schedule.field_sigma > 0:
        moved = np.stack([smooth(part, schedule.field_sigma, threads) for part in moved])
    return moved


def _add_forces(
    fixed: Volume,
    moving: Volume,
    weight: float,
    forces: _Halves,
    schedule: Schedule,
    threads: int,
) -> None:
    """Add the gradient of the squared local correlation with respect to either field."""
    radius = schedule.radius
    mean_f, mean_m = box_mean(fixed, radius, threads), box_mean(moving, radius, threads)
    ff = box_mean(fixed * fixed, radius, threads) - mean_f * mean_f
    mm = box_mean(moving * moving, radius, threads) - mean_m * mean_m
    fm = box_mean(fixed * moving, radius, threads) - mean_f * mean_m
    run_slabs(
        _correlation_forces,
        fixed.shape[0],
        threads,
        (fixed, moving),
        (mean_f, mean_m),
        (ff, mm, fm),
        (np.float32(weight), np.float32(schedule.floor)),
        forces.to_fixed,
        forces.to_moving,
    )


@numba.njit(nogil=True, cache=True)
def _correlation_forces(  # type: ignore[no-untyped-def]
    start, stop, images, means, moments, settings, to_fixed, to_moving
):
    fixed, moving = images
    mean_f, mean_m = means
    ff, mm, fm = moments
    weight, floor = settings
    nx, ny, nz = fixed.shape
    for i in range(max(start, 1), min(stop, nx - 1)):
        for j in range(1, ny - 1):
            for k in range(1, nz - 1):
                sff, smm, sfm = ff[i, j, k] + floor, mm[i, j, k] + floor, fm[i, j, k]
                f = fixed[i, j, k] - mean_f[i, j, k]
                m = moving[i, j, k] - mean_m[i, j, k]
                common = weight * sfm / (sff * smm)
                pull_f = common * (m - sfm / sff * f)
                pull_m = common * (f - sfm / smm * m)
                to_fixed[0, i, j, k] += pull_f * (fixed[i + 1, j, k] - fixed[i - 1, j, k])
                to_fixed[1, i, j, k] += pull_f * (fixed[i, j + 1, k] - fixed[i, j - 1, k])
                to_fixed[2, i, j, k] += pull_f * (fixed[i, j, k + 1] - fixed[i, j, k - 1])
                to_moving[0, i, j, k] += pull_m * (moving[i + 1, j, k] - moving[i - 1, j, k])
                to_moving[1, i, j, k] += pull_m * (moving[i, j + 1, k] - moving[i, j - 1, k])
                to_moving[2, i, j, k] += pull_m * (moving[i, j, k + 1] - moving[i, j, k - 1])
