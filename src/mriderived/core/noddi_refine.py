"""Least squares of the NODDI model by Levenberg-Marquardt steps within bounds (compiled)."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from mriderived.core.noddi_model import look_up, tissue

#: ICVF, OD, ISOVF and two angles by which the axis turns.
PARAMETERS = 5
ITERATIONS = 60
#: The steps end where the sum of squares falls by less than this share of it.
_TOLERANCE = 1e-7
_LARGEST_DAMPING = 1e8


@numba.njit(nogil=True, cache=True)
def refine(
    signals: Any, protocol: Any, floor: float, state: Any, axis: Any, lowest: Any, highest: Any
) -> Any:
    """Improve ``state`` (ICVF, OD, ISOVF) and ``axis`` in place; return the sum of squares.

    ``signals`` are relative to b = 0. ``floor`` is the level of noise in magnitude images, in the
    same unit: the model is compared as the root of the sum of its square and that of the floor.
    """
    normal, gradient = np.empty((PARAMETERS, PARAMETERS)), np.empty(PARAMETERS)
    new_normal, new_gradient = np.empty_like(normal), np.empty_like(gradient)
    trial, new_axis = np.empty(3), np.empty(3)
    frame = np.empty((2, 3))
    _span(axis, frame)
    cost = _linearise(signals, protocol, floor, state, axis, frame, normal, gradient)
    damping = 1e-3
    for _ in range(ITERATIONS):
        step = _solve(normal, gradient, damping, state, lowest, highest)
        for k in range(3):
            trial[k] = min(max(state[k] + step[k], lowest[k]), highest[k])
        _turn(axis, frame, step[3], step[4], new_axis)
        new_frame = np.empty((2, 3))
        _span(new_axis, new_frame)
        new_cost = _linearise(
            signals, protocol, floor, trial, new_axis, new_frame, new_normal, new_gradient
        )
        if new_cost > cost:
            damping *= 8.0
            if damping > _LARGEST_DAMPING:
                break
            continue
        gain = cost - new_cost
        state[:], axis[:], frame[:] = trial, new_axis, new_frame
        normal[:], gradient[:] = new_normal, new_gradient
        damping = max(damping / 8.0, 1e-9)
        is_settled = gain <= _TOLERANCE * cost
        cost = new_cost
        if is_settled:
            break
    return cost


@numba.njit(nogil=True, cache=True)
def _span(axis: Any, frame: Any) -> None:
    """Set two unit vectors that are perpendicular to the axis and to each other."""
    smallest = np.argmin(np.abs(axis))
    for k in range(3):
        frame[0, k] = (1.0 if k == smallest else 0.0) - axis[smallest] * axis[k]
    frame[0] /= np.sqrt((frame[0] ** 2).sum())
    frame[1] = np.cross(axis, frame[0])


@numba.njit(nogil=True, cache=True)
def _turn(axis: Any, frame: Any, first: float, second: float, turned: Any) -> None:
    for k in range(3):
        turned[k] = axis[k] + first * frame[0, k] + second * frame[1, k]
    turned /= np.sqrt((turned**2).sum())


@numba.njit(nogil=True, cache=True)
def _linearise(
    signals: Any,
    protocol: Any,
    floor: float,
    state: Any,
    axis: Any,
    frame: Any,
    normal: Any,
    gradient: Any,
) -> float:
    """Set the normal equations of a state; return its sum of squares."""
    degrees = protocol.sticks.shape[1]
    value, slope = np.empty(degrees), np.empty(degrees)
    row = np.empty(PARAMETERS)
    look_up(protocol.watson, state[1], value, slope)
    normal[:] = 0.0
    gradient[:] = 0.0
    cost = 0.0
    water = 1.0 - state[2]
    for n in range(len(signals)):
        direction = protocol.directions[n]
        cosine = direction[0] * axis[0] + direction[1] * axis[1] + direction[2] * axis[2]
        signal, by_icvf, by_od, by_z = tissue(
            protocol.parallel[n], cosine * cosine, state[0], protocol.sticks[n], value, slope
        )
        row[0], row[1] = water * by_icvf, water * by_od
        row[2] = protocol.free[n] - signal
        for k in range(2):
            lean = direction[0] * frame[k, 0] + direction[1] * frame[k, 1]
            lean += direction[2] * frame[k, 2]
            row[3 + k] = water * by_z * 2.0 * cosine * lean
        model = water * signal + state[2] * protocol.free[n]
        seen = np.sqrt(model * model + floor * floor)
        residual = seen - signals[n]
        cost += residual * residual
        share = model / seen
        for i in range(PARAMETERS):
            row[i] *= share
            gradient[i] += row[i] * residual
            for j in range(i + 1):
                normal[i, j] += row[i] * row[j]
    return cost


@numba.njit(nogil=True, cache=True)
def _solve(
    normal: Any, gradient: Any, damping: float, state: Any, lowest: Any, highest: Any
) -> Any:
    """Return the damped step; a number at its bound stays where the step would leave it."""
    matrix = np.zeros((PARAMETERS, PARAMETERS))
    right = -gradient
    for i in range(PARAMETERS):
        for j in range(i):
            matrix[i, j] = matrix[j, i] = normal[i, j]
        matrix[i, i] = normal[i, i] * (1.0 + damping) + 1e-12
    for i in range(3):
        leaves = (state[i] <= lowest[i] and right[i] <= 0) or (
            state[i] >= highest[i] and right[i] >= 0
        )
        if leaves:
            matrix[i, :] = 0.0
            matrix[:, i] = 0.0
            matrix[i, i] = 1.0
            right[i] = 0.0
    return np.linalg.solve(matrix, right)
