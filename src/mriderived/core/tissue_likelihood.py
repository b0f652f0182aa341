"""Compiled loops of the tissue segmentation: the probability of each class, and fractions."""

from __future__ import annotations

import math

import numba
import numpy as np


@numba.njit(nogil=True, cache=True)
def _density(value, low, high, noise):  # type: ignore[no-untyped-def]
    """Return the likelihood of a mixture whose fractions are equally likely."""
    root = noise * math.sqrt(2.0)
    reach = math.erf((value - low) / root) - math.erf((value - high) / root)
    return max(reach, 1e-12) / (2 * (high - low))


@numba.njit(nogil=True, cache=True)
def _mean_fraction(value, low, high, noise):  # type: ignore[no-untyped-def]
    """Return the expected fraction of the brighter tissue: a normal cut to 0 to 1."""
    t, s = (value - low) / (high - low), noise / (high - low)
    a, b = -t / s, (1 - t) / s
    mass = 0.5 * (math.erf(b / math.sqrt(2.0)) - math.erf(a / math.sqrt(2.0)))
    if mass < 1e-9:
        return min(max(t, 0.0), 1.0)
    shift = (math.exp(-0.5 * a * a) - math.exp(-0.5 * b * b)) / (mass * math.sqrt(2 * math.pi))
    return min(max(t + s * shift, 0.0), 1.0)


@numba.njit(nogil=True, cache=True)
def _at(local, tissue, i, j, k):  # type: ignore[no-untyped-def]
    if local.shape[1] == 1:
        return local[tissue, 0, 0, 0]
    return local[tissue, i, j, k]


@numba.njit(nogil=True, cache=True)
def expect(  # type: ignore[no-untyped-def]  # noqa: C901
    start, stop, image, brain, priors, local, sigma, previous, weights, target
):
    """Write the probabilities of the six classes, given means, priors and neighbours."""
    nx, ny, nz = image.shape
    score, near = np.empty(6), np.empty(6)
    for i in range(start, stop):
        for j in range(ny):
            for k in range(nz):
                if not brain[i, j, k]:
                    continue
                value = image[i, j, k]
                c, g, w = priors[0, i, j, k], priors[1, i, j, k], priors[2, i, j, k]
                mc, mg = _at(local, 0, i, j, k), _at(local, 1, i, j, k)
                mw = _at(local, 2, i, j, k)
                mg = max(mg, mc + 0.02)
                mw = max(mw, mg + 0.02)
                for tissue in range(3):
                    mean = mc if tissue == 0 else (mg if tissue == 1 else mw)
                    z = (value - mean) / sigma[tissue]
                    if (tissue == 0 and z < 0) or (tissue == 2 and z > 0):
                        # darker than CSF and brighter than white matter is still that
                        z *= 0.3
                    score[2 * tissue] = math.exp(-0.5 * min(z * z, 60.0)) / (
                        sigma[tissue] * 2.5066282746
                    )
                score[1] = _density(value, mc, mg, 0.5 * (sigma[0] + sigma[1]))
                score[3] = _density(value, mg, mw, 0.5 * (sigma[1] + sigma[2]))
                score[5] = _density(value, mc, mw, 0.5 * (sigma[0] + sigma[2]))
                score[0] *= c
                score[2] *= g
                score[4] *= w
                score[1] *= math.sqrt(c * g)
                score[3] *= math.sqrt(g * w)
                score[5] *= math.sqrt(c * w) * (1 - g) ** 2 * 0.5
                if weights[0] > 0:
                    for a in range(6):
                        near[a] = 0
                    for axis in range(3):
                        for side in (-1, 1):
                            x = i + side * (axis == 0)
                            y = j + side * (axis == 1)
                            z_ = k + side * (axis == 2)
                            if 0 <= x < nx and 0 <= y < ny and 0 <= z_ < nz:
                                for a in range(6):
                                    near[a] += weights[axis] * previous[a, x, y, z_]
                    score[0] *= math.exp(near[0] + 0.5 * (near[1] + near[5]))
                    score[1] *= math.exp(near[1] + 0.5 * (near[0] + near[2]))
                    score[2] *= math.exp(near[2] + 0.5 * (near[1] + near[3]))
                    score[3] *= math.exp(near[3] + 0.5 * (near[2] + near[4]))
                    score[4] *= math.exp(near[4] + 0.5 * (near[3] + near[5]))
                    score[5] *= math.exp(near[5] + 0.5 * (near[0] + near[4]))
                total = 0.0
                for a in range(6):
                    total += score[a]
                for a in range(6):
                    target[a, i, j, k] = score[a] / total if total > 0 else 1 / 6


@numba.njit(nogil=True, cache=True)
def share_out(  # type: ignore[no-untyped-def]
    start, stop, image, brain, local, sigma, classes, pairs, target
):
    """Write the expected share of each tissue, given the probabilities of the classes."""
    _, ny, nz = image.shape
    for i in range(start, stop):
        for j in range(ny):
            for k in range(nz):
                if not brain[i, j, k]:
                    continue
                for a in range(6):
                    low, high = pairs[a]
                    part = classes[a, i, j, k]
                    if low == high:
                        target[low, i, j, k] += part
                        continue
                    dark = _at(local, low, i, j, k)
                    bright = max(_at(local, high, i, j, k), dark + 0.02)
                    noise = 0.5 * (sigma[low] + sigma[high])
                    share = _mean_fraction(image[i, j, k], dark, bright, noise)
                    target[high, i, j, k] += part * share
                    target[low, i, j, k] += part * (1 - share)
