"""Compiled loops of the refinement of structures: candidates, likelihood and the random field.

Every voxel has a short list of the classes that it may belong to, sorted by prior probability.
Arrays of lists have the place in the list as their first axis.
"""

from __future__ import annotations

import math

import numba

#: Number that stands for an empty place in a list.
EMPTY = -1
#: Beyond this many standard deviations an intensity tells nothing more.
FAR = 4.0
#: Least probability of a bin of a histogram.
RARE = 3e-4


@numba.njit(nogil=True, cache=True)
def insert(start, stop, prior, corner, number, least, classes, priors):  # type: ignore[no-untyped-def]
    """Enter a class in the lists of the voxels where its probability is at least ``least``.

    ``prior`` covers a box whose first voxel is ``corner``.
    """
    size = classes.shape[0]
    for i in range(start, stop):
        for j in range(prior.shape[1]):
            for k in range(prior.shape[2]):
                value = prior[i, j, k]
                x, y, z = i + corner[0], j + corner[1], k + corner[2]
                if value < least or priors[size - 1, x, y, z] >= value:
                    continue
                place = size - 1
                while place > 0 and priors[place - 1, x, y, z] < value:
                    priors[place, x, y, z] = priors[place - 1, x, y, z]
                    classes[place, x, y, z] = classes[place - 1, x, y, z]
                    place -= 1
                priors[place, x, y, z] = value
                classes[place, x, y, z] = number


@numba.njit(nogil=True, cache=True)
def score_normal(  # type: ignore[no-untyped-def]
    start, stop, image, mean, sigma, corner, number, classes, priors, scores
):
    """Write log prior plus log likelihood of a class with a local mean, where it is listed."""
    peak = -math.log(sigma * math.sqrt(2 * math.pi))
    for i in range(start, stop):
        for j in range(mean.shape[1]):
            for k in range(mean.shape[2]):
                x, y, z = i + corner[0], j + corner[1], k + corner[2]
                for place in range(classes.shape[0]):
                    if classes[place, x, y, z] == number:
                        away = (image[x, y, z] - mean[i, j, k]) / sigma
                        fit = peak - 0.5 * min(away * away, FAR * FAR)
                        scores[place, x, y, z] = math.log(priors[place, x, y, z]) + fit


@numba.njit(nogil=True, cache=True)
def _sample(histogram, x, y, z):  # type: ignore[no-untyped-def]
    """Interpolate a map linearly at a point, which is moved inside."""
    nx, ny, nz = histogram.shape
    x, y, z = min(max(x, 0.0), nx - 1.0), min(max(y, 0.0), ny - 1.0), min(max(z, 0.0), nz - 1.0)
    i, j, k = int(x), int(y), int(z)
    found = 0.0
    for corner in range(8):
        di, dj, dk = corner & 1, (corner >> 1) & 1, corner >> 2
        weight = (x - i) if di else 1 - (x - i)
        weight *= (y - j) if dj else 1 - (y - j)
        weight *= (z - k) if dk else 1 - (z - k)
        if weight > 0:
            found += weight * histogram[i + di, j + dj, k + dk]
    return found


@numba.njit(nogil=True, cache=True)
def score_histogram(  # type: ignore[no-untyped-def]
    start, stop, image, histogram, cell, width, number, classes, priors, scores
):
    """Do the same for a class whose likelihood is a local histogram.

    ``histogram`` has the shape (bins, x, y, z) on a grid of ``cell`` voxels per step.
    """
    size, _, ny, nz = classes.shape
    for x in range(start, stop):
        for y in range(ny):
            for z in range(nz):
                for place in range(size):
                    if classes[place, x, y, z] != number:
                        continue
                    bin_ = int(min(max(image[x, y, z] / width, 0.0), histogram.shape[0] - 1.0))
                    found = _sample(
                        histogram[bin_],
                        (x + 0.5) / cell[0] - 0.5,
                        (y + 0.5) / cell[1] - 0.5,
                        (z + 0.5) / cell[2] - 0.5,
                    )
                    fit = math.log(max(found, RARE) / width)
                    scores[place, x, y, z] = math.log(priors[place, x, y, z]) + fit


@numba.njit(nogil=True, cache=True)
def _support(classes, before, weights, number, i, j, k):  # type: ignore[no-untyped-def]
    """Add up what the six neighbours say for a class."""
    size, nx, ny, nz = classes.shape
    value = 0.0
    for axis in range(3):
        for side in (-1, 1):
            x = i + side * (axis == 0)
            y = j + side * (axis == 1)
            z = k + side * (axis == 2)
            if 0 <= x < nx and 0 <= y < ny and 0 <= z < nz:
                for other in range(size):
                    if classes[other, x, y, z] == number:
                        value += weights[axis] * before[other, x, y, z]
    return value


@numba.njit(nogil=True, cache=True)
def update(start, stop, active, classes, scores, weights, before, after):  # type: ignore[no-untyped-def]  # noqa: C901
    """Renew the probabilities of the candidates, given those of the six neighbours."""
    size, _, ny, nz = classes.shape
    value = after[:, 0, 0, 0].copy()
    for i in range(start, stop):
        for j in range(ny):
            for k in range(nz):
                if not active[i, j, k]:
                    continue
                top = -1e30
                for place in range(size):
                    number = classes[place, i, j, k]
                    if number != EMPTY:
                        value[place] = scores[place, i, j, k]
                        value[place] += _support(classes, before, weights, number, i, j, k)
                        top = max(top, value[place])
                total = 0.0
                for place in range(size):
                    if classes[place, i, j, k] != EMPTY:
                        value[place] = math.exp(value[place] - top)
                        total += value[place]
                for place in range(size):
                    if classes[place, i, j, k] != EMPTY:
                        after[place, i, j, k] = value[place] / total
