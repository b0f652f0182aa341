"""Where regions lie, and how far they are from each other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import pdist

Matrix = NDArray[np.float64]


def region_centres(labels: NDArray[np.int32], affine: Matrix, index: NDArray[np.int64]) -> Matrix:
    """Return the centres of mass of regions.

    Parameters
    ----------
    labels : array of int, shape (x, y, z)
    affine : array, shape (4, 4)
        From voxels to mm.
    index : array of int, shape (regions,)
        The label of each region.

    Returns
    -------
    array of float64, shape (regions, 3)
        In mm; NaN for a region without a voxel.

    Examples
    --------
    >>> labels = np.zeros((4, 1, 1), np.int32)
    >>> labels[:3, 0, 0] = 1, 7, 7
    >>> region_centres(labels, np.diag([2.0, 2, 2, 1]), np.array([7, 1, 9])).tolist()
    [[3.0, 0.0, 0.0], [0.0, 0.0, 0.0], [nan, nan, nan]]
    """
    order = np.argsort(index)
    place = np.minimum(np.searchsorted(index[order], labels), len(index) - 1)
    region = order[place]
    inside = index[region] == labels
    voxels, member = np.argwhere(inside), region[inside]
    number = np.bincount(member, minlength=len(index)).astype(np.float64)
    number[number == 0] = np.nan
    means = [np.bincount(member, axis, len(index)) / number for axis in voxels.T]
    return np.asarray(np.stack(means, axis=1) @ affine[:3, :3].T + affine[:3, 3])


def edge_lengths(centres: Matrix) -> NDArray[np.float64]:
    """Return the distance in mm of each pair of regions, in the order of ``np.triu_indices``.

    >>> edge_lengths(np.array([[0.0, 0, 0], [3, 4, 0], [0, 0, 1]])).round(3).tolist()
    [5.0, 1.0, 5.099]
    """
    return np.asarray(pdist(centres))
