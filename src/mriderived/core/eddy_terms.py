"""Displacements by eddy currents: polynomials of the place in the scanner, along one axis.

The gradient that weights a volume leaves currents in the scanner, whose field shifts what is seen
along the phase axis (Jezzard et al. 1998, doi:10.1002/mrm.1910390518). The terms are x, y and z,
each -1 and 1 at the centres of the outermost voxels, then, where wanted, x², y², z², xy, xz and
yz. There is no constant term: a shift of the whole volume cannot be told from one of the head and
counts as such. A coefficient is thus a displacement in voxels at the edge of the image.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from mriderived.core.gradient_table import Gradients

Volume = NDArray[np.float32]
Matrix = NDArray[np.float64]

#: Number of terms: linear alone, or quadratic as well.
LINEAR, QUADRATIC = 3, 9


class EddyMotion(NamedTuple):
    """Where the head lies in each of n volumes, and what eddy currents do to it."""

    #: Shape (n, 4, 4): from mm of the reference to mm of each volume, RAS, rigid.
    matrices: Matrix
    #: Shape (n, k): coefficients of the displacement along the phase axis, in voxels at the edge.
    eddy: Matrix
    #: Shape (n,): the phase axis of each volume, 0, 1 or 2.
    axes: NDArray[np.int64]
    #: Shape (n, slices): slices that lost their signal.
    outliers: NDArray[np.bool_]
    #: Shape (n, slices): share of the signal that each slice lost; NaN where it holds too little.
    losses: Matrix
    #: Shape (x, y, z): the mean of aligned volumes of b = 0 (of the lowest shell without any).
    reference: Volume
    #: Shape (n, 6): shifts in mm and turns in rad about ``centre``, see ``core.rigid``.
    parameters: Matrix
    #: Shape (3,): in mm.
    centre: Matrix
    #: Shape (n,): correlation of each aligned volume with what the others predict.
    fit: Matrix
    #: Shape (n,): volumes whose motion could not be told, which have that of their neighbours.
    untold: NDArray[np.bool_]
    #: Shape (n,): the part of the shift along the phase axis that is of eddy currents, in mm.
    shift: Matrix


def still_motion(count: int, reference: Volume, axis: int) -> EddyMotion:
    """Return what ``count`` volumes have that lie on the reference and show no eddy currents."""
    slices = reference.shape[2]
    return EddyMotion(
        np.tile(np.eye(4), (count, 1, 1)),
        np.zeros((count, LINEAR)),
        np.full(count, axis, np.int64),
        np.zeros((count, slices), bool),
        np.zeros((count, slices)),
        reference,
        np.zeros((count, 6)),
        np.zeros(3),
        np.ones(count),
        np.zeros(count, bool),
        np.zeros(count),
    )


def check_series(
    series: NDArray[np.float32], gradients: Gradients, axis: int, slice_axis: int, terms: int
) -> None:
    """Raise if eddy currents of a series cannot be estimated, as ``estimate_eddy`` says."""
    if series.ndim != 4:
        raise ValueError(f'a series has four axes, but this image has shape {series.shape}')
    if series.shape[3] != len(gradients):
        raise ValueError(
            f'the series has {series.shape[3]} volumes, but its gradient table {len(gradients)}'
        )
    for name, given in (('phase', axis), ('slice', slice_axis)):
        if given not in (0, 1, 2):
            raise ValueError(f'the {name} axis is {given}; it must be 0, 1 or 2')
    if terms not in (LINEAR, QUADRATIC):
        raise ValueError(f'{terms} terms of eddy currents; there are {LINEAR} or {QUADRATIC}')


def rotations_to_reference(matrices: NDArray[Any]) -> Matrix:
    """Return the rotations that turn directions in the scanner into those in the reference.

    Examples
    --------
    >>> quarter = np.eye(4); quarter[:2, :2] = [[0, -1], [1, 0]]
    >>> (rotations_to_reference(quarter[None])[0] @ [0, 1, 0]).tolist()
    [1.0, 0.0, 0.0]
    """
    return np.swapaxes(np.asarray(matrices, float)[:, :3, :3], 1, 2)


def scale_places(shape: tuple[int, ...], factors: tuple[int, ...] = (1, 1, 1)) -> Matrix:
    """Return slope and offset per axis, shape (3, 2), from voxels to -1 to 1.

    ``factors`` voxels of the image, of ``shape``, are joined to one voxel of the grid.

    Examples
    --------
    >>> scale_places((5, 5, 9))[2].tolist()
    [0.25, -1.0]
    """
    half = np.maximum((np.array(shape) - 1) / 2, 0.5)
    slope = np.array(factors) / half
    return np.stack([slope, ((np.array(factors) - 1) / 2) / half - 1], axis=1)


def displace_all(eddy: Matrix, places: NDArray[Any]) -> Matrix:
    """Return the displacement, shape (m,), at places (3, m) from -1 to 1.

    Examples
    --------
    >>> displace_all(np.array([1.0, 0, 2]), np.array([[0.5], [0], [1]])).tolist()
    [2.5]
    """
    x, y, z = places
    terms = (x, y, z, x * x, y * y, z * z, x * y, x * z, y * z)
    return np.asarray(sum(c * term for c, term in zip(eddy, terms, strict=False)))


@numba.njit(nogil=True, cache=True, inline='always')
def displace(eddy, x, y, z):  # type: ignore[no-untyped-def]
    """Return the displacement at a place from -1 to 1, in voxels."""
    total = eddy[0] * x + eddy[1] * y + eddy[2] * z
    if eddy.size > 3:
        total += eddy[3] * x * x + eddy[4] * y * y + eddy[5] * z * z
        total += eddy[6] * x * y + eddy[7] * x * z + eddy[8] * y * z
    return total


@numba.njit(nogil=True, cache=True)
def stretch(eddy, axis, x, y, z):  # type: ignore[no-untyped-def]
    """Return the derivative of the displacement along ``axis``, whose place goes from -1 to 1."""
    total = eddy[axis]
    if eddy.size > 3:
        if axis == 0:
            total += 2 * eddy[3] * x + eddy[6] * y + eddy[7] * z
        elif axis == 1:
            total += 2 * eddy[4] * y + eddy[6] * x + eddy[8] * z
        else:
            total += 2 * eddy[5] * z + eddy[7] * x + eddy[8] * y
    return total


@numba.njit(nogil=True, cache=True)
def place_term(index, x, y, z):  # type: ignore[no-untyped-def]
    """Return a term at a place from -1 to 1."""
    if index < 3:
        return x if index == 0 else (y if index == 1 else z)
    if index < 6:
        return x * x if index == 3 else (y * y if index == 4 else z * z)
    return x * y if index == 6 else (x * z if index == 7 else y * z)
