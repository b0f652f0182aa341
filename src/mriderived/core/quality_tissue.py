"""Quality metrics of a tissue segmentation: arithmetic on fraction and probability maps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mriderived.core.quality import ratio

Array = NDArray[np.floating]


def volume_fractions(fractions: Sequence[Array]) -> tuple[float, ...]:
    """Return each tissue's share of the volume of all: the sum of its fractions over the total.

    Examples
    --------
    >>> volume_fractions([np.array([1.0, 0.5]), np.array([0.0, 0.5])])
    (0.75, 0.25)
    """
    sums = [float(np.sum(fraction, dtype=np.float64)) for fraction in fractions]
    return tuple(ratio(volume, sum(sums)) for volume in sums)


def residual_partial_volume(fraction: Array, margin: float = 0.05) -> float:
    """Share of a tissue's volume in voxels of mixed tissue (5 to 95 %); lower is crisper.

    MRIQC's code also counts every voxel of the background as one, so its values (8 to 40) grow
    with the field of view, and it cannot be 0 for a crisp map.

    Parameters
    ----------
    fraction : float array
        The tissue's fraction of each voxel, 0 to 1.
    margin : float
        Fractions nearer to 0 or 1 than this count as pure.

    Returns
    -------
    float
        0 for a crisp map, 1 if no voxel is pure; NaN for an empty map.

    Examples
    --------
    >>> residual_partial_volume(np.array([0.0, 1.0, 0.5, 0.5]))
    0.5
    """
    mixed = fraction[(fraction > margin) & (fraction < 1.0 - margin)]
    total = float(np.sum(fraction, dtype=np.float64))
    return ratio(float(np.sum(mixed, dtype=np.float64)), total)


def fuzzy_jaccard(first: Array, second: Array) -> float:
    """Overlap of two probability maps: the sum of minima over the sum of maxima.

    Examples
    --------
    >>> fuzzy_jaccard(np.array([1.0, 0.5]), np.array([1.0, 1.0]))
    0.75
    """
    smaller = float(np.sum(np.minimum(first, second), dtype=np.float64))
    return ratio(smaller, float(np.sum(np.maximum(first, second), dtype=np.float64)))
