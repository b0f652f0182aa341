"""Labels of regions: spread them, and fit them to the tissues that they belong to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage

from mriderived.core.partial_volume import Fractions

Labels = NDArray[np.int32]
Mask = NDArray[np.bool_]

#: Tissues whose regions are bounded by grey matter.
GREY = ('cortex', 'cerebellum')
#: How far, in mm, subcortical regions may grow into grey matter that the warp put in a ventricle.
DEEP_LIMIT = 3.0
#: A voxel with more white matter than this is no part of a grey nucleus.
PURE_WHITE = 0.8


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
    tissues: Fractions,
    side: NDArray[np.int8],
    spacing: Sequence[float],
    limit: float = 5.0,
) -> Labels:
    """Fit warped labels to the tissues of the image.

    1. Regions of the cortex and the cerebellum: every voxel that is mostly grey matter, and not
       inside another structure, takes the nearest of them in its own hemisphere, unless another
       structure (subcortex, brain stem, ventricle, or a label that the table does not name) is
       nearer or all are farther than ``limit``. Elsewhere such labels are removed. Their borders
       are then smoothed by a vote of the surroundings.
    2. Mostly grey voxels inside a ventricle take the nearest subcortical region (within 3 mm).
       Subcortical regions lose voxels that are mostly CSF and, if they are made of grey matter
       (composition gm), those that are white matter to more than 80 %.
    3. All other labels stay as they were warped.

    Parameters
    ----------
    labels : array of int32, shape (x, y, z)
        Labels warped to the image. Those that ``table`` does not name compete, then vanish.
    table : DataFrame
        Columns index, hemisphere (L, R, both), tissue and composition.
    tissues : Fractions
    side : array of int8, shape (x, y, z)
        -1 in the left hemisphere, 1 in the right, 0 if not known.
    spacing : three floats
        Voxel size in mm.
    limit : float
        In mm.

    Returns
    -------
    array of int32, shape (x, y, z)

    Examples
    --------
    >>> table = pd.DataFrame(
    ...     {'index': [7], 'hemisphere': ['L'], 'tissue': ['cortex'], 'composition': ['gm']}
    ... )
    >>> gm = np.array([[[0.9, 0.9, 0.9, 0.1, 0.9]]])
    >>> labels = np.array([[[0, 7, 0, 7, -1]]], np.int32)
    >>> left = np.full((1, 1, 5), -1, np.int8)
    >>> fill_labels(labels, table, Fractions(gm, 1 - gm, 0 * gm), left, (1, 1, 1))
    array([[[7, 7, 7, 0, 0]]], dtype=int32)
    """
    is_fillable = _are(labels, table, 'tissue', GREY)
    is_rival = (labels != 0) & ~is_fillable & ~_are(labels, table, 'tissue', ('white',))
    grey = (tissues.gm > tissues.wm) & (tissues.gm > tissues.csf)
    result = np.where(np.isin(labels, table['index']) & ~is_fillable, labels, 0).astype(np.int32)
    result = _settle_depth(result, table, tissues, spacing)
    for sign, other in ((-1, 'R'), (1, 'L')):
        sources = np.where(is_fillable & ~_are(labels, table, 'hemisphere', (other,)), labels, 0)
        sources = np.where(is_rival, -1, sources).astype(np.int32)
        here = grey & ~is_rival & ((side == sign) | (side == 0))
        found = spread_labels(sources, here, spacing, limit)
        found = smooth_borders(np.maximum(found, 0), spacing)
        result = np.where(found > 0, found, result)
    return result


def _settle_depth(
    labels: Labels, table: pd.DataFrame, tissues: Fractions, spacing: Sequence[float]
) -> Labels:
    """Let the tissues decide between subcortical regions and what lies beside them."""
    is_deep = _are(labels, table, 'tissue', ('subcortex',))
    is_grey = _are(labels, table, 'composition', ('gm',))
    wrong = is_deep & ((tissues.csf > 0.5) | (is_grey & (tissues.wm > PURE_WHITE)))
    settled = np.where(wrong, 0, labels)
    disputed = (tissues.gm > 0.5) & _are(labels, table, 'tissue', ('csf',))
    deep = np.where(is_deep, settled, 0).astype(np.int32)
    found = spread_labels(deep, disputed, spacing, DEEP_LIMIT)
    return np.where(found > 0, found, settled).astype(np.int32)


def smooth_borders(labels: Labels, spacing: Sequence[float], sigma: float = 1.5) -> Labels:
    """Give every labelled voxel the label with most weight, by a Gaussian, around it.

    Parameters
    ----------
    labels : array of int32, shape (x, y, z)
        0 where there is none; such voxels stay without and have no vote.
    spacing : three floats
        Voxel size in mm.
    sigma : float
        Standard deviation of the Gaussian in mm.

    Returns
    -------
    array of int32, shape (x, y, z)

    Examples
    --------
    >>> row = np.array([[[4, 4, 4, 5, 4, 4, 0]]], np.int32)
    >>> smooth_borders(row, (1, 1, 1))
    array([[[4, 4, 4, 4, 4, 4, 0]]], dtype=int32)
    """
    widths = [sigma / size for size in spacing]
    margin = [int(np.ceil(3 * width)) for width in widths]
    most = np.zeros(labels.shape, np.float32)
    winner = labels.copy()
    for index, box in enumerate(ndimage.find_objects(labels), start=1):
        if box is None:
            continue
        wide = tuple(
            slice(max(part.start - add, 0), part.stop + add)
            for part, add in zip(box, margin, strict=True)
        )
        votes = ndimage.gaussian_filter(
            (labels[wide] == index).astype(np.float32), widths, mode='constant', truncate=3.0
        )
        wins = (votes > most[wide]) & (labels[wide] > 0)
        most[wide] = np.where(wins, votes, most[wide])
        winner[wide] = np.where(wins, index, winner[wide])
    return winner


def _are(labels: Labels, table: pd.DataFrame, column: str, values: Sequence[str]) -> Mask:
    """Tell which voxels have a label with one of the values in a column of the table."""
    return np.isin(labels, table['index'][table[column].isin(values)])
