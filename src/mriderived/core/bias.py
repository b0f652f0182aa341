"""Removal of the smooth intensity inhomogeneity: the N4 algorithm.

Written from its description (Tustison et al. 2010, doi:10.1109/TMI.2010.2046908, and Sled et al.
1998, doi:10.1109/42.668698): sharpen the histogram of the logarithm, smooth what has changed with
B-splines, and repeat on finer and finer meshes. The field is smooth, so it is estimated on blocks
of voxels, whose averages are also less noisy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mriderived.core.masks import find_box

Volume = NDArray[np.float32]
Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Settings:
    """What steers the estimate."""

    #: Edge of the blocks in mm.
    block: float = 4.0
    #: Elements of the mesh along each axis of the brain's box, and rounds on each at most.
    meshes: tuple[int, ...] = (1, 2, 4, 8)
    rounds: int = 50
    #: A mesh is done when the field changes by less than this (coefficient of variation).
    tolerance: float = 1e-4
    #: Histogram: bins, width of the assumed blur in log units, noise of the Wiener filter.
    bins: int = 200
    width: float = 0.15
    noise: float = 0.01


def estimate_bias(
    data: Volume, brain: Mask, voxel_size: Sequence[float], settings: Settings | None = None
) -> Volume:
    """Return the factor by which each voxel is too bright; constant beyond the brain's box.

    Parameters
    ----------
    data : array of float32, shape (x, y, z)
    brain : array of bool, shape (x, y, z)
    voxel_size : three floats
        In mm.
    settings : Settings, optional

    Returns
    -------
    array of float32, shape (x, y, z)
        Its logarithm has mean 0 in the brain.

    Raises
    ------
    ValueError
        If the brain holds no positive values.

    Examples
    --------
    >>> x = np.linspace(-1, 1, 24, dtype=np.float32)[:, None, None]
    >>> tissue = np.where(np.indices((24, 24, 24)).sum(axis=0) // 4 % 2, 100, 60)
    >>> seen = (tissue * np.exp(0.2 * x)).astype(np.float32)
    >>> found = estimate_bias(seen, tissue > 0, (4, 4, 4))
    >>> bool(np.corrcoef(np.log(found[:, 12, 12]), x.ravel())[0, 1] > 0.98)
    True
    """
    settings = settings or Settings()
    size = np.asarray(voxel_size, float)
    step = np.maximum(np.round(settings.block / size), 1).astype(int)
    box = find_box(brain, [int(s) for s in step])
    inside = brain[box].astype(np.float32)
    weight, total = _sum_blocks(inside, step), _sum_blocks(inside * data[box], step)
    mask = (weight > 0.5 * step.prod()) & (total > 0)
    if not mask.any():
        raise ValueError('the brain holds no positive values; check the image and its mask')
    mean = total[mask] / weight[mask]
    values = np.log(np.maximum(mean, 1e-3 * np.median(mean)))
    coarse = _estimate(values, mask, settings)
    starts = [part.start for part in box]
    matrices = [
        _blocks_to_voxels(n, count, start, edge)
        for n, count, start, edge in zip(data.shape, mask.shape, starts, step, strict=True)
    ]
    return np.exp(_apply(matrices, coarse)).astype(np.float32)


def _estimate(values: Array, mask: Mask, settings: Settings) -> Array:
    field = np.zeros(mask.shape)
    for mesh in settings.meshes:
        splines = [_spline_matrix(n, mesh) for n in mask.shape]
        for _ in range(settings.rounds):
            residual = values - field[mask]
            surprise = np.zeros(mask.shape)
            surprise[mask] = residual - _sharpen(residual, settings)
            change = _fit(surprise, mask, splines)
            field += change
            if np.std(np.exp(change[mask])) < settings.tolerance:
                break
    return np.asarray(field - field[mask].mean())


def _sharpen(values: Array, settings: Settings) -> Array:
    """Return the expected true value for each value, by deconvolution of the histogram."""
    low, high = float(values.min()), float(values.max())
    bins, slope = settings.bins, (high - low) / (settings.bins - 1)
    if slope == 0:
        return values
    position = (values - low) / slope
    below = np.minimum(position.astype(int), bins - 2)
    above = position - below
    histogram = np.bincount(below, 1 - above, bins) + np.bincount(below + 1, above, bins)
    size = 2 * bins
    spread = settings.width / slope
    distance = np.minimum(np.arange(size), size - np.arange(size))
    blur = np.fft.rfft(np.exp(-4 * np.log(2) * (distance / spread) ** 2))
    blur /= blur[0]
    wiener = np.conj(blur) / (np.abs(blur) ** 2 + settings.noise)
    padded = np.pad(histogram, (bins // 2, size - bins - bins // 2))
    true = np.maximum(np.fft.irfft(np.fft.rfft(padded) * wiener, size), 0)
    centres = low + (np.arange(size) - bins // 2) * slope
    numerator = np.fft.irfft(np.fft.rfft(true * centres) * blur, size)
    denominator = np.fft.irfft(np.fft.rfft(true) * blur, size)
    expected = np.where(denominator > 1e-9 * true.sum(), numerator, centres) / np.where(
        denominator > 1e-9 * true.sum(), denominator, 1
    )
    return np.asarray(np.interp(position, np.arange(bins), expected[bins // 2 :][:bins]))


def _spline_matrix(size: int, mesh: int) -> Array:
    """Return the cubic B-splines of a mesh at the centres of ``size`` blocks."""
    position = (np.arange(size) + 0.5) / size * mesh
    distance = np.abs(position[:, None] - (np.arange(mesh + 3) - 1))
    inner = 2 / 3 - distance**2 * (1 - distance / 2)
    outer = np.maximum(2 - distance, 0) ** 3 / 6
    return np.where(distance < 1, inner, outer)


def _fit(surprise: Array, mask: Mask, splines: Sequence[Array]) -> Array:
    """Approximate scattered values by B-splines (Lee et al. 1997, doi:10.1109/2945.620490)."""
    sums = [(spline**2).sum(axis=1) for spline in splines]
    scaled = surprise / (sums[0][:, None, None] * sums[1][:, None] * sums[2])
    squares = _apply([spline.T**2 for spline in splines], mask.astype(float))
    cubes = _apply([spline.T**3 for spline in splines], scaled)
    points = np.where(squares > 1e-9, cubes / np.maximum(squares, 1e-9), 0)
    return _apply(splines, points)


def _apply(matrices: Sequence[Array], values: Array) -> Array:
    """Multiply each axis by a matrix."""
    for axis, matrix in enumerate(matrices):
        values = np.moveaxis(np.tensordot(matrix, values, axes=(1, axis)), 0, axis)
    return values


def _blocks_to_voxels(size: int, count: int, start: int, step: int) -> Array:
    """Return the linear interpolation from ``count`` blocks to ``size`` voxels."""
    position = (np.arange(size) - start - (step - 1) / 2) / step
    position = np.clip(position, 0, count - 1)
    return np.maximum(1 - np.abs(position[:, None] - np.arange(count)), 0)


def _sum_blocks(data: Volume, step: NDArray[np.int_]) -> Array:
    padding = [(0, int(-n % s)) for n, s in zip(data.shape, step, strict=True)]
    padded = np.pad(data, padding)
    nx, ny, nz = (n // s for n, s in zip(padded.shape, step, strict=True))
    sx, sy, sz = step
    return padded.reshape(nx, sx, ny, sy, nz, sz).sum(axis=(1, 3, 5), dtype=np.float64)
