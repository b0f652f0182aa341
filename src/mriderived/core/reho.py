"""Regional homogeneity: how alike the time courses of a voxel and its neighbours are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from mriderived.core.ranks import rank_rows
from mriderived.core.series import Mask, Series
from mriderived.core.slabs import run_slabs

Neighbourhood = Literal[7, 19, 27]
#: Planes that are ranked at a time: they bound the memory.
PLANES = 4
#: Largest squared distance of a neighbour, in voxels: it shares a face, an edge, a corner.
_REACH = {7: 1, 19: 2, 27: 3}


class Homogeneity(NamedTuple):
    """Maps of shape (x, y, z).

    ``reho`` is Kendall's W as it would be with all neighbours, ``kendall_w`` that of the voxels
    that are there, ``neighbours`` their number, the voxel itself included (0 outside the mask).
    """

    reho: NDArray[np.float32]
    kendall_w: NDArray[np.float32]
    neighbours: NDArray[np.uint8]


def measure_reho(
    series: NDArray[np.float32],
    mask: Mask,
    neighbourhood: Neighbourhood = 27,
    minimum: int | None = None,
    threads: int = 1,
) -> Homogeneity:
    r"""Measure Kendall's coefficient of concordance between each voxel and its neighbours.

    Over m voxels and T frames, with :math:`R_t` the sum of ranks in frame t (ties averaged) and
    :math:`\tau_i = \sum (t^3 - t)` over the ties of voxel i,

    .. math:: W = \frac{12 \sum_t (R_t - \bar R)^2}{m^2 (T^3 - T) - m \sum_i \tau_i}.

    W depends on m: independent series have an expectation of 1/m, so that the edge of a mask,
    where neighbours are missing, would look more homogeneous. What does not depend on m is the
    mean Spearman correlation between the m voxels, :math:`r = (m W - 1) / (m - 1)`. ``reho`` is
    the W that the same mean correlation has in a full neighbourhood of M voxels,
    :math:`(1 + (M - 1) r) / M`: the same as W where all neighbours are there, and of expectation
    1/M under independence everywhere. At an edge it can be slightly negative by chance; to cut it
    at 0 would bring a bias back.

    Parameters
    ----------
    series : array of float32, shape (x, y, z, frames)
    mask : array of bool, shape (x, y, z)
        Voxels that are constant or not finite do not count as part of it.
    neighbourhood : 7, 19 or 27
        Voxels that share a face, a face or an edge, or a face, an edge or a corner.
    minimum : int, optional
        With fewer voxels, itself included, ``reho`` and ``kendall_w`` are NaN; if not given, more
        than half of the neighbourhood is needed (4, 10, 14).
    threads : int

    Returns
    -------
    Homogeneity
        NaN outside the mask.

    Raises
    ------
    ValueError
        If shapes differ, there are fewer than three frames, the neighbourhood is none of the
        three or ``minimum`` is below 2.

    References
    ----------
    Zang et al. 2004, https://doi.org/10.1016/j.neuroimage.2003.12.030;
    Kendall and Babington Smith 1939, https://doi.org/10.1214/aoms/1177732186

    Examples
    --------
    >>> noise = np.random.default_rng(0).normal(size=(5, 5, 5, 99)).astype(np.float32)
    >>> same = np.broadcast_to(noise[2, 2, 2], noise.shape)
    >>> float(measure_reho(same, np.ones((5, 5, 5), bool)).reho[2, 2, 2])
    1.0
    """
    if series.ndim != 4 or series.shape[:3] != mask.shape:
        raise ValueError(f'series of shape {series.shape} and mask of shape {mask.shape}')

    def take(begin: int, end: int) -> Series:
        return np.asarray(series[begin:end][mask[begin:end]])

    return _measure(take, series.shape[3], mask, neighbourhood, minimum, threads)


def measure_masked_reho(
    series: Series,
    mask: Mask,
    neighbourhood: Neighbourhood = 27,
    minimum: int | None = None,
    threads: int = 1,
) -> Homogeneity:
    """Do as :func:`measure_reho` on the voxels of the mask alone, which take less memory.

    Parameters
    ----------
    series : array of float32, shape (voxels, frames)
        The voxels of the mask, in the order of ``volume[mask]``.
    mask : array of bool, shape (x, y, z)
    neighbourhood, minimum, threads
        See :func:`measure_reho`.

    Raises
    ------
    ValueError
        As :func:`measure_reho`.

    Examples
    --------
    >>> noise = np.random.default_rng(0).normal(size=(4, 4, 4, 20)).astype(np.float32)
    >>> mask = np.ones((4, 4, 4), bool)
    >>> masked, whole = measure_masked_reho(noise[mask], mask), measure_reho(noise, mask)
    >>> bool(np.array_equal(masked.reho, whole.reho, equal_nan=True))
    True
    """
    if series.ndim != 2 or len(series) != np.count_nonzero(mask):
        raise ValueError(
            f'series of shape {series.shape} and mask of {np.count_nonzero(mask)} voxels'
        )
    before = np.concatenate([[0], np.cumsum(mask.sum(axis=(1, 2)))])

    def take(begin: int, end: int) -> Series:
        return series[before[begin] : before[end]]

    return _measure(take, series.shape[1], mask, neighbourhood, minimum, threads)


def _measure(
    take: Callable[[int, int], Series],
    frames: int,
    mask: Mask,
    neighbourhood: Neighbourhood,
    minimum: int | None,
    threads: int,
) -> Homogeneity:
    """Measure what ``take`` gives for the voxels of the mask in some planes along x."""
    _check(frames, neighbourhood)
    least = neighbourhood // 2 + 1 if minimum is None else minimum
    if least < 2:
        raise ValueError('a concordance needs two voxels or more')
    shape = mask.shape
    found = Homogeneity(
        np.full(shape, np.nan, np.float32),
        np.full(shape, np.nan, np.float32),
        np.zeros(shape, np.uint8),
    )
    offsets = _offsets(neighbourhood)

    def run(start: int, stop: int) -> None:
        for slab in range(start, stop):
            _measure_slab(slab * PLANES, take, mask, offsets, least, found)

    run_slabs(run, -(-shape[0] // PLANES), threads)
    return found


def _check(frames: int, neighbourhood: int) -> None:
    if frames < 3:
        raise ValueError(f'{frames} frames have no concordance; three are needed')
    if neighbourhood not in _REACH:
        raise ValueError(f'a neighbourhood has 7, 19 or 27 voxels, not {neighbourhood}')


def _offsets(neighbourhood: int) -> NDArray[np.int64]:
    steps = np.stack(np.meshgrid(*[[-1, 0, 1]] * 3, indexing='ij'), axis=-1).reshape(-1, 3)
    return np.asarray(steps[(steps**2).sum(axis=1) <= _REACH[neighbourhood]], np.int64)


def _measure_slab(
    first: int,
    take: Callable[[int, int], Series],
    mask: Mask,
    offsets: NDArray[np.int64],
    least: int,
    found: Homogeneity,
) -> None:
    last = min(first + PLANES, len(mask))
    begin, end = max(first - 1, 0), min(last + 1, len(mask))
    inside = mask[begin:end]
    if not mask[first:last].any():
        return
    values = take(begin, end)
    varying = np.isfinite(values).all(axis=1) & (values != values[:, :1]).any(axis=1)
    row = np.full(inside.shape, -1, np.int64)
    places = np.flatnonzero(inside)[varying]
    row.ravel()[places] = np.arange(len(places))
    ranks, ties = rank_rows(values if varying.all() else values[varying])
    target = slice(first, last)
    _concordance(
        first - begin,
        row,
        ranks,
        ties,
        offsets,
        least,
        found.reho[target],
        found.kendall_w[target],
        found.neighbours[target],
    )


@numba.njit(nogil=True, cache=True)
def _add_ranks(place: Any, row: Any, ranks: Any, ties: Any, offsets: Any, sums: Any) -> Any:
    """Add the doubled ranks of a voxel and its neighbours; return their number and their ties."""
    sums[:] = 0
    m = 0
    tied = 0.0
    for o in range(len(offsets)):
        x, y, z = place[0] + offsets[o, 0], place[1] + offsets[o, 1], place[2] + offsets[o, 2]
        inside = 0 <= x < row.shape[0] and 0 <= y < row.shape[1] and 0 <= z < row.shape[2]
        if not inside or row[x, y, z] < 0:
            continue
        near = row[x, y, z]
        m += 1
        tied += ties[near]
        for t in range(ranks.shape[1]):
            sums[t] += ranks[near, t]
    return m, tied


@numba.njit(nogil=True, cache=True)
def _concordance(
    shift: int,
    row: Any,
    ranks: Any,
    ties: Any,
    offsets: Any,
    least: int,
    reho: Any,
    kendall_w: Any,
    neighbours: Any,
) -> None:
    frames = ranks.shape[1]
    sums = np.empty(frames, np.int32)
    full = len(offsets)
    cube = float(frames) ** 3 - frames
    for i in range(reho.shape[0]):
        for j in range(row.shape[1]):
            for k in range(row.shape[2]):
                if row[i + shift, j, k] < 0:
                    continue
                m, tied = _add_ranks((i + shift, j, k), row, ranks, ties, offsets, sums)
                neighbours[i, j, k] = m
                if m < least:
                    continue
                # Ranks are doubled, so that all of this is exact in whole numbers.
                middle = m * (frames + 1)
                spread = np.int64(0)
                for t in range(frames):
                    away = np.int64(sums[t]) - middle
                    spread += away * away
                w = 3.0 * spread / (m * m * cube - m * tied)
                r = (m * w - 1) / (m - 1)
                kendall_w[i, j, k] = w
                reho[i, j, k] = (1 + (full - 1) * r) / full
