"""The pial boundary in sulci that are narrower than the resolution.

There the tissue map never gets as low as 1.5, or not as wide as the sulcus is: the boundary
follows from where distances from both banks meet and from how much CSF lies between the banks.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from mriderived.core.cortical_boundary import GREY, PIAL, STEP, interpolate
from mriderived.core.geodesic import Reach, Sources

Volume = NDArray[np.float32]
Mask = NDArray[np.bool_]

#: Fronts meet where the directions to their sources differ by more than 120 degrees.
OPPOSED = -0.5
#: How far, in voxels, the other bank of a narrow sulcus and its CSF are looked for.
ACROSS = 3.0
SPREAD = 5.0
#: What counts as a change along a line, in units of the tissue map: less is noise.
NOISE = 0.02
#: The least depth of a valley in the tissue map that tells of CSF.
VALLEY = 0.05


def find_meeting(tissue: Volume, domain: Mask, reach: Reach, white: Sources) -> Sources:
    """Find where fronts from opposite banks of a sulcus meet inside grey matter.

    Each bank gets its own point: half of the CSF that the tissue map shows between the banks
    lies beyond it (the idea of anatomically consistent enhancement, Han et al. 2004,
    doi:10.1016/j.neuroimage.2004.06.043).

    Parameters
    ----------
    tissue : array of float32, shape (x, y, z)
    domain : array of bool, shape (x, y, z)
    reach : Reach
        Distances from ``white``.
    white : Sources
        The white boundary.

    Returns
    -------
    Sources
    """
    size = np.count_nonzero(domain)
    points = np.empty((size, 3), np.float32)
    voxels = np.empty((size, 3), np.int32)
    count = _find_meeting(
        tissue, domain, reach.distance, reach.source, white.points, points, voxels
    )
    return Sources(points[:count].copy(), voxels[:count].copy())


def narrow_sulci(tissue: Volume, pial: Sources) -> Sources:
    """Move points of the pial boundary that lie in a narrow sulcus to where its CSF ends.

    A sulcus narrower than the resolution is a shallow valley of the tissue map, in which the
    level 1.5 lies too near to its bottom. The CSF in the valley tells how wide it is.
    """
    points = pial.points.copy()
    _narrow(tissue, points)
    return Sources(points, pial.voxels)


@numba.njit(nogil=True, cache=True, error_model='numpy')
def _find_meeting(tissue, domain, distance, source, white, points, voxels):  # type: ignore[no-untyped-def]  # noqa: C901
    nx, ny, nz = tissue.shape
    count = 0
    for i in range(1, nx - 1):
        for j in range(1, ny - 1):
            for k in range(1, nz - 1):
                mine = source[i, j, k]
                here = distance[i, j, k]
                if not domain[i, j, k] or mine < 0 or here <= 1:
                    continue
                u, v, w = i - white[mine, 0], j - white[mine, 1], k - white[mine, 2]
                nearest = np.inf
                x, y, z = 0.0, 0.0, 0.0
                p, q, r = 0.0, 0.0, 0.0
                for a in range(-1, 2):
                    for b in range(-1, 2):
                        for c in range(-1, 2):
                            other = source[i + a, j + b, k + c]
                            if not domain[i + a, j + b, k + c] or other < 0 or other == mine:
                                continue
                            there = distance[i + a, j + b, k + c]
                            d = i + a - white[other, 0]
                            e = j + b - white[other, 1]
                            f = k + c - white[other, 2]
                            if u * d + v * e + w * f > OPPOSED * here * there or there == 0:
                                continue
                            length = np.sqrt(a * a + b * b + c * c)
                            part = min(max((there - here + length) / 2 / length, 0.0), 1.0)
                            if part * length < nearest:
                                nearest = part * length
                                x, y, z = part * a, part * b, part * c
                                p, q, r = (
                                    u / here - d / there,
                                    v / here - e / there,
                                    w / here - f / there,
                                )
                if nearest == np.inf:
                    continue
                length = np.sqrt(p * p + q * q + r * r)
                p, q, r = p / length, q / length, r / length
                width, middle = _csf_between(tissue, i + x, j + y, k + z, p, q, r)
                shift = min(middle - width / 2, 0.5)
                points[count, 0] = i + x + shift * p
                points[count, 1] = j + y + shift * q
                points[count, 2] = k + z + shift * r
                voxels[count, 0] = i
                voxels[count, 1] = j
                voxels[count, 2] = k
                count += 1
    return count


@numba.njit(nogil=True, cache=True, error_model='numpy')
def _climb(tissue, x, y, z, u, v, w):  # type: ignore[no-untyped-def]
    """Walk until the map stops rising or is grey matter: its value there and the steps taken."""
    top = interpolate(tissue, x, y, z)
    steps = 0
    for number in range(1, int(SPREAD / STEP) + 1):
        far = number * STEP
        value = interpolate(tissue, x + far * u, y + far * v, z + far * w)
        if value < top - NOISE:
            break
        top = value
        steps = number
        if value >= GREY:
            break
    return top, steps


@numba.njit(nogil=True, cache=True, error_model='numpy')
def _csf_between(tissue, x, y, z, u, v, w):  # type: ignore[no-untyped-def]
    """Return the width of the CSF on a line across a valley, and where its middle is."""
    bottom = interpolate(tissue, x, y, z)
    ahead, forth = _climb(tissue, x, y, z, u, v, w)
    behind, back = _climb(tissue, x, y, z, -u, -v, -w)
    grey = min(ahead, behind, GREY)
    if grey - bottom < VALLEY:
        return 0.0, 0.0
    width, moment = 0.0, 0.0
    for number in range(-back, forth + 1):
        far = number * STEP
        value = interpolate(tissue, x + far * u, y + far * v, z + far * w)
        csf = min(max((grey - value) / (grey - 1), 0.0), 1.0) * STEP
        width += csf
        moment += csf * far
    return width, moment / width


@numba.njit(nogil=True, cache=True, error_model='numpy')
def _narrow(tissue, points):  # type: ignore[no-untyped-def]
    for number in range(len(points)):
        x, y, z = points[number]
        u = interpolate(tissue, x - 0.5, y, z) - interpolate(tissue, x + 0.5, y, z)
        v = interpolate(tissue, x, y - 0.5, z) - interpolate(tissue, x, y + 0.5, z)
        w = interpolate(tissue, x, y, z - 0.5) - interpolate(tissue, x, y, z + 0.5)
        size = np.sqrt(u * u + v * v + w * w)
        if size == 0:
            continue
        u, v, w = u / size, v / size, w / size
        lowest, bottom = PIAL, 0.0
        has_other_bank = False
        for step in range(1, int(ACROSS / STEP) + 1):
            far = step * STEP
            value = interpolate(tissue, x + far * u, y + far * v, z + far * w)
            if value < lowest:
                lowest, bottom = value, far
            elif value > lowest + 0.1 and value >= PIAL:
                has_other_bank = True
                break
            if value <= 1 + NOISE:
                break
        if not has_other_bank:
            continue
        width, middle = _csf_between(
            tissue, x + bottom * u, y + bottom * v, z + bottom * w, u, v, w
        )
        if width > 0:
            shift = max(min(bottom + middle - width / 2, 0.0), -ACROSS / 2)
            points[number, 0] = x + shift * u
            points[number, 1] = y + shift * v
            points[number, 2] = z + shift * w
