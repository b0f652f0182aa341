"""Denoising of diffusion series: principal components that noise alone explains are removed.

In a small patch, the volumes of a series hold few patterns, while noise spreads over all
components alike. The eigenvalues of noise follow the law of Marchenko and Pastur, which tells how
many components are signal (Veraart et al. 2016, doi:10.1016/j.neuroimage.2016.08.016). What noise
added to the components that stay is taken off by the shrinkage that is optimal for the squared
error (Gavish and Donoho 2017, doi:10.1109/TIT.2017.2653801), and overlapping patches are averaged.
"""

from __future__ import annotations

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

    Returns
    -------
    Denoised

    Raises
    ------
    ValueError
        If there are too few volumes, if the mask has another shape or is empty, or if patches
        would leave gaps.

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
    counted = np.isfinite(series).all(axis=-1) & np.any(series, axis=-1)
    if mask is not None:
        counted &= mask
    if not counted.any():
        raise ValueError('no voxel of the mask holds a signal: check the series and its mask')
    grid = _lay_patches(shape, edge, stride)
    source = np.ascontiguousarray(series, np.float32)
    total = np.zeros(source.shape, np.float32)
    # sums over the patches: their weights, their number, their variances, their components
    sums = np.zeros((4, *shape), np.float64)
    _add_patches(source, counted, grid, shrink, total, sums, threads)
    return _divide(source, counted, total, sums)


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
    series: Series,
    counted: NDArray[np.bool_],
    grid: _Grid,
    shrink: bool,
    total: Series,
    sums: NDArray[np.float64],
    threads: int,
) -> None:
    """Add what each patch says, one layer of patches along x after the other."""
    _, ys, zs = grid.starts
    count = series.shape[3]
    basis = np.empty((len(ys), len(zs), count, count), np.float32)
    # components kept (-1: no patch) and variance of the noise
    found = np.empty((2, len(ys), len(zs)))
    for x in grid.starts[0]:
        layer = int(x), ys, zs, grid.edges
        run_slabs(decompose, len(ys), threads, series, counted, layer, shrink, basis, found)
        planes = series.shape[1]
        run_slabs(add_planes, planes, threads, series, counted, layer, basis, found, total, sums)


def _divide(
    series: Series, counted: NDArray[np.bool_], total: Series, sums: NDArray[np.float64]
) -> Denoised:
    weight, times, variance, components = sums
    reached = weight > 0
    for plane in range(len(total)):
        inside = reached[plane]
        total[plane][inside] /= weight[plane][inside, None].astype(np.float32)
        total[plane][~inside] = series[plane][~inside]
    maps = []
    for each in (np.sqrt(variance / np.maximum(times, 1)), components / np.maximum(times, 1)):
        maps.append(np.where(reached, each, np.where(counted, np.nan, 0)).astype(np.float32))
    return Denoised(total, *maps)
