"""Signal of the NODDI model and its derivatives, for one voxel at a time (compiled).

A voxel is three numbers (ICVF, OD, ISOVF) and the axis of its neurites; see
:mod:`mriderived.core.noddi` for the model.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from mriderived.core.watson import (
    MAX_DEGREE,
    WatsonTable,
    needed_degree,
    stick_coefficients,
    watson_table,
)

#: Diffusivity along neurites and of free water, in mm2/s (Zhang et al. 2012).
PARALLEL = 1.7e-3
FREE = 3.0e-3


def _make_recurrence() -> NDArray[np.float64]:
    # P_(l+2) = (lead z - shift) P_l - back P_(l-2), from two steps of Bonnet's recurrence
    low = np.arange(-2.0, MAX_DEGREE, 2)
    scale = (2 * low + 3) / np.where(low < 0, 1, (low + 1) * (low + 2))
    lead = scale * (2 * low + 1)
    shift = scale * low**2 / (2 * low - 1) + (low + 1) / np.where(low < 0, 1, low + 2)
    return np.column_stack([lead, shift, scale * low * (low - 1) / (2 * low - 1)])


#: Row k leads to the polynomial of degree 2 k; the first is not used.
_RECURRENCE = _make_recurrence()


class Protocol(NamedTuple):
    """What the model needs of a gradient table; arrays of n volumes.

    ``sticks`` are the coefficients of a stick's series, ``watson`` the table of the dispersion,
    ``free`` the signal of free water, ``parallel`` the exponent b times diffusivity.
    """

    directions: NDArray[np.float64]
    parallel: NDArray[np.float64]
    free: NDArray[np.float64]
    sticks: NDArray[np.float64]
    watson: WatsonTable


def make_protocol(
    b: NDArray[np.float64],
    directions: NDArray[np.float64],
    parallel: float = PARALLEL,
    free: float = FREE,
) -> Protocol:
    """Prepare a gradient table (b in s/mm2, unit vectors) for the model."""
    exponents = np.asarray(b, np.float64) * parallel
    degree = needed_degree(float(exponents.max(initial=0.0)))
    return Protocol(
        np.ascontiguousarray(directions, np.float64),
        exponents,
        np.exp(-np.asarray(b, np.float64) * free),
        stick_coefficients(exponents, degree),
        watson_table(degree),
    )


@numba.njit(nogil=True, cache=True)
def look_up(watson: Any, dispersion: float, value: Any, slope: Any) -> None:
    """Interpolate the coefficients of a dispersion; ``slope`` is their derivative."""
    table = watson.coefficients
    place = (dispersion - watson.start) / watson.step
    low = min(max(int(place), 0), len(table) - 2)
    share = place - low
    for degree in range(table.shape[1]):
        step = table[low + 1, degree] - table[low, degree]
        value[degree] = table[low, degree] + share * step
        slope[degree] = step / watson.step


@numba.njit(nogil=True, cache=True)
def spread_sticks(sticks: Any, value: Any, slope: Any, z: float) -> Any:
    """Return the signal of spread sticks, and its derivatives by dispersion and by z.

    ``z`` is the squared cosine. P_(l+2) follows from P_l and P_(l-2) by a recurrence in z, and so
    do the derivatives.
    """
    before, now = 0.0, 1.0
    slope_before, slope_now = 0.0, 0.0
    signal = sticks[0] * value[0]
    by_dispersion = sticks[0] * slope[0]
    by_z = 0.0
    for index in range(1, len(value)):
        lead, shift, back = _RECURRENCE[index, 0], _RECURRENCE[index, 1], _RECURRENCE[index, 2]
        after = (lead * z - shift) * now - back * before
        slope_after = lead * now + (lead * z - shift) * slope_now - back * slope_before
        before, now, slope_before, slope_now = now, after, slope_now, slope_after
        signal += sticks[index] * value[index] * now
        by_dispersion += sticks[index] * slope[index] * now
        by_z += sticks[index] * value[index] * slope_now
    return signal, by_dispersion, by_z


@numba.njit(nogil=True, cache=True)
def stick_terms(sticks: Any, z: float, terms: Any) -> None:
    """Set the terms of a stick's series at z; with the dispersion's coefficients they add up."""
    before, now = 0.0, 1.0
    terms[0] = sticks[0]
    for index in range(1, len(terms)):
        lead, shift, back = _RECURRENCE[index, 0], _RECURRENCE[index, 1], _RECURRENCE[index, 2]
        before, now = now, (lead * z - shift) * now - back * before
        terms[index] = sticks[index] * now


@numba.njit(nogil=True, cache=True)
def tissue(x: float, z: float, icvf: float, sticks: Any, value: Any, slope: Any) -> Any:
    """Return the signal without free water, and its derivatives by ICVF, OD and z.

    The hindered water has the mean tensor of the spread neurites, made tortuous by their volume:
    with a mean squared cosine tau, the diffusivities along and across are 1 - v (1 - tau) and
    1 - v (1 + tau) / 2 of the one along neurites.
    """
    inside, inside_od, inside_z = spread_sticks(sticks, value, slope, z)
    tau = (1.0 + 2.0 * value[1]) / 3.0
    tau_od = 2.0 * slope[1] / 3.0
    across = 1.0 - 0.5 * icvf * (1.0 + tau)
    spread = 0.5 * icvf * (3.0 * tau - 1.0)
    outside = np.exp(-x * (across + spread * z))
    outside_v = -x * outside * (-0.5 * (1.0 + tau) + 0.5 * (3.0 * tau - 1.0) * z)
    outside_od = -x * outside * icvf * tau_od * (-0.5 + 1.5 * z)
    signal = icvf * inside + (1.0 - icvf) * outside
    by_icvf = inside - outside + (1.0 - icvf) * outside_v
    by_od = icvf * inside_od + (1.0 - icvf) * outside_od
    by_z = icvf * inside_z - (1.0 - icvf) * x * spread * outside
    return signal, by_icvf, by_od, by_z


def simulate(
    protocol: Protocol,
    icvf: NDArray[np.float64],
    od: NDArray[np.float64],
    isovf: NDArray[np.float64],
    axes: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the signals of voxels (N,) with an axis (N, 3), relative to b = 0; shape (N, n)."""
    signals = np.empty((len(icvf), len(protocol.parallel)))
    _simulate(protocol, icvf, od, isovf, axes, signals)
    return signals


@numba.njit(nogil=True, cache=True)
def _simulate(protocol: Any, icvf: Any, od: Any, isovf: Any, axes: Any, signals: Any) -> None:
    degrees = protocol.sticks.shape[1]
    value, slope = np.empty(degrees), np.empty(degrees)
    for voxel in range(len(icvf)):
        look_up(protocol.watson, od[voxel], value, slope)
        for n in range(signals.shape[1]):
            cosine = 0.0
            for axis in range(3):
                cosine += protocol.directions[n, axis] * axes[voxel, axis]
            found = tissue(
                protocol.parallel[n],
                cosine * cosine,
                icvf[voxel],
                protocol.sticks[n],
                value,
                slope,
            )
            signals[voxel, n] = (1 - isovf[voxel]) * found[0] + isovf[voxel] * protocol.free[n]
