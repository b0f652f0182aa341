"""Reduce a run to a few volumes that hold most of its variance, before many are joined."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mriderived.core.series import BLOCK, Frames, Series, check_series, map_blocks

#: Voxels whose products are kept at a time: a matrix of frames by frames for each block.
BATCH = 8 * BLOCK


def reduce_frames(series: Series, number: int, threads: int = 1) -> NDArray[np.float32]:
    """Return the leading principal components of a run, as volumes.

    The series of every voxel is brought to mean 0 and standard deviation 1 first. The components
    come from the products of all pairs of frames, so that they are exact and nothing larger than
    the run is ever in memory.

    Parameters
    ----------
    series : array of float32, shape (voxels, frames)
    number : int
        Of components.
    threads : int

    Returns
    -------
    array of float32, shape (number, voxels)
        Principal components times their singular values, the largest first.

    Raises
    ------
    ValueError
        If there are fewer frames than ``number``.

    Examples
    --------
    >>> wave = np.sin(np.arange(50.0))
    >>> series = np.float32([wave, -3 * wave, 5 + 0 * wave])
    >>> np.abs(reduce_frames(series, 1)).astype(float).round(3).tolist()
    [[7.071, 7.071, 0.0]]
    """
    check_series(series, max(number, 2))
    total = np.zeros((series.shape[1], series.shape[1]))
    for start in range(0, len(series), BATCH):
        total += _square_sum(series[start : start + BATCH], threads)
    vectors = np.linalg.eigh(total)[1][:, ::-1][:, :number]
    # The sign of an eigenvector is arbitrary: its largest element is made positive.
    largest = vectors[np.abs(vectors).argmax(axis=0), np.arange(number)]
    vectors = vectors * np.sign(largest)
    reduced = np.empty((number, len(series)), np.float32)

    def combine(rows: slice) -> None:
        reduced[:, rows] = (_standardise(series[rows]) @ vectors).T

    map_blocks(combine, len(series), threads)
    return reduced


def _square_sum(batch: Series, threads: int) -> Frames:
    parts = map_blocks(lambda rows: _square(batch[rows]), len(batch), threads)
    return np.asarray(np.sum(parts, axis=0))


def _square(block: Series) -> Frames:
    unit = _standardise(block)
    return np.asarray(unit.T @ unit)


def _standardise(block: Series) -> Frames:
    values = block.astype(np.float64)
    values -= values.mean(axis=1, keepdims=True)
    spread = values.std(axis=1, keepdims=True)
    # Of a constant, rounding is left.
    varies = spread > 1e-12 * np.abs(block).max(axis=1, keepdims=True)
    return np.asarray(values / np.where(varies, spread, np.inf))
