"""The way from any grid back to the reference of a series, composed once for all its volumes."""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from mriderived.core.sampling import clamp, interpolate
from mriderived.core.slabs import run_slabs

Volume = NDArray[np.float32]
Matrix = NDArray[np.float64]


class Deformation(NamedTuple):
    """Displacements of shape (3, x, y, z) in voxels of their grid, and its matrix to mm.

    Beyond the edge of the grid the edge repeats.
    """

    field: NDArray[np.float32]
    affine: Matrix


class Distortion(NamedTuple):
    """Where field inhomogeneity has put what belongs to a voxel of the reference.

    ``shift``, of shape (x, y, z), is in voxels along ``axis``, positive towards higher indices: a
    voxel u of the undistorted reference is seen at ``u + shift(u)``.
    """

    shift: Volume
    axis: int


class Route(NamedTuple):
    """Where the voxels of a grid lie in the reference of a series."""

    #: Shape (3, x, y, z): undistorted, in voxels of the series.
    points: NDArray[np.float32]
    #: Shape (x, y, z), or (0, 0, 0) without distortion: in voxels along ``axis``.
    shift: Volume
    axis: int
    #: Shape (x, y, z), or (0, 0, 0) without modulation: by which intensity is multiplied.
    gain: Volume
    #: From voxels to mm of the series, and its shape.
    affine: Matrix
    size: tuple[int, ...]


def plan_route(
    shape: tuple[int, ...],
    affine: Matrix,
    size: tuple[int, ...],
    series_affine: Matrix,
    to_series: Matrix | None = None,
    deformation: Deformation | None = None,
    distortion: Distortion | None = None,
    modulate: bool = False,
    threads: int = 1,
) -> Route:
    """Compose all that is common to the volumes of a series.

    Parameters
    ----------
    shape : three ints
        The output grid.
    affine : array, shape (4, 4)
        From voxels of the output grid to mm.
    size : three ints
        The grid of the series.
    series_affine : array, shape (4, 4)
        From voxels of the series to mm.
    to_series : array, shape (4, 4), optional
        From mm of the output (after ``deformation``) to mm of the reference of the series; for a
        participant's T1w, the rigid matrix from T1w to BOLD.
    deformation : Deformation, optional
        Applied first, in the space of the output; for a template, ``to_series`` is then the
        product of the matrices from T1w to BOLD and from the template to the T1w.
    distortion : Distortion, optional
        On the grid of the series.
    modulate : bool
        Multiply by how much distortion has squeezed or stretched the signal.
    threads : int

    Returns
    -------
    Route

    Raises
    ------
    ValueError
        If the distortion is on another grid or its axis is not 0, 1 or 2, or if ``modulate`` is
        asked for without distortion.

    Examples
    --------
    >>> route = plan_route((2, 2, 2), np.diag([2.0, 2, 2, 1]), (4, 4, 4), np.eye(4))
    >>> route.points[:, 1, 1, 1].tolist()
    [2.0, 2.0, 2.0]
    """
    back = np.linalg.inv(series_affine) @ (np.eye(4) if to_series is None else to_series)
    points = np.empty((3, *shape), np.float32)
    if deformation is None:
        still = np.zeros((3, 1, 1, 1), np.float32)
        inwards, outwards = np.asarray(affine, float), back
    else:
        still = deformation.field
        inwards = np.linalg.inv(deformation.affine) @ affine
        outwards = back @ deformation.affine
    run_slabs(_place, shape[0], threads, still, inwards, outwards, points)
    shift = gain = np.zeros((0, 0, 0), np.float32)
    axis = 0
    if distortion is not None:
        _check(distortion, size)
        axis = distortion.axis
        shift = sample_at(distortion.shift, points, threads)
        if modulate:
            slope = np.gradient(distortion.shift, axis=axis).astype(np.float32)
            gain = np.maximum(1 + sample_at(slope, points, threads), np.float32(0))
    elif modulate:
        raise ValueError('intensity can only be modulated where there is a distortion')
    return Route(points, shift, axis, gain, np.asarray(series_affine, float), tuple(size))


def _check(distortion: Distortion, size: tuple[int, ...]) -> None:
    if distortion.shift.shape != tuple(size):
        raise ValueError(
            f'the distortion has shape {distortion.shift.shape}, but the series {tuple(size)}'
        )
    if distortion.axis not in (0, 1, 2):
        raise ValueError(f'the phase-encode axis is {distortion.axis}; it must be 0, 1 or 2')


def sample_at(volume: Volume, points: NDArray[np.float32], threads: int = 1) -> Volume:
    """Interpolate a smooth map linearly at points of a route; beyond its edge the edge repeats.

    Parameters
    ----------
    volume : array of float32, shape (i, j, k)
    points : array of float32, shape (3, x, y, z)
        In voxels of the map.
    threads : int

    Returns
    -------
    array of float32, shape (x, y, z)

    Examples
    --------
    >>> ramp = np.arange(4, dtype=np.float32).reshape(4, 1, 1)
    >>> points = np.zeros((3, 2, 1, 1), np.float32); points[0, :, 0, 0] = 1.5, 9
    >>> sample_at(ramp, points).ravel().tolist()
    [1.5, 3.0]
    """
    target = np.empty(points.shape[1:], np.float32)
    source = np.ascontiguousarray(volume, np.float32)
    run_slabs(_interpolate, len(target), threads, source, points, target)
    return target


@numba.njit(nogil=True, cache=True)
def _place(start, stop, field, inwards, outwards, points):  # type: ignore[no-untyped-def]
    place = np.ones(4)
    moved = np.ones(4)
    for i in range(start, stop):
        for j in range(points.shape[2]):
            for k in range(points.shape[3]):
                place[0], place[1], place[2] = i, j, k
                for a in range(3):
                    total = 0.0
                    for b in range(4):
                        total += inwards[a, b] * place[b]
                    moved[a] = total
                u, v, w = clamp(field[0], moved[0], moved[1], moved[2])
                for a in range(3):
                    moved[a] += interpolate(field[a], u, v, w)
                for a in range(3):
                    total = 0.0
                    for b in range(4):
                        total += outwards[a, b] * moved[b]
                    points[a, i, j, k] = total


@numba.njit(nogil=True, cache=True)
def _interpolate(start, stop, volume, points, target):  # type: ignore[no-untyped-def]
    for i in range(start, stop):
        for j in range(target.shape[1]):
            for k in range(target.shape[2]):
                x, y, z = points[0, i, j, k], points[1, i, j, k], points[2, i, j, k]
                u, v, w = clamp(volume, x, y, z)
                target[i, j, k] = interpolate(volume, u, v, w)
