"""Ranks with averaged ties, and exact order statistics of arrays too large to copy."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from mriderived.core.series import Series

_INDEX = np.uint64(0xFFFFFFFF)


def rank_rows(values: Series) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    r"""Rank every row from 1; equal values share the mean of their ranks.

    Parameters
    ----------
    values : array of float32, shape (rows, n)
        Finite.

    Returns
    -------
    ranks : array of int32, shape (rows, n)
        Twice the rank, a whole number even for ties.
    ties : array of float64, shape (rows,)
        :math:`\sum (t^3 - t)` over the groups of t equal values.

    Examples
    --------
    >>> ranks, ties = rank_rows(np.float32([[5, 1, 5]]))
    >>> ranks.tolist(), ties.tolist()
    ([[5, 2, 5]], [6.0])
    """
    # Zero is added because the two zeros differ in their bits.
    bits = np.ascontiguousarray(values + np.float32(0), np.float32).view(np.uint32)
    keys = _order(bits).astype(np.uint64) << np.uint64(32)
    keys |= np.arange(bits.shape[1], dtype=np.uint64)
    keys.sort(axis=1)
    ranks = np.empty(bits.shape, np.int32)
    ties = np.empty(len(bits))
    _spread(keys, ranks, ties)
    return ranks, ties


def median_of(values: NDArray[np.float32]) -> float:
    """Return the exact median of all values, without a copy of them.

    Parameters
    ----------
    values : array of float32, any shape, C order
        Finite.

    Returns
    -------
    float
        NaN for an empty array.

    Examples
    --------
    >>> median_of(np.float32([[4, -1], [3, 10]]))
    3.5
    """
    if values.size == 0:
        return float('nan')
    bits = np.ascontiguousarray(values, np.float32).reshape(-1).view(np.uint32)
    low, high = ((bits.size - 1) // 2, bits.size // 2)
    first = _select(bits, low)
    second = first if high == low else _select(bits, high)
    return (float(first) + float(second)) / 2


def _order(bits: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Return integers in the order of the floats with these bits."""
    sign = np.uint32(0x80000000)
    flip = np.where(bits & sign, np.uint32(0xFFFFFFFF), sign)
    return np.asarray(bits ^ flip, np.uint32)


def _select(bits: NDArray[np.uint32], rank: int) -> np.float32:
    upper = _histogram(bits, False, 0)
    cumulative = np.cumsum(upper)
    top = int(np.searchsorted(cumulative, rank, side='right'))
    rank -= int(cumulative[top - 1]) if top else 0
    lower = np.cumsum(_histogram(bits, True, top))
    bottom = int(np.searchsorted(lower, rank, side='right'))
    key = np.uint32((top << 16) | bottom)
    sign = np.uint32(0x80000000)
    found = key ^ sign if key & sign else key ^ np.uint32(0xFFFFFFFF)
    return np.float32(np.array([found], np.uint32).view(np.float32)[0])


@numba.njit(nogil=True, cache=True)
def _histogram(bits: Any, low_half: bool, top: int) -> Any:
    """Count the upper halves of the ordered bits, or the lower ones below one upper half."""
    counts = np.zeros(65536, np.int64)
    for index in range(bits.size):
        value = np.int64(bits[index])
        value = value ^ 0xFFFFFFFF if value & 0x80000000 else value ^ 0x80000000
        if not low_half:
            counts[value >> 16] += 1
        elif value >> 16 == top:
            counts[value & 0xFFFF] += 1
    return counts


@numba.njit(nogil=True, cache=True)
def _spread(keys: Any, ranks: Any, ties: Any) -> None:
    rows, size = keys.shape
    for row in range(rows):
        tied = 0.0
        start = 0
        while start < size:
            value = keys[row, start] >> np.uint64(32)
            stop = start + 1
            while stop < size and keys[row, stop] >> np.uint64(32) == value:
                stop += 1
            for place in range(start, stop):
                ranks[row, np.int64(keys[row, place] & _INDEX)] = start + stop + 1
            count = float(stop - start)
            tied += count**3 - count
            start = stop
        ties[row] = tied
