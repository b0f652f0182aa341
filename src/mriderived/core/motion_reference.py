"""The reference of a series: what its volumes are aligned with, and which voxels count."""

from __future__ import annotations

from collections.abc import Sequence

import numba
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mriderived.core.filters import block_mean, box_mean
from mriderived.core.masks import find_bright
from mriderived.core.slabs import run_slabs

Volume = NDArray[np.float32]
Volumes = Sequence[Volume] | NDArray[np.float32]

#: Voxels around the head that count too: they hold one side of its edge.
EDGE = 2
#: Voxels along an axis, at least, of the copies that are compared with one another.
COARSE_SIZE = 16


def weigh_head(reference: Volume) -> Volume:
    """Return 1 in the head and just around it, and 0 in the air.

    Parameters
    ----------
    reference : array of float32, shape (x, y, z)
        Finite, on a dark background.

    Returns
    -------
    array of float32, shape (x, y, z)

    Raises
    ------
    ValueError
        If the volume holds no signal.

    Examples
    --------
    >>> volume = np.zeros((20, 20, 20), np.float32); volume[5:15, 5:15, 5:15] = 100
    >>> weights = weigh_head(volume)
    >>> float(weights[10, 10, 3]), float(weights[0, 0, 0])
    (1.0, 0.0)
    """
    head = find_bright(box_mean(np.maximum(reference, 0), 1))
    return np.asarray(ndimage.binary_dilation(head, iterations=EDGE), np.float32)


def pick_typical(volumes: Volumes) -> int:
    """Return which of some volumes is most like the others, by correlation of coarse copies.

    Parameters
    ----------
    volumes : arrays of float32, each of shape (x, y, z)
        At least one.

    Examples
    --------
    >>> ramp = np.arange(64, dtype=np.float32).reshape(4, 4, 4)
    >>> pick_typical([ramp[::-1], ramp, ramp + 1])
    1
    """
    blocks = [max(n // COARSE_SIZE, 1) for n in volumes[0].shape]
    coarse = np.stack([block_mean(volume, blocks).ravel() for volume in volumes]).astype(float)
    coarse -= coarse.mean(axis=1, keepdims=True)
    length = np.sqrt((coarse**2).sum(axis=1, keepdims=True))
    coarse /= np.where(length > 0, length, np.inf)
    # correlations that differ by rounding alone are ties, and the earliest wins
    return int(np.median(coarse @ coarse.T, axis=1).round(6).argmax())


def take_median(
    volumes: Volumes, covered: Sequence[NDArray[np.bool_]], threads: int = 1
) -> Volume:
    """Return the median over the volumes that cover each voxel.

    Parameters
    ----------
    volumes : arrays of float32, each of shape (x, y, z)
    covered : arrays of bool, each of shape (x, y, z)
    threads : int

    Returns
    -------
    array of float32, shape (x, y, z)
        0 where no volume covers a voxel.

    Examples
    --------
    >>> volumes = [np.full((2, 2, 2), value, np.float32) for value in (1, 2, 9)]
    >>> float(take_median(volumes, [np.ones((2, 2, 2), bool)] * 3)[0, 0, 0])
    2.0
    """
    stack, there = np.stack(list(volumes)), np.stack(list(covered))
    target = np.zeros(stack.shape[1:], np.float32)
    run_slabs(_take_median, len(target), threads, stack, there, target)
    return target


@numba.njit(nogil=True, cache=True)
def _take_median(start, stop, stack, there, target):  # type: ignore[no-untyped-def]
    values = np.empty(len(stack), np.float32)
    for i in range(start, stop):
        for j in range(target.shape[1]):
            for k in range(target.shape[2]):
                count = 0
                for t in range(len(stack)):
                    if there[t, i, j, k]:
                        # insertion sort: a few dozen values at most
                        place = count
                        while place > 0 and values[place - 1] > stack[t, i, j, k]:
                            values[place] = values[place - 1]
                            place -= 1
                        values[place] = stack[t, i, j, k]
                        count += 1
                if count:
                    middle = values[count // 2] + values[(count - 1) // 2]
                    target[i, j, k] = middle / np.float32(2)
