"""T1 from images after an inversion, at several times, with or without their sign."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import ArrayLike

from mriderived.core.fit_outcome import (
    Outcome,
    Outcomes,
    Values,
    as_signals,
    blank_maps,
)
from mriderived.core.slabs import run_slabs

#: Plausible T1, in s.
BOUNDS = (0.05, 6.0)
#: Where the search begins, in s.
_TIMES = np.geomspace(0.02, 12.0, 96)
_STEPS = 50
#: What an unusual efficiency costs at most, in variances.
_MOST = 36.0
_FITTED, _NO_SIGNAL = int(Outcome.FITTED), int(Outcome.NO_SIGNAL)
_NO_SOLUTION, _IMPLAUSIBLE = int(Outcome.NO_SOLUTION), int(Outcome.IMPLAUSIBLE)


class UsualInversion(NamedTuple):
    """What most voxels of a collection say of its inversion, for the choice of lost signs.

    ``efficiency`` and ``spread`` are those of :class:`Recovery`; ``noise`` is in units of the
    signals.
    """

    efficiency: float
    spread: float
    noise: float


class Recovery(NamedTuple):
    r"""What is fitted, one value per voxel; NaN wherever ``outcome`` is not ``FITTED``.

    The signal is :math:`a + b \exp(-TI / T)`: ``time`` is T in s (T1, or T1* of a Look–Locker
    readout), ``rate`` its inverse in 1/s, ``offset`` a and ``slope`` b in units of the signals,
    ``efficiency`` :math:`-b / a`, 2 for a perfect inversion; ``misfit`` is the root mean square
    of what the model leaves, over the mean magnitude, NaN for three images.
    """

    time: Values
    rate: Values
    offset: Values
    slope: Values
    efficiency: Values
    misfit: Values
    outcome: Outcomes


def fit_inversion_recovery(
    signals: ArrayLike,
    inversion_times: Sequence[float],
    *,
    is_magnitude: bool = True,
    usual: UsualInversion | None = None,
    bounds: tuple[float, float] = BOUNDS,
    threads: int = 1,
) -> Recovery:
    r"""Fit :math:`a + b \exp(-TI / T_1)` with a > 0 > b.

    For a given T1 the other two are linear, so that a search on T1 alone finds the best start
    among all, and Gauss–Newton with a and b eliminated the solution. Of magnitudes, those before
    the signal passes zero are given their sign back: every place of the change is tried, and the
    one that leaves least is taken. Of few images two places may leave about as little. With
    ``usual`` the one that leaves little for the noise and has a usual efficiency is taken, where
    what is unusual counts no more than six standard deviations; T1 itself is fitted without it.

    Parameters
    ----------
    signals : array, shape (voxels, times)
        Magnitudes, or signals with their sign.
    inversion_times : sequence of float
        In s, in any order.
    is_magnitude : bool
        Whether the sign is lost.
    usual : UsualInversion, optional
        Of :func:`~mriderived.core.recovery_sign.find_usual_inversion`.
    bounds : tuple of float
        Plausible T1, in s. Other ones are not clipped: they are no result.
    threads : int

    Returns
    -------
    Recovery

    Raises
    ------
    ValueError
        If there are fewer than three different times (four for magnitudes).

    References
    ----------
    Barral et al. 2010, https://doi.org/10.1002/mrm.22497

    Examples
    --------
    >>> times = np.array([0.05, 0.4, 1.1, 2.5])
    >>> found = fit_inversion_recovery(np.abs([100 - 190 * np.exp(-times / 0.9)]), times)
    >>> round(float(found.time[0]), 4), round(float(found.efficiency[0]), 3)
    (0.9, 1.9)
    """
    times = np.asarray(inversion_times, np.float64)
    least = 4 if is_magnitude else 3
    rows = as_signals(signals, len(times), least)
    if len(set(times)) < least or not (np.isfinite(times).all() and (times >= 0).all()):
        raise ValueError(f'{least} different inversion times are needed: {times.tolist()}')
    order = np.argsort(times, kind='stable')
    rows, times = np.ascontiguousarray(rows[:, order]), times[order]
    basis = np.exp(-times / _TIMES[:, None])
    basis -= basis.mean(axis=1, keepdims=True)
    basis /= np.linalg.norm(basis, axis=1, keepdims=True)
    found = Recovery._make(blank_maps(len(rows), 6))
    settings = (bool(is_magnitude), float(bounds[0]), float(bounds[1]))
    known = np.array(usual if usual is not None and is_magnitude else (), np.float64)
    run_slabs(_fit_rows, len(rows), threads, rows, times, basis, settings, known, *found)
    return found


@numba.njit(nogil=True, cache=True)
def _start(row: Any, basis: Any, is_magnitude: bool, least: Any, places: Any) -> None:
    """Fill what is left, and the place among the times of the search, by images that change sign.

    A place is -1 where no recovery fits.
    """
    count = len(row)
    least[:] = math.inf
    places[:] = -1
    whole, squares = 0.0, 0.0
    for i in range(count):
        whole += row[i]
        squares += row[i] * row[i]
    for t in range(len(basis)):
        along, level = 0.0, whole
        for i in range(count):
            along += row[i] * basis[t, i]
        for changed in range(count + 1 if is_magnitude else 1):
            if changed > 0:
                level -= 2 * row[changed - 1]
                along -= 2 * row[changed - 1] * basis[t, changed - 1]
            rest = squares - level * level / count - along * along
            # the basis falls with time: a signal that recovers is opposite to it
            if along < 0 and rest < least[changed]:
                least[changed], places[changed] = rest, t


@numba.njit(nogil=True, cache=True)
def _choose_sign(row: Any, times: Any, least: Any, places: Any, known: Any) -> int:
    """Return how many images change their sign: what leaves least and has a usual efficiency."""
    best, chosen = math.inf, -1
    efficiency, spread, noise = known
    trial = row.copy()
    for changed in range(len(least)):
        if changed > 0:
            trial[changed - 1] *= -1
        # the search is coarse, and what is unusual costs no more than _MOST
        if places[changed] < 0 or least[changed] > least.min() + 3 * _MOST * noise**2:
            continue
        good, _, a, b, rest = _descend(trial, times, _TIMES[places[changed]])
        if not (good and a > 0 > b):
            continue
        cost = rest / noise**2 + min(((-b / a - efficiency) / spread) ** 2, _MOST)
        if cost < best:
            best, chosen = cost, changed
    return chosen


@numba.njit(nogil=True, cache=True)
def _project(row: Any, times: Any, time: float) -> tuple[float, float, float]:
    """Return offset, slope and the squares left at a given time constant."""
    count = len(row)
    se, see, sy, sey, syy = 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(count):
        e = math.exp(-times[i] / time)
        se += e
        see += e * e
        sy += row[i]
        sey += e * row[i]
        syy += row[i] * row[i]
    spread = see - se * se / count
    if not spread > 1e-15:
        return 0.0, 0.0, math.inf
    slope = (sey - se * sy / count) / spread
    offset = (sy - slope * se) / count
    rest = 0.0
    for i in range(count):
        rest += (row[i] - offset - slope * math.exp(-times[i] / time)) ** 2
    return offset, slope, rest


@numba.njit(nogil=True, cache=True)
def _newton_step(row: Any, times: Any, time: float, offset: float, slope: float) -> float:
    """Return the step of the logarithm of T, offset and slope eliminated; NaN if there is none."""
    count = len(row)
    se, see, sd, sed, sdd, sr = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(count):
        e = math.exp(-times[i] / time)
        d = slope * e * times[i] / time
        se += e
        see += e * e
        sd += d
        sed += e * d
        sdd += d * d
        sr += d * (row[i] - offset - slope * e)
    spread = see - se * se / count
    share = (sed - se * sd / count) / spread
    curve = sdd - sd * sd / count - share * (sed - se * sd / count)
    if not curve > 1e-12 * sdd:
        return math.nan
    return min(max(sr / curve, -1.0), 1.0)


@numba.njit(nogil=True, cache=True)
def _descend(row: Any, times: Any, time: float) -> tuple[bool, float, float, float, float]:
    """Return whether it converged, T, offset, slope and the squares left."""
    offset, slope, rest = _project(row, times, time)
    for _ in range(_STEPS):
        step = _newton_step(row, times, time, offset, slope)
        if math.isnan(step):
            return False, time, offset, slope, rest
        trial, found = time, (offset, slope, rest)
        while abs(step) > 1e-8:
            trial = time * math.exp(step)
            found = _project(row, times, trial)
            if found[2] <= rest:
                break
            step /= 3
        if abs(step) <= 1e-7:
            return True, time, offset, slope, rest
        time = trial
        offset, slope, rest = found
    return False, time, offset, slope, rest


@numba.njit(nogil=True, cache=True)
def _fit_rows(
    begin: int, end: int, rows: Any, times: Any, basis: Any, settings: Any, known: Any,
    time: Any, rate: Any, offset: Any, slope: Any, efficiency: Any, misfit: Any, outcome: Any,
) -> None:  # fmt: skip
    is_magnitude, lowest, highest = settings
    count = len(times)
    row, least = np.empty(count), np.empty(count + 1)
    places = np.empty(count + 1, np.int64)
    for v in range(begin, end):
        row[:] = rows[v]
        size = np.abs(row).mean()
        if not (np.isfinite(row).all() and row.max() > 0):
            outcome[v] = _NO_SIGNAL
            continue
        _start(row, basis, is_magnitude, least, places)
        flips = int(least.argmin())
        if len(known):
            flips = _choose_sign(row, times, least, places, known)
        if flips < 0 or places[flips] < 0:
            outcome[v] = _NO_SOLUTION
            continue
        row[:flips] *= -1
        good, found, a, b, rest = _descend(row, times, _TIMES[places[flips]])
        if not (good and a > 0 > b):
            outcome[v] = _NO_SOLUTION
        elif not lowest <= found <= highest:
            outcome[v] = _IMPLAUSIBLE
        else:
            outcome[v] = _FITTED
            time[v], rate[v], offset[v], slope[v] = found, 1 / found, a, b
            efficiency[v] = -b / a
            if count > 3:
                misfit[v] = math.sqrt(rest / count) / size
