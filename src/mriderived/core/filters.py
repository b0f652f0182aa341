"""Separable smoothing of float32 volumes, with the same bits for any number of threads."""

from __future__ import annotations

from collections.abc import Sequence

import numba
import numpy as np
from numpy.typing import NDArray

from mriderived.core.slabs import run_slabs

Volume = NDArray[np.float32]
#: One width for all axes, or one for each.
Widths = float | Sequence[float] | NDArray[np.float64]


def smooth(volume: Volume, sigma: Widths, threads: int = 1) -> Volume:
    """Smooth with a Gaussian of ``sigma`` voxels, cut at 3 sigma; edges repeat.

    Parameters
    ----------
    volume : array of float32, shape (x, y, z)
    sigma : float or three floats
        Standard deviation per axis in voxels; 0 leaves an axis alone.
    threads : int

    Returns
    -------
    array of float32, shape (x, y, z)

    Examples
    --------
    >>> flat = np.ones((4, 4, 4), np.float32)
    >>> bool(np.allclose(smooth(flat, 1.5), 1))
    True
    """
    sigmas = np.broadcast_to(np.asarray(sigma, float), 3)
    return convolve(volume, [gaussian(float(value)) for value in sigmas], threads)


def box_mean(volume: Volume, radius: int | Sequence[int], threads: int = 1) -> Volume:
    """Average over the box of ``2 * radius + 1`` voxels per axis; edges repeat.

    Examples
    --------
    >>> point = np.zeros((3, 3, 3), np.float32); point[1, 1, 1] = 27
    >>> float(box_mean(point, 1)[1, 1, 1])
    1.0
    """
    radii = np.broadcast_to(np.asarray(radius, int), 3)
    kernels = [np.full(2 * r + 1, 1 / (2 * r + 1), np.float32) for r in radii]
    return convolve(volume, kernels, threads)


def block_mean(volume: Volume, factors: Sequence[int]) -> Volume:
    """Average blocks of voxels into one voxel each; an incomplete block at an end is left out.

    Parameters
    ----------
    volume : array of float32, shape (x, y, z)
    factors : three ints
        Voxels per block along each axis.

    Returns
    -------
    array of float32
        ``volume`` itself where every block is one voxel.

    Examples
    --------
    >>> block_mean(np.arange(5, dtype=np.float32).reshape(1, 1, 5), (1, 1, 2)).ravel().tolist()
    [0.5, 2.5]
    """
    if all(factor == 1 for factor in factors):
        return volume
    shape = tuple(n // factor for n, factor in zip(volume.shape, factors, strict=True))
    target = np.zeros(shape, np.float32)
    _add_blocks(volume, tuple(int(factor) for factor in factors), target)
    return np.asarray(target / np.float32(np.prod(factors)), np.float32)


def gaussian(sigma: float) -> NDArray[np.float32]:
    """Return a normalised Gaussian kernel of odd length.

    Examples
    --------
    >>> gaussian(0).tolist()
    [1.0]
    """
    if sigma <= 0:
        return np.ones(1, np.float32)
    radius = int(np.ceil(3 * sigma))
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    return np.asarray(weights / weights.sum(), dtype=np.float32)


def convolve(volume: Volume, kernels: Sequence[NDArray[np.float32]], threads: int = 1) -> Volume:
    """Convolve each axis with its (symmetric) kernel; edges repeat."""
    source = np.ascontiguousarray(volume, np.float32)
    for axis, kernel in enumerate(kernels):
        if kernel.size > 1:
            target = np.empty_like(source)
            run_slabs(_AXES[axis], source.shape[0], threads, source, kernel, target)
            source = target
    return source.copy() if source is volume else source


@numba.njit(nogil=True, cache=True)
def _add_blocks(volume, factors, target):  # type: ignore[no-untyped-def]
    a, b, c = factors
    nx, ny, nz = target.shape
    for i in range(nx * a):
        for j in range(ny * b):
            row = target[i // a, j // b]
            for k in range(nz):
                for step in range(c):
                    row[k] += volume[i, j, k * c + step]


@numba.njit(nogil=True, cache=True, fastmath=True)
def _along_x(start, stop, source, kernel, target):  # type: ignore[no-untyped-def]
    nx, ny, nz = source.shape
    radius = kernel.size // 2
    for i in range(start, stop):
        for j in range(ny):
            for k in range(nz):
                target[i, j, k] = 0
        for tap in range(kernel.size):
            near = min(max(i + tap - radius, 0), nx - 1)
            weight = kernel[tap]
            for j in range(ny):
                for k in range(nz):
                    target[i, j, k] += weight * source[near, j, k]


@numba.njit(nogil=True, cache=True, fastmath=True)
def _along_y(start, stop, source, kernel, target):  # type: ignore[no-untyped-def]
    _, ny, nz = source.shape
    radius = kernel.size // 2
    for i in range(start, stop):
        for j in range(ny):
            for k in range(nz):
                target[i, j, k] = 0
            for tap in range(kernel.size):
                near = min(max(j + tap - radius, 0), ny - 1)
                weight = kernel[tap]
                for k in range(nz):
                    target[i, j, k] += weight * source[i, near, k]


@numba.njit(nogil=True, cache=True, fastmath=True)
def _along_z(start, stop, source, kernel, target):  # type: ignore[no-untyped-def]
    _, ny, nz = source.shape
    radius = kernel.size // 2
    row = np.empty(nz + 2 * radius, np.float32)
    for i in range(start, stop):
        for j in range(ny):
            for k in range(nz + 2 * radius):
                row[k] = source[i, j, min(max(k - radius, 0), nz - 1)]
            for k in range(nz):
                target[i, j, k] = 0
            for tap in range(kernel.size):
                weight = kernel[tap]
                for k in range(nz):
                    target[i, j, k] += weight * row[k + tap]


_AXES = (_along_x, _along_y, _along_z)
