"""From the phase of gradient echoes to a field map in Hz: scale, difference, outliers, edges.

The field is the change of phase per time: ``hz = phase difference / (2 pi (TE2 - TE1))``.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mriderived.core.filters import smooth
from mriderived.core.phase_unwrapping import count_jumps, unwrap, wrap
from mriderived.core.slabs import run_slabs

Volume = NDArray[np.float32]
Mask = NDArray[np.bool_]
Matrix = NDArray[np.float64]
Coding = Literal['radians', 'milliradians', '12 bit', 'signed 12 bit', 'signed 13 bit']
Units = Literal['Hz', 'rad/s', 'T']

#: Gyromagnetic ratio of the proton over 2 pi, in Hz per tesla (CODATA).
HZ_PER_TESLA = 42.577478518e6
#: A voxel further than this many robust standard deviations from the median of its
#: neighbours, and further than ``LEAST_SPIKE`` Hz, is an outlier.
SPIKE_SD = 5.0
LEAST_SPIKE = 20.0
#: Widths in voxels of the means that continue a field out of its mask.
WIDTHS = (1.0, 2.0, 4.0, 8.0)
_ROBUST_SD = 1.4826
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


def replace_outliers(field: Volume, mask: Mask, threads: int = 1) -> tuple[Volume, int]:
    """Replace voxels far from the median of their 26 neighbours inside the mask by it.

    Returns
    -------
    array of float32, shape (x, y, z)
        0 outside of the mask.
    int
        How many were replaced.

    Examples
    --------
    >>> field = np.zeros((5, 5, 5), np.float32); field[2, 2, 2] = 500
    >>> cleaned, count = replace_outliers(field, np.ones(field.shape, bool))
    >>> float(cleaned.max()), count
    (0.0, 1)
    """
    inside = np.where(mask, field, np.float32(0))
    median = inside.copy()
    run_slabs(_local_median, len(field), threads, inside, mask, median)
    difference = np.abs(inside - median)
    spread = _ROBUST_SD * float(np.median(difference[mask])) if mask.any() else 0.0
    spikes = difference > max(SPIKE_SD * spread, LEAST_SPIKE)
    return np.where(spikes, median, inside), int(np.count_nonzero(spikes))


def extend(field: Volume, mask: Mask, sigma: float = 1.0, threads: int = 1) -> Volume:
    """Smooth a field inside its mask and let it fade out of the mask without an edge.

    Inside, each voxel is the Gaussian mean of its neighbours in the mask. Outside, the mean is
    taken over a width that doubles until it meets the mask, and far outside it is the median.

    Parameters
    ----------
    field : array of float32, shape (x, y, z)
    mask : array of bool, shape (x, y, z)
    sigma : float
        In voxels; 0 leaves the inside as it is.
    threads : int

    Returns
    -------
    array of float32, shape (x, y, z)

    Raises
    ------
    ValueError
        If the mask is empty.

    Examples
    --------
    >>> mask = np.zeros((9, 9, 9), bool); mask[3:6, 3:6, 3:6] = True
    >>> bool(np.allclose(extend(np.where(mask, 7, 0).astype(np.float32), mask), 7))
    True
    """
    if not mask.any():
        raise ValueError('the mask of the field map is empty')
    weight = mask.astype(np.float32)
    result = np.where(mask, field, np.float32(0))
    known = weight
    if sigma > 0:
        top = smooth(result, sigma, threads)
        share = smooth(weight, sigma, threads)
        result = np.where(mask, top / np.maximum(share, 1e-6), 0).astype(np.float32)
    # Where little of the window is in the mask the wider mean takes over, step by step.
    for width in WIDTHS:
        top, share = smooth(result * known, width, threads), smooth(known, width, threads)
        gain = (1 - known) * np.minimum(4 * share, 1)
        mean = top / np.maximum(share, 1e-6)
        total = np.maximum(known + gain, 1e-6)
        result = ((result * known + mean * gain) / total).astype(np.float32)
        known = np.where(known + gain > 0.999, 1, known + gain).astype(np.float32)
    far = np.float32(np.median(field[mask]))
    return (result * known + far * (1 - known)).astype(np.float32)


def demean(hz: Volume, mask: Mask) -> tuple[Volume, float]:
    """Take away the median of the mask, and return it.

    The whole turns and the centre frequency of a gradient-echo field map are arbitrary, while
    the scanner tunes each EPI run on its own. A constant field is a shift of the whole image,
    which the registration of the EPI to the T1w image finds; so the median is set to 0.

    Examples
    --------
    >>> field, median = demean(np.full((2, 2, 2), 30, np.float32), np.ones((2, 2, 2), bool))
    >>> float(field.max()), median
    (0.0, 30.0)
    """
    median = float(np.median(hz[mask]))
    return (hz - np.float32(median)).astype(np.float32), median


def resample_field(
    field: Volume, affine: Matrix, target: Matrix, shape: tuple[int, ...]
) -> Volume:
    """Return a field on another grid by world coordinates; beyond its edge the edge repeats.

    Parameters
    ----------
    field : array of float32, shape (a, b, c)
        See :func:`extend`.
    affine, target : array, shape (4, 4)
        From voxels to mm, of the field and of the new grid.
    shape : three ints
        The new grid.

    Examples
    --------
    >>> field = np.arange(8, dtype=np.float32).reshape(2, 2, 2)
    >>> target = np.eye(4); target[2, 3] = 0.5
    >>> resample_field(field, np.eye(4), target, (1, 1, 1)).item()
    0.5
    """
    matrix = np.linalg.inv(affine) @ target
    return np.asarray(
        ndimage.affine_transform(
            field,
            matrix[:3, :3],
            matrix[:3, 3],
            output_shape=shape,
            output=np.float32,
            order=1,
            mode='nearest',
        ),
        np.float32,
    )


@numba.njit(nogil=True, cache=True)
def _local_median(start, stop, field, mask, target):  # type: ignore[no-untyped-def]
    nx, ny, nz = field.shape
    window = np.empty(26, np.float32)
    for i in range(start, stop):
        for j in range(ny):
            for k in range(nz):
                if not mask[i, j, k]:
                    continue
                count = 0
                for u in range(max(i - 1, 0), min(i + 2, nx)):
                    for v in range(max(j - 1, 0), min(j + 2, ny)):
                        for w in range(max(k - 1, 0), min(k + 2, nz)):
                            if mask[u, v, w] and (u != i or v != j or w != k):
                                window[count] = field[u, v, w]
                                count += 1
                if count:
                    target[i, j, k] = np.median(window[:count])
