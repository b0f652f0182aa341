"""The direction of the largest kurtosis of every voxel."""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from mriderived.core.kurtosis import apparent_kurtosis
from mriderived.core.slabs import run_slabs

#: Directions of the first search, 7.5° apart, and voxels that are searched at a time.
_DIRECTIONS, CHUNK = 362, 512
#: The best so many peaks of the search are refined; others are further than 25° from them.
_PEAKS, _APART = 3, np.cos(np.radians(25))
#: Newton steps: each squares the error, so that a peak is exact after four or five.
_STEPS = 12
_LARGEST_STEP, _SMALLEST_STEP = 0.15, 1e-9


class KurtosisMaximum(NamedTuple):
    """The largest kurtosis (N,) over all directions, and its direction (N, 3); NaN if none."""

    value: NDArray[np.float64]
    direction: NDArray[np.float64]


def half_sphere(count: int) -> NDArray[np.float64]:
    """Return unit vectors (count, 3) spread evenly over half a sphere, along a spiral.

    Examples
    --------
    >>> vectors = half_sphere(100)
    >>> bool(np.allclose(vectors.T @ vectors / 100, np.eye(3) / 3, atol=0.01))
    True
    """
    z = 1 - (np.arange(count) + 0.5) / count
    angle = np.pi * (1 + np.sqrt(5)) * np.arange(count)
    radius = np.sqrt(1 - z**2)
    return np.column_stack([radius * np.cos(angle), radius * np.sin(angle), z])


def find_maximum(
    tensor: NDArray[np.float64], kurtosis: NDArray[np.float64], threads: int = 1
) -> KurtosisMaximum:
    r"""Find the maximum of :math:`K(n) = \bar D^2 W(n) / D(n)^2` over all directions.

    All voxels are evaluated on a set of directions by two matrix products; the best three peaks
    of each are refined by Newton's method on the sphere, with its exact derivatives.

    Parameters
    ----------
    tensor : array of float, shape (N, 6)
    kurtosis : array of float, shape (N, 15)
        As of :func:`~mriderived.core.kurtosis.fit_kurtosis`.
    threads : int
        The result does not depend on it.

    Returns
    -------
    KurtosisMaximum
        NaN where a tensor is missing or D is not positive in all directions of the search.

    Examples
    --------
    >>> isotropic = np.array([[1, 1, 1, 0, 0, 0, 0, 0, 0, 1 / 3, 1 / 3, 1 / 3, 0, 0, 0]])
    >>> found = find_maximum(np.array([[2e-3, 0, 0, 1e-3, 0, 1.5e-3]]), isotropic)
    >>> round(float(found.value[0]), 6), np.abs(found.direction[0]).round(6).tolist()
    (2.25, [0.0, 1.0, 0.0])
    """
    directions = half_sphere(_DIRECTIONS)
    is_far = np.abs(directions @ directions.T) < _APART
    value, direction = np.empty(len(tensor)), np.empty((len(tensor), 3))

    def run(start: int, stop: int) -> None:
        for first in range(start * CHUNK, min(stop * CHUNK, len(tensor)), CHUNK):
            part = slice(first, first + CHUNK)
            d = np.ascontiguousarray(tensor[part], np.float64)
            w = np.ascontiguousarray(kurtosis[part], np.float64)
            searched = apparent_kurtosis(d, w, directions)
            # in its own mean, so that steps know no unit
            scaled = d / d[:, [0, 3, 5]].mean(axis=1, keepdims=True)
            _refine_all(scaled, w, searched, directions, is_far, value[part], direction[part])

    run_slabs(run, -(-len(tensor) // CHUNK), threads)
    return KurtosisMaximum(value, direction)


@numba.njit(nogil=True, cache=True)
def _refine_all(
    d: Any, w: Any, searched: Any, directions: Any, is_far: Any, value: Any, direction: Any
) -> None:
    n = np.empty(3)
    for voxel in range(len(d)):
        value[voxel] = np.nan
        direction[voxel] = np.nan
        if not np.isfinite(searched[voxel].sum()):
            continue
        row = searched[voxel]
        for _ in range(_PEAKS):
            best = np.argmax(row)
            if row[best] == -np.inf:
                break
            for other in range(len(row)):
                if not is_far[best, other]:
                    row[other] = -np.inf
            n[:] = directions[best]
            peak = _climb(d[voxel], w[voxel], n)
            if not peak <= value[voxel]:
                value[voxel] = peak
                direction[voxel] = n


@numba.njit(nogil=True, cache=True)
def _climb(d: Any, w: Any, n: Any) -> Any:
    """Move n to the next maximum; return the kurtosis there. D is relative to its mean."""
    m = np.empty((3, 3))
    u, v = np.empty(3), np.empty(3)
    here = _kurtosis_at(d, w, n)
    for _ in range(_STEPS):
        _tangents(n, u, v)
        one, two = _newton_step(d, w, n, u, v, m)
        length = np.sqrt(one * one + two * two)
        if not length > _SMALLEST_STEP:
            break
        factor = min(1.0, _LARGEST_STEP / length)
        there = here
        while factor * length > _SMALLEST_STEP:
            trial = n + factor * (one * u + two * v)
            trial /= np.sqrt((trial**2).sum())
            there = _kurtosis_at(d, w, trial)
            if there >= here:
                n[:] = trial
                break
            factor /= 4
        if not there > here:
            break
        here = there
    return here


@numba.njit(nogil=True, cache=True)
def _tangents(n: Any, u: Any, v: Any) -> None:
    """Write two unit vectors perpendicular to n and to each other."""
    axis = np.argmin(np.abs(n))
    u[:] = -n[axis] * n
    u[axis] += 1
    u /= np.sqrt((u**2).sum())
    v[0] = n[1] * u[2] - n[2] * u[1]
    v[1] = n[2] * u[0] - n[0] * u[2]
    v[2] = n[0] * u[1] - n[1] * u[0]


@numba.njit(nogil=True, cache=True)
def _contract(w: Any, n: Any, m: Any) -> None:
    """Write the matrix W n n."""
    x, y, z = n
    xx, yy, zz, xy, xz, yz = x * x, y * y, z * z, 2 * x * y, 2 * x * z, 2 * y * z
    m[0, 0] = w[0] * xx + w[9] * yy + w[10] * zz + w[3] * xy + w[4] * xz + w[12] * yz
    m[1, 1] = w[9] * xx + w[1] * yy + w[11] * zz + w[5] * xy + w[13] * xz + w[6] * yz
    m[2, 2] = w[10] * xx + w[11] * yy + w[2] * zz + w[14] * xy + w[7] * xz + w[8] * yz
    m[0, 1] = w[3] * xx + w[5] * yy + w[14] * zz + w[9] * xy + w[12] * xz + w[13] * yz
    m[0, 2] = w[4] * xx + w[13] * yy + w[7] * zz + w[12] * xy + w[10] * xz + w[14] * yz
    m[1, 2] = w[12] * xx + w[6] * yy + w[8] * zz + w[13] * xy + w[14] * xz + w[11] * yz
    m[1, 0], m[2, 0], m[2, 1] = m[0, 1], m[0, 2], m[1, 2]


@numba.njit(nogil=True, cache=True)
def _diffusion(d: Any, n: Any) -> Any:
    """Return the vector D n."""
    return np.array([
        d[0] * n[0] + d[1] * n[1] + d[2] * n[2],
        d[1] * n[0] + d[3] * n[1] + d[4] * n[2],
        d[2] * n[0] + d[4] * n[1] + d[5] * n[2],
    ])  # fmt: skip


@numba.njit(nogil=True, cache=True)
def _product(a: Any, b: Any) -> Any:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@numba.njit(nogil=True, cache=True)
def _kurtosis_at(d: Any, w: Any, n: Any) -> Any:
    m = np.empty((3, 3))
    _contract(w, n, m)
    along = _product(_diffusion(d, n), n)
    total = 0.0
    for i in range(3):
        total += n[i] * _product(m[i], n)
    return total / along**2 if along > 0 else -np.inf


@numba.njit(nogil=True, cache=True)
def _newton_step(d: Any, w: Any, n: Any, u: Any, v: Any, m: Any) -> Any:
    """Return the step along u and v, from the derivatives of W(n) / D(n)²."""
    _contract(w, n, m)
    dn = _diffusion(d, n)
    mn = np.array([_product(m[0], n), _product(m[1], n), _product(m[2], n)])
    along, q = _product(dn, n), _product(mn, n)
    wu, wv = 4 * _product(mn, u), 4 * _product(mn, v)
    du, dv = 2 * _product(dn, u), 2 * _product(dn, v)
    gu, gv = wu - 2 * q / along * du, wv - 2 * q / along * dv
    huu = _second(m, d, u, u, wu, wu, du, du, q, along)
    hvv = _second(m, d, v, v, wv, wv, dv, dv, q, along)
    huv = _second(m, d, u, v, wu, wv, du, dv, q, along)
    determinant = huu * hvv - huv * huv
    if huu < 0 and determinant > 0:
        return (huv * gv - hvv * gu) / determinant, (huv * gu - huu * gv) / determinant
    # not near a maximum: uphill, by as much as the curvature allows
    size = abs(huu) + abs(hvv) + abs(huv) + 1e-30
    return gu / size, gv / size


@numba.njit(nogil=True, cache=True)
def _second(
    m: Any, d: Any, s: Any, t: Any, ws: Any, wt: Any, ds: Any, dt: Any, q: Any, along: Any
) -> Any:
    """Return the second derivative of W / D² along s and t, times D²."""
    mt = np.array([_product(m[0], t), _product(m[1], t), _product(m[2], t)])
    total = 12 * _product(mt, s) - 2 * (ws * dt + wt * ds) / along
    return total - 4 * q / along * _product(_diffusion(d, t), s) + 6 * q / along**2 * ds * dt
