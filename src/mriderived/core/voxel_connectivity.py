"""Correlations of voxels: with a seed, and with each other on average."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mriderived.core.connectivity import fisher_z, standardise
from mriderived.core.series import Frames, Series, check_series, find_varying, map_blocks


def map_seed(series: Series, seed: Frames, threads: int = 1) -> NDArray[np.float32]:
    """Return Fisher's z of the correlation of every voxel with a seed's time course.

    Parameters
    ----------
    series : array of float32, shape (voxels, frames)
    seed : array, shape (frames,)
    threads : int

    Returns
    -------
    array of float32, shape (voxels,)
        NaN for voxels that are constant or not finite.

    Raises
    ------
    ValueError
        If lengths differ or the seed is constant or missing.
    """
    check_series(series, 3)
    if len(seed) != series.shape[1]:
        raise ValueError(f'the seed has {len(seed)} frames and the series {series.shape[1]}')
    unit, valid = standardise(np.asarray(seed, np.float64)[:, None])
    if not valid[0]:
        raise ValueError("the seed's time course is constant or missing")
    z = np.empty(len(series), np.float32)

    def relate(rows: slice) -> None:
        centred, scale = _centre(series[rows])
        z[rows] = fisher_z(centred @ unit[:, 0] * scale)

    map_blocks(relate, len(series), threads)
    return z


def global_correlation(series: Series, threads: int = 1) -> float:
    """Return the mean correlation of every pair of voxels, itself included (GCOR).

    Parameters
    ----------
    series : array of float32, shape (voxels, frames)
        Voxels that are constant or not finite are left out.
    threads : int

    Returns
    -------
    float
        Between 0 and 1; NaN where no voxel varies.

    References
    ----------
    Saad et al. 2013, https://doi.org/10.1089/brain.2013.0156

    Examples
    --------
    >>> round(global_correlation(np.float32([[1, 2, 3], [2, 4, 6]])), 9)
    1.0
    """
    check_series(series)

    def add(rows: slice) -> tuple[Frames, int]:
        centred, scale = _centre(series[rows])
        known = np.isfinite(scale)
        return scale[known] @ centred[known], int(np.count_nonzero(known))

    total, count = np.zeros(series.shape[1]), 0
    for part, voxels in map_blocks(add, len(series), threads):
        total += part
        count += voxels
    return float(total @ total) / count**2 if count else float('nan')


def _centre(block: Series) -> tuple[Frames, Frames]:
    """Return the rows less their means, and one over their lengths: NaN where they do not vary."""
    values = block.astype(np.float64)
    varying = find_varying(block)
    values[~varying] = 0
    centred = values - values.mean(axis=1, keepdims=True)
    length = np.sqrt(np.einsum('vt,vt->v', centred, centred))
    return centred, np.where(varying, 1 / np.where(varying, length, 1), np.nan)
