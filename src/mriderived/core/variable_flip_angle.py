"""T1 and proton density from spoiled gradient echoes of several flip angles."""

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
from mriderived.core.slabs import run_slabs

#: Plausible T1, in s.
BOUNDS = (0.05, 10.0)
_STEPS = 60
_FITTED, _NO_SIGNAL = int(Outcome.FITTED), int(Outcome.NO_SIGNAL)
_NO_SOLUTION, _IMPLAUSIBLE = int(Outcome.NO_SOLUTION), int(Outcome.IMPLAUSIBLE)


class Saturation(NamedTuple):
    """What is fitted, one value per voxel; NaN wherever ``outcome`` is not ``FITTED``.

    ``time`` is T1 in s, ``rate`` its inverse in 1/s, ``density`` the signal of a flip angle of 90°
    without saturation (proton density, times receive field and T2* decay), ``misfit`` the root
    mean square of what the model leaves, over the mean signal; NaN for two angles.
    """

    time: Values
    rate: Values
    density: Values
    misfit: Values
    outcome: Outcomes


def spoiled_signal(
    t1: ArrayLike, flip_angles: ArrayLike, repetition_time: ArrayLike
) -> NDArray[np.float64]:
    r"""Return the signal of a spoiled gradient echo, relative to proton density.

    Ernst's :math:`\sin\alpha \, (1 - E) / (1 - E \cos\alpha)`, :math:`E = e^{-TR / T_1}`.

    Parameters
    ----------
    t1 : array
        In s.
    flip_angles : array
        In degrees, as the voxel sees them.
    repetition_time : array
        In s.

    Returns
    -------
    array, of the shape to which the three broadcast

    References
    ----------
    Ernst and Anderson 1966, https://doi.org/10.1063/1.1719961

    Examples
    --------
    >>> round(float(spoiled_signal(1.0, 6.0, 0.0237)), 5)
    0.08509
    """
    angle = np.radians(np.asarray(flip_angles, np.float64))
    left = np.exp(-np.asarray(repetition_time, np.float64) / np.asarray(t1, np.float64))
    return np.asarray(np.sin(angle) * (1 - left) / (1 - left * np.cos(angle)))


def fit_flip_angles(
    signals: ArrayLike,
    flip_angles: Sequence[float],
    repetition_time: float,
    *,
    transmit: ArrayLike | None = None,
    bounds: tuple[float, float] = BOUNDS,
    threads: int = 1,
) -> Saturation:
    r"""Fit T1 and proton density to spoiled gradient echoes.

    With :math:`t = \tan(\alpha / 2)` and :math:`\rho = \tanh(TR / (2 T_1))` Ernst's equation is
    :math:`S = 2 M_0 \, t \rho / (\rho + t^2)`, without approximation. The line
    :math:`S / \sin\alpha = E \, S / \tan\alpha + M_0 (1 - E)` gives the start of a non-linear
    descent on the signals. Two angles are solved exactly.

    Parameters
    ----------
    signals : array, shape (voxels, angles)
        Magnitudes.
    flip_angles : sequence of float
        Nominal, in degrees.
    repetition_time : float
        In s.
    transmit : float or array, shape (voxels,), optional
        Transmit field over its nominal value; 1 if not given, in which case the error of T1 is
        about twice that of the field.
    bounds : tuple of float
        Plausible T1, in s. Other ones are not clipped: they are no result.
    threads : int

    Returns
    -------
    Saturation

    Raises
    ------
    ValueError
        If there are fewer than two different angles, or shapes disagree.

    References
    ----------
    Deoni et al. 2003, https://doi.org/10.1002/mrm.10407;
    Dathe and Helms 2010, https://doi.org/10.1088/0031-9155/55/15/003

    Examples
    --------
    >>> signals = 1000 * spoiled_signal(1.0, [[6, 21]], 0.0237)
    >>> found = fit_flip_angles(signals, [6, 21], 0.0237)
    >>> round(float(found.time[0]), 4), round(float(found.density[0]), 1)
    (1.0, 1000.0)
    """
    angles = np.radians(np.asarray(flip_angles, np.float64))
    rows = as_signals(signals, len(angles), 2)
    if len(set(angles)) < 2 or not (angles > 0).all() or not repetition_time > 0:
        raise ValueError(
            f'two different flip angles above 0 are needed, and a repetition time: '
            f'{list(flip_angles)} degrees, {repetition_time} s'
        )
    field = per_voxel(transmit, len(rows), 1.0)
    found = Saturation._make(blank_maps(len(rows), 4))
    limits = (float(repetition_time), float(bounds[0]), float(bounds[1]))
    run_slabs(_fit_rows, len(rows), threads, rows, angles, field, limits, *found)
    return found


@numba.njit(nogil=True, cache=True)
def _start(row: Any, tangents: Any) -> float:
    """Return the start of rho: from the slope of the line, or as a guess."""
    n, sx, sy, sxx, sxy = 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(len(row)):
        t = tangents[i]
        x, y = row[i] * (1 - t * t) / (2 * t), row[i] * (1 + t * t) / (2 * t)
        n += 1
        sx += x
        sy += y
        sxx += x * x
        sxy += x * y
    spread = n * sxx - sx * sx
    slope = (n * sxy - sx * sy) / spread if spread > 0 else 2.0
    if 0 < slope < 1:
        return (1 - slope) / (1 + slope)
    return 0.01


@numba.njit(nogil=True, cache=True)
def _descend(row: Any, tangents: Any, rho: float) -> tuple[bool, float, float, float]:
    """Descend in the logarithm of rho, density eliminated: good, rho, density, squares left."""
    least, best, density, damping = math.inf, rho, 0.0, 0.0
    step = 0.0
    for _ in range(_STEPS):
        trial = best * math.exp(step)
        norm, level, total = 0.0, 0.0, 0.0
        for i in range(len(row)):
            shape = 2 * tangents[i] * trial / (trial + tangents[i] ** 2)
            norm += shape * shape
            level += shape * row[i]
            total += row[i] * row[i]
        rest = total - level * level / norm
        if rest > least * (1 + 1e-12) + 1e-14 * total:
            damping = max(4 * damping, 1.0)
            step /= 1 + damping
            if abs(step) < 1e-9:
                return True, best, density, least
            continue
        moved, least, best, density = abs(step), rest, trial, level / norm
        if 0 < moved < 1e-7 or not best > 1e-12:
            return best > 1e-12, best, density, least
        a, b, c, d, e = norm, 0.0, 0.0, 0.0, 0.0
        for i in range(len(row)):
            square = tangents[i] ** 2
            shape = 2 * tangents[i] * best / (best + square)
            slope = density * shape * square / (best + square)
            off = row[i] - density * shape
            b += shape * slope
            c += slope * slope
            d += shape * off
            e += slope * off
        curve = c - b * b / a
        if not curve > 1e-14 * max(c, 1e-300):
            return False, best, density, least
        damping = 0.0
        step = min(max((e - b * d / a) / curve, -1.0), 1.0)
        if step == 0:
            return True, best, density, least
    return False, best, density, least


@numba.njit(nogil=True, cache=True)
def _fit_rows(
    begin: int, end: int, rows: Any, angles: Any, field: Any, limits: Any,
    time: Any, rate: Any, density: Any, misfit: Any, outcome: Any,
) -> None:  # fmt: skip
    tr, lowest, highest = limits
    count = len(angles)
    row, tangents = np.empty(count), np.empty(count)
    for v in range(begin, end):
        row[:] = rows[v]
        if not (np.isfinite(row).all() and row.max() > 0):
            outcome[v] = _NO_SIGNAL
            continue
        if not field[v] > 0:
            outcome[v] = _NO_SOLUTION
            continue
        for i in range(count):
            tangents[i] = math.tan(0.5 * field[v] * angles[i])
        good, rho, level, rest = _descend(row, tangents, _start(row, tangents))
        if not good or level <= 0 or rho >= 1:
            outcome[v] = _NO_SOLUTION
            continue
        found = tr / (2 * math.atanh(rho))
        if not lowest <= found <= highest:
            outcome[v] = _IMPLAUSIBLE
            continue
        outcome[v] = _FITTED
        time[v], rate[v], density[v] = found, 1 / found, level
        if count > 2:
            misfit[v] = math.sqrt(max(rest, 0.0) / count) / row.mean()
