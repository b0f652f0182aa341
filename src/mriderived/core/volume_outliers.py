"""Volumes that are unlike the others: AFNI's outlier fraction and quality index."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from mriderived.core.ranks import rank_rows
from mriderived.core.series import Frames, Mask, Series, check_series, find_varying, map_blocks
from mriderived.core.slabs import run_slabs

#: Chance of one outlier in a whole series of normal noise.
ALPHA = 0.001


def outlier_fraction(series: Series, threads: int = 1) -> Frames:
    r"""Return for each frame the share of voxels that are outliers of their own series.

    A voxel is an outlier where its distance to its median over time exceeds
    :math:`\sqrt{\pi/2}\, Q^{-1}(\alpha / N)\, MAD`, with Q the upper tail of the normal
    distribution, N the number of frames and :math:`\alpha = 0.001`: 3dToutcount's rule without
    detrending. The mean over frames is MRIQC's ``aor``.

    Parameters
    ----------
    series : array of float32, shape (voxels, frames)
        Voxels that are constant or not finite are left out.
    threads : int

    Returns
    -------
    array of float64, shape (frames,)
        NaN where no voxel varies.

    References
    ----------
    Cox 1996, https://doi.org/10.1006/cbmr.1996.0014 (AFNI)

    Examples
    --------
    >>> series = np.random.default_rng(0).normal(size=(500, 40)).astype(np.float32)
    >>> series[:250, 7] += 100
    >>> fraction = outlier_fraction(series)
    >>> bool(fraction[7] > 0.49), bool(np.delete(fraction, 7).max() < 0.02)
    (True, True)
    """
    check_series(series, 3)
    limit = np.sqrt(np.pi / 2) * norm.isf(ALPHA / series.shape[1])
    varying = find_varying(series, threads)

    def count(rows: slice) -> Frames:
        block = series[rows][varying[rows]]
        distance = np.abs(block - np.median(block, axis=1, keepdims=True))
        spread = np.median(distance, axis=1, keepdims=True)
        return np.asarray((distance > limit * spread).sum(axis=0, dtype=np.float64))

    counts = np.zeros(series.shape[1])
    for part in map_blocks(count, len(series), threads):
        counts += part
    voxels = np.count_nonzero(varying)
    return counts / voxels if voxels else np.full(series.shape[1], np.nan)


def quality_index(series: Series, threads: int = 1) -> Frames:
    """Return for each frame one minus Spearman's correlation with the median volume.

    This is 3dTqual's index; the mean over frames is MRIQC's ``aqi``.

    Parameters
    ----------
    series : array of float32, shape (voxels, frames)
        Voxels that are constant or not finite are left out.
    threads : int

    Returns
    -------
    array of float64, shape (frames,)
        NaN where fewer than two voxels vary.

    References
    ----------
    Cox 1996, https://doi.org/10.1006/cbmr.1996.0014 (AFNI)
    """
    check_series(series)
    varying = find_varying(series, threads)
    if np.count_nonzero(varying) < 2:
        return np.full(series.shape[1], np.nan)
    middle = np.concatenate(
        map_blocks(lambda rows: _median(series[rows], varying[rows]), len(series), threads)
    )
    reference = _centred_ranks(middle)

    index = np.full(series.shape[1], np.nan)

    def compare(start: int, stop: int) -> None:
        for frame in range(start, stop):
            ranks = _centred_ranks(series[varying, frame])
            lengths = np.sqrt((ranks @ ranks) * (reference @ reference))
            if lengths > 0:
                index[frame] = 1 - float(ranks @ reference / lengths)

    run_slabs(compare, len(index), threads)
    return index


def _median(block: Series, varying: Mask) -> NDArray[np.float32]:
    return np.asarray(np.median(block[varying], axis=1), np.float32)


def _centred_ranks(values: NDArray[np.float32]) -> Frames:
    ranks, _ = rank_rows(values[None])
    return np.asarray(ranks[0] - (values.size + 1.0))
