"""Where perivascular spaces are looked for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Mask = NDArray[np.bool_]

#: Spaces so wide, in mm, are part of the white matter although a T1w shows no white matter there.
FILL_MM = 2.0
#: So near to lesions, sulci and ventricles, in mm, dark lines are their edges.
AWAY_MM = 2.0


def find_search_region(
    white: Mask, nuclei: Mask, excluded: Mask, spacing: Sequence[float]
) -> Mask:
    """Return white matter and basal ganglia with the fine holes in them.

    Parameters
    ----------
    white : array of bool, shape (x, y, z)
        White matter of the cerebrum as segmented: holes are what is looked for.
    nuclei : array of bool, shape (x, y, z)
        Basal ganglia.
    excluded : array of bool, shape (x, y, z)
        Lesions, sulci and ventricles; of fluid only what is no small hole in white matter.
    spacing : three floats
        Voxel size in mm.

    Returns
    -------
    array of bool, shape (x, y, z)

    Examples
    --------
    >>> white = np.ones((15, 15, 15), bool); white[7, 7] = False
    >>> excluded = np.zeros_like(white); excluded[:2] = True
    >>> found = find_search_region(white, excluded & False, excluded, (1, 1, 1))
    >>> bool(found[7, 7, 7]), bool(found[3, 7, 7]), bool(found[4, 7, 7])
    (True, False, True)
    """
    inside = white | nuclei
    # a closing by distances: out by so much, and back in
    padded = np.pad(inside, [(int(np.ceil(FILL_MM / size)) + 1,) * 2 for size in spacing])
    wide = _distance(padded, spacing) <= FILL_MM
    closed = _distance(~wide, spacing) > FILL_MM
    core = tuple(
        slice(int(np.ceil(FILL_MM / size)) + 1, -int(np.ceil(FILL_MM / size)) - 1)
        for size in spacing
    )
    return np.asarray(closed[core] & (_distance(excluded, spacing) > AWAY_MM))


def _distance(mask: Mask, spacing: Sequence[float]) -> NDArray[np.float64]:
    if not mask.any():
        return np.full(mask.shape, np.inf)
    return np.asarray(ndimage.distance_transform_edt(~mask, sampling=spacing))
