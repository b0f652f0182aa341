"""The transmit field (B1) over its nominal value, from the ways in which it is measured.

1 is nominal; BIDS recommends percent for files (``TB1map``): :func:`as_percent`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from mriderived.core.fit_outcome import Outcomes, Values, as_signals, judge, keep_fitted

#: Plausible fields.
BOUNDS = (0.2, 2.0)


class TransmitField(NamedTuple):
    """One value per voxel: the field over its nominal value, NaN where it is not ``FITTED``."""

    field: Values
    outcome: Outcomes


def field_from_double_angle(
    signals: ArrayLike, flip_angle: float, *, bounds: tuple[float, float] = BOUNDS
) -> TransmitField:
    r"""Return the field of two images, the second with twice the flip angle of the first.

    :math:`\alpha = \arccos(S_2 / (2 S_1))`, fully relaxed, and up to 90°: beyond, the second
    signal is taken as positive, unless its sign is given.

    Parameters
    ----------
    signals : array, shape (voxels, 2)
        At the flip angle and at its double.
    flip_angle : float
        The smaller one, nominal, in degrees.
    bounds : tuple of float
        Plausible fields.

    Returns
    -------
    TransmitField
        ``NO_SOLUTION`` where the second signal is more than twice the first.

    Raises
    ------
    ValueError
        If there are not two images, or the angle is not between 0° and 180°.

    References
    ----------
    Insko and Bolinger 1993, https://doi.org/10.1006/jmra.1993.1133

    Examples
    --------
    >>> signals = [[np.sin(np.radians(54)), np.sin(np.radians(108))]]
    >>> round(float(field_from_double_angle(signals, 60).field[0]), 4)
    0.9
    """
    rows = as_signals(signals, 2, 2).astype(np.float64)
    with np.errstate(divide='ignore', invalid='ignore'):
        cosine = rows[:, 1] / (2 * rows[:, 0])
    return _from_cosine(cosine, flip_angle, rows, bounds)


def field_from_two_delays(
    signals: ArrayLike,
    repetition_times: tuple[float, float],
    flip_angle: float,
    *,
    bounds: tuple[float, float] = BOUNDS,
) -> TransmitField:
    r"""Return the field of actual flip-angle imaging: one flip angle, two delays.

    With :math:`r = S_2 / S_1` and :math:`n = TR_2 / TR_1`,
    :math:`\cos\alpha = (r n - 1) / (n - r)`, for delays much shorter than T1.

    Parameters
    ----------
    signals : array, shape (voxels, 2)
        After the first and after the second delay.
    repetition_times : tuple of float
        The delays, in s; the second is the longer one.
    flip_angle : float
        Nominal, in degrees.
    bounds : tuple of float
        Plausible fields.

    Returns
    -------
    TransmitField

    Raises
    ------
    ValueError
        If the second delay is not longer than the first, or the angle makes no sense.

    References
    ----------
    Yarnykh 2007, https://doi.org/10.1002/mrm.21120

    Examples
    --------
    >>> cosine = np.cos(np.radians(54))
    >>> signals = [[1.0, (1 + 5 * cosine) / (5 + cosine)]]
    >>> round(float(field_from_two_delays(signals, (0.02, 0.1), 60).field[0]), 4)
    0.9
    """
    first, second = repetition_times
    if not 0 < first < second:
        raise ValueError(f'the second delay must be longer than the first: {repetition_times} s')
    rows = as_signals(signals, 2, 2).astype(np.float64)
    ratio = second / first
    with np.errstate(divide='ignore', invalid='ignore'):
        share = rows[:, 1] / rows[:, 0]
        cosine = (share * ratio - 1) / (ratio - share)
    return _from_cosine(cosine, flip_angle, rows, bounds)


def field_from_angles(
    angles: ArrayLike,
    flip_angle: float,
    *,
    scale: float = 1.0,
    bounds: tuple[float, float] = BOUNDS,
) -> TransmitField:
    """Return the field of a map of flip angles, such as scanners compute.

    Parameters
    ----------
    angles : array, shape (voxels,)
        In degrees, times ``scale``; 0 where there is none.
    flip_angle : float
        Nominal, in degrees.
    scale : float
        10 for the maps of some scanners; 1 for degrees.
    bounds : tuple of float
        Plausible fields.

    Returns
    -------
    TransmitField

    Raises
    ------
    ValueError
        If the angle or the scale is not positive.

    Examples
    --------
    >>> round(float(field_from_angles([720.0], 80, scale=10).field[0]), 4)
    0.9
    """
    if not (flip_angle > 0 and scale > 0):
        raise ValueError(f'flip angle {flip_angle} and scale {scale} must be positive')
    given = np.asarray(angles, np.float64)
    field = given / (scale * flip_angle)
    outcome = judge(field, bounds, given[:, None])
    return TransmitField(keep_fitted(field, outcome), outcome)


def as_percent(field: ArrayLike) -> Values:
    """Return a field over its nominal value as percent.

    Examples
    --------
    >>> as_percent([1.125]).tolist()
    [112.5]
    """
    return (100 * np.asarray(field, np.float64)).astype(np.float32)


def _from_cosine(
    cosine: ArrayLike, flip_angle: float, rows: ArrayLike, bounds: tuple[float, float]
) -> TransmitField:
    if not 0 < flip_angle < 180:
        raise ValueError(f'a flip angle is between 0 and 180 degrees, not {flip_angle}')
    with np.errstate(invalid='ignore'):
        field = np.degrees(np.arccos(cosine)) / flip_angle
    outcome = judge(field, bounds, rows)
    return TransmitField(keep_fitted(field, outcome), outcome)
