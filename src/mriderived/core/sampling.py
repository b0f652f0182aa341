"""Linear interpolation of volumes: onto other grids and through displacement fields.

Displacements are float32 of shape (3, x, y, z), in voxels of their own grid.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from mriderived.core.slabs import run_slabs

Volume = NDArray[np.float32]
Field = NDArray[np.float32]
Matrix = NDArray[np.float64]


def resample(volume: Volume, matrix: Matrix, shape: tuple[int, ...], threads: int = 1) -> Volume:
    """Sample ``volume`` on a grid; 0 outside.

    Parameters
    ----------
    volume : array of float32, shape (x, y, z)
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
    >>> ramp = np.arange(8, dtype=np.float32).reshape(2, 2, 2)
    >>> half = np.eye(4); half[2, 3] = 0.5
    >>> resample(ramp, half, (1, 1, 1)).item()
    0.5
    """
    target = np.empty(shape, np.float32)
    run_slabs(_sample, shape[0], threads, volume, np.asarray(matrix, np.float64), target)
    return target


def warp(volume: Volume, field: Field, matrix: Matrix | None = None, threads: int = 1) -> Volume:
    """Sample ``volume`` at ``matrix @ (x + field(x))``; 0 outside.

    Parameters
    ----------
    volume : array of float32, shape (a, b, c)
    field : array of float32, shape (3, x, y, z)
        In voxels of the field's grid.
    matrix : array, shape (4, 4), optional
        From voxels of the field's grid to voxels of ``volume``.
    threads : int

    Returns
    -------
    array of float32, shape (x, y, z)

    Examples
    --------
    >>> ramp = np.arange(8, dtype=np.float32).reshape(2, 2, 2)
    >>> bool((warp(ramp, np.zeros((3, 2, 2, 2), np.float32)) == ramp).all())
    True
    """
    target = np.empty(field.shape[1:], np.float32)
    where = np.eye(4) if matrix is None else np.asarray(matrix, np.float64)
    run_slabs(_warp, len(target), threads, volume, field, where, target)
    return target


def pull(
    volume: Volume,
    field: Field,
    matrix: Matrix,
    shape: tuple[int, ...],
    threads: int = 1,
) -> Volume:
    """Sample ``volume`` at ``p + field(p)`` with ``p = matrix @ x``; 0 outside.

    Parameters
    ----------
    volume : array of float32, shape (a, b, c)
    field : array of float32, shape (3, a, b, c)
        In voxels; beyond its edge the edge repeats.
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
    >>> ramp = np.arange(8, dtype=np.float32).reshape(2, 2, 2)
    >>> pull(ramp, np.zeros((3, 2, 2, 2), np.float32), np.eye(4), (1, 1, 2)).ravel().tolist()
    [0.0, 1.0]
    """
    target = np.empty(shape, np.float32)
    where = np.asarray(matrix, np.float64)
    run_slabs(_pull, shape[0], threads, volume, field, where, target)
    return target


def compose(first: Field, second: Field, threads: int = 1) -> Field:
    """Return the field of ``x -> second(first(x))``, both on one grid; edges repeat.

    Examples
    --------
    >>> one = np.ones((3, 4, 4, 4), np.float32)
    >>> float(compose(one, one).max())
    2.0
    """
    target = np.empty_like(first)
    run_slabs(_compose, first.shape[1], threads, first, second, target)
    return target


def invert(field: Field, iterations: int = 30, threads: int = 1) -> Field:
    """Return the field of the inverse mapping, by fixed-point iteration.

    Converges for displacements whose derivatives stay below 1 in size (Chen et al. 2008,
    doi:10.1118/1.2816107), as those of each half of a symmetric registration do.

    Examples
    --------
    >>> shift = np.full((3, 4, 4, 4), 0.25, np.float32)
    >>> bool(np.allclose(invert(shift), -0.25))
    True
    """
    inverse = -field
    for _ in range(iterations):
        target = np.empty_like(inverse)
        run_slabs(_compose, field.shape[1], threads, inverse, field, target)
        # target is the error of the estimate: inverse(x) + field(x + inverse(x))
        inverse = inverse - target
    return inverse


def jacobian(field: Field, threads: int = 1) -> Volume:
    """Return the determinant of the Jacobian of ``x -> x + field(x)``, by central differences.

    Examples
    --------
    >>> grow = np.zeros((3, 5, 5, 5), np.float32)
    >>> grow[0] = 0.1 * np.arange(5)[:, None, None]
    >>> bool(np.allclose(jacobian(grow), 1.1))
    True
    """
    target = np.empty(field.shape[1:], np.float32)
    run_slabs(_jacobian, len(target), threads, field, target)
    return target


@numba.njit(nogil=True, cache=True)
def interpolate(s, u, v, w):  # type: ignore[no-untyped-def]
    """Interpolate within the volume; the caller sees to it that the point lies inside."""
    a, b, c = int(u), int(v), int(w)
    d, e = min(a + 1, s.shape[0] - 1), min(b + 1, s.shape[1] - 1)
    f = min(c + 1, s.shape[2] - 1)
    p, q, r = u - a, v - b, w - c
    low = (1 - q) * ((1 - r) * s[a, b, c] + r * s[a, b, f]) + q * (
        (1 - r) * s[a, e, c] + r * s[a, e, f]
    )
    high = (1 - q) * ((1 - r) * s[d, b, c] + r * s[d, b, f]) + q * (
        (1 - r) * s[d, e, c] + r * s[d, e, f]
    )
    return (1 - p) * low + p * high


@numba.njit(nogil=True, cache=True)
def _is_inside(s, u, v, w):  # type: ignore[no-untyped-def]
    return 0 <= u <= s.shape[0] - 1 and 0 <= v <= s.shape[1] - 1 and 0 <= w <= s.shape[2] - 1


@numba.njit(nogil=True, cache=True)
def _transform(m, x, y, z):  # type: ignore[no-untyped-def]
    return (
        m[0, 0] * x + m[0, 1] * y + m[0, 2] * z + m[0, 3],
        m[1, 0] * x + m[1, 1] * y + m[1, 2] * z + m[1, 3],
        m[2, 0] * x + m[2, 1] * y + m[2, 2] * z + m[2, 3],
    )


@numba.njit(nogil=True, cache=True)
def clamp(s, u, v, w):  # type: ignore[no-untyped-def]
    """Move a point to the nearest one within the volume."""
    return (
        min(max(u, 0.0), s.shape[0] - 1.0),
        min(max(v, 0.0), s.shape[1] - 1.0),
        min(max(w, 0.0), s.shape[2] - 1.0),
    )


@numba.njit(nogil=True, cache=True)
def _sample(start, stop, volume, m, target):  # type: ignore[no-untyped-def]
    for i in range(start, stop):
        for j in range(target.shape[1]):
            for k in range(target.shape[2]):
                u, v, w = _transform(m, float(i), float(j), float(k))
                inside = _is_inside(volume, u, v, w)
                target[i, j, k] = interpolate(volume, u, v, w) if inside else 0.0


@numba.njit(nogil=True, cache=True)
def _warp(start, stop, volume, field, m, target):  # type: ignore[no-untyped-def]
    for i in range(start, stop):
        for j in range(target.shape[1]):
            for k in range(target.shape[2]):
                u, v, w = _transform(
                    m, i + field[0, i, j, k], j + field[1, i, j, k], k + field[2, i, j, k]
                )
                inside = _is_inside(volume, u, v, w)
                target[i, j, k] = interpolate(volume, u, v, w) if inside else 0.0


@numba.njit(nogil=True, cache=True)
def _pull(start, stop, volume, field, m, target):  # type: ignore[no-untyped-def]
    for i in range(start, stop):
        for j in range(target.shape[1]):
            for k in range(target.shape[2]):
                x, y, z = _transform(m, float(i), float(j), float(k))
                u, v, w = clamp(volume, x, y, z)
                x += interpolate(field[0], u, v, w)
                y += interpolate(field[1], u, v, w)
                z += interpolate(field[2], u, v, w)
                inside = _is_inside(volume, x, y, z)
                target[i, j, k] = interpolate(volume, x, y, z) if inside else 0.0


@numba.njit(nogil=True, cache=True)
def _compose(start, stop, first, second, target):  # type: ignore[no-untyped-def]
    for i in range(start, stop):
        for j in range(first.shape[2]):
            for k in range(first.shape[3]):
                u, v, w = clamp(
                    first[0],
                    i + first[0, i, j, k],
                    j + first[1, i, j, k],
                    k + first[2, i, j, k],
                )
                for axis in range(3):
                    moved = interpolate(second[axis], u, v, w)
                    target[axis, i, j, k] = first[axis, i, j, k] + moved


@numba.njit(nogil=True, cache=True)
def _jacobian(start, stop, field, target):  # type: ignore[no-untyped-def]
    _, nx, ny, nz = field.shape
    d = np.empty((3, 3))
    for i in range(start, stop):
        i0, i1 = max(i - 1, 0), min(i + 1, nx - 1)
        for j in range(ny):
            j0, j1 = max(j - 1, 0), min(j + 1, ny - 1)
            for k in range(nz):
                k0, k1 = max(k - 1, 0), min(k + 1, nz - 1)
                for a in range(3):
                    d[a, 0] = (field[a, i1, j, k] - field[a, i0, j, k]) / max(i1 - i0, 1)
                    d[a, 1] = (field[a, i, j1, k] - field[a, i, j0, k]) / max(j1 - j0, 1)
                    d[a, 2] = (field[a, i, j, k1] - field[a, i, j, k0]) / max(k1 - k0, 1)
                    d[a, a] += 1
                target[i, j, k] = (
                    d[0, 0] * (d[1, 1] * d[2, 2] - d[1, 2] * d[2, 1])
                    - d[0, 1] * (d[1, 0] * d[2, 2] - d[1, 2] * d[2, 0])
                    + d[0, 2] * (d[1, 0] * d[2, 1] - d[1, 1] * d[2, 0])
                )
