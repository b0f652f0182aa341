"""Spline interpolation of volumes: quadratic for tissue maps, cubic for series."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mriderived.core.slabs import run_slabs

Volume = NDArray[np.float32]


def resample_spline(volume: Volume, matrix: NDArray[Any], shape: tuple[int, ...]) -> Volume:
    """Sample ``volume`` on a grid through quadratic B-splines; 0 outside.

    Parameters
    ----------
    volume : array of float32, shape (x, y, z)
        Where it is exactly 0 it is background: the spline does not ring into it.
    matrix : array, shape (4, 4)
        From voxels of the new grid to voxels of ``volume``.
    shape : three ints
        The new grid.

    Returns
    -------
    array of float32 of ``shape``

    Notes
    -----
    Unser et al. 1993 (doi:10.1109/78.193220).

    Examples
    --------
    >>> ramp = np.ones((1, 1, 8), np.float32) * np.arange(1, 9, dtype=np.float32)
    >>> volume = np.repeat(np.repeat(ramp, 8, axis=0), 8, axis=1)
    >>> shift = np.eye(4); shift[:3, 3] = 3, 3, 3.5
    >>> round(float(resample_spline(volume, shift, (1, 1, 1))[0, 0, 0]), 2)
    4.5
    """
    coefficients = ndimage.spline_filter(volume, order=2, output=np.float32, mode='mirror')
    coefficients[volume == 0] = 0
    sampled = ndimage.affine_transform(
        coefficients,
        matrix[:3, :3],
        offset=matrix[:3, 3],
        output_shape=shape,
        output=np.float32,
        order=2,
        mode='grid-constant',
        prefilter=False,
    )
    return np.asarray(sampled, np.float32)


def cubic_coefficients(volume: Volume) -> Volume:
    """Return the coefficients of the cubic B-splines that pass through every voxel.

    Parameters
    ----------
    volume : array of float32, shape (x, y, z)
        Finite; mirrored at the centres of its outermost voxels.

    Returns
    -------
    array of float32, shape (x, y, z)

    Notes
    -----
    Unser et al. 1993 (doi:10.1109/78.193220).

    Examples
    --------
    >>> bool(np.allclose(cubic_coefficients(np.full((4, 5, 6), 7, np.float32)), 7))
    True
    """
    found = ndimage.spline_filter(volume, order=3, output=np.float32, mode='mirror')
    return np.ascontiguousarray(found)


def resample_cubic(
    volume: Volume, matrix: NDArray[Any], shape: tuple[int, ...], threads: int = 1
) -> Volume:
    """Sample ``volume`` on a grid through cubic B-splines; 0 outside.

    Parameters
    ----------
    volume : array of float32, shape (x, y, z)
        Finite. It ends half a voxel beyond the centres of its outermost voxels.
    matrix : array, shape (4, 4)
        From voxels of the new grid to voxels of ``volume``.
    shape : three ints
        The new grid.
    threads : int

    Returns
    -------
    array of float32 of ``shape``

    Examples
    --------
    >>> wave = np.cos(np.pi * np.arange(40) / 13).astype(np.float32)
    >>> volume = np.repeat(np.repeat(wave[None, None], 8, axis=0), 8, axis=1)
    >>> shift = np.eye(4); shift[:3, 3] = 3, 3, 19.5
    >>> error = resample_cubic(volume, shift, (1, 1, 1)).item() - np.cos(np.pi * 1.5)
    >>> bool(abs(error) < 2e-4)
    True
    """
    target = np.empty(shape, np.float32)
    where = np.asarray(matrix, np.float64)
    run_slabs(_sample, shape[0], threads, cubic_coefficients(volume), where, target)
    return target


def find_covered(
    size: tuple[int, ...], matrix: NDArray[Any], shape: tuple[int, ...], threads: int = 1
) -> NDArray[np.bool_]:
    """Return which voxels of a new grid a volume covers, as ``resample_cubic`` defines it.

    Parameters
    ----------
    size : three ints
        Of the volume.
    matrix : array, shape (4, 4)
        From voxels of the new grid to voxels of the volume.
    shape : three ints
        The new grid.
    threads : int

    Returns
    -------
    array of bool of ``shape``

    Examples
    --------
    >>> shift = np.eye(4); shift[2, 3] = 0.6
    >>> find_covered((1, 1, 3), shift, (1, 1, 3)).ravel().tolist()
    [True, True, False]
    """
    target = np.empty(shape, np.bool_)
    where = np.asarray(matrix, np.float64)
    run_slabs(_mark_covered, shape[0], threads, np.array(size), where, target)
    return target


@numba.njit(nogil=True, cache=True, inline='always')
def is_covered(size, u, v, w):  # type: ignore[no-untyped-def]
    """Tell whether a point lies in a voxel of a volume, at most half a voxel off its centre."""
    return -0.5 <= u <= size[0] - 0.5 and -0.5 <= v <= size[1] - 0.5 and -0.5 <= w <= size[2] - 0.5


@numba.njit(nogil=True, cache=True, inline='always')
def _weights(fraction):  # type: ignore[no-untyped-def]
    p = np.float32(fraction)
    q = np.float32(1) - p
    sixth = np.float32(1 / 6)
    two, three = np.float32(2 / 3), np.float32(0.5)
    return (
        sixth * q * q * q,
        two - three * p * p * (np.float32(2) - p),
        two - three * q * q * (np.float32(2) - q),
        sixth * p * p * p,
    )


@numba.njit(nogil=True, cache=True)
def _mirror(index, size):  # type: ignore[no-untyped-def]
    index = abs(index)
    index = 2 * (size - 1) - index if index > size - 1 else index
    return min(max(index, 0), size - 1)


@numba.njit(nogil=True, cache=True)
def _near_edge(s, a, b, c, x, y, z):  # type: ignore[no-untyped-def]
    total = np.float32(0)
    for i in range(4):
        ii = _mirror(a + i, s.shape[0])
        for j in range(4):
            jj = _mirror(b + j, s.shape[1])
            row = np.float32(0)
            for k in range(4):
                row += z[k] * s[ii, jj, _mirror(c + k, s.shape[2])]
            total += x[i] * y[j] * row
    return total


@numba.njit(nogil=True, cache=True)
def cubic(s, u, v, w):  # type: ignore[no-untyped-def]
    """Evaluate cubic B-splines with coefficients ``s`` at a point that ``is_covered``.

    With the voxels themselves as coefficients, this is the volume smoothed by a spline.
    """
    fu, fv, fw = np.floor(u), np.floor(v), np.floor(w)
    x, y, z = _weights(u - fu), _weights(v - fv), _weights(w - fw)
    a, b, c = int(fu) - 1, int(fv) - 1, int(fw) - 1
    nx, ny, nz = s.shape
    if not (0 <= a < nx - 3 and 0 <= b < ny - 3 and 0 <= c < nz - 3):
        return _near_edge(s, a, b, c, x, y, z)
    total = np.float32(0)
    for i in range(4):
        plane = np.float32(0)
        for j in range(4):
            row = s[a + i, b + j, c : c + 4]
            plane += y[j] * (z[0] * row[0] + z[1] * row[1] + z[2] * row[2] + z[3] * row[3])
        total += x[i] * plane
    return total


@numba.njit(nogil=True, cache=True)
def _sample(start, stop, coefficients, m, target):  # type: ignore[no-untyped-def]
    for i in range(start, stop):
        for j in range(target.shape[1]):
            for k in range(target.shape[2]):
                u = m[0, 0] * i + m[0, 1] * j + m[0, 2] * k + m[0, 3]
                v = m[1, 0] * i + m[1, 1] * j + m[1, 2] * k + m[1, 3]
                w = m[2, 0] * i + m[2, 1] * j + m[2, 2] * k + m[2, 3]
                inside = is_covered(coefficients.shape, u, v, w)
                target[i, j, k] = cubic(coefficients, u, v, w) if inside else 0.0


@numba.njit(nogil=True, cache=True)
def _mark_covered(start, stop, size, m, target):  # type: ignore[no-untyped-def]
    for i in range(start, stop):
        for j in range(target.shape[1]):
            for k in range(target.shape[2]):
                u = m[0, 0] * i + m[0, 1] * j + m[0, 2] * k + m[0, 3]
                v = m[1, 0] * i + m[1, 1] * j + m[1, 2] * k + m[1, 3]
                w = m[2, 0] * i + m[2, 1] * j + m[2, 2] * k + m[2, 3]
                target[i, j, k] = is_covered(size, u, v, w)
