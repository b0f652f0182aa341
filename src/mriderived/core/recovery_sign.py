"""The signs that magnitudes after an inversion lack, chosen by what most voxels say."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from mriderived.core.fit_outcome import Outcome
from mriderived.core.inversion_recovery import (
    Recovery,
    UsualInversion,
    fit_inversion_recovery,
)
from mriderived.core.rician import noise_from_misfit

#: So many voxels tell what is usual.
FEWEST = 100
#: Efficiencies are not believed to be more alike than this.
LEAST_SPREAD = 0.02


def fit_magnitudes(
    signals: ArrayLike, inversion_times: Sequence[float], *, threads: int = 1
) -> Recovery:
    """Fit a recovery to magnitudes, with a second look at signs that noise could have turned.

    An image near its null tells its sign badly. In four images the wrong sign leaves about as
    little as the right one, with another T1 and another efficiency; but the efficiency of the
    inversion is nearly the same in all voxels.

    Parameters
    ----------
    signals : array, shape (voxels, times)
        Magnitudes.
    inversion_times : sequence of float
        In s, in any order.
    threads : int

    Returns
    -------
    Recovery

    Raises
    ------
    ValueError
        If there are fewer than four different times.

    References
    ----------
    Barral et al. 2010, https://doi.org/10.1002/mrm.22497

    Examples
    --------
    >>> times = np.array([0.05, 0.4, 1.1, 2.5])
    >>> found = fit_magnitudes(np.abs([100 - 190 * np.exp(-times / 0.9)]), times)
    >>> round(float(found.time[0]), 4)
    0.9
    """
    first = fit_inversion_recovery(signals, inversion_times, threads=threads)
    usual = find_usual_inversion(first, signals)
    if usual is None:
        return first
    return fit_inversion_recovery(signals, inversion_times, usual=usual, threads=threads)


def find_usual_inversion(recovery: Recovery, signals: ArrayLike) -> UsualInversion | None:
    """Return the efficiency of most voxels, its spread, and the noise that the fits leave.

    Parameters
    ----------
    recovery : Recovery
        Of the signals.
    signals : array, shape (voxels, times)

    Returns
    -------
    UsualInversion or None
        Nothing where fewer than ``FEWEST`` voxels are fitted, or nothing is left of them.

    Examples
    --------
    >>> times = np.array([0.05, 0.4, 1.1, 2.5])
    >>> rows = np.abs([100 - 190 * np.exp(-times / 0.9)])
    >>> find_usual_inversion(fit_inversion_recovery(rows, times), rows) is None
    True
    """
    fitted = recovery.outcome == Outcome.FITTED
    if np.count_nonzero(fitted) < FEWEST:
        return None
    efficiency = recovery.efficiency[fitted].astype(np.float64)
    middle = float(np.median(efficiency))
    spread = 1.4826 * float(np.median(np.abs(efficiency - middle)))
    rows = np.abs(np.asarray(signals)[fitted])
    noise = noise_from_misfit(recovery.misfit[fitted], rows, 3)
    if not noise > 0:
        return None
    return UsualInversion(middle, max(spread, LEAST_SPREAD), noise)
