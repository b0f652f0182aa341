"""What a field that changes through a voxel takes of the signal of gradient echoes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from mriderived.core.series import Mask

#: Steps to the voxels around, and their weights: a Gaussian of one voxel.
_STEPS = np.arange(-2.0, 3.0)
_WEIGHTS = np.exp(-(_STEPS**2) / 2)
#: Share of the weights that is added to the squares of distances.
_RIDGE = 1e-5


def field_changes(field: ArrayLike, mask: Mask) -> NDArray[np.float32]:
    """Return how much the field changes from one side of each voxel to the other.

    The slopes of a plane that is fitted to the voxels of the mask around, with Gaussian weights:
    what noise adds to the difference of two neighbours would dephase, whatever its sign, and a
    plane has a seventh of it. An axis without neighbours has no slope.

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
    >>> field_changes(field, np.ones((4, 1, 1), bool))[1].round(3).tolist()
    [3.0, 0.0, 0.0]
    """
    values = np.asarray(field, np.float32)
    if values.shape != mask.shape:
        raise ValueError(f'field of shape {values.shape} and mask of shape {mask.shape}')
    inside = mask.astype(np.float32)
    # about its middle, so that the products of large numbers do not cancel
    middle = np.float32(np.median(values[mask])) if mask.any() else np.float32(0)
    known = np.where(mask, values - middle, np.float32(0))
    count = int(mask.sum())
    matrix, right = np.empty((count, 4, 4), np.float32), np.empty((count, 4), np.float32)
    for row in range(4):
        right[:, row] = _moment(known, _powers(row))[mask]
        for column in range(row, 4):
            matrix[:, row, column] = _moment(inside, _powers(row, column))[mask]
            matrix[:, column, row] = matrix[:, row, column]
    # a slope that nothing tells is none
    matrix[:, range(1, 4), range(1, 4)] += _RIDGE * matrix[:, :1, 0]
    return np.asarray(np.linalg.solve(matrix, right[..., None])[:, 1:, 0], np.float32)


def _powers(*terms: int) -> list[int]:
    """Return the powers of x, y and z of a product of terms: 0 is 1, 1 is x, and so on."""
    return [terms.count(axis) for axis in (1, 2, 3)]


def _moment(values: NDArray[np.float32], powers: Sequence[int]) -> NDArray[np.float32]:
    """Return the sum of values around each voxel, times powers of their distance along axes."""
    for axis, power in enumerate(powers):
        kernel = _WEIGHTS * _STEPS**power
        values = ndimage.correlate1d(values, kernel, axis, mode='constant')
    return values


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
