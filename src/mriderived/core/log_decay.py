"""Exponential decays by the logarithm of the signals: a line over echo time.

The noise of the logarithm is inverse to the signal, so that each echo weighs by the square of its
signal.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import ArrayLike

from mriderived.core.fit_outcome import Values, as_signals
from mriderived.core.slabs import run_slabs


class LogDecay(NamedTuple):
    """Rate of the decay in 1/s and signal at no echo time, one per voxel; NaN without a signal."""

    rate: Values
    amplitude: Values


def fit_log_decay(
    signals: ArrayLike, echo_times: Sequence[float], *, threads: int = 1
) -> LogDecay:
    """Fit a line to the logarithm of the signals of each voxel.

    Parameters
    ----------
    signals : array, shape (voxels, echoes)
        Magnitudes. One below a thousandth of the largest of its voxel counts as that.
    echo_times : sequence of float
        In s, two of them or more, in any order.
    threads : int

    Returns
    -------
    LogDecay

    Raises
    ------
    ValueError
        If there are fewer than two echoes, or another number of them than of times.

    References
    ----------
    https://doi.org/10.1002/(SICI)1522-2594(199907)42:1<87::AID-MRM13>3.0.CO;2-O

    Examples
    --------
    >>> found = fit_log_decay([[80.0, 40.0, 20.0]], [0.01, 0.02, 0.03])
    >>> round(float(found.rate[0]), 3), round(float(found.amplitude[0]), 3)
    (69.315, 160.0)
    """
    times = np.ascontiguousarray(echo_times, np.float64)
    rows = as_signals(signals, len(times), 2)
    rate, amplitude = (np.full(len(rows), np.nan, np.float32) for _ in range(2))
    run_slabs(_fit_rows, len(rows), threads, rows, times, rate, amplitude)
    return LogDecay(rate, amplitude)


@numba.njit(nogil=True, cache=True)
def _fit_rows(begin: int, end: int, rows: Any, times: Any, rate: Any, amplitude: Any) -> None:
    echoes = len(times)
    row, ones, groups = np.empty(echoes), np.ones(echoes), np.zeros(echoes, np.int64)
    level, work = np.empty(1), np.empty((1, 5))
    for v in range(begin, end):
        row[:] = rows[v]
        if np.isfinite(row).all() and row.max() > 0:
            rate[v] = fit_logarithm(row, times, groups, ones, 0.0, level, work)
            amplitude[v] = level[0]


@numba.njit(nogil=True, cache=True)
def fit_logarithm(
    row: Any, times: Any, groups: Any, factor: Any, noise: float, amplitude: Any, work: Any
) -> float:
    """Fill the amplitudes and return the rate of the weighted logarithm of the signals.

    For compiled loops over voxels; a row has a signal above 0.

    Parameters
    ----------
    row : array, shape (echoes,)
        Signals.
    times : array, shape (echoes,)
        In s.
    groups : array of int, shape (echoes,)
        The contrast of each echo; contrasts share the rate.
    factor : array, shape (echoes,)
        Known factor of each signal.
    noise : float
        Its square, twice, is taken off the square of each signal.
    amplitude : array, shape (contrasts,)
        Filled with the signals at no echo time.
    work : array, shape (contrasts, 5)
        Scratch.

    Returns
    -------
    float
        In 1/s; 0 where one time tells nothing.

    Examples
    --------
    >>> times, amplitude = np.array([0.01, 0.02, 0.04]), np.empty(1)
    >>> row, ones = 100 * np.exp(-20 * times), np.ones(3)
    >>> rate = fit_logarithm(row, times, np.zeros(3, int), ones, 0.0, amplitude, np.empty((1, 5)))
    >>> round(rate, 6), round(float(amplitude[0]), 6)
    (20.0, 100.0)
    """
    work[:] = 0
    peak = 0.0
    for e in range(len(times)):
        peak = max(peak, row[e])
    for e in range(len(times)):
        g = groups[e]
        signal = math.sqrt(max(row[e] ** 2 - 2 * noise**2, (1e-3 * peak) ** 2))
        weight = signal**2
        log = math.log(signal / max(factor[e], 1e-6))
        work[g, 0] += weight
        work[g, 1] += weight * times[e]
        work[g, 2] += weight * log
        work[g, 3] += weight * times[e] * times[e]
        work[g, 4] += weight * times[e] * log
    across, along = 0.0, 0.0
    for g in range(len(work)):
        across += work[g, 4] - work[g, 1] * work[g, 2] / work[g, 0]
        along += work[g, 3] - work[g, 1] ** 2 / work[g, 0]
    rate = -across / along if along > 0 else 0.0
    for g in range(len(work)):
        amplitude[g] = math.exp(min((work[g, 2] + rate * work[g, 1]) / work[g, 0], 80.0))
    return rate
