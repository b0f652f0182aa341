"""One step of Levenberg and Marquardt, for compiled loops over voxels."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np


@numba.njit(nogil=True, cache=True)
def damped_step(matrix: Any, pull: Any, damping: float, free: int, step: Any) -> bool:
    """Fill ``step`` with the solution of the damped normal equations.

    Parameters
    ----------
    matrix : array, shape (3, 3)
        Of at most three parameters; its diagonal is multiplied by ``1 + damping``.
    pull : array, shape (3,)
    damping : float
    free : int
        So many parameters are free, the first ones.
    step : array, shape (3,)
        Filled in its first ``free`` places.

    Returns
    -------
    bool
        Whether the equations are independent.

    References
    ----------
    Marquardt 1963, https://doi.org/10.1137/0111030

    Examples
    --------
    >>> step = np.zeros(3)
    >>> damped_step(np.diag([2.0, 4.0, 1.0]), np.array([1.0, 1.0, 1.0]), 0.0, 2, step)
    True
    >>> step.tolist()
    [0.5, 0.25, 0.0]
    """
    work = np.empty((3, 4))
    for p in range(free):
        for q in range(free):
            work[p, q] = matrix[p, q]
        work[p, p] *= 1 + damping
        work[p, 3] = pull[p]
    for p in range(free):
        if not work[p, p] > 0:
            return False
        for q in range(p + 1, free):
            ratio = work[q, p] / work[p, p]
            for r in range(p, free):
                work[q, r] -= ratio * work[p, r]
            work[q, 3] -= ratio * work[p, 3]
    for back in range(free):
        p = free - 1 - back
        total = work[p, 3]
        for q in range(p + 1, free):
            total -= work[p, q] * step[q]
        step[p] = total / work[p, p]
    return True
