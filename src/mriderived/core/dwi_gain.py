"""By how much the parts of a diffusion series differ in brightness.

Scanners choose the gain of the receiver, and how numbers are stored, for each run anew. The
volumes without diffusion weighting tell: they show the same head. Where parts are distorted in
different ways, voxels do not show the same place, but distortion keeps the sum of the signal along
each line of the phase encoding.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Volume = NDArray[np.float32]

#: Ratios of fewer voxels tell nothing.
LEAST_VOXELS = 100
#: Voxels around all heads, into which signal may have been carried.
EDGE = 2


def find_gains(means: Sequence[Volume | None], mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return by what each part is to be multiplied to be as bright as the first that is known.

    Parameters
    ----------
    means : sequence of arrays, shape (x, y, z)
        Mean of the volumes without diffusion weighting of each part, nothing where there is none;
        all of one phase encoding.
    mask : array of bool, shape (x, y, z)
        Voxels of the head.

    Returns
    -------
    array, shape (parts,)
        The median ratio of voxels, to which a head that has moved and edges that are displaced
        hardly matter. NaN where a part cannot be compared: it has no mean, or less than 100
        voxels are above 0 in both.

    Examples
    --------
    >>> first = np.random.default_rng(0).uniform(1, 2, (6, 6, 6)).astype(np.float32)
    >>> find_gains([first, first / 2, None], first > 0).tolist()
    [1.0, 2.0, nan]
    """
    gains = np.full(len(means), np.nan)
    reference: Volume | None = None
    for number, mean in enumerate(means):
        if mean is None:
            continue
        if reference is None:
            reference, gains[number] = mean, 1.0
            continue
        both = mask & (mean > 0) & (reference > 0)
        if both.sum() >= LEAST_VOXELS:
            gains[number] = np.median(reference[both].astype(np.float64) / mean[both])
    return gains


def find_gain_between(first: Volume, second: Volume, heads: NDArray[np.bool_]) -> float:
    """Return by what an image is to be multiplied to be as bright as one distorted otherwise.

    Parameters
    ----------
    first, second : arrays, shape (x, y, z)
        Means of volumes without diffusion weighting, whose phase encodings are opposite.
    heads : array of bool, shape (x, y, z)
        Voxels of the head in either image.

    Returns
    -------
    float
        The ratio of the signal of the heads and of two voxels around them, without what air
        shows. NaN where the heads have less than 100 voxels, or an image has no signal.

    References
    ----------
    https://doi.org/10.1002/mrm.1910390518

    Examples
    --------
    >>> first, second = np.zeros((2, 9, 9, 9), np.float32)
    >>> first[2:7, 2:7, 2:7], second[2:7, 3:5, 2:7] = 4, 5
    >>> find_gain_between(first, second, (first > 0) | (second > 0))
    2.0
    """
    if heads.sum() < LEAST_VOXELS:
        return float('nan')
    reach = ndimage.binary_dilation(heads, iterations=EDGE)
    some, others = (_sum_signal(image, reach) for image in (first, second))
    return some / others if some > 0 and others > 0 else float('nan')


def _sum_signal(image: Volume, reach: NDArray[np.bool_]) -> float:
    """Return the sum within ``reach``, without the background of noise."""
    air = image[~reach & (image > 0)]
    floor = float(np.median(air)) if air.size >= LEAST_VOXELS else 0.0
    return float(image[reach].sum(dtype=np.float64)) - floor * int(reach.sum())
