"""Weighted linear least squares of the logarithm of signals, for many voxels at once."""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from mriderived.core.slabs import run_slabs

#: Voxels that are solved at a time: their normal equations fit in the cache.
CHUNK = 256
#: The least weight of a measurement, as a share of the voxel's largest: it keeps the equations
#: solvable where a first fit says that there is no signal.
_LEAST_WEIGHT = 1e-8


class LogSignalFit(NamedTuple):
    """Fits of N voxels.

    ``coefficients`` (N, p) are NaN where ``fitted`` (N,) is False; ``floored`` (N,) counts the
    signals that were not positive and were raised.
    """

    coefficients: NDArray[np.float64]
    floored: NDArray[np.int32]
    fitted: NDArray[np.bool_]


def fit_log_signal(
    signals: NDArray[np.floating[Any]],
    design: NDArray[np.float64],
    iterations: int = 2,
    threads: int = 1,
) -> LogSignalFit:
    r"""Fit ln S = X c by iterated weighted least squares.

    The logarithm of a signal of constant noise has a variance of :math:`\sigma^2 / S^2`, so
    that measurements weigh as the square of the signal: of that which the fit before predicts,
    since weights by the noisy signal itself are biased (Veraart et al. 2013). The first fit has
    no weights.

    Signals that are not positive (or not finite) have no logarithm: they are raised to the
    smallest positive signal of the same voxel, and counted. A voxel with fewer positive signals
    than coefficients is not fitted.

    Parameters
    ----------
    signals : array of float, shape (N, n)
    design : array of float, shape (n, p)
        In units in which its columns are of similar size (b in ms/µm²).
    iterations : int
        Weighted fits after the first; 0 is ordinary least squares.
    threads : int
        The result does not depend on it.

    Raises
    ------
    ValueError
        If shapes do not fit or the design does not determine its coefficients.

    References
    ----------
    Veraart et al. 2013, https://doi.org/10.1016/j.neuroimage.2013.05.028

    Examples
    --------
    >>> design = np.column_stack([[0.0, -1.0, -2.0], np.ones(3)])
    >>> fit_log_signal(np.exp(design @ [0.7, 5])[None], design).coefficients.round(9).tolist()
    [[0.7, 5.0]]
    """
    if signals.ndim != 2 or signals.shape[1] != len(design):
        raise ValueError(f'signals of shape {signals.shape} and design of shape {design.shape}')
    parameters = design.shape[1]
    if np.linalg.matrix_rank(design) < parameters:
        raise ValueError(
            f'{len(design)} volumes do not determine the {parameters} coefficients of the model'
        )
    voxels = len(signals)
    fit = LogSignalFit(
        np.empty((voxels, parameters)), np.empty(voxels, np.int32), np.empty(voxels, np.bool_)
    )
    rows, columns = np.triu_indices(parameters)
    solver = np.linalg.pinv(design)
    products = np.ascontiguousarray((design[:, rows] * design[:, columns]).T)

    def run(start: int, stop: int) -> None:
        for first in range(start * CHUNK, min(stop * CHUNK, voxels), CHUNK):
            part = slice(first, first + CHUNK)
            logarithms, fit.floored[part] = _logarithms(signals[part])
            found = solver @ logarithms
            for _ in range(iterations):
                found = _reweight(found, logarithms, design, products)
            found[:, len(design) - fit.floored[part] < parameters] = np.nan
            fit.fitted[part] = np.isfinite(found).all(axis=0)
            found[:, ~fit.fitted[part]] = np.nan
            fit.coefficients[part] = found.T

    run_slabs(run, -(-voxels // CHUNK), threads)
    return fit


def _logarithms(
    signals: NDArray[np.floating[Any]],
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Return ln S as (n, N), with the floor, and the number of raised signals (N,)."""
    values = np.ascontiguousarray(signals.T, np.float64)
    is_known = (values > 0) & (values < np.inf)
    floored = len(values) - is_known.sum(axis=0, dtype=np.int32)
    if floored.any():
        least = np.where(is_known, values, np.inf).min(axis=0)
        # a voxel without any is not fitted, whatever stands here
        least[~is_known.any(axis=0)] = 1
        values = np.where(is_known, values, least)
    return np.log(values, out=values), floored


def _reweight(
    found: NDArray[np.float64],
    logarithms: NDArray[np.float64],
    design: NDArray[np.float64],
    products: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the fit weighted by the squared prediction of another one, both (p, N)."""
    weights = design @ found
    # only ratios of weights count; this way none overflows
    weights -= weights.max(axis=0)
    weights *= 2
    np.exp(weights, out=weights)
    np.maximum(weights, _LEAST_WEIGHT, out=weights)
    normal = products @ weights
    weights *= logarithms
    right = design.T @ weights
    _solve(normal, right)
    return right


@numba.njit(nogil=True, cache=True, error_model='numpy')
def _solve(normal: Any, right: Any) -> None:
    """Solve symmetric equations by L D Lᵀ, in place; the last axis counts the voxels.

    ``normal`` (p (p + 1) / 2, N) holds the upper triangles row by row, ``right`` (p, N) becomes
    the solution. The innermost loops run over voxels, so that the processor does several at once.
    """
    size, voxels = right.shape
    factor = np.empty(voxels)
    row = 0
    for k in range(size):
        pivot = normal[row]
        below = row + size - k
        for i in range(k + 1, size):
            upper = normal[row + i - k]
            for v in range(voxels):
                factor[v] = upper[v] / pivot[v]
                right[i, v] -= factor[v] * right[k, v]
            for j in range(i, size):
                target, source = normal[below + j - i], normal[row + j - k]
                for v in range(voxels):
                    target[v] -= factor[v] * source[v]
            below += size - i
        row += size - k
    for k in range(size - 1, -1, -1):
        row -= size - k
        for j in range(k + 1, size):
            upper = normal[row + j - k]
            for v in range(voxels):
                right[k, v] -= upper[v] * right[j, v]
        for v in range(voxels):
            # A pivot that is not positive means equations without a unique answer.
            right[k, v] = right[k, v] / normal[row, v] if normal[row, v] > 0 else np.nan
