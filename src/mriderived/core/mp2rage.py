"""T1 from MP2RAGE: two images after an inversion, in whose ratio receive field and T2* cancel."""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

from mriderived.core.fit_outcome import Outcome, Outcomes, Values, blank_maps, per_voxel
from mriderived.core.mp2rage_signal import Protocol, simulate
from mriderived.core.slabs import run_slabs

#: Plausible T1, in s, and the step of the table.
BOUNDS = (0.05, 5.0)
_STEP = 0.002
#: Fields of the table, over the nominal one.
_FIELDS = np.arange(0.2, 2.001, 0.02)
_FITTED, _NO_SIGNAL = int(Outcome.FITTED), int(Outcome.NO_SIGNAL)
_NO_SOLUTION, _IMPLAUSIBLE = int(Outcome.NO_SOLUTION), int(Outcome.IMPLAUSIBLE)


class Uniform(NamedTuple):
    """One value per voxel: T1 in s and R1 in 1/s; NaN wherever ``outcome`` is not ``FITTED``."""

    time: Values
    rate: Values
    outcome: Outcomes


def combine_phase(magnitude: ArrayLike, phase: ArrayLike) -> NDArray[np.complex64]:
    """Return the complex image of a magnitude and a phase in radians.

    Examples
    --------
    >>> bool(abs(combine_phase(2.0, np.pi)[()] + 2) < 1e-6)
    True
    """
    turned = np.exp(1j * np.asarray(phase, np.float32))
    return np.asarray(np.asarray(magnitude, np.float32) * turned, np.complex64)


def uniform_image(first: ArrayLike, second: ArrayLike) -> Values:
    r"""Return :math:`\mathrm{Re}(S_1^* S_2) / (|S_1|^2 + |S_2|^2)`.

    Between -0.5 and 0.5. Only the difference of the phases matters; products of complex squares
    instead of absolute ones would be wrong as soon as the two images differ in phase.

    Parameters
    ----------
    first, second : arrays of complex, or of numbers with a sign
        The images of both inversion times, of the same shape.

    Returns
    -------
    array of float32
        NaN where there is no signal.

    References
    ----------
    Marques et al. 2010, https://doi.org/10.1016/j.neuroimage.2009.10.002

    Examples
    --------
    >>> round(float(uniform_image(3.0, 8 * np.exp(0.5j))), 4)
    0.2885
    """
    one, two = np.asarray(first), np.asarray(second)
    with np.errstate(divide='ignore', invalid='ignore'):
        combined = (np.conj(one) * two).real / (np.abs(one) ** 2 + np.abs(two) ** 2)
    return np.asarray(combined, np.float32)


def uniform_from_integers(values: ArrayLike, highest: float = 4095) -> Values:
    """Return a uniform image that a scanner stored as 0 to ``highest``.

    Examples
    --------
    >>> uniform_from_integers([0, 4095]).tolist()
    [-0.5, 0.5]
    """
    return (np.asarray(values, np.float64) / highest - 0.5).astype(np.float32)


def fit_uniform(
    uniform: ArrayLike,
    protocol: Protocol,
    *,
    transmit: ArrayLike | None = None,
    bounds: tuple[float, float] = BOUNDS,
    threads: int = 1,
) -> Uniform:
    """Look T1 up that gives the value of the uniform image.

    The image falls with T1 from its maximum to its minimum; what lies before or beyond is never
    looked at, so that the answer is unique. A voxel whose value no T1 of that branch gives has no
    solution.

    Parameters
    ----------
    uniform : array, shape (voxels,)
        Between -0.5 and 0.5, of :func:`uniform_image`.
    protocol : Protocol
    transmit : float or array, shape (voxels,), optional
        Transmit field over its nominal value, from 0.2 to 2; 1 if not given.
    bounds : tuple of float
        Plausible T1, in s.
    threads : int

    Returns
    -------
    Uniform

    Raises
    ------
    ValueError
        If the protocol is impossible.

    References
    ----------
    Marques et al. 2010, https://doi.org/10.1016/j.neuroimage.2009.10.002;
    correction for the field: Marques and Gruetter 2013,
    https://doi.org/10.1371/journal.pone.0069294

    Examples
    --------
    >>> at_3t = Protocol(5.0, (0.7, 2.5), (4, 5), 0.007, 80, 80)
    >>> seen = uniform_image(*simulate([0.85, 1.3], at_3t))
    >>> fit_uniform(seen, at_3t).time.round(3).tolist() == np.float32([.85, 1.3]).tolist()
    True
    """
    values = np.ascontiguousarray(uniform, np.float64)
    times = np.arange(bounds[0], bounds[1] + _STEP / 2, _STEP)
    table = uniform_image(*simulate(times, protocol, _FIELDS[:, None])).astype(np.float64)
    starts = np.argmax(table, axis=1)
    ends = np.array([
        start + np.argmin(row[start:]) for start, row in zip(starts, table, strict=True)
    ])  # fmt: skip
    found = Uniform._make(blank_maps(len(values), 2))
    field = per_voxel(transmit, len(values), 1.0)
    run_slabs(_look_up, len(values), threads, values, field, table, times, starts, ends, *found)
    return found


@numba.njit(nogil=True, cache=True)
def _look_up(
    begin: int, end: int, values: Any, field: Any, table: Any, times: Any, starts: Any, ends: Any,
    time: Any, rate: Any, outcome: Any,
) -> None:  # fmt: skip
    step = _FIELDS[1] - _FIELDS[0]
    for v in range(begin, end):
        value = values[v]
        if not np.isfinite(value):
            outcome[v] = _NO_SIGNAL
            continue
        place = (field[v] - _FIELDS[0]) / step
        if not 0 <= place <= len(_FIELDS) - 1:
            outcome[v] = _IMPLAUSIBLE
            continue
        row = min(int(place), len(_FIELDS) - 2)
        share = place - row
        low, high = max(starts[row], starts[row + 1]), min(ends[row], ends[row + 1])
        above = (1 - share) * table[row, low] + share * table[row + 1, low]
        below = (1 - share) * table[row, high] + share * table[row + 1, high]
        if not (below <= value <= above and low < high):
            outcome[v] = _NO_SOLUTION
            continue
        while high - low > 1:
            middle = (low + high) // 2
            here = (1 - share) * table[row, middle] + share * table[row + 1, middle]
            if here >= value:
                low, above = middle, here
            else:
                high, below = middle, here
        part = (above - value) / (above - below) if above > below else 0.0
        outcome[v] = _FITTED
        time[v] = times[low] + part * (times[high] - times[low])
        rate[v] = 1 / time[v]
