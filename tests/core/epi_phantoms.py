"""A head in a known field: its phase at two echo times and its distorted EPI images."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from mriderived.core.filters import smooth

SHAPE = (64, 72, 40)


def head(shape=SHAPE):
    """Return a head with tissue texture (about 1) on air, and its mask."""
    grid = np.indices(shape, dtype=np.float32)
    centre = (np.array(shape) - 1) / 2
    radius = np.sqrt(sum(((grid[a] - centre[a]) / (0.38 * shape[a])) ** 2 for a in range(3)))
    noise = np.random.default_rng(3).normal(size=shape).astype(np.float32)
    texture = smooth(noise, 1.5)
    inside = ndimage.gaussian_filter((radius < 1).astype(np.float32), 0.7)
    return (inside * (1 + 0.35 * texture / texture.std())).clip(0).astype(np.float32), radius < 1


def field_hz(shape=SHAPE):
    """Return a field as above the sinuses and the ear canals, on a slope; up to about 150 Hz."""
    x, y, z = (
        np.indices(shape, dtype=np.float32) / np.array(shape, np.float32)[:, None, None, None]
    )

    def blob(a, b, c, width):
        return np.exp(-((x - a) ** 2 + (y - b) ** 2 + (z - c) ** 2) / (2 * width**2))

    hz = 150 * blob(0.5, 0.78, 0.3, 0.12) - 70 * blob(0.25, 0.45, 0.25, 0.1)
    hz += -70 * blob(0.75, 0.45, 0.25, 0.1) + 30 * (y - 0.5) + 15 * (x - 0.5)
    return hz.astype(np.float32)


def distort(image, shift, axis, oversample=8):
    """Return what an EPI scanner sees of an image whose voxels move along an axis.

    Each voxel is cut into small pieces whose signal is carried to where they go, so that the total
    along each line is kept. Nothing of the code under test is used.
    """
    lines, shifts = (np.moveaxis(array, axis, -1) for array in (image, shift))
    size = lines.shape[-1]
    pieces = (np.arange(size * oversample) + 0.5) / oversample - 0.5
    where = np.zeros((*lines.shape[:2], pieces.size))
    signal = np.zeros_like(where)
    for i, j in np.ndindex(*lines.shape[:2]):
        where[i, j] = pieces + np.interp(pieces, np.arange(size), shifts[i, j])
        signal[i, j] = np.interp(pieces, np.arange(size), lines[i, j]) / oversample
    low = np.floor(where).astype(int)
    share = where - low
    flat = np.arange(lines.shape[0] * lines.shape[1]).reshape(*lines.shape[:2], 1) * size
    seen = np.zeros(lines.size)
    for index, weight in ((low, 1 - share), (low + 1, share)):
        inside = (index >= 0) & (index < size)
        places = (flat + index.clip(0, size - 1))[inside]
        seen += np.bincount(places, (signal * weight)[inside], minlength=lines.size)
    return np.moveaxis(seen.reshape(lines.shape), -1, axis).astype(np.float32)
