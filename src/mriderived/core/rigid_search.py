"""Rigid transforms by six numbers of one order, and the search for the best ones."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

Matrix = NDArray[np.float64]
Parameters = NDArray[np.float64]

#: Angles are multiplied by this radius, in mm, so that all six parameters are lengths.
RADIUS = 50.0


def rigid_matrix(parameters: Parameters, centre: NDArray[np.float64]) -> Matrix:
    """Return the transform that turns about ``centre`` and then moves.

    Parameters
    ----------
    parameters : array, shape (6,)
        Shifts along x, y, z in mm, then turns about x, y, z as arc lengths in mm at ``RADIUS``.
    centre : array, shape (3,)
        In mm.

    Returns
    -------
    array, shape (4, 4)

    Examples
    --------
    >>> quarter = np.array([0, 0, 0, 0, 0, RADIUS * np.pi / 2])
    >>> (rigid_matrix(quarter, np.zeros(3)) @ [1, 0, 0, 1]).round(6) + 0.0
    array([0., 1., 0., 1.])
    """
    x, y, z = np.asarray(parameters[3:]) / RADIUS
    about_x = np.array([[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]])
    about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    about_z = np.array([[np.cos(z), -np.sin(z), 0], [np.sin(z), np.cos(z), 0], [0, 0, 1]])
    matrix = np.eye(4)
    matrix[:3, :3] = about_z @ about_y @ about_x
    matrix[:3, 3] = centre + np.asarray(parameters[:3]) - matrix[:3, :3] @ centre
    return matrix


def minimise(
    cost: Callable[[Parameters], float], start: Parameters, step: float
) -> tuple[float, Parameters]:
    """Return the least cost that Powell's method finds, and where.

    ``step`` is the distance in mm at which the cost varies; the search ends at a hundredth.
    """
    directions = np.eye(6) * step
    options = {'direc': directions, 'xtol': 1e-2, 'ftol': 1e-7, 'maxiter': 50}
    found = optimize.minimize(cost, start, method='Powell', options=options)
    return float(found.fun), np.asarray(found.x, dtype=np.float64)
