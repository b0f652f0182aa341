"""Head motion of a series: where the head lies in every volume.

Two passes. A few volumes, spread over the series, are aligned with the most typical of them (or
with the mean of the volumes before the steady state, where there are any) and joined to their
median; then every volume is aligned with that median. Volumes are handled one by one, so a result
does not depend on the number of threads, and no more than a few dozen are ever in memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from mriderived.core.motion_reference import pick_typical, take_median, weigh_head
from mriderived.core.rigid import rigid_parameters
from mriderived.core.rigid_volume import Found, Target, align_volume, prepare_target
from mriderived.core.slabs import run_slabs
from mriderived.core.splines import find_covered, resample_cubic

Volume = NDArray[np.float32]
Matrix = NDArray[np.float64]

#: Volumes whose median is the reference.
MOST_FOR_REFERENCE = 15
#: Values in memory for the reference at most.
MOST_VALUES = 30_000_000


class Series(Protocol):
    """Anything with four axes that gives single volumes: an array, memory-mapped or not."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes along x, y, z and time."""

    def __getitem__(self, index: Any, /) -> Any:
        """Return a volume for the index ``..., t``."""


class Motion(NamedTuple):
    """Where the head lies in each volume of a series."""

    #: Shape (t, 4, 4): from mm of the reference to mm of each volume, RAS.
    matrices: Matrix
    #: Shape (t, 6): shifts in mm and turns in rad about ``centre``, see ``core.rigid``.
    parameters: Matrix
    #: Shape (3,): in mm.
    centre: Matrix
    #: Shape (t,): correlation of each aligned volume with the reference in the head.
    fit: Matrix
    #: Shape (x, y, z): the median of aligned volumes of the steady state.
    reference: Volume


def estimate_series(
    series: Series,
    affine: Matrix,
    unsteady: int = 0,
    weights: Volume | None = None,
    threads: int = 1,
) -> Motion:
    """Estimate head motion in a series, with a reference made of it.

    Parameters
    ----------
    series : array or the like, shape (x, y, z, t)
        Read one volume at a time. Voxels that are not finite count as 0.
    affine : array, shape (4, 4)
        From voxels to RAS mm.
    unsteady : int
        Volumes before the steady state. Their mean defines the reference position.
    weights : array of float32, shape (x, y, z), optional
        How much each voxel counts; by default 1 in the head and its edge.
    threads : int

    Returns
    -------
    Motion

    Raises
    ------
    ValueError
        If the series has no four axes or no volume in the steady state, or if a volume is empty.

    Examples
    --------
    >>> x, y, z = np.indices((24, 24, 24)) - 11.5
    >>> ball = np.exp(-(x**2 + y**2 / 1.5 + z**2 / 2) / 20).astype(np.float32)
    >>> still = np.stack([ball] * 3, axis=-1)
    >>> bool(np.abs(estimate_series(still, np.eye(4)).parameters).max() < 1e-3)
    True
    """
    if len(series.shape) != 4:
        raise ValueError(f'a series has four axes, but this image has shape {series.shape}')
    count = series.shape[3]
    if not 0 <= unsteady < count:
        raise ValueError(
            f'{unsteady} of {count} volumes are before the steady state; none is left'
        )
    affine = np.asarray(affine, float)
    chosen = _choose(series.shape, unsteady)
    some = [read_volume(series, index) for index in chosen]
    if unsteady:
        first = np.zeros(series.shape[:3], np.float64)
        for index in range(unsteady):
            first += read_volume(series, index) / unsteady
        start = first.astype(np.float32)
    else:
        start = some[pick_typical(some)]
    reference = _join_aligned(some, start, affine, weights, threads)
    del some
    counts = weigh_head(reference) if weights is None else weights
    target = prepare_target(reference, affine, counts, threads)
    volumes = (read_volume(series, index) for index in range(count))
    found = list(align_volumes(volumes, target, threads))
    matrices = np.stack([each.matrix for each in found])
    return Motion(
        matrices,
        rigid_parameters(matrices, target.centre),
        target.centre,
        np.array([each.fit for each in found]),
        reference,
    )


def align_volumes(volumes: Iterable[Volume], target: Target, threads: int = 1) -> Iterator[Found]:
    """Align volumes with a target, a few at a time, and yield what is found in their order.

    Parameters
    ----------
    volumes : iterable of arrays of float32, shape (x, y, z)
        Finite, on the grid of the target.
    target : Target
    threads : int
        Volumes at the same time.

    Raises
    ------
    ValueError
        If a volume is on another grid.

    Examples
    --------
    >>> x, y, z = np.indices((24, 24, 24)) - 11.5
    >>> ball = np.exp(-(x**2 + y**2 / 1.5 + z**2 / 2) / 20).astype(np.float32)
    >>> target = prepare_target(ball, np.eye(4), np.ones_like(ball))
    >>> [round(found.fit, 3) for found in align_volumes([ball, ball], target)]
    [1.0, 1.0]
    """
    remaining = iter(volumes)
    while some := list(islice(remaining, 2 * threads)):
        for volume in some:
            if volume.shape != target.shape:
                raise ValueError(
                    f'a volume has shape {volume.shape}, but the reference {target.shape}'
                )
        found: list[Found | None] = [None] * len(some)
        run_slabs(_align_some, len(some), threads, some, target, found)
        yield from (each for each in found if each is not None)


def read_volume(series: Series, index: int) -> Volume:
    """Return one volume of a series as float32; 0 where it is not finite.

    Raises
    ------
    ValueError
        If it holds nothing but one value, or nothing finite.

    Examples
    --------
    >>> read_volume(np.arange(16.0).reshape(2, 2, 2, 2), 1).ravel()[:3].tolist()
    [1.0, 3.0, 5.0]
    """
    volume = np.ascontiguousarray(series[..., index], dtype=np.float32)
    finite = np.isfinite(volume)
    if not finite.all():
        volume = np.where(finite, volume, np.float32(0))
    if volume.min() == volume.max():
        raise ValueError(
            f'volume {index} of the series (counted from 0) is empty: all of its voxels have the '
            f'value {volume.flat[0]:g} or are not finite; remove it or acquire the series again'
        )
    return volume


def _choose(shape: tuple[int, ...], unsteady: int) -> list[int]:
    """Return volumes of the steady state, evenly spread, few enough to keep in memory."""
    steady = np.arange(unsteady, shape[3])
    fit = max(min(MOST_FOR_REFERENCE, MOST_VALUES // int(np.prod(shape[:3]))), 3)
    places = np.linspace(0, len(steady) - 1, min(fit, len(steady)))
    return [int(steady[int(place)]) for place in places]


def _join_aligned(
    some: list[Volume], start: Volume, affine: Matrix, weights: Volume | None, threads: int
) -> Volume:
    counts = weigh_head(start) if weights is None else weights
    target = prepare_target(start, affine, counts, threads)
    aligned = list(some)
    covered = [np.zeros((0, 0, 0), np.bool_) for _ in some]
    run_slabs(_resample_some, len(some), threads, some, target, affine, aligned, covered)
    return take_median(aligned, covered, threads)


def _resample_some(
    start: int,
    stop: int,
    some: list[Volume],
    target: Target,
    affine: Matrix,
    aligned: list[Volume],
    covered: list[NDArray[np.bool_]],
) -> None:
    for index in range(start, stop):
        found = align_volume(target, some[index])
        matrix = np.linalg.inv(affine) @ found.matrix @ affine
        aligned[index] = resample_cubic(some[index], matrix, target.shape)
        covered[index] = find_covered(target.shape, matrix, target.shape)


def _align_some(
    start: int, stop: int, some: list[Volume], target: Target, found: list[Found | None]
) -> None:
    for index in range(start, stop):
        found[index] = align_volume(target, some[index])
