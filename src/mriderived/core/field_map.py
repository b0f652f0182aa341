"""From the phase of gradient echoes to a field map in Hz: scale, difference, unwrapping.

The field is the change of phase per time: ``hz = phase difference / (2 pi (TE2 - TE1))``.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.core.field_cleaning import replace_outliers
from mriderived.core.phase_unwrapping import count_jumps, unwrap, wrap

Volume = NDArray[np.float32]
Mask = NDArray[np.bool_]
Coding = Literal['radians', 'milliradians', '12 bit', 'signed 12 bit', 'signed 13 bit']
Units = Literal['Hz', 'rad/s', 'T']

#: Gyromagnetic ratio of the proton over 2 pi, in Hz per tesla (CODATA).
HZ_PER_TESLA = 42.577478518e6
#: Coding of the stored numbers: lowest, highest, which of them is 0 radians, and how far pi is.
_CODINGS: dict[Coding, tuple[float, float, float, float]] = {
    'radians': (-np.pi, 2 * np.pi, 0.0, np.pi),
    'signed 12 bit': (-2048, 2048, 0.0, 2048.0),
    'milliradians': (-3142, 3142, 0.0, 1000 * np.pi),
    'signed 13 bit': (-4096, 4096, 0.0, 4096.0),
    '12 bit': (0, 4096, 2048.0, 2048.0),
}


class FieldMap(NamedTuple):
    """A field in Hz, how many voxels were outliers, and how many jumps unwrapping left."""

    hz: Volume
    outliers: int
    jumps: int


def scale_phase(stored: NDArray[np.floating]) -> tuple[Volume, Coding]:
    """Turn the stored numbers of a phase image into radians.

    The coding is told from the range, which the noise outside of the head fills: -4096 to 4095
    and 0 to 4095 (Siemens), -3142 to 3142 (Philips and GE, pi times 1000), -2048 to 2047, and
    radians within (-pi, pi) or (0, 2 pi).

    Parameters
    ----------
    stored : array, shape (x, y, z)
        After the slope and intercept of the file.

    Returns
    -------
    array of float32, shape (x, y, z)
        In [-pi, pi).
    str
        Which coding it was.

    Raises
    ------
    ValueError
        If the range fits no coding.

    Examples
    --------
    >>> radians, coding = scale_phase(np.array([-4096.0, 0, 2048, 4094]))
    >>> bool(np.allclose(radians[:3], [-np.pi, 0, np.pi / 2])), coding
    (True, 'signed 13 bit')
    """
    values = np.asarray(stored)
    finite = values[np.isfinite(values)]
    if finite.size == 0 or finite.min() == finite.max():
        raise ValueError('the phase image is constant or holds no numbers')
    coding = _coding(float(finite.min()), float(finite.max()))
    _, _, zero, half_turn = _CODINGS[coding]
    scaled = (np.nan_to_num(values, nan=zero, posinf=zero, neginf=zero) - zero) / half_turn
    return wrap(scaled * np.pi), coding


def _coding(low: float, high: float) -> Coding:
    if low >= 0 and high > 7:
        if 0.9 * 4096 <= high <= 4096:
            return '12 bit'
    elif low >= -3.2 and high <= (3.2 if low < 0 else 6.4):
        return 'radians'
    else:
        bound = max(-low, high)
        for coding in ('signed 12 bit', 'milliradians', 'signed 13 bit'):
            most = _CODINGS[coding][1]
            if 0.9 * most <= bound <= 1.002 * most:
                return coding
    raise ValueError(
        f'the phase image reaches from {low:g} to {high:g}, which is the range of no known scale; '
        'convert it to radians or to -4096..4095'
    )


def field_from_phase(
    difference: Volume,
    echo_times: tuple[float, float],
    mask: Mask,
    magnitude: Volume | None = None,
) -> FieldMap:
    """Return the field of a phase difference; outside of the mask it is 0.

    Parameters
    ----------
    difference : array of float32, shape (x, y, z)
        Phase of the second minus phase of the first echo in radians, wrapped.
    echo_times : two floats
        In seconds, the shorter first.
    mask : array of bool, shape (x, y, z)
    magnitude : array of float32, shape (x, y, z), optional

    Returns
    -------
    FieldMap
        Unwrapped, outliers replaced by the median of their neighbours, nothing smoothed and no
        mean taken away.

    Raises
    ------
    ValueError
        If the echo times are not in order, or see :func:`mriderived.core.phase_unwrapping.unwrap`.

    Examples
    --------
    >>> phase = np.full((5, 5, 5), 0.1 * np.pi, np.float32)
    >>> found = field_from_phase(phase, (0.005, 0.0075), np.ones(phase.shape, bool))
    >>> round(float(found.hz[2, 2, 2]), 3)
    20.0
    """
    between = echo_times[1] - echo_times[0]
    if not 0 < between < 1:
        raise ValueError(f'the echo times {echo_times} are not two times in order, in seconds')
    unwrapped = unwrap(difference, mask, magnitude)
    jumps = count_jumps(unwrapped, mask)
    hz, outliers = replace_outliers(unwrapped / np.float32(2 * np.pi * between), mask)
    return FieldMap(hz, outliers, jumps)


def phase_difference(first: Volume, second: Volume) -> Volume:
    """Return second minus first phase, in radians, in [-pi, pi).

    Examples
    --------
    >>> one, two = np.full((1, 1, 1), 3.0, np.float32), np.full((1, 1, 1), -3.0, np.float32)
    >>> round(phase_difference(one, two).item(), 3)
    0.283
    """
    return wrap(np.asarray(second, np.float64) - first)


def to_hertz(field: Volume, units: Units) -> Volume:
    """Turn a measured field map into Hz.

    Examples
    --------
    >>> to_hertz(np.full((1, 1, 1), 2 * np.pi, np.float32), 'rad/s').item()
    1.0
    """
    factors = {'Hz': 1.0, 'rad/s': 1 / (2 * np.pi), 'T': HZ_PER_TESLA}
    if units not in factors:
        raise ValueError(f'a field map in {units}: Units must be one of {", ".join(factors)}')
    return (field * factors[units]).astype(np.float32)
