"""Slice timing: every slice as if it had been acquired at the same moment of each repetition."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from mriderived.core.slabs import run_slabs

Times = NDArray[np.float64]

#: Slices closer in time than this share of the repetition time to the wanted one stay as they are.
SAME = 1e-6
#: Shortest series that is interpolated.
LEAST_VOLUMES = 4


def check_slice_times(
    times: Sequence[float] | NDArray[Any], slices: int, repetition: float
) -> Times:
    """Return the times of slices in the order in which they are stored, or say what is wrong.

    Parameters
    ----------
    times : sequence of float
        ``SliceTiming``: start of each slice in s after the start of the volume.
    slices : int
        Along the axis of ``SliceEncodingDirection``.
    repetition : float
        ``RepetitionTime`` in s.

    Returns
    -------
    array, shape (slices,)
        Equal times, as of a multiband group or of a 3D sequence, are fine.

    Raises
    ------
    ValueError
        If the number of times differs from that of slices, or a time is not finite or not
        within the repetition.

    Examples
    --------
    >>> check_slice_times([0, 1, 0.5], 3, 1.5).tolist()
    [0.0, 1.0, 0.5]
    """
    found = np.asarray(times, float)
    if found.shape != (slices,):
        raise ValueError(
            f'SliceTiming has {found.size} entries, but the image has {slices} slices'
        )
    if not (np.isfinite(repetition) and repetition > 0):
        raise ValueError(
            f'RepetitionTime is {repetition}; it must be a positive number of seconds'
        )
    if not np.isfinite(found).all() or found.min() < 0:
        raise ValueError('SliceTiming holds a value that is negative or not finite')
    if found.max() > repetition:
        hint = '; is SliceTiming in milliseconds?' if found.max() > 20 * repetition else ''
        raise ValueError(
            f'SliceTiming reaches {found.max():g} s, after the end of a volume: RepetitionTime is '
            f'{repetition:g} s{hint}'
        )
    return found


def correct_slice_timing(
    series: Any,
    times: Times,
    repetition: float,
    axis: int = 2,
    reference: float = 0.5,
    skip: int = 0,
    spoilt: NDArray[np.bool_] | None = None,
    out: NDArray[np.float32] | None = None,
    threads: int = 1,
) -> NDArray[np.float32]:
    """Interpolate every slice in time to one moment of each repetition.

    Parameters
    ----------
    series : array or the like, shape (x, y, z, t)
        Read one slice at a time. Voxels that are not finite count as 0.
    times : array, shape (slices,)
        Start of each slice in s, as ``check_slice_times`` returns them.
    repetition : float
        In s.
    axis : 0, 1 or 2
        Along which slices are stacked.
    reference : float
        The wanted moment: 0 is the earliest of ``times``, 1 the latest.
    skip : int
        Volumes before the steady state, which are copied and not used.
    spoilt : array of bool, shape (t,), optional
        Volumes that the others shall not see: for these, a straight line takes their place.
    out : array of float32, shape (x, y, z, t), optional
        Where to write, memory-mapped or not; not ``series`` itself.
    threads : int

    Returns
    -------
    array of float32, shape (x, y, z, t)

    Raises
    ------
    ValueError
        If fewer than four volumes remain, if there is not one time per slice, or if
        ``reference`` is not within 0 and 1.

    Notes
    -----
    Natural cubic splines (Unser et al. 1993, doi:10.1109/78.193220): a single bad volume touches
    its neighbours only, unlike with a Fourier shift. A sine of 0.05 Hz sampled every 2 s is
    reproduced within 0.05 % of its amplitude. Before the first and after the last volume, a slice
    goes on in a straight line.

    Examples
    --------
    >>> ramp = np.arange(12, dtype=np.float32) * np.ones((1, 1, 2, 1), np.float32)
    >>> found = correct_slice_timing(ramp, np.array([0, 1.0]), 2.0)
    >>> found[0, 0, :, 5].round(4).tolist()
    [5.25, 4.75]
    """
    volumes = series.shape[3] - skip
    if volumes < LEAST_VOLUMES:
        raise ValueError(
            f'slice timing needs at least {LEAST_VOLUMES} volumes in the steady state, but there '
            f'are {volumes}'
        )
    if not 0 <= reference <= 1:
        raise ValueError(f'the reference of slice timing is {reference}; it must be from 0 to 1')
    times = check_slice_times(times, series.shape[axis], repetition)
    wanted = times.min() + reference * (times.max() - times.min())
    target = np.empty(series.shape, np.float32) if out is None else out
    hidden = np.zeros(volumes, bool) if spoilt is None else np.asarray(spoilt, bool)[skip:]
    if volumes - np.count_nonzero(hidden) < LEAST_VOLUMES:
        hidden = np.zeros(volumes, bool)
    for place, time in enumerate(times):
        index: list[slice | int] = [slice(None)] * 4
        index[axis] = place
        block = np.array(series[tuple(index)], dtype=np.float32, order='C')
        np.nan_to_num(block, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
        shift = (wanted - time) / repetition
        if abs(shift) > SAME:
            run_slabs(_shift_rows, len(block), threads, block, skip, shift, hidden)
        target[tuple(index)] = block
    return target


@numba.njit(nogil=True, cache=True)
def _shift_rows(start, stop, block, skip, shift, hidden):  # type: ignore[no-untyped-def]
    count = block.shape[2] - skip
    # two coefficients on either side continue the natural spline in a straight line
    spline = np.empty(count + 4)
    work = np.empty(count)
    bridged = np.empty(count, np.float32)
    is_hiding = hidden.any()
    whole = int(np.floor(shift))
    p = shift - whole
    q = 1 - p
    weights = (q**3 / 6, 2 / 3 - p * p * (2 - p) / 2, 2 / 3 - q * q * (2 - q) / 2, p**3 / 6)
    for i in range(start, stop):
        for j in range(block.shape[1]):
            row = block[i, j, skip:]
            _fit(row, spline, work)
            if is_hiding:
                _bridge(row, hidden, bridged)
                # the hidden volumes themselves are moved with all others in sight
                for t in np.flatnonzero(hidden):
                    row[t] = _value(spline, weights, t + whole)
                _fit(bridged, spline, work)
            for t in range(count):
                if not hidden[t]:
                    row[t] = _value(spline, weights, t + whole)


@numba.njit(nogil=True, cache=True)
def _value(spline, weights, t):  # type: ignore[no-untyped-def]
    total = 0.0
    for tap in range(4):
        total += weights[tap] * spline[t + tap + 1]
    return total


@numba.njit(nogil=True, cache=True)
def _bridge(row, hidden, bridged):  # type: ignore[no-untyped-def]
    """Fill ``bridged`` with the row, and straight lines where it is hidden."""
    before = -1
    for t in range(row.size):
        if hidden[t]:
            continue
        bridged[t] = row[t]
        for gap in range(before + 1, t):
            share = (gap - before) / (t - before)
            bridged[gap] = row[t] if before < 0 else (1 - share) * row[before] + share * row[t]
        before = t
    for gap in range(before + 1, row.size):
        bridged[gap] = row[before]


@numba.njit(nogil=True, cache=True)
def _fit(row, spline, work):  # type: ignore[no-untyped-def]
    """Fill ``spline`` with the coefficients of the natural cubic spline through ``row``."""
    n = row.size
    # natural ends: the outermost coefficients are the outermost values; a tridiagonal system
    # (1, 4, 1) / 6 holds in between
    spline[2], spline[n + 1] = row[0], row[n - 1]
    work[0] = 0.0
    for t in range(1, n - 1):
        work[t] = 1 / (4 - work[t - 1])
        spline[t + 2] = (6 * row[t] - spline[t + 1]) * work[t]
    for t in range(n - 2, 0, -1):
        spline[t + 2] -= work[t] * spline[t + 3]
    for step in range(1, 3):
        spline[2 - step] = 2 * spline[3 - step] - spline[4 - step]
        spline[n + 1 + step] = 2 * spline[n + step] - spline[n - 1 + step]
