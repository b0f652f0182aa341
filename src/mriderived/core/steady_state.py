"""Volumes at the start of a series whose signal has not settled yet."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

#: The global signal of so many volumes at the start is judged.
FIRST = 50
#: Modified z value above which one is an outlier (Iglewicz and Hoaglin 1993).
MOST = 3.5
#: The median absolute deviation of a normal distribution of standard deviation 1.
SCALE = 0.6745


def count_unsteady(signal: NDArray[Any]) -> int:
    """Return how many volumes at the start of a series are before the steady state.

    The volumes before the first one whose global signal is no outlier, as fMRIPrep counts them.

    Parameters
    ----------
    signal : array, shape (t,)
        Mean over all voxels of each volume; all that follows the first 50 is ignored.

    Returns
    -------
    int
        0 if the signal does not vary.

    Raises
    ------
    ValueError
        If there is no volume or a value is not finite.

    Examples
    --------
    >>> count_unsteady(np.array([190, 130, 101, 100, 99, 100, 101, 100, 99, 100.5]))
    2
    """
    first = np.asarray(signal, float)[:FIRST]
    if first.ndim != 1 or first.size == 0:
        raise ValueError(f'the global signal is one number per volume, not of shape {first.shape}')
    if not np.isfinite(first).all():
        index = int(np.flatnonzero(~np.isfinite(first))[0])
        raise ValueError(f'the global signal of volume {index} (counted from 0) is not finite')
    away = np.abs(first - np.median(first))
    middle = float(np.median(away))
    if middle == 0:
        return 0
    settled = SCALE * away / middle <= MOST
    return int(settled.argmax()) if settled.any() else int(first.size)


def mean_signal(series: Any, volumes: int = FIRST) -> NDArray[np.float64]:
    """Return the mean over all voxels of the first volumes, read one by one.

    Parameters
    ----------
    series : array or the like, shape (x, y, z, t)
        Voxels that are not finite do not count.
    volumes : int

    Returns
    -------
    array, shape (at most ``volumes``,)

    Examples
    --------
    >>> mean_signal(np.arange(8.0).reshape(1, 2, 2, 2), 50).tolist()
    [3.0, 4.0]
    """
    means = []
    for index in range(min(series.shape[3], volumes)):
        volume = np.asarray(series[..., index])
        finite = np.isfinite(volume)
        means.append(volume.mean(dtype=np.float64, where=finite) if finite.any() else np.nan)
    return np.array(means)
