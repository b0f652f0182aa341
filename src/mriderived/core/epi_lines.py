"""Loops over the phase-encode lines of EPI images: signal between displaced faces, derivatives.

See :mod:`mriderived.core.epi_distortion` for what they are for.
"""

from __future__ import annotations

import numba
import numpy as np

from mriderived.core.epi_stiffness import laplacian


@numba.njit(nogil=True, cache=True)
def _face(line, k):  # type: ignore[no-untyped-def]
    """Return the intensity at the face before voxel ``k``, to fourth order; ends repeat."""
    last = line.size - 1
    near = line[min(max(k - 1, 0), last)] + line[min(max(k, 0), last)]
    far = line[min(max(k - 2, 0), last)] + line[min(max(k + 1, 0), last)]
    return (7 * near - far) / 12


@numba.njit(nogil=True, cache=True)
def _signal(line, sums, position):  # type: ignore[no-untyped-def]
    """Return the signal of a line before a position, and its derivative, the intensity there.

    Voxel ``k`` reaches from ``k`` to ``k + 1``. Within it the intensity is the parabola that has
    the voxel's mean and the intensities of its two faces.
    """
    size = line.size
    if position <= 0:
        return 0.0, line[0]
    if position >= size:
        return sums[size - 1], line[size - 1]
    k = min(int(position), size - 1)
    t = position - k
    left, right, mean = _face(line, k), _face(line, k + 1), line[k]
    before = sums[k] - mean
    total = before + mean * t * t * (3 - 2 * t) + t * (1 - t) * (left * (1 - t) - right * t)
    at = 6 * mean * t * (1 - t) + left * (1 - t) * (1 - 3 * t) + right * t * (3 * t - 2)
    return total, at


@numba.njit(nogil=True, cache=True)
def correct(start, stop, lines, sums, shares, faces, target):  # type: ignore[no-untyped-def]
    """Write each image moved back by its share of the displacements."""
    _, ny, nz = faces.shape
    for m in range(lines.shape[0]):
        for i in range(start, stop):
            for j in range(ny):
                line, total = lines[m, i, j], sums[m, i, j]
                before, _ = _signal(line, total, shares[m] * faces[i, j, 0])
                for k in range(nz - 1):
                    end = k + 1 + shares[m] * faces[i, j, k + 1]
                    after, _ = _signal(line, total, end)
                    target[m, i, j, k] = after - before
                    before = after


@numba.njit(nogil=True, cache=True)
def add_energy(start, stop, lines, sums, shares, faces, weights, parts):  # type: ignore[no-untyped-def]
    """Write what each plane adds to the sum that is made small."""
    _, ny, nz = faces.shape
    count = lines.shape[0]
    before = np.empty(count)
    for i in range(start, stop):
        total = 0.0
        for j in range(ny):
            for k in range(nz):
                total += 0.5 * laplacian(faces, weights, i, j, k) ** 2
                mean, squares = 0.0, 0.0
                for m in range(count):
                    place = k + shares[m] * faces[i, j, k]
                    signal, _ = _signal(lines[m, i, j], sums[m, i, j], place)
                    if k > 0:
                        mean += (signal - before[m]) / count
                        squares += (signal - before[m]) ** 2
                    before[m] = signal
                total += 0.5 * (squares - count * mean * mean)
        parts[i] = total


@numba.njit(nogil=True, cache=True)
def add_normal_equations(start, stop, images, shares, faces, target):  # type: ignore[no-untyped-def]
    """Add the data's gradient to ``slope``; write its diagonal and next-to-diagonal."""
    lines, sums = images
    slope, diagonal, beside = target
    _, ny, nz = faces.shape
    count = lines.shape[0]
    before, left, right, voxel = np.empty(count), np.empty(count), np.empty(count), np.empty(count)
    for i in range(start, stop):
        for j in range(ny):
            for k in range(nz):
                diagonal[i, j, k] = 0
                beside[i, j, k] = 0
            for k in range(nz):
                mean, mean_left, mean_right = 0.0, 0.0, 0.0
                for m in range(count):
                    place = k + shares[m] * faces[i, j, k]
                    signal, at = _signal(lines[m, i, j], sums[m, i, j], place)
                    right[m] = shares[m] * at
                    if k > 0:
                        voxel[m] = signal - before[m]
                        mean += voxel[m] / count
                        mean_left += left[m] / count
                        mean_right += right[m] / count
                    before[m] = signal
                if k > 0:
                    for m in range(count):
                        value = voxel[m] - mean
                        low, high = left[m] - mean_left, right[m] - mean_right
                        slope[i, j, k - 1] -= value * low
                        slope[i, j, k] += value * high
                        diagonal[i, j, k - 1] += low * low
                        diagonal[i, j, k] += high * high
                        beside[i, j, k - 1] -= low * high
                for m in range(count):
                    left[m] = right[m]
