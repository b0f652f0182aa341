"""The diffusion tensor of tissue apart from free water, from two shells."""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from mriderived.core.gradient_table import Gradients, select
from mriderived.core.log_signal_fit import fit_log_signal
from mriderived.core.slabs import run_slabs
from mriderived.core.tensor import REDUCED, determines, tensor_basis, tensor_design

#: Beyond this nominal b-value, in s/mm², tissue is no single exponential any more.
LARGEST_B = 2000.0
#: Of water at body temperature, in µm²/ms.
_FREE = 3.0
#: Where the plain tensor has a mean diffusivity beyond this, in µm²/ms, there is water alone.
_ONLY_WATER = 2.7
#: Beyond this fraction of free water too little tissue is left to have a tensor.
_LARGEST_FRACTION = 0.9
#: Second shell: at least this far from the first.
_RATIO = 1.2
#: Fractions that the search begins with, and voxels that are fitted at a time.
_START, CHUNK = np.arange(0, 0.95, 0.1), 256
#: Steps of Levenberg and Marquardt; the sum of squares changes by less than this at the end.
_STEPS, _TOLERANCE = 60, 1e-10


class FreeWaterFit(NamedTuple):
    """Fits of N voxels.

    ``tensor`` (N, 6) of the tissue in mm²/s, in the order Dxx Dxy Dxz Dyy Dyz Dzz, NaN where
    free water leaves no tissue; ``fraction`` (N,) of free water, 0 to 1; ``s0`` (N,). All NaN
    where ``fitted`` (N,) is False.
    """

    tensor: NDArray[np.float64]
    fraction: NDArray[np.float64]
    s0: NDArray[np.float64]
    fitted: NDArray[np.bool_]


def free_water_volumes(gradients: Gradients, largest_b: float = LARGEST_B) -> NDArray[np.bool_]:
    """Choose the volumes (n,) for a tensor without free water: those up to a b-value.

    Raises
    ------
    ValueError
        With one shell: there, free water and a larger diffusivity of tissue are the same signal.
        Also where the directions determine no tensor.
    """
    nominal = np.array(gradients.shells)
    volumes = np.asarray(nominal[gradients.shell] <= largest_b)
    shells = nominal[(nominal > 0) & (nominal <= largest_b)]
    if not len(shells) or shells.max() < _RATIO * shells.min():
        raise ValueError(
            f'free water needs two shells up to b = {largest_b:g} s/mm²; the table has the '
            f'b-values {nominal.tolist()} s/mm², and of one shell free water and faster diffusion '
            'in tissue look the same'
        )
    if not determines(tensor_design(select(gradients, volumes))):
        raise ValueError('free water needs six directions and a volume without weighting')
    return volumes


def fit_free_water(
    signals: NDArray[np.floating[Any]], gradients: Gradients, threads: int = 1
) -> FreeWaterFit:
    r"""Fit :math:`S = S_0 ((1 - f) e^{-b\,g^T D g} + f e^{-b\,d})`, d = 3.0 µm²/ms.

    First a search over f with weighted linear fits of what is left of the signal, then
    Levenberg's and Marquardt's method on all eight parameters, with
    :math:`f = (1 - \cos\theta) / 2`.

    Where the plain tensor's mean diffusivity is beyond 2.7 µm²/ms, f is 1 and nothing is fitted.

    Parameters
    ----------
    signals : array of float, shape (N, n)
    gradients : Gradients
        Of all n volumes: choose with :func:`free_water_volumes` and `select` first.
    threads : int
        The result does not depend on it.

    Raises
    ------
    ValueError
        If the table does not determine a tensor.

    References
    ----------
    Hoy et al. 2014, https://doi.org/10.1016/j.neuroimage.2014.09.053
    """
    design = tensor_design(gradients)
    plain = fit_log_signal(signals, design, threads=threads)
    fit = FreeWaterFit(
        np.full((len(signals), 6), np.nan),
        np.where(plain.fitted, 1.0, np.nan),
        np.exp(plain.coefficients[:, 6]),
        plain.fitted,
    )
    is_tissue = plain.coefficients[:, [0, 3, 5]].mean(axis=1) <= _ONLY_WATER
    places = np.flatnonzero(plain.fitted & is_tissue)
    b = gradients.b * REDUCED
    slopes = -b[:, None] * tensor_basis(gradients.directions)
    water = np.exp(-b * _FREE)

    def run(start: int, stop: int) -> None:
        for first in range(start * CHUNK, min(stop * CHUNK, len(places)), CHUNK):
            part = places[first : first + CHUNK]
            values = np.maximum(np.nan_to_num(signals[part].astype(np.float64), posinf=0), 0)
            scale = fit.s0[part]
            values /= scale[:, None]
            parameters = _search(values, design, water)
            _descend_all(values, slopes, water, parameters)
            fraction = (1 - np.cos(parameters[:, 7])) / 2
            fit.fraction[part] = fraction
            fit.s0[part] = scale * np.exp(parameters[:, 6])
            enough = fraction <= _LARGEST_FRACTION
            fit.tensor[part[enough]] = parameters[enough, :6] * REDUCED

    run_slabs(run, -(-len(places) // CHUNK), threads)
    return fit


def _search(
    values: NDArray[np.float64], design: NDArray[np.float64], water: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the best start (N, 8): D, ln S0 and the angle of the fraction."""
    best = np.zeros((len(values), 8))
    error = np.full(len(values), np.inf)
    for fraction in map(float, _START):
        tissue = (values - fraction * water) / (1 - fraction)
        found = fit_log_signal(tissue, design, iterations=1).coefficients
        with np.errstate(over='ignore', invalid='ignore'):
            away = (1 - fraction) * np.exp(found @ design.T) + fraction * water - values
            squares = (away**2).sum(axis=1)
        is_better = squares < error
        error[is_better] = squares[is_better]
        best[is_better, :7] = found[is_better]
        # not quite at 0, where the fraction has no slope
        best[is_better, 7] = np.arccos(1 - 2 * max(fraction, 0.02))
    return best


@numba.njit(nogil=True, cache=True)
def _descend_all(values: Any, slopes: Any, water: Any, parameters: Any) -> None:
    normal, right, trial = np.empty((8, 8)), np.empty(8), np.empty(8)
    for voxel in range(len(values)):
        here, damping = parameters[voxel], 1e-3
        squares = _normal_equations(values[voxel], slopes, water, here, normal, right)
        for _ in range(_STEPS):
            damped = normal.copy()
            for i in range(8):
                damped[i, i] += damping * (normal[i, i] + 1e-12)
            trial[:] = here + np.linalg.solve(damped, right)
            found = _squares(values[voxel], slopes, water, trial)
            if found < squares:
                change = squares - found
                here[:] = trial
                damping = max(damping / 10, 1e-12)
                squares = _normal_equations(values[voxel], slopes, water, here, normal, right)
                if change < _TOLERANCE * (squares + 1e-14):
                    break
            else:
                damping *= 10
                if damping > 1e10:
                    break


@numba.njit(nogil=True, cache=True)
def _squares(values: Any, slopes: Any, water: Any, p: Any) -> Any:
    fraction = (1 - np.cos(p[7])) / 2
    total = 0.0
    for n in range(len(values)):
        exponent = p[6]
        for k in range(6):
            exponent += slopes[n, k] * p[k]
        away = (1 - fraction) * np.exp(exponent) + fraction * water[n] * np.exp(p[6]) - values[n]
        total += away * away
    return total


@numba.njit(nogil=True, cache=True)
def _normal_equations(
    values: Any, slopes: Any, water: Any, p: Any, normal: Any, right: Any
) -> Any:
    """Write JᵀJ and -Jᵀr of the model; return the sum of squares."""
    fraction, bend = (1 - np.cos(p[7])) / 2, np.sin(p[7]) / 2
    s0 = np.exp(p[6])
    normal[:] = 0
    right[:] = 0
    total = 0.0
    slope = np.empty(8)
    for n in range(len(values)):
        exponent = p[6]
        for k in range(6):
            exponent += slopes[n, k] * p[k]
        tissue, free = np.exp(exponent), s0 * water[n]
        model = (1 - fraction) * tissue + fraction * free
        away = model - values[n]
        total += away * away
        for k in range(6):
            slope[k] = (1 - fraction) * tissue * slopes[n, k]
        slope[6] = model
        slope[7] = bend * (free - tissue)
        for i in range(8):
            right[i] -= slope[i] * away
            for j in range(i + 1):
                normal[i, j] += slope[i] * slope[j]
    for i in range(8):
        for j in range(i):
            normal[j, i] = normal[i, j]
    return total
