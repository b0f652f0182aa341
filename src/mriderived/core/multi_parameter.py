"""R1 and proton density of multi-parameter mapping.

The echoes come first: :func:`~mriderived.core.exponential_decay.fit_decay` with ``contrasts``
gives their common R2* and the signals at no echo time, of which the rates follow here, and the
saturation in :mod:`~mriderived.core.magnetisation_transfer`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mriderived.core.fit_outcome import (
    Outcome,
    Outcomes,
    Values,
    as_signals,
    judge,
    keep_fitted,
    per_voxel,
)
from mriderived.core.spoiling import Spoiling, correct_spoiling
from mriderived.core.variable_flip_angle import BOUNDS

_STEPS = 20


class Weighting(NamedTuple):
    """How a contrast is acquired: flip angle in degrees and repetition time in s."""

    flip_angle: float
    repetition_time: float


class Rates(NamedTuple):
    """One value per voxel; NaN wherever ``outcome`` is not ``FITTED``.

    ``rate`` is R1 in 1/s, ``time`` T1 in s, ``density`` proton density times receive field, in
    units of the signals.
    """

    rate: Values
    time: Values
    density: Values
    outcome: Outcomes


def map_rates(
    signals: ArrayLike,
    pdw: Weighting,
    t1w: Weighting,
    *,
    transmit: ArrayLike | None = None,
    spoiling: Spoiling | None = None,
    bounds: tuple[float, float] = BOUNDS,
) -> Rates:
    r"""Return R1 and proton density of a PD-weighted and a T1-weighted signal.

    With :math:`t = \tan(\alpha / 2)` and :math:`\rho = \tanh(TR \, R_1 / 2)`, Ernst's equation is
    the rational :math:`S = 2 A \, t \rho / (\rho + t^2)`. Of equal repetition times that gives
    :math:`\rho = (S_1 t_1 - S_2 t_2) / (S_2 / t_2 - S_1 / t_1)` without approximation; of
    different ones, it is the start of a descent to the solution.

    Parameters
    ----------
    signals : array, shape (voxels, 2)
        PD-weighted and T1-weighted, at no echo time.
    pdw, t1w : Weighting
    transmit : float or array, shape (voxels,), optional
        Transmit field over its nominal value; 1 if not given, in which case the error of R1 is
        about twice that of the field.
    spoiling : Spoiling, optional
        Correction of T1 for imperfect spoiling. Proton density then follows from the corrected T1
        and the T1-weighted signal.
    bounds : tuple of float
        Plausible T1, in s. Other ones are not clipped: they are no result.

    Returns
    -------
    Rates

    Raises
    ------
    ValueError
        If both weightings have the same angle and time, or one of them is not positive.

    References
    ----------
    Helms et al. 2008, https://doi.org/10.1002/mrm.21542;
    Dathe and Helms 2010, https://doi.org/10.1088/0031-9155/55/15/003

    Examples
    --------
    >>> from mriderived.core.variable_flip_angle import spoiled_signal
    >>> signals = 1000 * spoiled_signal(1.0, [[6, 21]], 0.025)
    >>> found = map_rates(signals, Weighting(6, 0.025), Weighting(21, 0.025))
    >>> round(float(found.rate[0]), 4), round(float(found.density[0]), 1)
    (1.0, 1000.0)
    """
    if pdw == t1w or min(*pdw, *t1w) <= 0:
        raise ValueError(f'angles and times must be positive, and differ: {pdw} and {t1w}')
    rows = as_signals(signals, 2, 2).astype(np.float64)
    field = per_voxel(transmit, len(rows), 1.0)
    first, second = rows.T
    half = [np.tan(np.radians(w.flip_angle) * field / 2) for w in (pdw, t1w)]
    with np.errstate(all='ignore'):
        rate = _rational_rate(first, second, half, (pdw.repetition_time, t1w.repetition_time))
        if pdw.repetition_time != t1w.repetition_time:
            rate = _solve_rate(rate, first / second, half, pdw, t1w)
        time = 1 / rate
        if spoiling is not None:
            time = correct_spoiling(time, field, spoiling)
        rho = np.tanh(t1w.repetition_time / time / 2)
        density = second * (rho + half[1] ** 2) / (2 * half[1] * rho)
        rate = 1 / time
    outcome = judge(time, bounds, rows)
    # a negative rate, or one beyond all, is no solution of the equation
    fails = (~(time > 0) | ~(density > 0)) & (outcome != Outcome.NO_SIGNAL)
    outcome[fails] = Outcome.NO_SOLUTION
    maps = [keep_fitted(each, outcome) for each in (rate, time, density)]
    return Rates(maps[0], maps[1], maps[2], outcome)


def _rational_rate(
    first: NDArray[np.float64],
    second: NDArray[np.float64],
    half: list[NDArray[np.float64]],
    times: tuple[float, float],
) -> NDArray[np.float64]:
    """Return R1 of the rational equation; exact where both times are the same."""
    ahead = first * half[0] / times[0] - second * half[1] / times[1]
    # rho / time, in which rho is its first order where times differ
    ratio = ahead / (second / half[1] - first / half[0])
    if times[0] == times[1]:
        return np.asarray(2 * np.arctanh(ratio * times[0]) / times[0])
    return np.asarray(2 * ratio)


def _solve_rate(
    rate: NDArray[np.float64],
    ratio: NDArray[np.float64],
    half: list[NDArray[np.float64]],
    pdw: Weighting,
    t1w: Weighting,
) -> NDArray[np.float64]:
    """Return the R1 at which the signals have their ratio, by Newton from an approximate one."""
    current = rate
    for _ in range(_STEPS):
        logs, slopes = [], []
        for tangent, weighting in zip(half, (pdw, t1w), strict=True):
            rho = np.tanh(current * weighting.repetition_time / 2)
            square = tangent**2
            logs.append(np.log(tangent * rho / (rho + square)))
            by_rho = square / (rho * (rho + square))
            slopes.append(by_rho * (1 - rho**2) * weighting.repetition_time / 2)
        step = (np.log(ratio) - logs[0] + logs[1]) / (slopes[0] - slopes[1])
        current = current + np.clip(step, -0.5 * current, current)
        if not (np.abs(step) > 1e-10 * current).any():
            break
    return np.asarray(current)
