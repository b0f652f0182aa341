"""Bring labels to a coarser grid: each voxel takes the label that fills most of it."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from mriderived.core.slabs import run_slabs

Labels = NDArray[np.int32]
Matrix = NDArray[np.float64]

#: Points along each edge of a voxel that vote.
VOTES = 3


def vote_labels(
    labels: Labels, matrix: Matrix, shape: tuple[int, int, int], threads: int = 1
) -> Labels:
    """Return for each voxel of a grid the label of most of the points in it.

    Parameters
    ----------
    labels : array of int32, shape (x, y, z)
        0 is a label like any other.
    matrix : array, shape (4, 4)
        From voxels of the grid to voxels of ``labels``.
    shape : three ints
        Of the grid.

    Returns
    -------
    array of int32, shape ``shape``
        Of labels with as many points the lowest; 0 outside.

    Examples
    --------
    >>> fine = np.zeros((6, 3, 3), np.int32); fine[2:] = 7
    >>> scale = np.diag([3.0, 3, 3, 1]); scale[:3, 3] = 1
    >>> vote_labels(fine, scale, (2, 1, 1)).ravel()
    array([0, 7], dtype=int32)
    """
    found = np.zeros(shape, np.int32)
    run_slabs(_vote, shape[0], threads, labels, np.ascontiguousarray(matrix), found)
    return found


def measure_overlap(
    labels: Labels, matrix: Matrix, mask: NDArray[np.bool_], index: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the share of each label's voxels that lie in a mask on another grid.

    Parameters
    ----------
    labels : array of int32, shape (x, y, z)
    matrix : array, shape (4, 4)
        From voxels of ``labels`` to voxels of ``mask``.
    mask : array of bool, shape (a, b, c)
    index : array of int, shape (n,)
        The labels.

    Returns
    -------
    array, shape (n,)
        NaN for labels without a voxel.

    Examples
    --------
    >>> labels = np.array([[[1, 1, 2, 2]]], np.int32)
    >>> inside = np.array([[[True, True, True, False]]])
    >>> measure_overlap(labels, np.eye(4), inside, np.array([1, 2, 3]))
    array([1. , 0.5, nan])
    """
    at = np.argwhere(labels > 0)
    numbers = labels[tuple(at.T)]
    there = np.rint(at @ matrix[:3, :3].T + matrix[:3, 3]).astype(int)
    inside = np.flatnonzero(((there >= 0) & (there < mask.shape)).all(axis=1))
    inside = inside[mask[tuple(there[inside].T)]]
    size = int(max(numbers.max(initial=0), index.max(initial=0))) + 1
    total = np.bincount(numbers, minlength=size)[index]
    seen = np.bincount(numbers[inside], minlength=size)[index]
    return np.where(total > 0, seen / np.maximum(total, 1), np.nan)


@numba.njit(nogil=True, cache=True)
def _vote(start, stop, labels, m, found):  # type: ignore[no-untyped-def]
    offsets = (np.arange(VOTES) + 0.5) / VOTES - 0.5
    here = np.zeros(VOTES**3, np.int32)
    for i in range(start, stop):
        for j in range(found.shape[1]):
            for k in range(found.shape[2]):
                n = 0
                for a in offsets:
                    for b in offsets:
                        for c in offsets:
                            here[n] = _nearest(labels, m, i + a, j + b, k + c)
                            n += 1
                found[i, j, k] = _mode(here)


@numba.njit(nogil=True, cache=True)
def _nearest(labels, m, x, y, z):  # type: ignore[no-untyped-def]
    u = int(np.floor(m[0, 0] * x + m[0, 1] * y + m[0, 2] * z + m[0, 3] + 0.5))
    v = int(np.floor(m[1, 0] * x + m[1, 1] * y + m[1, 2] * z + m[1, 3] + 0.5))
    w = int(np.floor(m[2, 0] * x + m[2, 1] * y + m[2, 2] * z + m[2, 3] + 0.5))
    nx, ny, nz = labels.shape
    if 0 <= u < nx and 0 <= v < ny and 0 <= w < nz:
        return labels[u, v, w]
    return 0


@numba.njit(nogil=True, cache=True)
def _mode(values):  # type: ignore[no-untyped-def]
    best, count = 0, 0
    for value in values:
        same = 0
        for other in values:
            same += other == value
        if same > count or (same == count and value < best):
            best, count = value, same
    return best
