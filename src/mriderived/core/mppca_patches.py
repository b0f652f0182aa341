"""The compiled part of denoising by principal components: one layer of patches."""

from __future__ import annotations

import numba
import numpy as np

#: A patch with fewer voxels, or volumes, tells nothing.
LEAST_ROWS = 10


@numba.njit(nogil=True, cache=True)
def decompose(start, stop, series, counted, layer, shrink, basis, found):  # type: ignore[no-untyped-def]
    """Find the components of the patches of a layer whose index along y is in a slab.

    ``basis`` takes vectors over volumes such that the product of a voxel's signal with them, and
    with their transpose, is its denoised signal; ``found`` how many there are and the variance of
    noise.
    """
    x, ys, zs, edges = layer
    count = series.shape[3]
    rows = np.empty((edges[0] * edges[1] * edges[2], count))
    for j in range(start, stop):
        for k in range(len(zs)):
            m = _gather(series, counted, x, ys[j], zs[k], edges, rows)
            found[0, j, k], found[1, j, k] = -1, 0.0
            if m < LEAST_ROWS:
                continue
            block = rows[:m]
            wide = m < count
            gram = np.dot(block, block.T) if wide else np.dot(block.T, block)
            values, vectors = np.linalg.eigh(gram)
            kept, variance = count_components(values, max(m, count))
            found[0, j, k], found[1, j, k] = kept, variance
            least, most = min(m, count), max(m, count)
            for p in range(kept):
                value = values[least - 1 - p]
                share = _shrink(value / most, variance, least / most) if shrink else 1.0
                root = np.sqrt(share)
                if wide:
                    over = np.dot(vectors[:, least - 1 - p].copy(), block)
                    root /= np.sqrt(value)
                    for c in range(count):
                        basis[j, k, p, c] = root * over[c]
                else:
                    for c in range(count):
                        basis[j, k, p, c] = root * vectors[c, least - 1 - p]


@numba.njit(nogil=True, cache=True)
def count_components(values, most):  # type: ignore[no-untyped-def]
    """Return how many components are signal, and the variance of the noise.

    ``values`` are the ascending eigenvalues of the smaller product of a matrix with its
    transpose, ``most`` the longer side of that matrix. After p components are taken for signal,
    what is left is a matrix of noise with p rows and p columns less.
    """
    least = len(values)
    left = 0.0
    for value in values:
        left += max(value, 0.0)
    for p in range(least - 1):
        size = float((least - p) * (most - p))
        mean = left / size
        top = values[least - 1 - p]
        spread = (top - max(values[0], 0.0)) / (4 * np.sqrt(size))
        if spread <= mean:
            return p, mean
        left = max(left - top, 0.0)
    return least - 1, left / float(most - least + 1)


@numba.njit(nogil=True, cache=True)
def _shrink(value, variance, ratio):  # type: ignore[no-untyped-def]
    """Return by how much a component shrinks: Gavish and Donoho's factor for singular values."""
    if variance <= 0:
        return 1.0
    y = value / variance
    inner = (y - ratio - 1) ** 2 - 4 * ratio
    if inner <= 0 or y <= 1 + ratio:
        return 0.0
    return np.sqrt(inner) / y


@numba.njit(nogil=True, cache=True)
def _gather(series, counted, x, y, z, edges, rows):  # type: ignore[no-untyped-def]
    m = 0
    for i in range(x, x + edges[0]):
        for j in range(y, y + edges[1]):
            for k in range(z, z + edges[2]):
                if counted[i, j, k]:
                    for c in range(series.shape[3]):
                        rows[m, c] = series[i, j, k, c]
                    m += 1
    return m


@numba.njit(nogil=True, cache=True)
def add_planes(start, stop, series, counted, layer, basis, found, total, sums):  # type: ignore[no-untyped-def]
    """Add what the patches of a layer say to the voxels whose index along y is in a slab.

    ``total`` is a ring of planes along x.
    """
    x, ys, zs, edges = layer
    for j in range(start, stop):
        for jj in range(len(ys)):
            if not ys[jj] <= j < ys[jj] + edges[1]:
                continue
            for kk in range(len(zs)):
                kept = int(found[0, jj, kk])
                if kept < 0:
                    continue
                for i in range(x, x + edges[0]):
                    for k in range(zs[kk], zs[kk] + edges[2]):
                        if counted[i, j, k]:
                            _project(
                                series[i, j, k], basis[jj, kk], kept, total[i % edges[0], j, k]
                            )
                            sums[0, i, j, k] += 1 / (1 + kept)
                            sums[1, i, j, k] += 1
                            sums[2, i, j, k] += found[1, jj, kk]
                            sums[3, i, j, k] += kept


@numba.njit(nogil=True, cache=True, fastmath=True)
def _project(signal, basis, kept, target):  # type: ignore[no-untyped-def]
    weight = np.float32(1) / np.float32(1 + kept)
    for p in range(kept):
        vector = basis[p]
        along = np.float32(0)
        for c in range(signal.size):
            along += signal[c] * vector[c]
        along *= weight
        for c in range(signal.size):
            target[c] += along * vector[c]
