"""Myelin water: the spectrum of T2 of each voxel, from a train of spin echoes."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

from mriderived.core.epg import USUAL_T1, echo_train, known_angles
from mriderived.core.fit_outcome import (
    Outcome,
    Outcomes,
    Values,
    as_signals,
    blank_maps,
)
from mriderived.core.nnls import nonnegative, squared_rest
from mriderived.core.slabs import run_slabs

#: The T2 of the spectrum, in s.
TIMES = np.geomspace(0.01, 2.0, 40)
#: Water between the layers of myelin has a T2 below the first, water in and around axons one
#: below the second, in s.
WINDOWS = (0.04, 0.2)
#: How much more than the best fit the smooth spectrum may leave of the signals. Smoothing merges
#: the peaks: of a share of 15 %, at a signal-to-noise ratio of 200, the usual 1.02 finds 12.2 %,
#: 1.005 finds 13.8 %, and has the smaller error in total.
EXCESS = 1.005
_LOWEST, _STEP = 50.0, 0.5
#: Angles of refocusing, in degrees.
_ANGLES = np.arange(_LOWEST, 180 + _STEP / 2, _STEP)
#: Places between the angles where the search of the angle begins, and how often that is halved.
_COARSE, _HALVINGS = 26, 4
_NO_SIGNAL, _NO_SOLUTION = int(Outcome.NO_SIGNAL), int(Outcome.NO_SOLUTION)
_IMPLAUSIBLE = int(Outcome.IMPLAUSIBLE)


class MyelinWater(NamedTuple):
    """One value per voxel; NaN wherever ``outcome`` is not ``FITTED``.

    ``myelin`` and ``intra_extra`` are the shares of the spectrum in the windows, in percent;
    ``mean_time`` the geometric mean T2 of the spectrum, ``intra_extra_time`` that of the second
    window (NaN where it is empty), in s; ``amplitude`` the sum of the spectrum; ``refocusing`` the
    angle in degrees; ``misfit`` the root mean square of what the spectrum leaves of the signals,
    over their mean.
    """

    myelin: Values
    intra_extra: Values
    mean_time: Values
    intra_extra_time: Values
    amplitude: Values
    refocusing: Values
    misfit: Values
    outcome: Outcomes


def fit_myelin_water(
    signals: ArrayLike,
    spacing: float,
    *,
    nominal: float = 180.0,
    transmit: ArrayLike | None = None,
    t1: float = USUAL_T1,
    windows: tuple[float, float] = WINDOWS,
    excess: float = EXCESS,
    threads: int = 1,
) -> MyelinWater:
    r"""Fit a smooth, non-negative spectrum of T2, and the angle of refocusing.

    The trains of :func:`~mriderived.core.epg.echo_train` at ``TIMES`` are the columns of A. The
    angle is the one at which non-negative least squares leave least of the signals. The spectrum
    minimises :math:`|A x - b|^2 + \mu |x|^2` over :math:`x \ge 0` with the :math:`\mu` at which it
    leaves ``excess`` times that of :math:`\mu = 0`.

    Parameters
    ----------
    signals : array, shape (voxels, echoes)
        Magnitudes of echoes at 1, 2, … times ``spacing``. The noise floor is no part of the model:
        the last echoes should stand well above it.
    spacing : float
        In s.
    nominal : float
        The angle of the refocusing pulses that was asked for, in degrees.
    transmit : float or array, shape (voxels,), optional
        Transmit field over its nominal value; fitted if not given.
    t1 : float
        Taken for T1, in s.
    windows : tuple of float
        Upper end of the T2 of myelin water, and of water in and around axons, in s.
    excess : float
        Above 1.
    threads : int

    Returns
    -------
    MyelinWater
        ``IMPLAUSIBLE`` where the angle of refocusing is at or below 50°.

    Raises
    ------
    ValueError
        If there are fewer than eight echoes, or ``excess`` or the windows make no sense.

    References
    ----------
    Mackay et al. 1994, https://doi.org/10.1002/mrm.1910310614;
    Prasloski et al. 2012, https://doi.org/10.1002/mrm.23157;
    Doucette et al. 2020, https://doi.org/10.1016/j.zemedi.2020.04.001

    Examples
    --------
    >>> train = 15 * echo_train(0.02, 150, 0.01, 32) + 85 * echo_train(0.08, 150, 0.01, 32)
    >>> found = fit_myelin_water([train], 0.01)
    >>> bool(abs(found.myelin[0] - 15) < 1), round(float(found.refocusing[0]))
    (True, 150)
    """
    echoes = np.shape(signals)[-1]
    rows = as_signals(signals, echoes, 8)
    if not (excess > 1 and 0 < windows[0] < windows[1]):
        raise ValueError(f'excess {excess} must be above 1, and windows {windows} must ascend')
    dictionary, grams = _dictionary(spacing, echoes, t1, nominal)
    angles = known_angles(transmit, len(rows), nominal)
    found = MyelinWater._make(blank_maps(len(rows), 7))
    limits = (float(windows[0]), float(windows[1]), float(excess))
    run_slabs(_fit_rows, len(rows), threads, rows, angles, dictionary, grams, limits, *found)
    return found


def _dictionary(
    spacing: float, echoes: int, t1: float, nominal: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the trains of each angle, shape (angles, times, echoes), and their products."""
    trains = echo_train(TIMES, _ANGLES[:, None], spacing, echoes, t1, nominal)
    return trains, trains @ trains.transpose(0, 2, 1)


@numba.njit(nogil=True, cache=True)
def _rest_at(
    angle: int, row: Any, total: float, dictionary: Any, grams: Any, state: Any, passive: Any,
    count: int,
) -> tuple[int, float]:  # fmt: skip
    """Solve at an angle without a penalty; return the number of columns and what is left."""
    x, pull, factor, trial = state
    trains = dictionary[angle]
    for c in range(len(pull)):
        inner = 0.0
        for e in range(len(row)):
            inner += trains[c, e] * row[e]
        pull[c] = inner
    count = nonnegative(grams[angle], pull, 0.0, passive, count, x, factor, trial)
    return count, squared_rest(grams[angle], pull, total, passive, count, x)


@numba.njit(nogil=True, cache=True)
def _find_angle(
    row: Any, total: float, dictionary: Any, grams: Any, state: Any, passive: Any
) -> int:
    """Return the angle at which least is left: among few, then in ever smaller steps."""
    last = len(dictionary) - 1
    best, centre, least, count = 0, 0, math.inf, 0
    first, step = last // _COARSE + 1, _COARSE
    # one loop for both parts, because each call in the code is compiled on its own
    for turn in range(first + 2 * _HALVINGS):
        place = turn * _COARSE
        if turn >= first and (turn - first) % 2 == 0:
            centre, step = best, step // 2
            place = centre - step
        elif turn >= first:
            place = centre + step
        if not 0 <= place <= last:
            continue
        count, rest = _rest_at(place, row, total, dictionary, grams, state, passive, count)
        if rest < least:
            best, least = place, rest
    return best


@numba.njit(nogil=True, cache=True)
def _smooth(
    gram: Any, total: float, least: float, excess: float, state: Any, passive: Any, count: int
) -> int:
    """Find the penalty at which ``excess`` times ``least`` is left; return the number of columns.

    What is left grows with the penalty, so that a search between brackets on logarithms finds it.
    """
    x, pull, factor, trial = state
    target = math.log(excess)
    low, high = math.log(1e-8 * gram[0, 0]), math.log(1e3 * gram[0, 0])
    below, above = -target, math.nan
    guess = math.log(1e-2 * gram[0, 0])
    for _ in range(40):
        count = nonnegative(gram, pull, math.exp(guess), passive, count, x, factor, trial)
        rest = squared_rest(gram, pull, total, passive, count, x)
        off = math.log(max(rest / least, 1.0)) - target
        if abs(off) < 0.01 * target or high - low < 1e-3:
            return count
        if off < 0:
            low, below = guess, off
        else:
            high, above = guess, off
        if math.isnan(above) or below <= -0.999 * target:
            guess = 0.5 * (low + high) if off > 0 else min(guess + 2.0, 0.5 * (guess + high))
            if off > 0:
                guess = max(guess, high - 3.0)
        else:
            # in logarithms of both, the excess is close to a line
            ahead = math.log((below + target) / (above + target)) if below > -target else -1.0
            share = math.log((below + target) / target) / ahead
            guess = low + min(max(share, 0.05), 0.95) * (high - low)
    return count


@numba.njit(nogil=True, cache=True)
def _fit_rows(
    begin: int, end: int, rows: Any, angles: Any, dictionary: Any, grams: Any, limits: Any,
    myelin: Any, intra_extra: Any, mean_time: Any, intra_extra_time: Any, amplitude: Any,
    refocusing: Any, misfit: Any, outcome: Any,
) -> None:  # fmt: skip
    echoes, size = rows.shape[1], dictionary.shape[1]
    row, passive = np.empty(echoes), np.empty(size, np.int64)
    state = (np.zeros(size), np.empty(size), np.empty((size, size)), np.empty(size))
    x = state[0]
    for v in range(begin, end):
        row[:] = rows[v]
        if not (np.isfinite(row).all() and row.max() > 0):
            outcome[v] = _NO_SIGNAL
            continue
        row /= row.max()
        total = (row**2).sum()
        x[:] = 0
        if math.isnan(angles[v]):
            angle = _find_angle(row, total, dictionary, grams, state, passive)
        else:
            angle = round((180 - abs(angles[v] - 180) - _LOWEST) / _STEP)
        if angle <= 0 or angle >= len(dictionary):
            outcome[v] = _IMPLAUSIBLE
            continue
        x[:] = 0
        count, least = _rest_at(angle, row, total, dictionary, grams, state, passive, 0)
        if count == 0:
            outcome[v] = _NO_SOLUTION
            continue
        least = max(least, 1e-9 * total)
        count = _smooth(grams[angle], total, least, limits[2], state, passive, count)
        _describe(v, x, limits, myelin, intra_extra, mean_time, intra_extra_time)
        amplitude[v] = x.sum() * rows[v].max()
        refocusing[v] = _LOWEST + _STEP * angle
        rest = squared_rest(grams[angle], state[1], total, passive, count, x)
        misfit[v] = math.sqrt(rest / echoes) / row.mean()


@numba.njit(nogil=True, cache=True)
def _describe(
    v: int, x: Any, limits: Any, myelin: Any, intra_extra: Any, mean_time: Any,
    intra_extra_time: Any,
) -> None:  # fmt: skip
    """Fill the shares, and the geometric means, of a spectrum."""
    short, middle, whole, log_middle, log_whole = 0.0, 0.0, 0.0, 0.0, 0.0
    for c in range(len(x)):
        log = math.log(TIMES[c])
        whole += x[c]
        log_whole += x[c] * log
        if TIMES[c] <= limits[0]:
            short += x[c]
        elif TIMES[c] <= limits[1]:
            middle += x[c]
            log_middle += x[c] * log
    myelin[v], intra_extra[v] = 100 * short / whole, 100 * middle / whole
    mean_time[v] = math.exp(log_whole / whole)
    if middle > 0:
        intra_extra_time[v] = math.exp(log_middle / middle)
