"""What a lower shell tells about the contrast of a higher one.

A tensor fitted to the volumes of b = 0 and of a lower shell, which are aligned already, gives
every volume of the higher shell its contrast by direction. Unlike a prediction from the shell's
own volumes, it does not follow their motion.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.core.eddy_prediction import weigh_mean

Matrix = NDArray[np.float64]
Floats = NDArray[np.float32]

#: Values below this share of the mean are noise.
LEAST_SHARE = 0.02
#: Between so many signals of a tensor, what is seen instead is taken for a straight line.
KNOTS = 24
#: Voxels of which that is learnt.
MOST_VALUES = 400_000


class Transfer(NamedTuple):
    """Signals of m volumes of b = 0 and a lower shell, and what they say of n volumes."""

    #: Shape (m, p): logarithms.
    logs: Floats
    #: Shape (m, 3, p): their slopes per mm.
    slopes: Floats
    #: Shape (n, m): from logarithms to logarithms.
    operator: Matrix


def prepare_transfer(
    value: Floats,
    slopes: Floats,
    b: Matrix,
    directions: Matrix,
    wanted_b: Matrix,
    wanted_directions: Matrix,
) -> Transfer | None:
    """Prepare the prediction of n volumes from m others by a tensor.

    Parameters
    ----------
    value, slopes : arrays of float32, shapes (m, p) and (m, 3, p)
        Signals at some points and their slopes.
    b, wanted_b : arrays, shapes (m,) and (n,)
        In s/mm².
    directions, wanted_directions : arrays, shapes (m, 3) and (n, 3)
        Unit vectors, in the reference.

    Returns
    -------
    Transfer or None
        None where the m volumes do not determine a tensor.

    Examples
    --------
    >>> prepare_transfer(np.ones((2, 5)), np.ones((2, 3, 5)), [0, 1000], np.eye(3)[:2], [], [])
    """
    known = _design(b, directions)
    if np.linalg.matrix_rank(known, tol=1e-2) < known.shape[1]:
        return None
    floor = np.maximum(LEAST_SHARE * value.mean(), 1e-6)
    bounded = np.maximum(value, floor)
    operator = _design(wanted_b, wanted_directions) @ np.linalg.pinv(known)
    return Transfer(np.log(bounded), slopes / bounded[:, None], operator)


def predict_contrast(transfer: Transfer, value: Floats, slopes: Floats) -> tuple[Floats, Floats]:
    """Return predictions, (n, p), and their slopes, (n, 3, p), of n volumes.

    Each is the mean of the other volumes, ``value`` and ``slopes``, with the contrast by direction
    of the transfer.
    """
    likely, steep = foretell(transfer, value, slopes)
    others = weigh_mean(len(value)).astype(np.float32)
    wide = len(value), -1
    missing = (others @ (slopes - steep).reshape(wide)).reshape(slopes.shape)
    return likely + others @ (value - likely), steep + missing


def foretell(transfer: Transfer, value: Floats, slopes: Floats) -> tuple[Floats, Floats]:
    """Return what the transfer alone tells: signals, (n, p), and their slopes, (n, 3, p).

    ``value`` and ``slopes`` are what is seen instead, from which the change of contrast is learnt.
    """
    tensor = np.exp(transfer.operator.astype(np.float32) @ transfer.logs)
    flat = transfer.slopes.reshape(len(transfer.slopes), -1)
    steep = (transfer.operator.astype(np.float32) @ flat).reshape(slopes.shape)
    steep *= tensor[:, None]
    likely, rise = _map_signals(tensor, value)
    steep *= rise[:, None]
    return likely, steep


def _map_signals(tensor: Floats, value: Floats) -> tuple[Floats, Floats]:
    """Return the signals that go with those of a tensor, and their derivatives.

    Above the lower shell, signals fall less than those of a tensor, and not below the noise.
    """
    some = slice(None, None, max(tensor.size // MOST_VALUES, 1))
    x, y = tensor.ravel()[some], value.ravel()[some]
    order = np.argsort(x, kind='stable')
    knots = np.array([part.mean() for part in np.array_split(x[order], KNOTS)], np.float64)
    level = np.array([part.mean() for part in np.array_split(y[order], KNOTS)], np.float64)
    rises = np.diff(level) / np.maximum(np.diff(knots), 1e-12)
    # straight on beyond the outermost knots
    interval = np.clip(np.searchsorted(knots, tensor) - 1, 0, KNOTS - 2)
    rise = rises[interval].astype(np.float32)
    start, base = (each.astype(np.float32)[interval] for each in (knots, level))
    return base + rise * (tensor - start), rise


def _design(b: Matrix, directions: Matrix) -> Matrix:
    """Return the rows of the logarithm of the signal: 1 and -b times products of directions."""
    x, y, z = np.reshape(directions, (-1, 3)).T
    products = np.stack([x * x, y * y, z * z, 2 * x * y, 2 * x * z, 2 * y * z], axis=1)
    strength = np.reshape(b, (-1, 1)) / 1000
    return np.concatenate([np.ones((len(products), 1)), -strength * products], axis=1)
