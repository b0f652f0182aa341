"""Which region of an atlas each vertex of fsaverage5 lies in."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from mriderived.spaces.fsaverage import Side, load_fsaverage

#: A vertex further from the cortex of an atlas than this, in mm, is in no region.
FURTHEST_MM = 4.0


def label_vertices(
    labels: NDArray[np.int32], affine: NDArray[np.float64], cortex: NDArray[np.int32], side: Side
) -> NDArray[np.int32]:
    """Return the region (10242,) of each vertex of a hemisphere, 0 for none.

    Parameters
    ----------
    labels : array (x, y, z)
        An atlas in MNI152NLin2009cAsym.
    affine : array (4, 4)
    cortex
        Labels of the cortex of this hemisphere.
    """
    mesh = load_fsaverage(side)
    voxels = np.argwhere(np.isin(labels, cortex))
    found = labels[tuple(voxels.T)]
    tree = cKDTree(voxels @ affine[:3, :3].T + affine[:3, 3])
    distance, nearest = tree.query(mesh.midthickness, distance_upper_bound=FURTHEST_MM)
    known = mesh.is_cortex & np.isfinite(distance)
    # Those that are further have a place beyond the end.
    return np.where(known, np.append(found, 0)[nearest], 0).astype(np.int32)
