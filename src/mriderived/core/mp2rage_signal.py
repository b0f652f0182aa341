"""The signals of MP2RAGE in its steady state."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray


class Protocol(NamedTuple):
    """How the images are acquired; times in s, angles in degrees.

    ``repetition_time`` is from inversion to inversion, ``echo_spacing`` from excitation to
    excitation within a train of ``before`` excitations up to the centre of k-space and ``after``
    ones beyond it. ``efficiency`` is the share of the magnetisation that is inverted.
    """

    repetition_time: float
    inversion_times: tuple[float, float]
    flip_angles: tuple[float, float]
    echo_spacing: float
    before: int
    after: int
    efficiency: float = 0.96


def simulate(
    t1: ArrayLike, protocol: Protocol, transmit: ArrayLike = 1.0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the signals of both images in the steady state, relative to proton density.

    Parameters
    ----------
    t1 : array
        In s.
    protocol : Protocol
    transmit : array
        Transmit field over its nominal value, which the inversion does not depend on.

    Returns
    -------
    first, second : arrays of float64
        With their signs; of the shape to which T1 and the field broadcast.

    Raises
    ------
    ValueError
        If the trains do not fit between the times.

    References
    ----------
    Marques et al. 2010, https://doi.org/10.1016/j.neuroimage.2009.10.002

    Examples
    --------
    >>> at_3t = Protocol(5.0, (0.7, 2.5), (4, 5), 0.007, 80, 80)
    >>> first, second = simulate(1.0, at_3t)
    >>> bool(first < second)
    True
    """
    before, after, spacing = protocol.before, protocol.after, protocol.echo_spacing
    gaps = _gaps(protocol)
    time = np.asarray(t1, np.float64)
    left = np.exp(-spacing / time)
    angles = [np.radians(angle) * np.asarray(transmit) for angle in protocol.flip_angles]
    keep = [np.cos(angle) * left for angle in angles]

    def train(magnetisation: Any, which: int, count: int) -> Any:
        kept = keep[which] ** count
        return magnetisation * kept + (1 - left) * (1 - kept) / (1 - keep[which])

    def wait(magnetisation: Any, gap: float) -> Any:
        return 1 + (magnetisation - 1) * np.exp(-gap / time)

    def cycle(start: Any) -> tuple[Any, Any, Any]:
        ready = wait(-protocol.efficiency * start, gaps[0])
        first = train(ready, 0, before)
        again = wait(train(first, 0, after), gaps[1])
        second = train(again, 1, before)
        return first, second, wait(train(second, 1, after), gaps[2])

    # a cycle is linear in the magnetisation at its start: two of them tell the fixed point
    at_zero, at_one = cycle(0.0)[2], cycle(1.0)[2]
    first, second, _ = cycle(at_zero / (1 - (at_one - at_zero)))
    return np.sin(angles[0]) * first, np.sin(angles[1]) * second


def _gaps(protocol: Protocol) -> tuple[float, float, float]:
    """Return the times without excitations: before, between and after the trains."""
    whole = (protocol.before + protocol.after) * protocol.echo_spacing
    first, second = protocol.inversion_times
    gaps = (
        first - protocol.before * protocol.echo_spacing,
        second - first - whole,
        protocol.repetition_time - second - protocol.after * protocol.echo_spacing,
    )
    if min(gaps) < 0:
        raise ValueError(
            f'trains of {whole:.3f} s do not fit inversion times of {first} and {second} s '
            f'within {protocol.repetition_time} s'
        )
    return gaps
