"""The search for a rigid transform, by six numbers of one order."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from mriderived.core.rigid import rigid_matrix

Matrix = NDArray[np.float64]
Parameters = NDArray[np.float64]

#: Angles are multiplied by this radius, in mm, so that all six parameters are lengths.
RADIUS = 50.0


def to_matrix(lengths: Parameters, centre: NDArray[np.float64]) -> Matrix:
    """Return the transform that turns about ``centre`` and then shifts.

    Parameters
    ----------
    lengths : array, shape (6,)
        Shifts along x, y, z in mm, then turns about x, y, z as arcs in mm at ``RADIUS``.
    centre : array, shape (3,)
        In mm.

    Returns
    -------
    array, shape (4, 4)

    Examples
    --------
    >>> quarter = np.array([0, 0, 0, 0, 0, RADIUS * np.pi / 2])
    >>> (to_matrix(quarter, np.zeros(3)) @ [1, 0, 0, 1]).round(6) + 0.0
    array([0., 1., 0., 1.])
    """
    return rigid_matrix(np.concatenate([lengths[:3], np.divide(lengths[3:], RADIUS)]), centre)


def minimise(
    cost: Callable[[Parameters], float], start: Parameters, step: float
) -> tuple[float, Parameters]:
    """Return the least cost that Powell's method finds, and where.

    ``step`` is the distance in mm at which the cost varies; the search ends at a hundredth.
    """
    directions = np.eye(len(start)) * step
    options = {'direc': directions, 'xtol': 1e-2, 'ftol': 1e-7, 'maxiter': 50}
    found = optimize.minimize(cost, start, method='Powell', options=options)
    return float(found.fun), np.asarray(found.x, dtype=np.float64)
