"""T2, T2* and R2*: exponential decays fitted to magnitudes of several echoes.

All functions take one row of signals per voxel. A set of echoes may consist of several contrasts
(as of multi-parameter mapping) that share their rate of decay.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

from mriderived.core.fit_outcome import (
    Outcome,
    Outcomes,
    Values,
    as_signals,
    blank_maps,
    per_voxel,
)
from mriderived.core.log_decay import fit_logarithm
from mriderived.core.rician import rician_moments
from mriderived.core.slabs import run_slabs

#: Plausible time constants, in s.
BOUNDS = (0.001, 3.0)
_STEPS = 40
_TOLERANCE = 1e-6
_FITTED, _NO_SIGNAL = int(Outcome.FITTED), int(Outcome.NO_SIGNAL)
_NO_SOLUTION, _IMPLAUSIBLE = int(Outcome.NO_SOLUTION), int(Outcome.IMPLAUSIBLE)


class ExponentialDecay(NamedTuple):
    """What is fitted, one value per voxel; NaN wherever ``outcome`` is not ``FITTED``.

    ``time`` is the time constant in s, ``rate`` its inverse in 1/s, ``amplitude`` the signal at no
    echo time, one column per contrast, in units of the signals (there, too, where it is only the
    rate that is ``IMPLAUSIBLE``: fluid hardly decays within short echoes). ``misfit`` is the root
    mean square of what the model leaves, over the mean signal; NaN where as many parameters as
    echoes leave nothing.
    """

    time: Values
    rate: Values
    amplitude: Values
    misfit: Values
    outcome: Outcomes


def fit_decay(
    signals: ArrayLike,
    echo_times: Sequence[float],
    *,
    contrasts: Sequence[int] | None = None,
    noise: ArrayLike | None = None,
    modulation: ArrayLike | None = None,
    bounds: tuple[float, float] = BOUNDS,
    threads: int = 1,
) -> ExponentialDecay:
    r"""Fit :math:`A_c \exp(-R \, TE)` with one rate R for all contrasts c.

    The logarithm of the signals, weighted by their squares, is where a Gauss–Newton descent of
    the signals themselves starts. With ``noise`` the model is the mean of a Rician magnitude, and
    each echo weighs by the inverse of its variance: the noise floor is part of the model, so that
    no echo needs to be left out for it.

    Parameters
    ----------
    signals : array, shape (voxels, echoes)
        Magnitudes.
    echo_times : sequence of float
        In s, in any order.
    contrasts : sequence of int, optional
        To which contrast an echo belongs, counted from 0; one contrast if not given.
    noise : float or array, shape (voxels,), optional
        Standard deviation of the noise of the real and the imaginary part. Without it the noise
        floor is not modelled.
    modulation : array, shape (voxels, echoes), optional
        Known factor of each signal, such as of
        :func:`~mriderived.core.dephasing.dephasing`.
    bounds : tuple of float
        Plausible time constants, in s. Other ones are not clipped: they are no result.
    threads : int

    Returns
    -------
    ExponentialDecay

    Raises
    ------
    ValueError
        If shapes disagree, or a contrast has fewer than two different echo times while there is
        only one, or no contrast has two.

    References
    ----------
    Weighting of the logarithm: https://doi.org/10.1016/j.neuroimage.2013.05.028;
    noise floor: https://doi.org/10.1002/mrm.1910340618;
    common rate: https://doi.org/10.3389/fnins.2014.00278

    Examples
    --------
    >>> times = [0.01, 0.02, 0.04, 0.08]
    >>> found = fit_decay(100 * np.exp(-np.array([times]) / 0.05), times)
    >>> round(float(found.time[0]), 5), round(float(found.amplitude[0, 0]), 3)
    (0.05, 100.0)
    """
    times = np.ascontiguousarray(echo_times, np.float64)
    rows = as_signals(signals, len(times), 2)
    groups = np.ascontiguousarray(np.zeros(len(times)) if contrasts is None else contrasts, int)
    _check(times, groups)
    voxels = len(rows)
    factors = np.ones((1, len(times)), np.float32)
    if modulation is not None:
        factors = np.ascontiguousarray(modulation, np.float32)
        if factors.shape != rows.shape:
            raise ValueError(f'modulation of shape {factors.shape} for {rows.shape}')
    time, rate, misfit, outcome = blank_maps(voxels, 3)
    amplitude = np.full((voxels, groups.max() + 1), np.nan, np.float32)
    found = ExponentialDecay(time, rate, amplitude, misfit, outcome)
    sigma = per_voxel(noise, voxels, 0.0)
    limits = (float(bounds[0]), float(bounds[1]))
    run_slabs(_fit_rows, voxels, threads, rows, times, groups, factors, sigma, limits, *found)
    return found


def _check(times: NDArray[np.float64], groups: NDArray[Any]) -> None:
    if groups.shape != times.shape or set(groups) != set(range(groups.max() + 1)):
        raise ValueError(f'contrasts must count from 0, one per echo: {groups.tolist()}')
    if not (np.isfinite(times).all() and (times >= 0).all()):
        raise ValueError(f'echo times must not be negative: {times.tolist()}')
    if all(np.ptp(times[groups == group]) == 0 for group in set(groups)):
        raise ValueError(f'a decay needs two different echo times: {times.tolist()}')


@numba.njit(nogil=True, cache=True)
def _equations(
    row: Any, times: Any, groups: Any, factor: Any, noise: float, amplitude: Any, rate: float,
    work: Any,
) -> tuple[float, float]:  # fmt: skip
    """Fill the normal equations of the amplitudes; return those of the rate."""
    work[:] = 0
    curve, pull = 0.0, 0.0
    for e in range(len(times)):
        g = groups[e]
        left = factor[e] * math.exp(min(-rate * times[e], 80.0))
        signal = amplitude[g] * left
        mean, slope, variance = rician_moments(abs(signal), noise)
        if signal < 0:
            mean, slope = -mean, slope
        rest = row[e] - mean
        to_amplitude, to_rate = slope * left, -slope * signal * times[e]
        work[g, 0] += to_amplitude**2 / variance
        work[g, 1] += to_amplitude * to_rate / variance
        work[g, 2] += to_amplitude * rest / variance
        curve += to_rate**2 / variance
        pull += to_rate * rest / variance
    return curve, pull


@numba.njit(nogil=True, cache=True)
def _descend(
    row: Any, times: Any, groups: Any, factor: Any, noise: float, amplitude: Any, rate: float,
    work: Any,
) -> tuple[bool, float]:  # fmt: skip
    """Descend by Gauss–Newton; the amplitudes are eliminated from the equation of the rate."""
    longest = times.max()
    for _ in range(_STEPS):
        curve, pull = _equations(row, times, groups, factor, noise, amplitude, rate, work)
        whole = curve
        for g in range(len(work)):
            if work[g, 0] > 0:
                curve -= work[g, 1] ** 2 / work[g, 0]
                pull -= work[g, 1] * work[g, 2] / work[g, 0]
        if not curve > 1e-12 * whole:
            return False, rate
        widest = max(0.5 * abs(rate), 0.1 / longest)
        step = min(max(pull / curve, -widest), widest)
        for g in range(len(work)):
            if work[g, 0] > 0:
                amplitude[g] += (work[g, 2] - work[g, 1] * step) / work[g, 0]
        rate += step
        if abs(step) <= _TOLERANCE * max(abs(rate), 1e-3 / longest):
            return True, rate
    return False, rate


@numba.njit(nogil=True, cache=True)
def _misfit(
    row: Any, times: Any, groups: Any, factor: Any, noise: float, amplitude: Any, rate: float
) -> float:
    if len(times) <= len(amplitude) + 1:
        return math.nan
    rest, total = 0.0, 0.0
    for e in range(len(times)):
        signal = amplitude[groups[e]] * factor[e] * math.exp(min(-rate * times[e], 80.0))
        rest += (row[e] - rician_moments(abs(signal), noise)[0]) ** 2
        total += row[e]
    return math.sqrt(rest / len(times)) / (total / len(times))


@numba.njit(nogil=True, cache=True)
def _usable(row: Any) -> bool:
    peak = 0.0
    for value in row:
        if not math.isfinite(value):
            return False
        peak = max(peak, value)
    return peak > 0


@numba.njit(nogil=True, cache=True)
def _fit_rows(
    begin: int, end: int, rows: Any, times: Any, groups: Any, factors: Any, noise: Any,
    bounds: Any, time: Any, rates: Any, amplitudes: Any, misfit: Any, outcome: Any,
) -> None:  # fmt: skip
    count = amplitudes.shape[1]
    amplitude, work = np.empty(count), np.empty((count, 5))
    row = np.empty(len(times))
    for v in range(begin, end):
        row[:] = rows[v]
        factor = factors[v if len(factors) > 1 else 0]
        if not _usable(row):
            outcome[v] = _NO_SIGNAL
            continue
        rate = fit_logarithm(row, times, groups, factor, noise[v], amplitude, work)
        good, rate = _descend(row, times, groups, factor, noise[v], amplitude, rate, work)
        if not (good and amplitude.min() > 0):
            outcome[v] = _NO_SOLUTION
        elif not (bounds[0] * rate <= 1 <= bounds[1] * rate):
            outcome[v], amplitudes[v] = _IMPLAUSIBLE, amplitude
        else:
            outcome[v], amplitudes[v] = _FITTED, amplitude
            time[v], rates[v] = 1 / rate, rate
            misfit[v] = _misfit(row, times, groups, factor, noise[v], amplitude, rate)
