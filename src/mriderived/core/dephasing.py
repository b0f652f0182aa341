"""What a field that changes through a voxel takes of the signal of gradient echoes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mriderived.core.series import Mask


def field_changes(field: ArrayLike, mask: Mask) -> NDArray[np.float32]:
    """Return how much the field changes from one side of each voxel to the other.

    Half of the difference of both neighbours along an axis, or the whole one to a single
    neighbour within the mask; 0 along an axis without neighbours.

    Parameters
    ----------
    field : array, shape (x, y, z)
        In Hz.
    mask : array of bool, shape (x, y, z)

    Returns
    -------
    array of float32, shape (voxels of the mask, 3)
        In Hz.

    Raises
    ------
    ValueError
        If shapes differ.

    Examples
    --------
    >>> field = 3.0 * np.arange(4.0)[:, None, None]
    >>> field_changes(field, np.ones((4, 1, 1), bool))[1].tolist()
    [3.0, 0.0, 0.0]
    """
    values = np.asarray(field, np.float32)
    if values.shape != mask.shape:
        raise ValueError(f'field of shape {values.shape} and mask of shape {mask.shape}')
    changes = np.zeros((int(mask.sum()), 3), np.float32)
    for axis in range(3):
        total, count = (np.zeros(mask.shape, kind) for kind in (np.float32, np.uint8))
        low: list[Any] = [slice(None)] * 3
        high = list(low)
        low[axis], high[axis] = slice(None, -1), slice(1, None)
        first, second = tuple(low), tuple(high)
        both = mask[first] & mask[second]
        step = np.where(both, values[second] - values[first], 0)
        for place in (first, second):
            total[place] += step
            count[place] += both
        changes[:, axis] = total[mask] / np.maximum(count[mask], 1)
    return changes


def dephasing(gradients: ArrayLike, echo_times: Sequence[float]) -> NDArray[np.float32]:
    r"""Return what a linear field through a voxel leaves of its signal at each echo.

    A field that changes by :math:`\Delta f` along an edge of a rectangular voxel leaves
    :math:`|\mathrm{sinc}(\Delta f \, TE)|` of the signal, with
    :math:`\mathrm{sinc}(x) = \sin(\pi x) / (\pi x)`; the edges multiply.

    Parameters
    ----------
    gradients : array, shape (voxels,) or (voxels, axes)
        Change of the field from one side of the voxel to the other, in Hz.
    echo_times : sequence of float
        In s.

    Returns
    -------
    array of float32, shape (voxels, echoes)

    References
    ----------
    Dahnke and Schaeffter 2005, https://doi.org/10.1002/mrm.20435

    Examples
    --------
    >>> round(float(dephasing([25.0], [0.02])[0, 0]), 4)
    0.6366
    """
    changes = np.asarray(gradients, np.float64)
    changes = changes.reshape(len(changes), -1, 1)
    left = np.abs(np.sinc(changes * np.asarray(echo_times, np.float64)))
    return np.asarray(left.prod(axis=1), np.float32)
