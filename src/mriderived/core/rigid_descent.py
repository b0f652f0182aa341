"""The steps of the registration of one volume to one level of its reference, compiled.

A level is one call: threads that asked for the interpreter after every step would wait for one
another.
"""

from __future__ import annotations

import numba
import numpy as np

from mriderived.core.rigid import turn
from mriderived.core.splines import cubic

#: A level ends after so many steps at the latest.
MOST_STEPS = 30
#: Scales turns to mm, so that all unknowns are of one order.
RADIUS = 50.0
#: Residuals of this many standard deviations count half (Holland and Welsch 1977,
#: doi:10.1080/03610927708827533: Cauchy weights).
CAUCHY = 2.385
#: Least brightness of a volume, as a share of that of the reference, in the length of a step.
LEAST_SCALE = 0.1
#: Unknowns, or combinations of them, about which the image says less than this share of the most
#: stay as they are, such as motion out of the plane of a single slice.
LEAST_SAID = 1e-5
#: Points of which the spread of the residuals is taken.
SOME = 4000
#: Points per sum in single precision.
BLOCK = 512


@numba.njit(nogil=True, cache=True)
def descend(  # type: ignore[no-untyped-def]
    volume, points, design, base, affine, back, centre, margin, least, matrix
):
    """Return the matrix that aligns a volume with one level of a reference, its fit, and steps.

    ``points``, ``design`` and ``base`` are those of the level, with ``affine`` and its inverse
    ``back``; the volume is not looked at within ``margin`` voxels of its end; a step shorter than
    ``least`` mm is the last.
    """
    seen = np.empty(points.shape[1], np.float32)
    weights = np.empty_like(seen)
    solution = np.zeros(len(design))
    fit = 0.0
    for taken in range(1, MOST_STEPS + 1):
        to_voxel = multiply(back, multiply(matrix, affine))
        _look(volume, points, base, to_voxel, margin, seen, weights)
        if taken > 1:
            half = CAUCHY * find_spread(design, seen, weights, solution)
            doubt(design, seen, solution, half, weights)
        normal = sum_products(design, seen, weights)
        fit = correlate(normal)
        solution = solve(normal)
        step = solution[:6] / max(solution[6], LEAST_SCALE)
        matrix = multiply(matrix, invert_step(step, centre))
        if np.sqrt((step**2).sum()) < least:
            return matrix, fit, taken
    return matrix, fit, MOST_STEPS


@numba.njit(nogil=True, cache=True)
def invert_step(step, centre):  # type: ignore[no-untyped-def]
    """Return the inverse of the motion by a step of the unknowns."""
    turned = turn(step[3] / RADIUS, step[4] / RADIUS, step[5] / RADIUS)
    inverse = np.zeros((4, 4))
    inverse[3, 3] = 1.0
    for a in range(3):
        inverse[a, 3] = centre[a]
        for b in range(3):
            inverse[a, b] = turned[b, a]
            inverse[a, 3] -= turned[b, a] * (centre[b] + step[b])
    return inverse


@numba.njit(nogil=True, cache=True)
def multiply(left, right):  # type: ignore[no-untyped-def]
    """Return the product of two matrices of shape (4, 4)."""
    product = np.zeros((4, 4))
    for a in range(4):
        for b in range(4):
            for c in range(4):
                product[a, b] += left[a, c] * right[c, b]
    return product


@numba.njit(nogil=True, cache=True)
def find_spread(design, seen, weights, solution):  # type: ignore[no-untyped-def]
    """Return the standard deviation of the residuals by their median, from some of them."""
    scale, offset = solution[-2], solution[-1]
    every = max(seen.size // SOME, 1)
    residuals = np.empty(seen.size // every + 1)
    count, top = 0, 0.0
    for p in range(0, seen.size, every):
        if weights[p] > 0:
            expected = scale * design[-2, p] + offset
            residuals[count] = abs(seen[p] - expected)
            top = max(top, abs(expected))
            count += 1
    middle = np.median(residuals[:count]) if count else 0.0
    return max(1.4826 * middle, 1e-6 * top, 1e-30)


@numba.njit(nogil=True, cache=True)
def solve(normal):  # type: ignore[no-untyped-def]
    """Solve the normal equations; what the image says nothing about stays 0.

    The last two unknowns are a factor of brightness and an offset, the others are of one order.
    """
    size = len(normal) - 1
    moves = size - 2
    solution, scale, scaled = np.zeros(size), np.zeros(size), np.empty((size, size))
    # one scale for all shifts and turns, so that leaving one out favours no direction
    common = 0.0
    for a in range(moves):
        common += normal[a, a] / moves
    for a in range(size):
        scale[a] = np.sqrt(common if a < moves else normal[a, a])
        if not scale[a] > 0:
            return solution
    for a in range(size):
        for b in range(size):
            scaled[a, b] = normal[a, b] / (scale[a] * scale[b])
    values, vectors = np.linalg.eigh(scaled)
    for k in range(size):
        if values[k] > LEAST_SAID * values[size - 1]:
            along = 0.0
            for a in range(size):
                along += vectors[a, k] * normal[a, size] / scale[a]
            for a in range(size):
                solution[a] += along / values[k] * vectors[a, k] / scale[a]
    return solution


@numba.njit(nogil=True, cache=True)
def correlate(normal):  # type: ignore[no-untyped-def]
    """Return the weighted correlation of a volume with its reference."""
    size = len(normal) - 1
    value, one = size - 2, size - 1
    total, first, second = normal[one, one], normal[value, one], normal[one, size]
    if total <= 0:
        return 0.0
    shared = normal[value, size] - first * second / total
    spread = (normal[value, value] - first**2 / total) * (normal[size, size] - second**2 / total)
    return shared / np.sqrt(spread) if spread > 0 else 0.0


@numba.njit(nogil=True, cache=True)
def _look(volume, points, base, m, margin, seen, weights):  # type: ignore[no-untyped-def]
    nx, ny, nz = volume.shape
    a, b, c = margin
    for p in range(points.shape[1]):
        x, y, z = points[0, p], points[1, p], points[2, p]
        u = m[0, 0] * x + m[0, 1] * y + m[0, 2] * z + m[0, 3]
        v = m[1, 0] * x + m[1, 1] * y + m[1, 2] * z + m[1, 3]
        w = m[2, 0] * x + m[2, 1] * y + m[2, 2] * z + m[2, 3]
        if a <= u <= nx - 1 - a and b <= v <= ny - 1 - b and c <= w <= nz - 1 - c:
            seen[p] = cubic(volume, u, v, w)
            weights[p] = base[p]
        else:
            seen[p] = 0
            weights[p] = 0


@numba.njit(nogil=True, cache=True)
def doubt(design, seen, solution, half, weights):  # type: ignore[no-untyped-def]
    """Lower the weights of points whose residuals are large against ``half``."""
    scale, offset = np.float32(solution[-2]), np.float32(solution[-1])
    inverse = np.float32(1 / half)
    for p in range(seen.size):
        residual = (seen[p] - scale * design[-2, p] - offset) * inverse
        weights[p] /= np.float32(1) + residual * residual


@numba.njit(nogil=True, cache=True, fastmath=True)
def sum_products(design, seen, weights):  # type: ignore[no-untyped-def]
    """Sum the weighted products of the design and the volume, blocks in single precision."""
    rows = len(design)
    normal = np.zeros((rows + 1, rows + 1))
    weighted = np.empty(BLOCK, np.float32)
    for start in range(0, seen.size, BLOCK):
        stop = min(start + BLOCK, seen.size)
        count = stop - start
        for a in range(rows + 1):
            left = design[a, start:stop] if a < rows else seen[start:stop]
            for p in range(count):
                weighted[p] = weights[start + p] * left[p]
            for b in range(a, rows + 1):
                right = design[b, start:stop] if b < rows else seen[start:stop]
                total = np.float32(0)
                for p in range(count):
                    total += weighted[p] * right[p]
                normal[a, b] += total
    for a in range(rows + 1):
        for b in range(a):
            normal[a, b] = normal[b, a]
    return normal
