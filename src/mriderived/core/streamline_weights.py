"""Weights of streamlines, such that their density matches that of the fibres in the data.

Tracking takes as many streamlines of a bundle as it has seeds there and finds its way, not as
many as there are fibres. The lengths of all streamlines along each fibre population, times their
weights, are fitted to the apparent fibre density of that population, as Smith et al. 2015
(SIFT2, https://doi.org/10.1016/j.neuroimage.2015.06.092) proposed. There, the logarithms of
weights are fitted; here, the weights themselves, which are kept from being negative (as in
Pestilli et al. 2014, https://doi.org/10.1038/nmeth.3098), which makes the problem convex.
"""

# mypy: disallow-untyped-decorators=False

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from mriderived.core.fibre_traversal import Traversal, transpose
from mriderived.core.slabs import run_slabs

Matrix = NDArray[np.float64]

#: How strongly weights are held at 1, relative to what the data say of one streamline.
REGULARISATION = 0.01
ITERATIONS = 300
#: The fit ends when the cost falls by less than this share in a step.
TOLERANCE = 1e-6


class Weights(NamedTuple):
    """``weights`` (S,) of streamlines, not negative and without unit.

    ``proportion`` is the density per mm of a streamline of weight 1. ``misfit_before`` and
    ``misfit`` are root mean squares over fibres with streamlines, relative to the mean density.
    """

    weights: Matrix
    proportion: float
    misfit_before: float
    misfit: float
    iterations: int


def fit_weights(
    traversal: Traversal,
    density: Matrix,
    regularisation: float = REGULARISATION,
    threads: int = 1,
) -> Weights:
    r"""Fit non-negative weights of streamlines to densities of fibres.

    With the length :math:`l_{fs}` of streamline s along fibre f, the density :math:`d_f` and the
    proportion :math:`\mu` that fits best where all weights are 1:

    .. math:: \min_{w \ge 0} \tfrac12 \sum_f \Big(\mu \sum_s l_{fs} w_s - d_f\Big)^2
       + \tfrac{\lambda}2 \sum_s (w_s - 1)^2

    by projected gradients with a step for each streamline and Nesterov's momentum.

    Parameters
    ----------
    traversal : Traversal
        A row per streamline, see :func:`mriderived.core.fibre_traversal.traverse`.
    density : array, shape (F,)
        Those of fibres that no streamline follows do not count.
    regularisation : float
        :math:`\lambda` over the mean of :math:`\mu^2 \sum_f l_{fs} \sum_t l_{ft}`.
    threads : int
        The result does not depend on it.

    Raises
    ------
    ValueError
        If no streamline follows any fibre.

    Examples
    --------
    Two streamlines along one fibre, and one along another of the same density:

    >>> rows = Traversal(np.array([0, 1, 2, 3]), np.array([0, 0, 1], np.int32),
    ...                  np.ones(3, np.float32), 2)
    >>> w = fit_weights(rows, np.ones(2)).weights
    >>> bool(abs((w[0] + w[1]) / w[2] - 1) < 0.02)
    True
    """
    by_fibre = transpose(traversal)
    streamlines = len(traversal.start) - 1
    length = _multiply(by_fibre, np.ones(streamlines), threads)
    if not length.any():
        raise ValueError('no streamline follows a fibre of the data')
    target = np.where(length > 0, density, 0)
    proportion = float(length @ target / (length @ length))
    steps = proportion**2 * _multiply(traversal, length, threads)
    held = regularisation * float(steps.mean())
    steps += held
    scale = float(target[length > 0].mean()) * np.sqrt(float((length > 0).sum()))
    weights = np.ones(streamlines)
    ahead, momentum = weights.copy(), 1.0
    away = proportion * length - target
    before = float(np.linalg.norm(away))
    cost, iterations = np.inf, 0
    while iterations < ITERATIONS:
        iterations += 1
        residual = proportion * _multiply(by_fibre, ahead, threads) - target
        gradient = proportion * _multiply(traversal, residual, threads) + held * (ahead - 1)
        new = np.maximum(ahead - gradient / steps, 0)
        away = proportion * _multiply(by_fibre, new, threads) - target
        reached = float(away @ away + held * ((new - 1) ** 2).sum())
        if reached > cost:
            # momentum went too far: begin anew from the best so far
            ahead, momentum = weights, 1.0
            continue
        faster = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        ahead = new + (momentum - 1) / faster * (new - weights)
        weights, momentum = new, faster
        if cost - reached <= TOLERANCE * reached:
            break
        cost = reached
    away = proportion * _multiply(by_fibre, weights, threads) - target
    return Weights(
        weights, proportion, before / scale, float(np.linalg.norm(away)) / scale, iterations
    )


def _multiply(matrix: Traversal, vector: Matrix, threads: int) -> Matrix:
    target = np.empty(len(matrix.start) - 1)
    run_slabs(_multiply_rows, len(target), threads, matrix.start, matrix.columns, matrix.lengths,
              vector, target)  # fmt: skip
    return target


@numba.njit(nogil=True, cache=True)
def _multiply_rows(
    begin: int, end: int, start: Any, columns: Any, lengths: Any, vector: Any, target: Any
) -> None:
    for row in range(begin, end):
        total = 0.0
        for n in range(start[row], start[row + 1]):
            total += lengths[n] * vector[columns[n]]
        target[row] = total
