"""Three-dimensional phase unwrapping inside a mask: the best connections first.

Every pair of neighbouring voxels is a connection with a cost. Connections are taken from the
cheapest to the dearest; each joins two groups of voxels, one of which is moved by the whole number
of turns that makes the connection as short as it can be (Abdul-Rahman et al. 2007,
doi:10.1364/AO.46.006623). The cost follows Dymerska et al. 2021 (doi:10.1002/mrm.28563): the phase
has to change little, to change evenly, and the magnitude has to be about equal on both sides.
Where no true difference between neighbours exceeds half a turn the result is exact for any order.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Volume = NDArray[np.float32]
Mask = NDArray[np.bool_]

#: Costs are sorted in so many classes, which is exact enough and lets numpy sort by radix.
CLASSES = 65535
_TURN = 2 * np.pi


def wrap(phase: NDArray[np.floating]) -> Volume:
    """Return the phase in [-pi, pi).

    Examples
    --------
    >>> bool(np.allclose(wrap(np.array([2 * np.pi + 0.5, -7.0])), [0.5, -0.71681]))
    True
    """
    values = np.asarray(phase, np.float64)
    return (values - _TURN * np.floor(values / _TURN + 0.5)).astype(np.float32)


def unwrap(phase: Volume, mask: Mask, magnitude: Volume | None = None) -> Volume:
    """Remove the jumps of whole turns from a phase image.

    Parameters
    ----------
    phase : array of float32, shape (x, y, z)
        In radians, wrapped to any interval of one turn.
    mask : array of bool, shape (x, y, z)
        Where the phase means something.
    magnitude : array of float32, shape (x, y, z), optional
        Connections across edges of it are used late.

    Returns
    -------
    array of float32, shape (x, y, z)
        In radians; 0 outside of the mask. The median of the mask's largest part lies within half
        a turn of 0; smaller parts (they touch by no face) get the number of turns that brings
        their median closest to that of the largest.

    Raises
    ------
    ValueError
        If shapes differ, the mask is empty or the phase is not finite inside.

    Examples
    --------
    >>> ramp = np.linspace(-9, 9, 40, dtype=np.float32) * np.ones((3, 3, 1), np.float32)
    >>> found = unwrap(wrap(ramp), np.ones(ramp.shape, bool))
    >>> bool(np.allclose(found, ramp, atol=1e-5))
    True
    """
    if phase.shape != mask.shape or (magnitude is not None and magnitude.shape != mask.shape):
        raise ValueError('phase, mask and magnitude differ in shape')
    if not mask.any():
        raise ValueError('the mask of the phase image is empty')
    if not np.isfinite(phase[mask]).all():
        raise ValueError('the phase image has voxels without a number inside the mask')
    index = np.full(mask.shape, -1, np.int32)
    index[mask] = np.arange(np.count_nonzero(mask), dtype=np.int32)
    wrapped = np.where(mask, wrap(np.where(mask, phase, 0)), np.float32(0))
    strength = mask.astype(np.float32) if magnitude is None else magnitude.astype(np.float32)
    first, second, cost = _connections(index, wrapped, strength)
    order = np.argsort(cost, kind='stable')
    values = wrapped[mask]
    turns = _join(values, first[order], second[order])
    unwrapped = np.zeros(mask.shape, np.float32)
    unwrapped[mask] = values + np.float32(_TURN) * turns
    return _level_parts(unwrapped, mask)


def count_jumps(unwrapped: Volume, mask: Mask) -> int:
    """Count neighbours inside the mask that still differ by more than half a turn.

    Examples
    --------
    >>> line = np.array([0, 1, 7, 8], np.float32).reshape(1, 1, 4)
    >>> count_jumps(line, np.ones(line.shape, bool))
    1
    """
    jumps = 0
    for axis in range(3):
        inside = np.logical_and(*_pair(mask, axis))
        low, high = _pair(unwrapped, axis)
        jumps += int(np.count_nonzero(inside & (np.abs(high - low) > np.pi)))
    return jumps


def _pair(array: NDArray[Any], axis: int) -> tuple[NDArray[Any], NDArray[Any]]:
    low, high = [slice(None)] * 3, [slice(None)] * 3
    low[axis], high[axis] = slice(None, -1), slice(1, None)
    return array[tuple(low)], array[tuple(high)]


def _level_parts(unwrapped: Volume, mask: Mask) -> Volume:
    """Move each connected part by whole turns; see :func:`unwrap`."""
    labels, count = ndimage.label(mask)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    sizes[0] = 0
    largest = int(sizes.argmax())
    medians = np.zeros(count + 1)
    medians[1:] = ndimage.median(unwrapped, labels, np.arange(1, count + 1))
    level = medians[largest] - _TURN * np.round(medians[largest] / _TURN)
    turns = -np.round((medians - level) / _TURN)
    turns[0] = 0
    return np.asarray(unwrapped + (_TURN * turns).astype(np.float32)[labels], np.float32)


@numba.njit(nogil=True, cache=True)
def _wrapped(difference):  # type: ignore[no-untyped-def]
    turn = 2 * np.pi
    return difference - turn * np.floor(difference / turn + 0.5)


@numba.njit(nogil=True, cache=True)
def _bend(index, phase, i, j, k, axis):  # type: ignore[no-untyped-def]
    """Return how much the slope changes at a voxel along an axis, in turns; 0.5 at the edge."""
    a, b, c = (1 if axis == 0 else 0), (1 if axis == 1 else 0), (1 if axis == 2 else 0)
    nx, ny, nz = index.shape
    if i < a or j < b or k < c or i + a >= nx or j + b >= ny or k + c >= nz:
        return 0.5
    if index[i - a, j - b, k - c] < 0 or index[i + a, j + b, k + c] < 0:
        return 0.5
    before = _wrapped(phase[i, j, k] - phase[i - a, j - b, k - c])
    after = _wrapped(phase[i + a, j + b, k + c] - phase[i, j, k])
    return min(abs(after - before) / (2 * np.pi), 1.0)


@numba.njit(nogil=True, cache=True)
def _connection_cost(index, phase, strength, i, j, k, axis):  # type: ignore[no-untyped-def]
    a, b, c = (1 if axis == 0 else 0), (1 if axis == 1 else 0), (1 if axis == 2 else 0)
    step = _wrapped(phase[i + a, j + b, k + c] - phase[i, j, k])
    even = 1 - 0.5 * (
        _bend(index, phase, i, j, k, axis) + _bend(index, phase, i + a, j + b, k + c, axis)
    )
    one, other = abs(strength[i, j, k]), abs(strength[i + a, j + b, k + c])
    largest = max(one, other)
    equal = min(one, other) / largest if largest > 0 else 0.0
    return 1 - (1 - abs(step) / np.pi) * even * (0.1 + 0.9 * equal * equal)


@numba.njit(nogil=True, cache=True)
def _connections(index, phase, strength):  # type: ignore[no-untyped-def]
    """List the pairs of face neighbours inside the mask, with a cost class for each."""
    nx, ny, nz = index.shape
    most = 3 * (index.max() + 1)
    first, second = np.empty(most, np.int32), np.empty(most, np.int32)
    cost = np.empty(most, np.uint16)
    count = 0
    for i in range(nx):
        for j in range(ny):
            for k in range(nz):
                if index[i, j, k] < 0:
                    continue
                for axis in range(3):
                    u, v, w = i + (axis == 0), j + (axis == 1), k + (axis == 2)
                    if u < nx and v < ny and w < nz and index[u, v, w] >= 0:
                        value = _connection_cost(index, phase, strength, i, j, k, axis)
                        first[count], second[count] = index[i, j, k], index[u, v, w]
                        cost[count] = np.uint16(min(max(value, 0.0), 1.0) * CLASSES)
                        count += 1
    return first[:count], second[:count], cost[:count]


@numba.njit(nogil=True, cache=True)
def _find(parent, turns, voxel):  # type: ignore[no-untyped-def]
    """Return a voxel's group and make the voxel point to it; ``turns`` are relative to it."""
    root, total = voxel, 0
    while parent[root] != root:
        total += turns[root]
        root = parent[root]
    while parent[voxel] != root and voxel != root:
        following, own = parent[voxel], turns[voxel]
        parent[voxel], turns[voxel] = root, total
        total -= own
        voxel = following
    return root


@numba.njit(nogil=True, cache=True)
def _join(values, first, second):  # type: ignore[no-untyped-def]
    """Return the whole turns to add to each voxel."""
    size = values.size
    parent, turns = np.arange(size), np.zeros(size, np.int64)
    members = np.ones(size, np.int64)
    for edge in range(first.size):
        a, b = first[edge], second[edge]
        root_a, root_b = _find(parent, turns, a), _find(parent, turns, b)
        if root_a == root_b:
            continue
        own_a = turns[a] if root_a != a else 0
        own_b = turns[b] if root_b != b else 0
        between = int(np.floor((values[a] - values[b]) / (2 * np.pi) + 0.5)) + own_a - own_b
        if members[root_a] >= members[root_b]:
            parent[root_b], turns[root_b] = root_a, between
            members[root_a] += members[root_b]
        else:
            parent[root_a], turns[root_a] = root_b, -between
            members[root_b] += members[root_a]
    for voxel in range(size):
        _find(parent, turns, voxel)
    return turns
