"""The steps of the registration of one volume to its prediction, compiled.

As in ``core.rigid_descent``, with the coefficients of the displacement by eddy currents as further
unknowns. Derivatives are those of the prediction, so noise of the volume never enters them.
"""

from __future__ import annotations

import numba
import numpy as np

from mriderived.core.eddy_terms import displace, place_term, stretch
from mriderived.core.rigid_descent import (
    CAUCHY,
    LEAST_SCALE,
    RADIUS,
    correlate,
    doubt,
    find_spread,
    invert_step,
    multiply,
    solve,
    sum_products,
)
from mriderived.core.splines import cubic

#: A correlation may fall by this, since weights change; where it falls further, the start is kept.
WORSE = 0.02


@numba.njit(nogil=True, cache=True)
def descend_eddy(  # type: ignore[no-untyped-def]
    volume, points, design, base, grid, axis, margin, least, most, matrix, eddy
):
    """Return matrix, coefficients and brightness that align a volume with a prediction, its fit.

    ``grid`` holds the affine of the level, its inverse, the centre, the scale of places and the
    voxels joined along each axis; the volume is not looked at within ``margin`` voxels of its
    end; a step shorter than ``least`` mm is the last of at most ``most``.
    """
    affine, back, centre, scale, factors = grid
    terms = eddy.size
    seen = np.empty(points.shape[1], np.float32)
    weights = np.empty_like(seen)
    solution = np.zeros(len(design))
    fit = 0.0
    voxel = 0.0
    for a in range(3):
        voxel += affine[a, axis] ** 2
    voxel = np.sqrt(voxel) / factors[axis]
    start, rest = matrix, eddy
    eddy = eddy.copy()
    first = 0.0
    for taken in range(most):
        to_voxel = multiply(back, multiply(matrix, affine))
        look(volume, points, base, to_voxel, axis, eddy, scale, factors, margin, seen, weights)
        if taken > 0:
            half = CAUCHY * find_spread(design, seen, weights, solution)
            doubt(design, seen, solution, half, weights)
        normal = sum_products(design, seen, weights)
        fit = correlate(normal)
        first = fit if taken == 0 else first
        solution = solve(normal)
        bright = max(solution[6 + terms], LEAST_SCALE)
        step = solution[: 6 + terms] / bright
        moved = np.sqrt((step[:6] ** 2).sum() + voxel**2 * (step[6:] ** 2).sum())
        # the image is a straight line for no more than a voxel
        step *= min(1.0, voxel * factors[axis] / max(moved, 1e-12))
        matrix = multiply(matrix, invert_step(step, centre))
        eddy -= step[6:]
        if moved < least:
            break
    if not fit > first - WORSE:
        return start, rest, solution[6 + terms :], first
    return matrix, eddy, solution[6 + terms :], fit


@numba.njit(nogil=True, cache=True)
def make_design(points, value, slopes, affine, centre, scale, factors, axis, terms, design):  # type: ignore[no-untyped-def]
    """Fill the change of a prediction, and of its slopes per mm, with every unknown."""
    for p in range(points.shape[1]):
        x, y, z = points[0, p], points[1, p], points[2, p]
        a, b, c = slopes[0, p], slopes[1, p], slopes[2, p]
        u = (
            affine[0, 0] * x + affine[0, 1] * y + affine[0, 2] * z + affine[0, 3] - centre[0]
        ) / RADIUS
        v = (
            affine[1, 0] * x + affine[1, 1] * y + affine[1, 2] * z + affine[1, 3] - centre[1]
        ) / RADIUS
        w = (
            affine[2, 0] * x + affine[2, 1] * y + affine[2, 2] * z + affine[2, 3] - centre[2]
        ) / RADIUS
        design[0, p], design[1, p], design[2, p] = a, b, c
        design[3, p] = v * c - w * b
        design[4, p] = w * a - u * c
        design[5, p] = u * b - v * a
        along = (a * affine[0, axis] + b * affine[1, axis] + c * affine[2, axis]) / factors[axis]
        i = scale[0, 0] * x + scale[0, 1]
        j = scale[1, 0] * y + scale[1, 1]
        k = scale[2, 0] * z + scale[2, 1]
        for term in range(terms):
            design[6 + term, p] = along * place_term(term, i, j, k)
        design[6 + terms, p] = value[p]
        design[7 + terms, p] = 1


@numba.njit(nogil=True, cache=True)
def look(  # type: ignore[no-untyped-def]
    volume, points, base, m, axis, eddy, scale, factors, margin, seen, weights
):
    """Fill what a volume shows at points of the reference, and their weights."""
    nx, ny, nz = volume.shape
    a, b, c = margin
    steep = scale[axis, 0] / factors[axis]
    for p in range(points.shape[1]):
        u, v, w, x, y, z = _follow(points, p, m, axis, eddy, scale, factors)
        if a <= u <= nx - 1 - a and b <= v <= ny - 1 - b and c <= w <= nz - 1 - c:
            seen[p] = cubic(volume, u, v, w) * (1 + steep * stretch(eddy, axis, x, y, z))
            weights[p] = base[p]
        else:
            seen[p] = 0
            weights[p] = 0


@numba.njit(nogil=True, cache=True)
def look_with_slopes(volume, points, m, axis, eddy, scale, factors, back, value, slopes):  # type: ignore[no-untyped-def]
    """Fill what a volume shows at points of the reference, and its slopes there per mm.

    ``back`` is the matrix from mm of the reference to voxels of the volume. Beyond the end of the
    volume its edge repeats.
    """
    nx, ny, nz = volume.shape
    steep = scale[axis, 0] / factors[axis]
    gradient = np.empty(4, np.float32)
    taps = np.empty((6, 4), np.float32)
    for p in range(points.shape[1]):
        u, v, w, x, y, z = _follow(points, p, m, axis, eddy, scale, factors)
        u = min(max(u, 0.0), nx - 1.0)
        v = min(max(v, 0.0), ny - 1.0)
        w = min(max(w, 0.0), nz - 1.0)
        _differentiate(volume, u, v, w, taps, gradient)
        gain = np.float32(1 + steep * stretch(eddy, axis, x, y, z))
        value[p] = gain * gradient[0]
        for b in range(3):
            total = 0.0
            for a in range(3):
                total += back[a, b] * gradient[1 + a]
            slopes[b, p] = gain * total


@numba.njit(nogil=True, cache=True, inline='always')
def _follow(points, p, m, axis, eddy, scale, factors):  # type: ignore[no-untyped-def]
    """Return where a point is seen in a volume, and the place in the scanner, from -1 to 1."""
    x, y, z = points[0, p], points[1, p], points[2, p]
    u = m[0, 0] * x + m[0, 1] * y + m[0, 2] * z + m[0, 3]
    v = m[1, 0] * x + m[1, 1] * y + m[1, 2] * z + m[1, 3]
    w = m[2, 0] * x + m[2, 1] * y + m[2, 2] * z + m[2, 3]
    i = scale[0, 0] * u + scale[0, 1]
    j = scale[1, 0] * v + scale[1, 1]
    k = scale[2, 0] * w + scale[2, 1]
    shift = displace(eddy, i, j, k) / factors[axis]
    if axis == 0:
        u += shift
    elif axis == 1:
        v += shift
    else:
        w += shift
    return u, v, w, i, j, k


@numba.njit(nogil=True, cache=True)
def _weigh(fraction, weights, slopes):  # type: ignore[no-untyped-def]
    p = np.float32(fraction)
    q = np.float32(1) - p
    sixth, half = np.float32(1 / 6), np.float32(0.5)
    weights[0] = sixth * q * q * q
    weights[1] = np.float32(2 / 3) - half * p * p * (np.float32(2) - p)
    weights[2] = np.float32(2 / 3) - half * q * q * (np.float32(2) - q)
    weights[3] = sixth * p * p * p
    slopes[0] = -half * q * q
    slopes[1] = half * p * (np.float32(3) * p - np.float32(4))
    slopes[2] = -half * q * (np.float32(3) * q - np.float32(4))
    slopes[3] = half * p * p


@numba.njit(nogil=True, cache=True)
def _differentiate(s, u, v, w, taps, found):  # type: ignore[no-untyped-def]
    """Fill the value of the smoothing spline at a point, and its slopes per voxel."""
    nx, ny, nz = s.shape
    x, y, z, dx, dy, dz = taps[0], taps[1], taps[2], taps[3], taps[4], taps[5]
    fu, fv, fw = np.floor(u), np.floor(v), np.floor(w)
    _weigh(u - fu, x, dx)
    _weigh(v - fv, y, dy)
    _weigh(w - fw, z, dz)
    a, b, c = int(fu) - 1, int(fv) - 1, int(fw) - 1
    found[:] = 0
    for i in range(4):
        ii = min(max(a + i, 0), nx - 1)
        plane, along_y, along_z = np.float32(0), np.float32(0), np.float32(0)
        for j in range(4):
            jj = min(max(b + j, 0), ny - 1)
            row, slope = np.float32(0), np.float32(0)
            for k in range(4):
                value = s[ii, jj, min(max(c + k, 0), nz - 1)]
                row += z[k] * value
                slope += dz[k] * value
            plane += y[j] * row
            along_y += dy[j] * row
            along_z += y[j] * slope
        found[0] += x[i] * plane
        found[1] += dx[i] * plane
        found[2] += x[i] * along_y
        found[3] += x[i] * along_z
