"""Non-negative least squares from the normal equations, for compiled loops over voxels."""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np

#: Rounds of exchange, per column, before a solution is taken as it is.
_ROUNDS = 3
_TINY = 1e-10


@numba.njit(nogil=True, cache=True)
def _factorise(gram: Any, ridge: float, passive: Any, count: int, factor: Any) -> bool:
    """Fill Cholesky's factor of the passive columns; return whether they are independent."""
    for i in range(count):
        for j in range(i + 1):
            total = gram[passive[i], passive[j]]
            for k in range(j):
                total -= factor[i, k] * factor[j, k]
            if j < i:
                factor[i, j] = total / factor[j, j]
                continue
            total += ridge
            if total <= _TINY * gram[passive[i], passive[i]]:
                return False
            factor[i, i] = math.sqrt(total)
    return True


@numba.njit(nogil=True, cache=True)
def _substitute(factor: Any, pull: Any, passive: Any, count: int, solution: Any) -> float:
    """Fill the solution of the passive columns, and return its lowest value."""
    for i in range(count):
        total = pull[passive[i]]
        for k in range(i):
            total -= factor[i, k] * solution[passive[k]]
        solution[passive[i]] = total / factor[i, i]
    lowest = math.inf
    for back in range(count):
        i = count - 1 - back
        total = solution[passive[i]]
        for k in range(i + 1, count):
            total -= factor[k, i] * solution[passive[k]]
        solution[passive[i]] = total / factor[i, i]
        lowest = min(lowest, solution[passive[i]])
    return lowest


@numba.njit(nogil=True, cache=True)
def _leave(x: Any, trial: Any, passive: Any, count: int) -> int:
    """Walk from ``x`` to ``trial`` until a column reaches zero; drop it and return a count."""
    share = 1.0
    for i in range(count):
        c = passive[i]
        if trial[c] <= 0:
            share = min(share, x[c] / (x[c] - trial[c]) if x[c] > trial[c] else 0.0)
    kept = 0
    for i in range(count):
        c = passive[i]
        x[c] += share * (trial[c] - x[c])
        if x[c] > _TINY and (trial[c] > 0 or share < 1 - 1e-12 or x[c] > 0):
            passive[kept] = c
            kept += 1
        else:
            x[c] = 0.0
    if kept == count:  # rounding kept a column that was to leave
        lowest = 0
        for i in range(count):
            if trial[passive[i]] < trial[passive[lowest]]:
                lowest = i
        x[passive[lowest]] = 0.0
        for i in range(lowest, count - 1):
            passive[i] = passive[i + 1]
        kept = count - 1
    return kept


@numba.njit(nogil=True, cache=True)
def _settle(
    gram: Any, pull: Any, ridge: float, passive: Any, count: int, x: Any, factor: Any, trial: Any
) -> tuple[int, bool]:
    """Drop columns until the solution of the others is positive, and make it ``x``.

    Return their number, and whether the newest column is independent of the others; else it is
    dropped as well.
    """
    is_independent = True
    while count > 0:
        if not _factorise(gram, ridge, passive, count, factor):
            count -= 1
            x[passive[count]] = 0.0
            is_independent = False
            continue
        if _substitute(factor, pull, passive, count, trial) > 0:
            for i in range(count):
                x[passive[i]] = trial[passive[i]]
            break
        count = _leave(x, trial, passive, count)
    return count, is_independent


@numba.njit(nogil=True, cache=True)
def _steepest(gram: Any, pull: Any, passive: Any, count: int, x: Any, enough: float) -> int:
    """Return the column whose growth from zero lowers the sum fastest, or -1."""
    steepest, entering = enough, -1
    for c in range(len(pull)):
        if x[c] > 0:
            continue
        slope = pull[c]
        for i in range(count):
            slope -= gram[c, passive[i]] * x[passive[i]]
        if slope > steepest:
            steepest, entering = slope, c
    return entering


@numba.njit(nogil=True, cache=True)
def nonnegative(
    gram: Any, pull: Any, ridge: float, passive: Any, count: int, x: Any, factor: Any, trial: Any
) -> int:
    r"""Minimise :math:`|A x - b|^2 + \text{ridge}\,|x|^2` over :math:`x \ge 0`.

    Starts from the columns that are passive already (a solution for a similar problem saves most
    of the work; the result is the same).

    Parameters
    ----------
    gram : array, shape (n, n)
        A'A.
    pull : array, shape (n,)
        A'b.
    ridge : float
        Weight of the penalty.
    passive : array of int, shape (n,)
        The columns above zero, in its first ``count`` places; renewed.
    count : int
    x : array, shape (n,)
        Renewed; the values at passive columns must be positive, or ``count`` 0.
    factor, trial : arrays, shapes (n, n) and (n,)
        Scratch.

    Returns
    -------
    int
        The new ``count``.

    References
    ----------
    Bro and De Jong 1997,
    https://doi.org/10.1002/(SICI)1099-128X(199709/10)11:5<393::AID-CEM483>3.0.CO;2-L

    Examples
    --------
    >>> A, b = np.array([[1.0, 0.0], [1.0, 1.0]]), np.array([2.0, 1.0])
    >>> x, passive = np.zeros(2), np.zeros(2, int)
    >>> count = nonnegative(A.T @ A, A.T @ b, 0.0, passive, 0, x, np.empty((2, 2)), np.empty(2))
    >>> count, x.round(3).tolist()
    (1, [1.5, 0.0])
    """
    size = len(pull)
    enough = 1e-9 * np.abs(pull).max()
    for _ in range(_ROUNDS * size):
        count, is_independent = _settle(gram, pull, ridge, passive, count, x, factor, trial)
        if not is_independent:
            return count
        entering = _steepest(gram, pull, passive, count, x, enough)
        if entering < 0:
            return count
        passive[count] = entering
        count += 1
    count, _ = _settle(gram, pull, ridge, passive, count, x, factor, trial)
    return count


@numba.njit(nogil=True, cache=True)
def squared_rest(gram: Any, pull: Any, total: float, passive: Any, count: int, x: Any) -> float:
    """Return |A x - b|², of which ``total`` is |b|²."""
    rest = total
    for i in range(count):
        c = passive[i]
        inner = -2 * pull[c]
        for j in range(count):
            inner += gram[c, passive[j]] * x[passive[j]]
        rest += x[c] * inner
    return max(rest, 0.0)
