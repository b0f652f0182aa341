"""Cortical thickness as the length of field lines of Laplace's equation."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from mriderived.core.geodesic import Reach, Sources
from mriderived.core.narrow_sulci import OPPOSED
from mriderived.core.thickness import Cortex

Volume = NDArray[np.float32]

#: Numbers of neighbours that are none: the boundaries.
INNER, OUTER = -1, -2
#: The least distance to a boundary, in voxels: keeps the equations well conditioned.
LEAST = 0.05
OVERRELAXATION = 1.5
#: The potential changes less than this in the last iteration.
TOLERANCE = 1e-4
MAX_ITERATIONS = 300
_STEPS = np.array([[-1, 0, 0], [1, 0, 0], [0, -1, 0], [0, 1, 0], [0, 0, -1], [0, 0, 1]])


def laplace_thickness(cortex: Cortex) -> Volume:
    """Measure the length of the field line through every voxel of the cortex.

    The potential is 0 at the white and 1 at the pial boundary and harmonic in between (Jones et
    al. 2000, doi:10.1002/1097-0193(200009)11:1<12::AID-HBM20>3.0.CO;2-K); lengths to either
    boundary are transported along its gradient (Yezzi and Prince 2003,
    doi:10.1109/TMI.2003.817775). Boundaries lie between voxels: differences are taken over the
    true distance to them (Shortley and Weller 1938, doi:10.1063/1.1710426).

    Parameters
    ----------
    cortex : Cortex

    Returns
    -------
    array of float32, shape (x, y, z)
        In voxels, 0 outside the cortex.

    Examples
    --------
    >>> from mriderived.core.thickness import find_cortex
    >>> layers = np.repeat(np.float32([3, 3, 3, 2, 2, 2, 2, 1, 1, 1]), 2)
    >>> thickness = laplace_thickness(find_cortex(np.broadcast_to(layers, (9, 9, 20)).copy()))
    >>> round(float(thickness[4, 4, 10]), 1)
    8.0
    """
    potential, neighbours, gaps = solve_potential(cortex)
    direction = np.empty((len(potential), 3))
    _differentiate(potential, neighbours, gaps, direction)
    order = np.argsort(potential, kind='stable')
    length = _transport(order, direction, neighbours, gaps, 1.0)
    length += _transport(order[::-1].copy(), direction, neighbours, gaps, -1.0)
    thickness = np.zeros(cortex.mask.shape, np.float32)
    thickness[cortex.mask] = length
    return thickness


def solve_potential(
    cortex: Cortex,
) -> tuple[NDArray[np.float64], NDArray[np.int32], NDArray[np.float32]]:
    """Solve Laplace's equation by successive over-relaxation.

    Returns
    -------
    potential : array, shape (n,)
        For every voxel of ``cortex.mask``: 0 at the white, 1 at the pial boundary.
    neighbours : array of int32, shape (n, 6)
        Numbers of the face neighbours, ``INNER`` or ``OUTER`` where a boundary is between.
    gaps : array of float32, shape (n, 6)
        Distances to them, in voxels.
    """
    mask = cortex.mask
    voxels = np.argwhere(mask)
    number = np.full(mask.shape, OUTER, np.int32)
    number[cortex.position >= 1] = INNER
    number[mask] = np.arange(len(voxels))
    padded = np.pad(number, 1, constant_values=OUTER)
    neighbours = np.stack([padded[tuple((voxels + 1 + step).T)] for step in _STEPS], axis=1)
    neighbours[_oppose(voxels, neighbours, cortex)] = OUTER
    gaps = np.ones(neighbours.shape, np.float32)
    for kind, sources, reach in (
        (INNER, cortex.white, cortex.from_white),
        (OUTER, cortex.pial, cortex.from_pial),
    ):
        across = _axis_gaps(voxels, sources, reach)
        gaps = np.where(neighbours == kind, np.repeat(across, 2, axis=1), gaps)
    potential = 1 - cortex.position[mask].astype(np.float64)
    colour = (voxels.sum(axis=1) % 2).astype(np.int8)
    _relax(potential, neighbours, gaps, colour)
    return potential, neighbours, gaps


def _axis_gaps(voxels: NDArray[np.int64], sources: Sources, reach: Reach) -> NDArray[np.float32]:
    """Return how far along each axis a plane through the nearest source is."""
    where = tuple(voxels.T)
    distance = reach.distance[where].astype(np.float64)
    towards = np.abs(sources.points[reach.source[where]] - voxels)
    steep = np.maximum(towards / np.maximum(distance, 1e-6)[:, None], 1e-3)
    return np.asarray(np.clip(distance[:, None] / steep, LEAST, 1), dtype=np.float32)


def _oppose(
    voxels: NDArray[np.int64], neighbours: NDArray[np.int32], cortex: Cortex
) -> NDArray[np.bool_]:
    """Tell which neighbours lie on the other bank of a buried sulcus."""
    away = voxels - cortex.white.points[cortex.from_white.source[cortex.mask]]
    away = (away / np.maximum(np.sqrt((away**2).sum(axis=1)), 1e-6)[:, None]).astype(np.float32)
    oppose = np.zeros(neighbours.shape, bool)
    for side in range(6):
        inside = neighbours[:, side] >= 0
        product = (away[inside] * away[neighbours[inside, side]]).sum(axis=1)
        oppose[inside, side] = product < OPPOSED
    return oppose


@numba.njit(nogil=True, cache=True)
def _value(potential, number):  # type: ignore[no-untyped-def]
    if number >= 0:
        return potential[number]
    return 0.0 if number == INNER else 1.0


@numba.njit(nogil=True, cache=True)
def _relax(potential, neighbours, gaps, colour):  # type: ignore[no-untyped-def]
    for _ in range(MAX_ITERATIONS):
        largest = 0.0
        for turn in range(2):
            for n in range(len(potential)):
                if colour[n] != turn:
                    continue
                total, weight = 0.0, 0.0
                for axis in range(3):
                    low, high = gaps[n, 2 * axis], gaps[n, 2 * axis + 1]
                    total += _value(potential, neighbours[n, 2 * axis]) / (low * (low + high))
                    total += _value(potential, neighbours[n, 2 * axis + 1]) / (high * (low + high))
                    weight += 1 / (low * high)
                change = OVERRELAXATION * (total / weight - potential[n])
                potential[n] += change
                largest = max(largest, abs(change))
        if largest < TOLERANCE:
            break


@numba.njit(nogil=True, cache=True)
def _differentiate(potential, neighbours, gaps, direction):  # type: ignore[no-untyped-def]
    for n in range(len(potential)):
        size = 0.0
        for axis in range(3):
            low = (potential[n] - _value(potential, neighbours[n, 2 * axis])) / gaps[n, 2 * axis]
            high = _value(potential, neighbours[n, 2 * axis + 1]) - potential[n]
            high /= gaps[n, 2 * axis + 1]
            direction[n, axis] = (low + high) / 2
            size += direction[n, axis] ** 2
        size = np.sqrt(size)
        for axis in range(3):
            direction[n, axis] = direction[n, axis] / size if size > 0 else 0.0


@numba.njit(nogil=True, cache=True)
def _transport(order, direction, neighbours, gaps, sign):  # type: ignore[no-untyped-def]
    """Sum lengths from one boundary, taking voxels in the order in which field lines meet them."""
    length = np.zeros(len(order))
    for n in order:
        total, weight = 1.0, 0.0
        for axis in range(3):
            slope = direction[n, axis] * sign
            side = 2 * axis if slope > 0 else 2 * axis + 1
            number = neighbours[n, side]
            part = abs(slope) / gaps[n, side]
            if number >= 0:
                total += part * length[number]
            weight += part
        length[n] = total / weight if weight > 0 else 0.0
    return length
