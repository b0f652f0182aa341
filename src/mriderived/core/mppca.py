"""Denoising of diffusion series: principal components that noise alone explains are removed.

In a small patch, the volumes of a series hold few patterns, while noise spreads over all
components alike. The eigenvalues of noise follow the law of Marchenko and Pastur, which tells how
many components are signal (Veraart et al. 2016, doi:10.1016/j.neuroimage.2016.08.016). What noise
added to the components that stay is taken off by the shrinkage that is optimal for the squared
error (Gavish and Donoho 2017, doi:10.1109/TIT.2017.2653801), and overlapping patches are averaged.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.core.mppca_patches import add_planes, decompose
from mriderived.core.slabs import run_slabs

Volume = NDArray[np.float32]
Series = NDArray[np.float32]

#: Fewer volumes do not show which components are noise.
LEAST_VOLUMES = 10
#: Edge of the smallest patch in voxels.
LEAST_EDGE = 5


class Denoised(NamedTuple):
    """A series without most of its noise, and what the patches told."""

    #: Shape (x, y, z, n).
    series: Series
    #: Shape (x, y, z): standard deviation of the noise; 0 outside the mask, NaN where no patch
    #: held enough voxels, and the series is as it was.
    sigma: Volume
    #: Shape (x, y, z): mean number of components kept by the patches around a voxel; as above.
    components: Volume


class _Grid(NamedTuple):
    """First voxels of the patches along each axis, and the edges of a patch."""

    starts: tuple[NDArray[np.int64], ...]
    edges: NDArray[np.int64]


def denoise(
    series: Series,
    mask: NDArray[np.bool_] | None = None,
    edge: int | None = None,
    stride: int | None = None,
    shrink: bool = True,
    threads: int = 1,
    in_place: bool = False,
) -> Denoised:
    """Remove noise from a series as acquired: before any interpolation.

    Parameters
    ----------
    series : array of float32, shape (x, y, z, n)
        Any orientation and any b values; voxels that are not finite or 0 in all volumes are left
        out of the patches.
    mask : array of bool, shape (x, y, z), optional
        Voxels to denoise; only they enter patches. By default all that hold a signal.
    edge : int, optional
        Voxels along an edge of a patch; by default the least odd number, 5 or more, that makes a
        patch hold as many voxels as there are volumes. Cut where the image is smaller.
    stride : int, optional
        Voxels from patch to patch; by default half an edge, rounded down.
    shrink : bool
        Shrink the components that stay; without, they stay as they are.
    threads : int
    in_place : bool
        Write what is found into ``series``, which must be contiguous, so that there is one of it
        in memory.

    Returns
    -------
    Denoised

    Raises
    ------
    ValueError
        If there are too few volumes, if the mask has another shape or is empty, if patches
        would leave gaps, or if the series cannot be written to in place.

    References
    ----------
    https://doi.org/10.1016/j.neuroimage.2016.08.016
    https://doi.org/10.1109/TIT.2017.2653801

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> truth = 100 * np.exp(-rng.random((8, 8, 8, 1)) * np.linspace(0, 2, 30))
    >>> noisy = (truth + 5 * rng.standard_normal(truth.shape)).astype(np.float32)
    >>> found = denoise(noisy)
    >>> bool(np.sqrt(((found.series - truth) ** 2).mean()) < 2)
    True
    >>> bool(abs(found.sigma.mean() - 5) < 0.3)
    True
    """
    shape, count = series.shape[:3], series.shape[-1]
    _check(series, mask)
    edge = _choose_edge(count) if edge is None else edge
    stride = max(edge // 2, 1) if stride is None else stride
    if not 1 <= stride <= edge:
        raise ValueError(f'a stride of {stride} leaves gaps between patches of {edge} voxels')
    if in_place and not (series.flags.c_contiguous and series.dtype == np.float32):
        raise ValueError('only a contiguous series of float32 is denoised in place')
    counted = np.ones(shape, bool) if mask is None else mask.copy()
    for plane, values in zip(counted, series, strict=True):
        plane &= np.isfinite(values).all(axis=-1) & np.any(values, axis=-1)
    if not counted.any():
        raise ValueError('no voxel of the mask holds a signal: check the series and its mask')
    grid = _lay_patches(shape, edge, stride)
    source = series if in_place else np.array(series, np.float32, order='C')
    # sums over the patches: their weights, their number, their variances, their components
    sums = np.zeros((4, *shape), np.float64)
    _add_patches(source, counted, grid, shrink, sums, threads)
    return Denoised(source, *_average(counted, sums))


def _check(series: Series, mask: NDArray[np.bool_] | None) -> None:
    if series.ndim != 4:
        raise ValueError(f'a series has four axes, but this image has shape {series.shape}')
    if series.shape[3] < LEAST_VOLUMES:
        raise ValueError(
            f'a series of {series.shape[3]} volumes is too short to tell noise from signal by '
            f'principal components; that takes {LEAST_VOLUMES} or more'
        )
    if mask is not None and mask.shape != series.shape[:3]:
        raise ValueError(f'the mask has shape {mask.shape}, but the series {series.shape[:3]}')


def _choose_edge(count: int) -> int:
    edge = LEAST_EDGE
    while edge**3 < count:
        edge += 2
    return edge


def _lay_patches(shape: tuple[int, ...], edge: int, stride: int) -> _Grid:
    edges = np.minimum(edge, shape)
    starts = tuple(
        np.unique(np.append(np.arange(0, n - e + 1, stride), n - e))
        for n, e in zip(shape, edges, strict=True)
    )
    return _Grid(starts, edges.astype(np.int64))


def _add_patches(
    source: Series,
    counted: NDArray[np.bool_],
    grid: _Grid,
    shrink: bool,
    sums: NDArray[np.float64],
    threads: int,
) -> None:
    """Replace a series by the mean of its patches, one layer of patches along x after the other.

    What patches say is added up in a ring of as many planes as a patch has: what lies before a
    layer is complete, and no later patch reads it.
    """
    starts, ys, zs = grid.starts
    planes, count = source.shape[1], source.shape[3]
    total = np.zeros((grid.edges[0], *source.shape[1:]), np.float32)
    basis = np.empty((len(ys), len(zs), count, count), np.float32)
    # components kept (-1: no patch) and variance of the noise
    found = np.empty((2, len(ys), len(zs)))
    for x, following in pairwise((*starts, len(source))):
        layer = int(x), ys, zs, grid.edges
        run_slabs(decompose, len(ys), threads, source, counted, layer, shrink, basis, found)
        run_slabs(add_planes, planes, threads, source, counted, layer, basis, found, total, sums)
        for plane in range(x, following):
            ring = total[plane % len(total)]
            reached = sums[0, plane] > 0
            source[plane][reached] = ring[reached] / sums[0, plane][reached, None].astype(
                np.float32
            )
            ring[:] = 0


def _average(counted: NDArray[np.bool_], sums: NDArray[np.float64]) -> tuple[Volume, Volume]:
    """Return the maps of the noise and of the components."""
    weight, times, variance, components = sums
    outside = np.where(counted, np.nan, 0)
    noise, kept = (
        np.where(weight > 0, each, outside).astype(np.float32)
        for each in (np.sqrt(variance / np.maximum(times, 1)), components / np.maximum(times, 1))
    )
    return noise, kept
