"""Which regions of an atlas a lesion touches, and how much of each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage

from mriderived.core.labels import Labels
from mriderived.core.masks import find_box

Mask = NDArray[np.bool_]

#: What lies this close to a lesion, in mm, counts as touched: its edge is no sound tissue, and
#: how far it goes is known no better.
RIM_MM = 2.0
#: Parts of a lesion are apart if their corners do not meet.
_TOUCHING = np.ones((3, 3, 3), bool)


def cover_regions(
    lesion: Mask, maps: Sequence[Labels], index: NDArray[np.int64], spacing: Sequence[float]
) -> pd.DataFrame:
    """Return how much of each region a lesion covers.

    Parameters
    ----------
    lesion : array of bool, shape (x, y, z)
    maps : sequence of arrays of int, shape (x, y, z)
        Where the regions are. With several (regions as they were expected, and as they were
        found in what is left of the tissue), the largest share counts.
    index : array of int, shape (n,)
        The regions, positive.
    spacing : three floats
        Size of a voxel in mm.

    Returns
    -------
    DataFrame
        One row per region: ``share`` (0 to 1) of its voxels that lie in the lesion or within
        :data:`RIM_MM` of it, and ``part``, the number (from 1) of the connected part of the
        lesion that covers most of it, in the order of :func:`label_parts`; 0 for none.

    Examples
    --------
    >>> regions = np.zeros((12, 12, 12), np.int32); regions[:6] = 1; regions[6:] = 2
    >>> lesion = np.zeros((12, 12, 12), bool); lesion[0:2] = True
    >>> cover_regions(lesion, [regions], np.array([1, 2]), (2.0, 2.0, 2.0))
       share  part
    0    0.5     1
    1    0.0     0
    """
    share = np.zeros(len(index))
    part = np.zeros(len(index), np.int64)
    if lesion.any():
        margin = [int(np.ceil(RIM_MM / size)) + 1 for size in spacing]
        box = find_box(lesion, margin)
        distance, nearest = ndimage.distance_transform_edt(
            ~lesion[box], sampling=spacing, return_indices=True
        )
        parts = label_parts(lesion[box])[tuple(nearest)]
        parts[distance > RIM_MM] = 0
        for labels in maps:
            _add_cover(labels, labels[box], parts, index, share, part)
    return pd.DataFrame({'share': share, 'part': part})


def label_parts(lesion: Mask) -> NDArray[np.int32]:
    """Number the connected parts of a lesion from 1, the largest first."""
    numbers = np.zeros(lesion.shape, np.int32)
    if not lesion.any():
        return numbers
    box = find_box(lesion, (0, 0, 0))
    parts, count = ndimage.label(lesion[box], _TOUCHING)
    order = np.argsort(-np.bincount(parts.ravel(), minlength=count + 1)[1:], kind='stable')
    rank = np.zeros(count + 1, np.int32)
    rank[order + 1] = np.arange(1, count + 1)
    numbers[box] = rank[parts]
    return numbers


def _add_cover(
    whole: Labels,
    near: Labels,
    parts: NDArray[np.int32],
    index: NDArray[np.int64],
    share: NDArray[np.float64],
    part: NDArray[np.int64],
) -> None:
    """Raise shares to those of one map of regions."""
    size = int(max(whole.max(), index.max())) + 1
    total = np.bincount(whole[whole > 0], minlength=size)[index]
    touched = (parts > 0) & (near > 0)
    pairs = np.zeros((int(parts.max()) + 1, size), np.int64)
    np.add.at(pairs, (parts[touched], near[touched]), 1)
    pairs = pairs[:, index]
    mine = np.where(total > 0, pairs.sum(axis=0) / np.maximum(total, 1), 0)
    more = mine > share
    share[more], part[more] = mine[more], pairs.argmax(axis=0)[more]
