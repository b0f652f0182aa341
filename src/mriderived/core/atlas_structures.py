"""Regions of an atlas with FreeSurfer's structures: the refined structures, and gyri in cortex."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mriderived.core.labels import Labels, smooth_borders, spread_labels

#: The cortex of a hemisphere, and the hemisphere whose regions it cannot have.
CORTEX = ((3, 'R'), (42, 'L'))
#: Farther from every region than any cortex is: all of it gets one.
ANYWHERE_MM = 20.0


def follow_structures(
    warped: Labels, table: pd.DataFrame, structures: Labels, spacing: Sequence[float]
) -> Labels:
    """Take structures as they were refined, and fill the refined cortex with the nearest region.

    Parameters
    ----------
    warped : array of int32, shape (x, y, z)
        Labels of the atlas warped to the image.
    table : DataFrame
        Columns index, hemisphere and tissue. All but the cortex have numbers of ``structures``.
    structures : array of int32, shape (x, y, z)
        The refined structures, with the cortex as 3 and 42.
    spacing : three floats
        Voxel size in mm.

    Returns
    -------
    array of int32, shape (x, y, z)

    Examples
    --------
    >>> table = pd.DataFrame({'index': [11, 1001], 'hemisphere': ['L', 'L'],
    ...                       'tissue': ['subcortex', 'cortex']})
    >>> warped = np.array([[[11, 11, 1001, 0, 0]]], np.int32)
    >>> refined = np.array([[[11, 3, 3, 3, 42]]], np.int32)
    >>> follow_structures(warped, table, refined, (1, 1, 1))
    array([[[  11, 1001, 1001, 1001,    0]]], dtype=int32)
    """
    is_cortex = table['tissue'] == 'cortex'
    kept = np.isin(structures, table['index'][~is_cortex])
    result = np.where(kept, structures, 0).astype(np.int32)
    for number, other in CORTEX:
        mine = table['index'][is_cortex & (table['hemisphere'] != other)]
        sources = np.where(np.isin(warped, mine), warped, 0).astype(np.int32)
        found = spread_labels(sources, structures == number, spacing, ANYWHERE_MM)
        found = smooth_borders(found, spacing)
        result = np.where(found > 0, found, result)
    return result
