"""Work on time series a block of voxels at a time: bounded memory, any number of threads.

A series is a float32 array of shape (voxels, frames), one row per voxel of a mask. The blocks are
cut by the number of voxels alone, and partial sums are added in the order of the blocks, so that
any number of threads gives the same bits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from mriderived.core.slabs import run_slabs

Series = NDArray[np.float32]
Mask = NDArray[np.bool_]
Frames = NDArray[np.float64]
Result = TypeVar('Result')

#: Voxels per block: with 1,200 frames, 20 MB in double precision.
BLOCK = 2048


def map_blocks(work: Callable[[slice], Result], size: int, threads: int = 1) -> list[Result]:
    """Call ``work`` on every block of ``range(size)`` and return the results in order.

    Parameters
    ----------
    work : callable
        Takes a slice of rows. Runs in threads, so it may only write to its own rows.
    size : int
        Number of rows.
    threads : int

    Examples
    --------
    >>> map_blocks(lambda rows: rows.stop - rows.start, BLOCK + 5)
    [2048, 5]
    """
    blocks = [slice(start, min(start + BLOCK, size)) for start in range(0, size, BLOCK)]
    results: dict[int, Result] = {}

    def run(start: int, stop: int) -> None:
        for block in range(start, stop):
            results[block] = work(blocks[block])

    if blocks:
        run_slabs(run, len(blocks), threads)
    return [results[block] for block in range(len(blocks))]


def median_known(values: NDArray[Any]) -> float:
    """Return the median of the finite values; NaN where there is none.

    Examples
    --------
    >>> median_known(np.array([1.0, np.nan, 3.0]))
    2.0
    """
    known = values[np.isfinite(values)]
    return float(np.median(known)) if known.size else float('nan')


def check_series(series: NDArray[Any], frames: int = 2) -> None:
    """Refuse what is no series of at least ``frames`` frames.

    Raises
    ------
    ValueError

    Examples
    --------
    >>> check_series(np.zeros((5, 1), np.float32))
    Traceback (most recent call last):
    ValueError: the series has 1 frame, and 2 are needed
    """
    if series.ndim != 2:
        raise ValueError(f'a series has two axes, voxels and frames, not {series.ndim}')
    count = series.shape[1]
    if count < frames:
        plural = '' if count == 1 else 's'
        raise ValueError(f'the series has {count} frame{plural}, and {frames} are needed')


def check_repetition_time(repetition_time: float) -> None:
    """Refuse a repetition time that is not positive and finite.

    Raises
    ------
    ValueError
    """
    if not (np.isfinite(repetition_time) and repetition_time > 0):
        raise ValueError(f'the repetition time is {repetition_time} s; it must be positive')


def find_varying(series: Series, threads: int = 1) -> Mask:
    """Return the voxels whose values are all finite and not all the same.

    Parameters
    ----------
    series : array of float32, shape (voxels, frames)
    threads : int

    Returns
    -------
    array of bool, shape (voxels,)

    Examples
    --------
    >>> find_varying(np.float32([[1, 1], [1, 2], [1, np.nan]])).tolist()
    [False, True, False]
    """
    check_series(series, 1)

    def look(rows: slice) -> Mask:
        block = series[rows]
        finite = np.isfinite(block).all(axis=1)
        return np.asarray(finite & (block != block[:, :1]).any(axis=1))

    parts = map_blocks(look, len(series), threads)
    return np.concatenate(parts) if parts else np.zeros(0, bool)


def mean_series(series: Series, mask: Mask) -> Frames:
    """Average over voxels, in double precision; voxels that are not finite are left out.

    Parameters
    ----------
    series : array of float32, shape (voxels, frames)
    mask : array of bool, shape (voxels,)

    Returns
    -------
    array of float64, shape (frames,)
        NaN where the mask holds no finite voxel.

    Examples
    --------
    >>> mean_series(np.float32([[1, 2], [3, 4], [9, 9]]), np.array([True, True, False])).tolist()
    [2.0, 3.0]
    """
    check_series(series, 1)

    def add(rows: slice) -> tuple[Frames, int]:
        block = series[rows][mask[rows]]
        block = block[np.isfinite(block).all(axis=1)]
        return block.sum(axis=0, dtype=np.float64), len(block)

    total, count = np.zeros(series.shape[1]), 0
    for part, voxels in map_blocks(add, len(series)):
        total += part
        count += voxels
    return total / count if count else np.full(series.shape[1], np.nan)
