"""Summarise maps within regions."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from mriderived.core.labels import Labels


def region_table(values: ArrayLike, labels: Labels, index: ArrayLike) -> pd.DataFrame:
    """Summarise a map within regions.

    Parameters
    ----------
    values : array, shape (x, y, z)
        Voxels that are not finite are left out.
    labels : array of int, shape (x, y, z)
    index : array of int, shape (n,)
        The labels to report, positive, in the order of the rows.

    Returns
    -------
    DataFrame
        Columns index, mean, std (of the voxels, no degree of freedom taken off), median and
        n_voxels; a region without voxels has ``nan`` and 0.

    Examples
    --------
    >>> region_table([1.0, 3.0, 8.0, np.nan], np.array([1, 1, 2, 2]), [1, 2])
       index  mean  std  median  n_voxels
    0      1   2.0  1.0     2.0         2
    1      2   8.0  0.0     8.0         1
    """
    index = np.asarray(index, dtype=np.int64)
    rows, numbers = select_regions(np.asarray(values, dtype=np.float64), labels, index)
    count = np.bincount(rows, minlength=len(index))
    with np.errstate(invalid='ignore', divide='ignore'):
        mean = np.bincount(rows, numbers, len(index)) / count
        # Two passes: the variance of a few large, similar numbers would drown in one.
        spread = np.bincount(rows, (numbers - mean[rows]) ** 2, len(index)) / count
    return pd.DataFrame(
        {
            'index': index,
            'mean': mean,
            'std': np.sqrt(spread),
            'median': _medians(rows, numbers, count),
            'n_voxels': count,
        }
    )


def select_regions(
    values: NDArray[np.float64], labels: Labels, index: NDArray[np.int64]
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return the row in ``index`` of every voxel with one of its labels, and the voxel's value.

    Voxels whose value is not finite are left out.
    """
    if not len(index):
        return np.zeros(0, np.intp), np.zeros(0)
    order = np.argsort(index)
    place = np.minimum(np.searchsorted(index[order], labels), len(index) - 1)
    rows = order[place]
    wanted = (index[rows] == labels) & np.isfinite(values)
    return rows[wanted], values[wanted]


def _medians(
    rows: NDArray[np.intp], numbers: NDArray[np.float64], count: NDArray[np.intp]
) -> NDArray[np.float64]:
    ordered = numbers[np.lexsort((numbers, rows))]
    start = np.cumsum(count) - count
    last = max(len(ordered) - 1, 0)
    low, high = (np.minimum(start + half, last) for half in ((count - 1) // 2, count // 2))
    medians = np.full(len(count), np.nan)
    if len(ordered):
        medians = np.where(count > 0, (ordered[low] + ordered[high]) / 2, np.nan)
    return medians
