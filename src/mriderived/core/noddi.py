"""NODDI: density and dispersion of neurites from two or more shells."""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from mriderived.core.gradient_table import Gradients
from mriderived.core.noddi_dictionary import TISSUES, mix
from mriderived.core.noddi_model import FREE, PARALLEL, Protocol, make_protocol
from mriderived.core.noddi_refine import refine
from mriderived.core.slabs import run_slabs
from mriderived.core.watson import LEAST_DISPERSION

#: Where free water leaves less than this to tissue, nothing is known of the tissue.
LEAST_TISSUE = 0.05
#: A voxel that ends with an OD above this is tried again from other axes: a distribution that is
#: nearly even fits no better for being turned, so that the steps end at 1 about a wrong axis.
_EVEN = 0.99
_SECOND_OD = 0.3
_LOWEST = np.array([0.0, LEAST_DISPERSION, 0.0])
_HIGHEST = np.array([1.0, 1.0, 1.0])


class NoddiFit(NamedTuple):
    """NODDI of N voxels; float32, NaN where there is none.

    ``icvf`` and ``od`` are of the tissue, NaN where free water leaves less than 5 % to it.
    ``rmse`` is what the model leaves of the signals, relative to b = 0. ``axis`` (N, 3) is the
    mean direction of the neurites in world axes.
    """

    icvf: NDArray[np.float32]
    od: NDArray[np.float32]
    isovf: NDArray[np.float32]
    rmse: NDArray[np.float32]
    axis: NDArray[np.float32]


def fit_noddi(
    signals: NDArray[np.float32],
    gradients: Gradients,
    v1: NDArray[np.floating[Any]],
    noise: NDArray[np.floating[Any]] | None = None,
    refined: bool = True,
    parallel: float = PARALLEL,
    free: float = FREE,
    threads: int = 1,
) -> NoddiFit:
    r"""Fit NODDI: neurites, the water that they hinder, and free water.

    Relative to b = 0, with the diffusivities :math:`d` and :math:`d_{iso}` fixed,

    .. math::

        S = (1 - f)\,[v A_{in} + (1 - v) A_{out}] + f e^{-b d_{iso}},\quad
        A_{in} = \int W_\kappa(n \cdot \mu)\, e^{-b d (g \cdot n)^2} dn,\quad
        A_{out} = e^{-b\, g' D g},

    where D is the mean over the same Watson distribution W of tensors along n with the
    diffusivities d and d (1 - v). ICVF is v, OD is :math:`(2 / \pi) \arctan(1 / \kappa)`, ISOVF
    is f.

    A convex problem comes first: the mixture, with weights that are not negative, of 130
    simulated tissues along the tensor's main direction and of free water (in the manner of
    AMICO). Its means are grid-bound and biased under noise, and are the start of
    Levenberg-Marquardt steps in ICVF, OD, ISOVF and the axis, within bounds.

    Parameters
    ----------
    signals : array of float32, shape (N, n)
    gradients : Gradients
        Of n volumes, with at least one of b = 0 and two shells.
    v1 : array of float, shape (N, 3)
        Main direction of the diffusion tensor, in world axes.
    noise : array of float, shape (N,), optional
        Standard deviation of the noise, in the unit of the signals: the floor under magnitude
        images then becomes part of the model.
    refined : bool
        Without, the answer of the convex problem.
    parallel, free : float
        Diffusivity along neurites and of free water, in mm2/s.
    threads : int

    Returns
    -------
    NoddiFit
        NaN where the mean at b = 0 is not positive or a signal is not finite.

    Raises
    ------
    ValueError
        If shapes differ, or there is no volume of b = 0 or no second shell.

    References
    ----------
    Zhang et al. 2012, https://doi.org/10.1016/j.neuroimage.2012.03.072;
    Daducci et al. 2015, https://doi.org/10.1016/j.neuroimage.2014.10.026
    """
    _check(signals, gradients, v1)
    weighted = gradients.shell > 0
    protocol = make_protocol(gradients.b[weighted], gradients.directions[weighted], parallel, free)
    count = len(signals)
    icvf, od, isovf, rmse = np.full((4, count), np.nan, np.float32)
    found = NoddiFit(icvf, od, isovf, rmse, np.full((count, 3), np.nan, np.float32))
    floor = np.zeros(count) if noise is None else np.asarray(noise, np.float64)
    run_slabs(_fit_voxels, count, threads, signals, weighted, protocol,
              np.asarray(v1, np.float64), floor, refined, found)  # fmt: skip
    return found


def _check(signals: NDArray[Any], gradients: Gradients, v1: NDArray[Any]) -> None:
    if signals.ndim != 2 or signals.shape[1] != len(gradients) or v1.shape != (len(signals), 3):
        raise ValueError(
            f'signals of shape {signals.shape} and directions of shape {v1.shape} for '
            f'{len(gradients)} volumes'
        )
    if not (gradients.shell == 0).any():
        raise ValueError('NODDI is relative to b = 0, of which there is no volume')
    if len(gradients.shells) < 3:
        raise ValueError(
            f'NODDI needs two shells or more; there is b = {gradients.shells[-1]:g} alone'
        )


@numba.njit(nogil=True, cache=True)
def _fit_voxels(
    start: int,
    stop: int,
    signals: Any,
    weighted: Any,
    protocol: Protocol,
    v1: Any,
    floor: Any,
    refined: bool,
    found: Any,
) -> None:
    volumes = len(protocol.free)
    relative, best = np.empty(volumes), np.empty(7)
    atoms, weights = np.empty((volumes + 1, TISSUES + 1)), np.empty(TISSUES + 1)
    for voxel in range(start, stop):
        base = _relative(signals[voxel], weighted, relative)
        length = np.sqrt((v1[voxel] ** 2).sum())
        if not (base > 0 and np.isfinite(relative).all() and length > 0):
            continue
        best[3:6] = v1[voxel] / length
        mix(relative, protocol, best[3:6], atoms, weights, best[:3])
        if refined:
            _improve(relative, protocol, floor[voxel] / base, best)
        else:
            best[6] = _misfit(relative, atoms, weights)
        if best[2] <= 1.0 - LEAST_TISSUE:
            found.icvf[voxel] = best[0]
            found.od[voxel] = best[1]
        found.isovf[voxel] = best[2]
        found.rmse[voxel] = np.sqrt(best[6] / volumes)
        found.axis[voxel] = best[3:6]


@numba.njit(nogil=True, cache=True)
def _relative(signals: Any, weighted: Any, relative: Any) -> float:
    """Set the weighted signals relative to the mean at b = 0, and return that mean."""
    total, count = 0.0, 0
    for n in range(len(weighted)):
        if not weighted[n]:
            total += signals[n]
            count += 1
    base = total / count
    if base > 0:
        place = 0
        for n in range(len(weighted)):
            if weighted[n]:
                relative[place] = signals[n] / base
                place += 1
    return base


@numba.njit(nogil=True, cache=True)
def _improve(relative: Any, protocol: Any, floor: float, best: Any) -> None:
    """Set ICVF, OD, ISOVF, axis and sum of squares to those of the least squares."""
    axes = np.eye(3)
    axes[0] = best[3:6]
    axes[1, :] = 0.0
    axes[1, np.argmin(np.abs(axes[0]))] = 1.0
    axes[2] = np.cross(axes[0], axes[1])
    axes[2] /= np.sqrt((axes[2] ** 2).sum())
    axes[1] = np.cross(axes[2], axes[0])
    best[6] = refine(relative, protocol, floor, best[:3], best[3:6], _LOWEST, _HIGHEST)
    if best[1] < _EVEN or best[2] > 1.0 - LEAST_TISSUE:
        return
    trial = np.empty(7)
    for k in range(3):
        trial[:3] = best[:3]
        trial[1] = _SECOND_OD
        trial[3:6] = axes[k]
        trial[6] = refine(relative, protocol, floor, trial[:3], trial[3:6], _LOWEST, _HIGHEST)
        if trial[6] < best[6]:
            best[:] = trial


@numba.njit(nogil=True, cache=True)
def _misfit(relative: Any, atoms: Any, weights: Any) -> float:
    total = 0.0
    for n in range(len(relative)):
        left = relative[n]
        for k in range(len(weights)):
            if weights[k] > 0:
                left -= weights[k] * atoms[n, k]
        total += left * left
    return total
