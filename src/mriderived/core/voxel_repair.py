"""Implausible voxels of maps, replaced by their neighbours."""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

#: Neighbours, of 26, that a replacement needs.
LEAST_NEIGHBOURS = 5
#: A voxel may be replaced from voxels that were replaced; holes deeper than this stay.
ROUNDS = 3


class Repaired(NamedTuple):
    """Maps (k, x, y, z) and which of their voxels (x, y, z) were replaced or could not be."""

    maps: NDArray[np.float32]
    repaired: NDArray[np.bool_]
    left: NDArray[np.bool_]


def repair_voxels(
    maps: NDArray[np.float32], implausible: NDArray[np.bool_], mask: NDArray[np.bool_]
) -> Repaired:
    """Replace implausible voxels by the median of their plausible neighbours, map by map.

    Parameters
    ----------
    maps : array of float32, shape (k, x, y, z)
        Not changed.
    implausible : array of bool, shape (x, y, z)
        The voxels to replace in all maps.
    mask : array of bool, shape (x, y, z)
        Only voxels in it count as neighbours or are replaced.

    Returns
    -------
    Repaired
        Voxels without enough neighbours are NaN in the maps and ``left``.

    Examples
    --------
    >>> maps = np.ones((1, 3, 3, 3), np.float32)
    >>> maps[0, 1, 1, 1] = -9
    >>> found = repair_voxels(maps, maps[0] < 0, np.ones((3, 3, 3), bool))
    >>> float(found.maps[0, 1, 1, 1]), int(found.repaired.sum())
    (1.0, 1)
    """
    fixed = np.where(implausible & mask, np.float32(np.nan), maps)
    is_good = mask & ~implausible & np.isfinite(maps).all(axis=0)
    open_voxels = np.argwhere(implausible & mask)
    for _ in range(ROUNDS):
        if not len(open_voxels):
            break
        found = np.full((len(open_voxels), len(maps)), np.nan, np.float32)
        _neighbour_medians(fixed, is_good, open_voxels, found)
        is_done = np.isfinite(found[:, 0])
        places = tuple(open_voxels[is_done].T)
        # after the round, so that the order of voxels does not matter
        fixed[(slice(None), *places)] = found[is_done].T
        is_good[places] = True
        open_voxels = open_voxels[~is_done]
    left = np.zeros(mask.shape, np.bool_)
    left[tuple(open_voxels.T)] = True
    return Repaired(fixed, implausible & mask & ~left, left)


@numba.njit(nogil=True, cache=True)
def _neighbour_medians(maps: Any, is_good: Any, places: Any, found: Any) -> None:
    size_x, size_y, size_z = is_good.shape
    near = np.empty((26, 3), np.int64)
    for n in range(len(places)):
        x0, y0, z0 = places[n]
        count = 0
        for x in range(max(x0 - 1, 0), min(x0 + 2, size_x)):
            for y in range(max(y0 - 1, 0), min(y0 + 2, size_y)):
                for z in range(max(z0 - 1, 0), min(z0 + 2, size_z)):
                    if is_good[x, y, z]:
                        near[count, 0], near[count, 1], near[count, 2] = x, y, z
                        count += 1
        if count < LEAST_NEIGHBOURS:
            continue
        values = np.empty(count, np.float32)
        for m in range(len(maps)):
            for k in range(count):
                values[k] = maps[m, near[k, 0], near[k, 1], near[k, 2]]
            found[n, m] = np.median(values)
