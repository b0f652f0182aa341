"""Extended phase graphs of a train of spin echoes, stimulated echoes included."""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

from mriderived.core.fit_outcome import per_voxel

#: T1 of the phase graphs, in s. Stimulated echoes decay with it, slowly next to T2.
USUAL_T1 = 1.0


def echo_train(
    t2: ArrayLike,
    refocusing: ArrayLike,
    spacing: float,
    echoes: int,
    t1: float = USUAL_T1,
    nominal: float = 180.0,
) -> NDArray[np.float64]:
    r"""Return the amplitudes of the echoes of a CPMG train.

    The angle of refocusing is that which the voxel sees. Excitation suffers from the same
    transmit field, so that its angle is :math:`90^\circ` times refocusing over nominal.

    Parameters
    ----------
    t2 : array
        In s; broadcast with ``refocusing``.
    refocusing : array
        Angle of the refocusing pulses in the voxel, in degrees.
    spacing : float
        Time between echoes, in s.
    echoes : int
    t1 : float
        In s.
    nominal : float
        The angle of the refocusing pulses that was asked for, in degrees.

    Returns
    -------
    array, shape (..., echoes)
        Relative to the magnetisation at rest.

    Raises
    ------
    ValueError
        If a time is not positive.

    References
    ----------
    Hennig 1988, https://doi.org/10.1016/0022-2364(88)90128-X;
    Weigel 2015, https://doi.org/10.1002/jmri.24619

    Examples
    --------
    >>> echo_train(0.08, 180, 0.01, 2).round(6).tolist() == [
    ...     round(math.exp(-1 / 8), 6), round(math.exp(-2 / 8), 6)]
    True
    """
    times, angles = np.broadcast_arrays(
        np.asarray(t2, np.float64), np.asarray(refocusing, np.float64)
    )
    if not ((times > 0).all() and spacing > 0 and t1 > 0 and echoes > 0):
        raise ValueError('T1, T2, spacing and number of echoes must be positive')
    trains = np.empty((times.size, echoes))
    graph = np.empty((3, echoes + 2))
    _fill(times.flatten(), angles.flatten(), spacing, t1, nominal, graph, trains)
    return trains.reshape(*times.shape, echoes)


def known_angles(transmit: ArrayLike | None, voxels: int, nominal: float) -> NDArray[np.float64]:
    """Return the angle of refocusing in each voxel, in degrees.

    NaN where it is to be fitted, 0 where the field is given but missing.

    Examples
    --------
    >>> known_angles([0.9, np.nan], 2, 180).tolist(), known_angles(None, 1, 180).tolist()
    ([162.0, 0.0], [nan])
    """
    field = per_voxel(transmit, voxels, np.nan)
    if transmit is not None:
        field[~(field > 0)] = 0
    return field * nominal


@numba.njit(nogil=True, cache=True)
def _fill(
    t2: Any, refocusing: Any, spacing: float, t1: float, nominal: float, graph: Any, trains: Any
) -> None:
    for index in range(len(t2)):
        fill_train(t2[index], refocusing[index], spacing, t1, nominal, graph, trains[index])


@numba.njit(nogil=True, cache=True)
def fill_train(
    t2: float, refocusing: float, spacing: float, t1: float, nominal: float, graph: Any, train: Any
) -> None:
    """Fill ``train`` with the amplitudes of its echoes; see :func:`echo_train`.

    ``graph``, shape (3, echoes + 2), is scratch: transverse configurations that dephase and that
    rephase, and longitudinal ones. About the axis of the pulses all of them are real numbers.
    Magnetisation that recovers is turned to the other axis, and is spoiled.
    """
    echoes = len(train)
    angle = math.radians(refocusing)
    half = math.cos(angle / 2) ** 2
    other, sine, cosine = 1 - half, math.sin(angle), math.cos(angle)
    decay, keep = math.exp(-spacing / (2 * t2)), math.exp(-spacing / (2 * t1))
    whole = decay * decay
    stay, swap, lift = half * whole, other * whole, sine * whole
    rest, fall = cosine * keep * keep, 0.5 * sine * keep * keep
    graph[:] = 0
    # After the first half of the spacing all of the magnetisation is dephased once.
    graph[0, 1] = math.sin(math.radians(90 * refocusing / nominal)) * decay
    for echo in range(echoes):
        # A configuration that cannot rephase before the last echo is of no matter.
        top = min(echo + 1, echoes - echo)
        back = 0.0
        # A pulse, two halves of relaxation and two steps of dephasing, in place: downwards, what
        # dephases moves to a place that was read, and what rephases waits for the next place.
        for k in range(top, 0, -1):
            up, down, along = graph[0, k], graph[1, k], graph[2, k]
            graph[0, k + 1] = stay * up + swap * down + lift * along
            graph[1, k] = back * whole
            graph[2, k] = rest * along - fall * (up - down)
            back = other * up + half * down - sine * along
        train[echo] = back * decay
        graph[0, 1] = back * whole
