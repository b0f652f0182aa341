"""Points on the two boundaries of the cortex, to a fraction of a voxel.

The white boundary is where the tissue map is 2.5, the pial boundary where it is 1.5, half way
between two tissues. For narrow sulci see :mod:`mriderived.core.narrow_sulci`.
"""

from __future__ import annotations

from typing import Literal

import numba
import numpy as np
from numpy.typing import NDArray

from mriderived.core.geodesic import Sources

Volume = NDArray[np.float32]
Mask = NDArray[np.bool_]

WHITE = 2.5
PIAL = 1.5
#: Grey matter alone.
GREY = 2.0
#: Steps along a line, in voxels.
STEP = 0.25


def find_boundary(tissue: Volume, domain: Mask, level: float, towards: Literal[1, -1]) -> Sources:
    """Find a point of a boundary for every voxel of ``domain`` that touches it.

    From each voxel the nearest crossing of ``level`` is looked for along the gradient and, if
    that misses it, along the lines to its neighbours.

    Parameters
    ----------
    tissue : array of float32, shape (x, y, z)
    domain : array of bool, shape (x, y, z)
    level : float
    towards : 1 or -1
        1 if the tissue map is higher beyond the boundary.

    Returns
    -------
    Sources

    Examples
    --------
    >>> ramp = np.broadcast_to(np.float32([1, 1.25, 2.0, 2.75, 3]), (3, 3, 5)).copy()
    >>> found = find_boundary(ramp, (ramp > 1.5) & (ramp < 2.5), 2.5, 1)
    >>> [round(float(value), 3) for value in found.points[0]], found.voxels[0].tolist()
    ([1.0, 1.0, 2.667], [1, 1, 2])
    """
    size = np.count_nonzero(domain)
    points = np.empty((size, 3), np.float32)
    voxels = np.empty((size, 3), np.int32)
    count = _find_boundary(tissue, domain, level, towards, points, voxels)
    return Sources(points[:count].copy(), voxels[:count].copy())


@numba.njit(nogil=True, cache=True, error_model='numpy')
def interpolate(s, u, v, w):  # type: ignore[no-untyped-def]
    """Interpolate linearly; beyond the edge the last value goes on."""
    u = min(max(u, 0.0), s.shape[0] - 1.001)
    v = min(max(v, 0.0), s.shape[1] - 1.001)
    w = min(max(w, 0.0), s.shape[2] - 1.001)
    a, b, c = int(u), int(v), int(w)
    p, q, r = u - a, v - b, w - c
    low = (1 - q) * ((1 - r) * s[a, b, c] + r * s[a, b, c + 1])
    low += q * ((1 - r) * s[a, b + 1, c] + r * s[a, b + 1, c + 1])
    high = (1 - q) * ((1 - r) * s[a + 1, b, c] + r * s[a + 1, b, c + 1])
    high += q * ((1 - r) * s[a + 1, b + 1, c] + r * s[a + 1, b + 1, c + 1])
    return (1 - p) * low + p * high


@numba.njit(nogil=True, cache=True, error_model='numpy')
def _gradient(s, i, j, k):  # type: ignore[no-untyped-def]
    """Return the direction of the gradient (Sobel's masks), or zeros."""
    x, y, z = 0.0, 0.0, 0.0
    for a in range(-1, 2):
        for b in range(-1, 2):
            for c in range(-1, 2):
                value = s[i + a, j + b, k + c] * (2 - abs(a)) * (2 - abs(b)) * (2 - abs(c))
                x += a * value
                y += b * value
                z += c * value
    size = np.sqrt(x * x + y * y + z * z)
    if size == 0:
        return 0.0, 0.0, 0.0
    return x / size, y / size, z / size


@numba.njit(nogil=True, cache=True, error_model='numpy')
def _find_boundary(tissue, domain, level, towards, points, voxels):  # type: ignore[no-untyped-def]  # noqa: C901
    nx, ny, nz = tissue.shape
    count = 0
    for i in range(1, nx - 1):
        for j in range(1, ny - 1):
            for k in range(1, nz - 1):
                if not domain[i, j, k]:
                    continue
                here = tissue[i, j, k]
                nearest = np.inf
                x, y, z = 0.0, 0.0, 0.0
                for a in range(-1, 2):
                    for b in range(-1, 2):
                        for c in range(-1, 2):
                            there = tissue[i + a, j + b, k + c]
                            if (there - level) * towards < 0:
                                continue
                            part = (level - here) / (there - here)
                            span = part * np.sqrt(a * a + b * b + c * c)
                            if span < nearest:
                                nearest = span
                                x, y, z = part * a, part * b, part * c
                if nearest == np.inf:
                    continue
                u, v, w = _gradient(tissue, i, j, k)
                u, v, w = u * towards, v * towards, w * towards
                before = here
                for number in range(1, 9):
                    span = number * STEP
                    value = interpolate(tissue, i + span * u, j + span * v, k + span * w)
                    if (value - level) * towards >= 0 and value != before:
                        span += STEP * ((level - before) / (value - before) - 1)
                        # the lines to the neighbours may leave a corner of the boundary out
                        if span <= nearest + STEP:
                            x, y, z = span * u, span * v, span * w
                        break
                    before = value
                points[count, 0] = i + x
                points[count, 1] = j + y
                points[count, 2] = k + z
                voxels[count, 0] = i
                voxels[count, 1] = j
                voxels[count, 2] = k
                count += 1
    return count
