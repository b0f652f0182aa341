"""By how much the parts of a diffusion series differ in brightness.

Scanners choose the gain of the receiver, and how numbers are stored, for each run anew. The
volumes without diffusion weighting tell: they show the same head.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Volume = NDArray[np.float32]

#: Ratios of fewer voxels tell nothing.
LEAST_VOXELS = 100


def find_gains(means: Sequence[Volume | None], mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return by what each part is to be multiplied to be as bright as the first that is known.

    Parameters
    ----------
    means : sequence of arrays, shape (x, y, z)
        Mean of the volumes without diffusion weighting of each part, nothing where there is none.
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
