"""Mean of maps over participants, and whether it differs from 0, one map after the other."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Volume = NDArray[np.float32]


class OneSample(NamedTuple):
    """Maps, NaN where fewer than the wanted number of participants have a value.

    ``effect`` is the mean, ``t`` has ``number`` - 1 degrees of freedom, ``z`` the same tail;
    ``number`` is that of the participants with a value.
    """

    effect: Volume
    t: Volume
    z: Volume
    number: NDArray[np.int32]


class RunningMean:
    """Mean and variance of maps that come one after the other; NaN is no value.

    Examples
    --------
    >>> running = RunningMean((1,))
    >>> for value in (1.0, 2.0, 3.0):
    ...     running.add(np.array([value]))
    >>> found = running.finish(least=2)
    >>> float(found.effect[0]), round(float(found.t[0]), 4), int(found.number[0])
    (2.0, 3.4641, 3)
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._count = np.zeros(shape, np.int32)
        self._mean, self._squares = np.zeros(shape), np.zeros(shape)

    def add(self, values: NDArray[np.floating]) -> None:
        """Add a map."""
        known = np.isfinite(values)
        self._count += known
        step = np.where(known, values - self._mean, 0)
        self._mean += step / np.maximum(self._count, 1)
        self._squares += np.where(known, step * (values - self._mean), 0)

    def mean(self) -> NDArray[np.float64]:
        """Return the mean of what was added, NaN where nothing was."""
        return np.where(self._count > 0, self._mean, np.nan)

    def finish(self, least: int) -> OneSample:
        """Test the mean where at least ``least`` maps, and not fewer than 2, have a value.

        References
        ----------
        Holmes and Friston 1998, https://doi.org/10.1016/S1053-8119(18)31587-8
        """
        enough = self._count >= max(least, 2)
        count = np.maximum(self._count, 2).astype(np.float64)
        error = np.sqrt(self._squares / (count - 1) / count)
        with np.errstate(divide='ignore', invalid='ignore'):
            t = np.where(enough & (error > 0), self._mean / error, np.nan)
        tail = stats.t.sf(np.abs(t), count - 1)
        z = np.sign(t) * stats.norm.isf(np.clip(tail, 1e-300, None))
        effect = np.where(enough, self._mean, np.nan)
        return OneSample(
            effect.astype(np.float32), t.astype(np.float32), z.astype(np.float32), self._count
        )
