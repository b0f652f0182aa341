"""Volumes of a series that stand out: what they show must not reach the volumes beside them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mriderived.core.series import Frames, Mask, Series, check_series

#: Volumes on either side with which one is compared.
WINDOW = 3
#: Above so many robust standard deviations, and so many times the median distance, it stands out.
LEAST_Z, LEAST_RATIO = 6.0, 1.5


def find_spikes(series: Series, unsteady: int = 0) -> Mask:
    """Find the volumes that are unlike those around them.

    The distance of a volume is the root mean square difference from the median of it and up to
    three volumes on either side: drifts and steps do not count, single or few spoilt volumes do.

    Parameters
    ----------
    series : array of float32, shape (voxels, frames)
        A sample of the head will do.
    unsteady : int
        Frames before the steady state, which are neither judged nor compared with.

    Returns
    -------
    array of bool, shape (frames,)

    Examples
    --------
    >>> series = np.random.default_rng(0).normal(100, 1, (500, 60)).astype(np.float32)
    >>> series[:, 20] *= 1.1
    >>> np.flatnonzero(find_spikes(series)).tolist()
    [20]
    """
    check_series(series, 1)
    found = np.zeros(series.shape[1], bool)
    steady = series[:, unsteady:]
    if steady.shape[1] > 2 * WINDOW:
        distance = _measure(steady)
        middle = float(np.median(distance))
        spread = 1.4826 * float(np.median(np.abs(distance - middle)))
        limit = max(middle + LEAST_Z * spread, LEAST_RATIO * middle)
        found[unsteady:] = distance > limit
    return found


def _measure(steady: NDArray[np.float32]) -> Frames:
    frames = steady.shape[1]
    distance = np.empty(frames)
    for t in range(frames):
        around = steady[:, max(0, t - WINDOW) : t + WINDOW + 1]
        away = steady[:, t] - np.median(around, axis=1)
        distance[t] = np.sqrt(np.mean(away.astype(np.float64) ** 2))
    return distance
