"""NODDI of a voxel as a convex problem: the mixture of simulated tissues that is its signal.

The tissues differ in ICVF and OD and lie along the given axis; free water is one more. The
weights are not negative and a small ridge keeps similar tissues from cancelling (compiled).
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from mriderived.core.noddi_model import look_up, stick_terms

#: ICVF of the simulated tissues: evenly spaced, so that one tissue follows from the last.
ICVF = np.linspace(0.1, 1.0, 10)
#: OD of the simulated tissues: closer together where the signal changes faster.
OD = np.array([0.03, 0.06, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0])
TISSUES = len(ICVF) * len(OD)
#: Penalty on the squared weights, for signals relative to b = 0.
RIDGE = 1e-6
#: Weight of the demand that the weights sum to 1, as signals are relative to b = 0.
SUM = 3.0
#: More tissues than this in one voxel are not told apart by any protocol.
_ACTIVE = 12
_ROUNDS = 60
_NO_PULL = 1e-9


@numba.njit(nogil=True, cache=True)
def mix(signals: Any, protocol: Any, axis: Any, atoms: Any, weights: Any, state: Any) -> None:
    """Set ``state`` (ICVF, OD, ISOVF): means over the tissues, weighted by their share.

    ``atoms`` (n + 1, TISSUES + 1) and ``weights`` (TISSUES + 1,) are filled; free water is last.
    """
    orders = np.empty(len(OD))
    _simulate_tissues(protocol, axis, atoms, orders)
    right = np.empty(len(signals) + 1)
    right[:-1] = signals
    right[-1] = SUM
    _solve_mixture(right, atoms, weights)
    share = 0.0
    icvf = 0.0
    order = 0.0
    for first in range(len(OD)):
        for second in range(len(ICVF)):
            weight = weights[first * len(ICVF) + second]
            share += weight
            icvf += weight * ICVF[second]
            order += weight * orders[first]
    water = weights[TISSUES]
    state[0] = icvf / share if share > 0 else 0.5
    state[1] = _dispersion(order / share, orders) if share > 0 else 0.5
    state[2] = water / (share + water) if share + water > 0 else 0.0


@numba.njit(nogil=True, cache=True)
def _dispersion(order: float, orders: Any) -> Any:
    """Return the OD of an order parameter; both fall together along the dictionary."""
    for k in range(1, len(orders)):
        if order >= orders[k]:
            share = (order - orders[k]) / (orders[k - 1] - orders[k])
            return OD[k] + min(share, 1.0) * (OD[k - 1] - OD[k])
    return OD[-1]


@numba.njit(nogil=True, cache=True)
def _simulate_tissues(protocol: Any, axis: Any, atoms: Any, orders: Any) -> None:
    degrees = protocol.sticks.shape[1]
    values, terms, slope = np.empty((len(OD), degrees)), np.empty(degrees), np.empty(degrees)
    for first in range(len(OD)):
        look_up(protocol.watson, OD[first], values[first], slope)
        orders[first] = values[first, 1]
    step = ICVF[1] - ICVF[0]
    for n in range(len(protocol.free)):
        direction = protocol.directions[n]
        cosine = direction[0] * axis[0] + direction[1] * axis[1] + direction[2] * axis[2]
        z = cosine * cosine
        x = protocol.parallel[n]
        stick_terms(protocol.sticks[n], z, terms)
        for first in range(len(OD)):
            inside = 0.0
            for degree in range(degrees):
                inside += terms[degree] * values[first, degree]
            # the exponent of the hindered water is linear in ICVF
            tau = (1.0 + 2.0 * orders[first]) / 3.0
            growth = x * 0.5 * (1.0 + tau - (3.0 * tau - 1.0) * z)
            outside = np.exp(-x + growth * ICVF[0])
            ratio = np.exp(growth * step)
            for second in range(len(ICVF)):
                icvf = ICVF[second]
                atoms[n, first * len(ICVF) + second] = icvf * inside + (1.0 - icvf) * outside
                outside *= ratio
        atoms[n, TISSUES] = protocol.free[n]
    atoms[-1, :] = SUM


@numba.njit(nogil=True, cache=True)
def _solve_mixture(signals: Any, atoms: Any, weights: Any) -> None:
    """Solve least squares with a ridge and weights >= 0 by active sets (Lawson and Hanson)."""
    weights[:] = 0.0
    active = np.empty(_ACTIVE, np.int64)
    count = 0
    pull = np.empty(len(weights))
    for _ in range(_ROUNDS):
        pull[:] = 0.0
        for n in range(len(signals)):
            left = signals[n]
            for i in range(count):
                left -= weights[active[i]] * atoms[n, active[i]]
            for k in range(len(weights)):
                pull[k] += atoms[n, k] * left
        for i in range(count):
            pull[active[i]] = 0.0
        place = np.argmax(pull)
        if pull[place] <= _NO_PULL or count == _ACTIVE:
            break
        active[count] = place
        count = _settle(signals, atoms, weights, active, count + 1)


@numba.njit(nogil=True, cache=True)
def _settle(signals: Any, atoms: Any, weights: Any, active: Any, count: int) -> int:
    """Solve for the active tissues; drop those whose weight would be negative."""
    while count > 0:
        found = _solve_active(signals, atoms, active[:count])
        step = 1.0
        for i in range(count):
            if found[i] <= 0.0:
                old = weights[active[i]]
                step = min(step, old / (old - found[i]) if old > found[i] else 0.0)
        kept = 0
        for i in range(count):
            k = active[i]
            weights[k] += step * (found[i] - weights[k])
            if weights[k] > 1e-12:
                active[kept] = k
                kept += 1
            else:
                weights[k] = 0.0
        if kept == count:
            break
        count = kept
    return count


@numba.njit(nogil=True, cache=True)
def _solve_active(signals: Any, atoms: Any, active: Any) -> Any:
    count = len(active)
    matrix, right = np.empty((count, count)), np.zeros(count)
    for i in range(count):
        for n in range(len(signals)):
            right[i] += atoms[n, active[i]] * signals[n]
        for j in range(i + 1):
            total = RIDGE if i == j else 0.0
            for n in range(len(signals)):
                total += atoms[n, active[i]] * atoms[n, active[j]]
            matrix[i, j] = matrix[j, i] = total
    return np.linalg.solve(matrix, right)
