"""T2 from a train of spin echoes whose refocusing is not perfect."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import ArrayLike

from mriderived.core.damped_step import damped_step
from mriderived.core.epg import USUAL_T1, echo_train, fill_train, known_angles
from mriderived.core.fit_outcome import (
    Outcome,
    Outcomes,
    Values,
    as_signals,
    blank_maps,
    per_voxel,
)
from mriderived.core.rician import rician_moments
from mriderived.core.slabs import run_slabs

#: Plausible T2, in s.
BOUNDS = (0.005, 3.0)
#: Angles of refocusing where the search begins, in degrees.
_ANGLES = np.arange(50.0, 181.0, 5.0)
_TIMES = np.geomspace(0.005, 3.0, 48)
#: Of the angles and times of the dictionary, every so manieth is looked at first.
_FEW_ANGLES, _FEW_TIMES = 4, 4
_STEPS = 100
_FITTED, _NO_SIGNAL = int(Outcome.FITTED), int(Outcome.NO_SIGNAL)
_NO_SOLUTION, _IMPLAUSIBLE = int(Outcome.NO_SOLUTION), int(Outcome.IMPLAUSIBLE)


class SpinEchoDecay(NamedTuple):
    """What is fitted, one value per voxel; NaN wherever ``outcome`` is not ``FITTED``.

    ``time`` is T2 in s, ``rate`` its inverse in 1/s, ``amplitude`` the signal of a perfect
    excitation at no echo time, ``refocusing`` the angle of the refocusing pulses in degrees,
    ``misfit`` the root mean square of what the model leaves, over the mean signal.
    """

    time: Values
    rate: Values
    amplitude: Values
    refocusing: Values
    misfit: Values
    outcome: Outcomes


def fit_spin_echoes(
    signals: ArrayLike,
    spacing: float,
    *,
    nominal: float = 180.0,
    transmit: ArrayLike | None = None,
    t1: float = USUAL_T1,
    noise: ArrayLike | None = None,
    bounds: tuple[float, float] = BOUNDS,
    threads: int = 1,
) -> SpinEchoDecay:
    """Fit T2 by extended phase graphs, with the transmit field of each voxel.

    Stimulated echoes of imperfect refocusing lengthen an exponential fit: by 7 % at 144°. They
    tell the angle of refocusing as well, so that the transmit field is fitted where it is not
    given. Angles above and below 180° by the same amount make the same echoes: what is fitted is
    the one below, and it stops at 180°.

    Parameters
    ----------
    signals : array, shape (voxels, echoes)
        Magnitudes of echoes at 1, 2, … times ``spacing``.
    spacing : float
        In s.
    nominal : float
        The angle of the refocusing pulses that was asked for, in degrees.
    transmit : float or array, shape (voxels,), optional
        Transmit field over its nominal value; fitted if not given.
    t1 : float
        Taken for T1, in s; the result hardly depends on it.
    noise : float or array, shape (voxels,), optional
        Standard deviation of the noise of the real and the imaginary part. With it, the model is
        the mean of a Rician magnitude.
    bounds : tuple of float
        Plausible T2, in s. Other ones are not clipped: they are no result.
    threads : int

    Returns
    -------
    SpinEchoDecay

    Raises
    ------
    ValueError
        If there are fewer than four echoes (three with a transmit field).

    References
    ----------
    Lebel and Wilman 2010, https://doi.org/10.1002/mrm.22487

    Examples
    --------
    >>> found = fit_spin_echoes(100 * echo_train(0.08, [144], 0.01, 16), 0.01)
    >>> round(float(found.time[0]), 4), round(float(found.refocusing[0]))
    (0.08, 144)
    """
    echoes = np.shape(signals)[-1]
    rows = as_signals(signals, echoes, 4 if transmit is None else 3)
    angles = known_angles(transmit, len(rows), nominal)
    dictionary = echo_train(_TIMES, _ANGLES[:, None], spacing, echoes, t1, nominal)
    dictionary /= np.linalg.norm(dictionary, axis=-1, keepdims=True)
    found = SpinEchoDecay._make(blank_maps(len(rows), 5))
    settings = tuple(float(value) for value in (spacing, t1, nominal, *bounds))
    sigma = per_voxel(noise, len(rows), 0.0)
    run_slabs(_fit_rows, len(rows), threads, rows, angles, sigma, dictionary, settings, *found)
    return found


@numba.njit(nogil=True, cache=True, fastmath={'reassoc', 'contract'})
def _likeness(row: Any, train: Any) -> float:
    """Return the product of signals and a train of the dictionary."""
    like = 0.0
    for e in range(len(row)):
        like += row[e] * train[e]
    return like


@numba.njit(nogil=True, cache=True)
def _search(row: Any, dictionary: Any, angles: Any, times: Any) -> tuple[int, int]:
    """Return where, within ranges (first, last, step), the dictionary is most like the signals."""
    best, at, which = -1.0, angles[0], times[0]
    for a in range(angles[0], angles[1], angles[2]):
        for t in range(times[0], times[1], times[2]):
            like = _likeness(row, dictionary[a, t])
            if like > best:
                best, at, which = like, a, t
    return at, which


@numba.njit(nogil=True, cache=True)
def _start(row: Any, dictionary: Any, angle: float, angles: Any) -> tuple[int, int]:
    """Return the angle and the T2 of the dictionary whose train is most like the signals.

    First among a few of them, then around the best: likeness has one wide peak.
    """
    first, last, step = 0, len(angles), _FEW_ANGLES
    if not math.isnan(angle):
        folded = min(max(180 - abs(angle - 180), angles[0]), angles[-1])
        first = round((folded - angles[0]) / (angles[1] - angles[0]))
        last, step = first + 1, 1
    count = dictionary.shape[1]
    at, which = _search(row, dictionary, (first, last, step), (0, count, _FEW_TIMES))
    near_angles = (max(at - step + 1, first), min(at + step, last), 1)
    near_times = (max(which - _FEW_TIMES + 1, 0), min(which + _FEW_TIMES, count), 1)
    at, which = _search(row, dictionary, near_angles, near_times)
    return at, which


@numba.njit(nogil=True, cache=True)
def _train(point: Any, settings: Any, graph: Any, train: Any) -> None:
    """Fill the train of amplitude, logarithm of T2, and squared cosine of half of the angle."""
    spacing, t1, nominal = settings[0], settings[1], settings[2]
    angle = point[3]
    if math.isnan(angle):
        angle = math.degrees(2 * math.acos(math.sqrt(point[2])))
    fill_train(math.exp(point[1]), angle, spacing, t1, nominal, graph, train)


@numba.njit(nogil=True, cache=True)
def _predict(
    point: Any, noise: float, settings: Any, graph: Any, train: Any, moments: Any
) -> None:
    """Fill the train at a point, and mean, slope and variance of the magnitude of each echo."""
    _train(point, settings, graph, train)
    for e in range(len(train)):
        signal = point[0] * train[e]
        mean, slope, variance = rician_moments(abs(signal), noise)
        moments[0, e] = mean
        moments[1, e] = slope if signal >= 0 else -slope  # of a short T2 and a long T1
        moments[2, e] = variance


@numba.njit(nogil=True, cache=True)
def _merit(row: Any, means: Any, weights: Any) -> float:
    total = 0.0
    for e in range(len(row)):
        total += weights[e] * (row[e] - means[e]) ** 2
    return total


@numba.njit(nogil=True, cache=True)
def _equations(
    row: Any, point: Any, settings: Any, graph: Any, trains: Any, moments: Any, matrix: Any,
    pull: Any, free: int,
) -> None:  # fmt: skip
    """Fill the normal equations at ``point``, of which ``trains[0]`` and ``moments`` are."""
    for p in range(1, free):
        # toward lower values of the squared cosine at its upper end only
        step = 1e-5 if p == 1 or point[2] < 0.5 else -1e-5
        point[p] += step
        _train(point, settings, graph, trains[p])
        point[p] -= step
        for e in range(len(row)):
            trains[p, e] = point[0] * (trains[p, e] - trains[0, e]) / step
    matrix[:] = 0
    pull[:] = 0
    for e in range(len(row)):
        rest, weight = row[e] - moments[0, e], moments[1, e] / moments[2, e]
        for p in range(free):
            to_p = weight * trains[p, e]
            pull[p] += to_p * rest
            for q in range(free):
                matrix[p, q] += to_p * moments[1, e] * trains[q, e]


@numba.njit(nogil=True, cache=True)
def _descend(row: Any, point: Any, noise: float, settings: Any, graph: Any, trains: Any) -> bool:
    """Descend by Levenberg–Marquardt from ``point``, which becomes the solution."""
    matrix, pull, step = np.empty((3, 3)), np.empty(3), np.zeros(3)
    echoes = len(row)
    weights, moments, tried = np.empty(echoes), np.empty((3, echoes)), np.empty((3, echoes))
    trial = point.copy()
    fitted = math.isnan(point[3])
    damping, total, expected = 1e-3, 0.0, math.inf
    _predict(point, noise, settings, graph, trains[0], moments)
    for _ in range(_STEPS):
        free = 3 if fitted else 2
        _equations(row, point, settings, graph, trains, moments, matrix, pull, free)
        weights[:] = 1 / moments[2]
        total = _merit(row, moments[0], weights)
        if fitted and point[2] <= 0 and pull[2] < 0:
            free = 2  # rests at 180°
        step[2] = 0
        while True:
            if not damped_step(matrix, pull, damping, free, step):
                return False
            trial[:] = point
            trial[0] += step[0]
            trial[1] += min(max(step[1], -1.0), 1.0)
            if free == 3:
                trial[2] = min(max(point[2] + step[2], 0.0), 0.95)
            _predict(trial, noise, settings, graph, trains[0], tried)
            left = _merit(row, tried[0], weights)
            if left <= total * (1 + 1e-12):
                break
            damping *= 10
            if damping > 1e9:
                return True  # no step in any direction is better
        moved, expected = 0.0, 0.0
        for p in range(3):
            expected += (trial[p] - point[p]) * pull[p]
            moved += abs(trial[p] - point[p]) if p else 0.0
            point[p] = trial[p]
        moments[:] = tried
        if moved < 1e-5 or expected < 1e-7 * total:
            return True
        # where the model bends, undamped steps would swing from side to side of the solution
        gain = (total - left) / expected
        damping = min(damping * 4, 1e3) if gain < 0.5 else max(damping / 10, 1e-9)
    return expected < 1e-4 * total


@numba.njit(nogil=True, cache=True)
def _fit_rows(
    begin: int, end: int, rows: Any, angles: Any, noise: Any, dictionary: Any, settings: Any,
    time: Any, rate: Any, amplitude: Any, refocusing: Any, misfit: Any, outcome: Any,
) -> None:  # fmt: skip
    echoes = rows.shape[1]
    graph, trains = np.empty((3, echoes + 2)), np.empty((3, echoes))
    row, point = np.empty(echoes), np.empty(4)
    for v in range(begin, end):
        row[:] = rows[v]
        if not (np.isfinite(row).all() and row.max() > 0):
            outcome[v] = _NO_SIGNAL
            continue
        if angles[v] <= 0:
            outcome[v] = _NO_SOLUTION
            continue
        a, t = _start(row, dictionary, angles[v], _ANGLES)
        point[1], point[2] = math.log(_TIMES[t]), math.cos(math.radians(_ANGLES[a]) / 2) ** 2
        point[3] = angles[v]
        _train(point, settings, graph, trains[0])
        norm = (trains[0] ** 2).sum()
        point[0] = (row * trains[0]).sum() / norm if norm > 0 else 0.0
        good = point[0] > 0 and _descend(row, point, noise[v], settings, graph, trains)
        if not good:
            outcome[v] = _NO_SOLUTION
            continue
        found = math.exp(point[1])
        if not (settings[3] <= found <= settings[4]):
            outcome[v] = _IMPLAUSIBLE
            continue
        outcome[v] = _FITTED
        time[v], rate[v], amplitude[v] = found, 1 / found, point[0]
        angle = point[3]
        if math.isnan(angle):
            angle = math.degrees(2 * math.acos(math.sqrt(point[2])))
        refocusing[v] = angle
        _train(point, settings, graph, trains[0])
        total = 0.0
        for e in range(echoes):
            total += (row[e] - rician_moments(abs(point[0] * trains[0, e]), noise[v])[0]) ** 2
        misfit[v] = math.sqrt(total / echoes) / row.mean()
