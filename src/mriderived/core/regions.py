"""Labels of regions: grow them to the tissue they belong to, and summarise maps within them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

Labels = NDArray[np.int32]
Mask = NDArray[np.bool_]

#: Tissues whose regions are bounded by grey matter.
GREY = ('cortex', 'cerebellum')


class Tissues(NamedTuple):
    """Partial volume fractions, 0..1, on one grid."""

    gm: NDArray[np.floating[Any]]
    wm: NDArray[np.floating[Any]]
    csf: NDArray[np.floating[Any]]


def spread_labels(labels: Labels, target: Mask, spacing: Sequence[float], limit: float) -> Labels:
    """Give every voxel of ``target`` the nearest label.

    Parameters
    ----------
    labels : array of int32, shape (x, y, z)
        0 where there is none.
    target : array of bool, shape (x, y, z)
        Voxels to label; those that have a label keep it.
    spacing : three floats
        Voxel size in mm.
    limit : float
        Distance in mm (between voxel centres) beyond which a voxel stays 0.

    Returns
    -------
    array of int32, shape (x, y, z)
        0 outside ``target``.

    Examples
    --------
    >>> row = np.array([[[0, 7, 0, 0, 9]]], np.int32)
    >>> spread_labels(row, np.ones((1, 1, 5), bool), (1, 1, 1), 1)
    array([[[7, 7, 7, 9, 9]]], dtype=int32)
    """
    result = np.where(target, labels, 0).astype(np.int32)
    todo = target & (labels == 0)
    if not todo.any() or not labels.any():
        return result
    window = _window(todo, spacing, limit)
    distance, nearest = ndimage.distance_transform_edt(
        labels[window] == 0, sampling=spacing, return_indices=True
    )
    found = np.where(distance <= limit, labels[window][tuple(nearest)], 0)
    result[window] = np.where(todo[window], found, result[window])
    return result


def _window(todo: Mask, spacing: Sequence[float], limit: float) -> tuple[slice, ...]:
    """Return the box around ``todo`` and everything within ``limit`` of it."""
    window = []
    for axis, size in enumerate(spacing):
        others = tuple(other for other in range(3) if other != axis)
        where = np.flatnonzero(todo.any(axis=others))
        margin = int(np.ceil(limit / size)) + 1
        window.append(slice(max(where[0] - margin, 0), where[-1] + margin + 1))
    return tuple(window)


def fill_labels(
    labels: Labels,
    table: pd.DataFrame,
    tissues: Tissues,
    side: NDArray[np.int8],
    spacing: Sequence[float],
    limit: float = 5.0,
) -> Labels:
    """Fit warped labels to the grey matter of the image.

    Every voxel that is mostly grey matter and not inside another structure takes the nearest
    label of the cortex or the cerebellum in its own hemisphere, unless another structure
    (subcortex, brain stem, ventricle, or a label that the table does not name) is nearer or all
    are farther than ``limit``. Labels of the cortex and the cerebellum outside grey matter are
    removed; all others stay as they were warped.

    Parameters
    ----------
    labels : array of int32, shape (x, y, z)
        Labels warped to the image. Those that ``table`` does not name compete, then vanish.
    table : DataFrame
        Columns index, hemisphere (L, R, both) and tissue.
    tissues : Tissues
    side : array of int8, shape (x, y, z)
        -1 in the left hemisphere, 1 in the right, 0 if not known.
    spacing : three floats
        Voxel size in mm.
    limit : float
        In mm.

    Returns
    -------
    array of int32, shape (x, y, z)
    """
    is_fillable = _are(labels, table, 'tissue', GREY)
    is_rival = (labels != 0) & ~is_fillable & ~_are(labels, table, 'tissue', ('white',))
    grey = (tissues.gm > tissues.wm) & (tissues.gm > tissues.csf) & ~is_rival
    result = np.where(np.isin(labels, table['index']) & ~is_fillable, labels, 0)
    for sign, other in ((-1, 'R'), (1, 'L')):
        is_foreign = _are(labels, table, 'hemisphere', (other,))
        sources = np.where(is_fillable & ~is_foreign, labels, 0)
        sources = np.where(is_rival, -1, sources).astype(np.int32)
        here = grey & ((side == sign) | (side == 0))
        found = spread_labels(sources, here, spacing, limit)
        result = np.where(found > 0, found, result)
    return result.astype(np.int32)


def _are(labels: Labels, table: pd.DataFrame, column: str, values: Sequence[str]) -> Mask:
    """Tell which voxels have a label with one of the values in a column of the table."""
    return np.isin(labels, table['index'][table[column].isin(values)])


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
