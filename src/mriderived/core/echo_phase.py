"""The field that the phase of several gradient echoes tells."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mriderived.core.phase_unwrapping import unwrap
from mriderived.core.series import Mask

#: Steps between echoes are one where they differ by less than this share.
_REGULAR = 0.02


def field_of_echoes(
    magnitudes: ArrayLike, phases: ArrayLike, echo_times: Sequence[float], mask: Mask
) -> NDArray[np.float32]:
    """Return the field that turns the phase from echo to echo.

    Of echoes at regular steps, the products of each with the one before are summed, so that
    each step counts by its signal, and what differs between odd and even echoes cancels. Of
    others, the two closest ones count. Whole turns are removed in space.

    Parameters
    ----------
    magnitudes, phases : arrays, shape (voxels of the mask, echoes)
        Phases in radians.
    echo_times : sequence of float
        In s, in any order.
    mask : array of bool, shape (x, y, z)

    Returns
    -------
    array of float32, shape (x, y, z)
        In Hz; 0 outside of the mask.

    Raises
    ------
    ValueError
        If there are fewer than two different echo times, or shapes differ.

    References
    ----------
    Dahnke and Schaeffter 2005, https://doi.org/10.1002/mrm.20435

    Examples
    --------
    >>> times, mask = [0.005, 0.01, 0.015], np.ones((3, 1, 1), bool)
    >>> phases = 2 * np.pi * np.outer([30.0, 40, 50], times) + 1
    >>> field_of_echoes(np.ones((3, 3)), phases, times, mask).ravel().round(3).tolist()
    [30.0, 40.0, 50.0]
    """
    times = np.asarray(echo_times, np.float64)
    sizes, angles = np.asarray(magnitudes, np.float32), np.asarray(phases, np.float32)
    if sizes.shape != angles.shape or sizes.shape != (int(mask.sum()), len(times)):
        raise ValueError(f'magnitudes {sizes.shape}, phases {angles.shape}, {len(times)} echoes')
    order = np.argsort(times)
    steps = np.diff(times[order])
    if not (len(steps) and (steps > 0).all()):
        raise ValueError(f'a field needs two different echo times: {times.tolist()}')
    first = int(np.argmin(steps))
    is_regular = np.ptp(steps) < _REGULAR * steps.mean()
    pairs = range(len(steps)) if is_regular else (first,)
    turn = np.zeros(len(sizes), np.complex64)
    for pair in pairs:
        one, two = order[pair], order[pair + 1]
        turn += sizes[:, one] * sizes[:, two] * np.exp(1j * (angles[:, two] - angles[:, one]))
    wrapped = np.zeros(mask.shape, np.float32)
    wrapped[mask] = np.angle(turn)
    step = steps.mean() if is_regular else steps[first]
    return np.asarray(unwrap(wrapped, mask) / (2 * np.pi * step), np.float32)
