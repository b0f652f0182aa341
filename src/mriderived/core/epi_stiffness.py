"""Loops for the stiffness of displacements: the Laplacian, and lines solved with it.

See :mod:`mriderived.core.epi_distortion` for what they are for.
"""

from __future__ import annotations

import numba
import numpy as np


@numba.njit(nogil=True, cache=True)
def laplacian(faces, weights, i, j, k):  # type: ignore[no-untyped-def]
    """Return the weighted differences to the six neighbours; there is none beyond the edge."""
    nx, ny, nz = faces.shape
    here, total = faces[i, j, k], 0.0
    if i > 0:
        total += weights[0] * (here - faces[i - 1, j, k])
    if i + 1 < nx:
        total += weights[0] * (here - faces[i + 1, j, k])
    if j > 0:
        total += weights[1] * (here - faces[i, j - 1, k])
    if j + 1 < ny:
        total += weights[1] * (here - faces[i, j + 1, k])
    if k > 0:
        total += weights[2] * (here - faces[i, j, k - 1])
    if k + 1 < nz:
        total += weights[2] * (here - faces[i, j, k + 1])
    return total


@numba.njit(nogil=True, cache=True)
def bend(start, stop, faces, weights, target):  # type: ignore[no-untyped-def]
    """Write the Laplacian of a field."""
    _, ny, nz = faces.shape
    for i in range(start, stop):
        for j in range(ny):
            for k in range(nz):
                target[i, j, k] = laplacian(faces, weights, i, j, k)


@numba.njit(nogil=True, cache=True)
def multiply(start, stop, diagonal, beside, weights, vector, bent, target):  # type: ignore[no-untyped-def]
    """Write the normal equations times a vector whose Laplacian is ``bent``."""
    _, ny, nz = vector.shape
    for i in range(start, stop):
        for j in range(ny):
            for k in range(nz):
                total = laplacian(bent, weights, i, j, k)
                total += diagonal[i, j, k] * vector[i, j, k]
                if k > 0:
                    total += beside[i, j, k - 1] * vector[i, j, k - 1]
                if k + 1 < nz:
                    total += beside[i, j, k] * vector[i, j, k + 1]
                target[i, j, k] = total


@numba.njit(nogil=True, cache=True)
def solve_lines(start, stop, diagonal, beside, weights, right, target):  # type: ignore[no-untyped-def]
    """Solve each line as if its neighbours stood still (a band of five, by elimination)."""
    nx, ny, nz = right.shape
    w = weights[2]
    first, second = np.zeros(nz), np.zeros(nz)  # the two upper bands, divided by the pivot
    pivots = np.empty(nz)
    for i in range(start, stop):
        across_x = (i > 0) + (i + 1 < nx)
        for j in range(ny):
            across_y = (j > 0) + (j + 1 < ny)
            degree = weights[0] * across_x + weights[1] * across_y
            squares = weights[0] ** 2 * across_x + weights[1] ** 2 * across_y
            for k in range(nz):
                ends = (k > 0) + (k + 1 < nz)
                here = degree + w * ends
                following = degree + w * (1 + (k + 2 < nz))
                pivot = diagonal[i, j, k] + here * here + squares + w * w * ends + 1e-6
                band = beside[i, j, k] - w * (here + following)
                value = right[i, j, k]
                if k > 0:
                    pivot -= first[k - 1] ** 2 * pivots[k - 1]
                    band -= first[k - 1] * second[k - 1] * pivots[k - 1]
                    value -= first[k - 1] * target[i, j, k - 1] * pivots[k - 1]
                if k > 1:
                    pivot -= second[k - 2] ** 2 * pivots[k - 2]
                    value -= second[k - 2] * target[i, j, k - 2] * pivots[k - 2]
                pivots[k] = pivot
                first[k], second[k] = band / pivot, w * w / pivot
                target[i, j, k] = value / pivot
            for k in range(nz - 2, -1, -1):
                target[i, j, k] -= first[k] * target[i, j, k + 1]
                if k + 2 < nz:
                    target[i, j, k] -= second[k] * target[i, j, k + 2]
