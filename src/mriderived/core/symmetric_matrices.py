"""Eigenvalues and eigenvectors of many symmetric 3 × 3 matrices."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

#: Rounds of three rotations each; six suffice for the precision of a double, NaN never ends.
_ROUNDS = 12


def decompose(
    tensors: NDArray[np.floating[Any]],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Decompose symmetric 3 × 3 matrices by Jacobi rotations.

    Parameters
    ----------
    tensors : array of float, shape (N, 6)
        Elements in the order xx, xy, xz, yy, yz, zz.

    Returns
    -------
    values : array of float, shape (N, 3)
        Descending. NaN where an element is not finite.
    vectors : array of float, shape (N, 3, 3)
        ``vectors[:, :, k]`` is the unit vector of eigenvalue k, a right-handed set; the sign of
        each is arbitrary.

    Examples
    --------
    >>> values, vectors = decompose(np.array([[1.0, 0, 0, 3, 0, 2]]))
    >>> values.tolist(), np.abs(vectors[0, :, 0]).tolist()
    ([[3.0, 2.0, 1.0]], [0.0, 1.0, 0.0])
    """
    elements = np.ascontiguousarray(tensors, np.float64)
    values = np.empty((len(elements), 3))
    vectors = np.empty((len(elements), 3, 3))
    _decompose_all(elements, values, vectors)
    return values, vectors


@numba.njit(nogil=True, cache=True)
def _decompose_all(elements: Any, values: Any, vectors: Any) -> None:
    a = np.empty((3, 3))
    for n in range(len(elements)):
        e = elements[n]
        a[0, 0], a[0, 1], a[0, 2], a[1, 1], a[1, 2], a[2, 2] = e[0], e[1], e[2], e[3], e[4], e[5]
        _decompose_one(a, vectors[n])
        _sort(a, values[n], vectors[n])


@numba.njit(nogil=True, cache=True)
def _decompose_one(a: Any, v: Any) -> None:
    """Make the upper triangle of ``a`` diagonal; ``v`` becomes the rotation."""
    for i in range(3):
        for j in range(3):
            v[i, j] = 1.0 if i == j else 0.0
    for _ in range(_ROUNDS):
        aside = a[0, 1] ** 2 + a[0, 2] ** 2 + a[1, 2] ** 2
        if not aside > 1e-32 * (a[0, 0] ** 2 + a[1, 1] ** 2 + a[2, 2] ** 2):
            break
        for p, q, r in ((0, 1, 2), (0, 2, 1), (1, 2, 0)):
            if a[p, q] == 0:
                continue
            theta = (a[q, q] - a[p, p]) / (2 * a[p, q])
            t = 1 / (abs(theta) + np.sqrt(theta * theta + 1))
            t = t if theta >= 0 else -t
            c = 1 / np.sqrt(t * t + 1)
            s = t * c
            a[p, p] -= t * a[p, q]
            a[q, q] += t * a[p, q]
            a[p, q] = 0.0
            pr, qr = (min(p, r), max(p, r)), (min(q, r), max(q, r))
            one, two = a[pr], a[qr]
            a[pr] = c * one - s * two
            a[qr] = s * one + c * two
            for i in range(3):
                one, two = v[i, p], v[i, q]
                v[i, p] = c * one - s * two
                v[i, q] = s * one + c * two


@numba.njit(nogil=True, cache=True)
def _sort(a: Any, values: Any, v: Any) -> None:
    """Bring eigenvalues into descending order; exchanged vectors stay right-handed."""
    for i in range(3):
        values[i] = a[i, i]
    for p, q in ((0, 1), (1, 2), (0, 1)):
        if values[q] > values[p]:
            values[p], values[q] = values[q], values[p]
            for i in range(3):
                v[i, p], v[i, q] = v[i, q], -v[i, p]
    total = values[0] + values[1] + values[2]
    if not np.isfinite(total):
        values[:] = np.nan
        v[:] = np.nan
