"""DVARS: how much the whole brain's signal changes from one frame to the next."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.core.ranks import median_of
from mriderived.core.series import Frames, Series, check_series, map_blocks

#: The median of all intensities after scaling, so that DVARS compares between scanners.
LEVEL = 1000.0
#: Interquartile range over the standard deviation of a normal distribution, as FSL rounds it.
IQR_PER_SD = 1.349


class Dvars(NamedTuple):
    """Three forms of DVARS per frame; the first frame, which nothing precedes, is NaN.

    ``dvars`` is in thousandths of the median intensity; ``std_dvars`` is divided by what is
    expected from the voxels' spread and autocorrelation (1 where nothing but noise changes);
    ``vx_std_dvars`` is standardised voxel by voxel before the mean.
    """

    dvars: Frames
    std_dvars: Frames
    vx_std_dvars: Frames


class _Sums(NamedTuple):
    raw: Frames
    standardised: Frames
    expected: float
    voxels: int


def compute_dvars(series: Series, threads: int = 1) -> Dvars:
    r"""Compute DVARS and its standardised forms.

    With :math:`\Delta_{vt}` the difference of a voxel to the frame before,
    :math:`DVARS_t = \sqrt{\mathrm{mean}_v \Delta_{vt}^2}`. In white noise with autocorrelation
    :math:`\rho_v` at lag one the standard deviation of the difference is
    :math:`s_v = \sigma_v \sqrt{2 (1 - \rho_v)}`, where :math:`\sigma_v` is the interquartile
    range over 1.349. The standardised form divides by the mean of :math:`s_v`, the voxelwise
    form takes :math:`\Delta_{vt} / s_v`. These are the definitions of nipype, fMRIPrep and MRIQC.

    Parameters
    ----------
    series : array of float32, shape (voxels, frames)
        The brain after motion correction, in any unit. Voxels that are not finite, or whose
        interquartile range is zero, are left out.
    threads : int

    Returns
    -------
    Dvars
        Arrays of shape (frames,).

    Raises
    ------
    ValueError
        If there are fewer than three frames, no voxel is finite throughout, none varies, or the
        median is not positive.

    References
    ----------
    Power et al. 2012, https://doi.org/10.1016/j.neuroimage.2011.10.018;
    Afyouni and Nichols 2018, https://doi.org/10.1016/j.neuroimage.2017.12.098

    Examples
    --------
    >>> noise = np.random.default_rng(0).normal(100, 1, (1000, 200)).astype(np.float32)
    >>> bool(np.allclose(compute_dvars(noise).std_dvars[1:], 1, atol=0.1))
    True
    """
    check_series(series, 3)
    level = _median(series)
    if not level > 0:
        raise ValueError(f'the median intensity is {level:g}; DVARS needs a positive one')
    scale = LEVEL / level
    sums = map_blocks(lambda rows: _add(series[rows], scale), len(series), threads)
    voxels = sum(part.voxels for part in sums)
    if voxels == 0:
        raise ValueError('no voxel changes over time, so DVARS has no scale')
    raw, standardised = np.zeros(series.shape[1] - 1), np.zeros(series.shape[1] - 1)
    expected = 0.0
    for part in sums:
        raw += part.raw
        standardised += part.standardised
        expected += part.expected
    dvars = np.sqrt(raw / voxels)
    forms = (dvars, dvars / (expected / voxels), np.sqrt(standardised / voxels))
    return Dvars(*(np.concatenate([[np.nan], form]) for form in forms))


def compute_steady_dvars(series: Series, unsteady: int, threads: int = 1) -> Dvars:
    """Compute DVARS of the frames in steady state; what is before has none (NaN).

    Bright first frames would raise the autocorrelation of every voxel, and with it all of
    standardised DVARS.

    Parameters
    ----------
    series : array of float32, shape (voxels, frames)
    unsteady : int
        Frames before the steady state.
    threads : int

    Returns
    -------
    Dvars
        Arrays of shape (frames,), NaN up to and including the first steady frame.

    Examples
    --------
    >>> series = np.random.default_rng(0).normal(100, 1, (1000, 50)).astype(np.float32)
    >>> series[:, :2] *= 3
    >>> found = compute_steady_dvars(series, 2).std_dvars
    >>> np.isnan(found).sum().item(), bool(np.allclose(found[3:], 1, atol=0.15))
    (3, True)
    """
    forms = compute_dvars(series[:, unsteady:], threads)
    return Dvars(*(np.concatenate([np.full(unsteady, np.nan), form]) for form in forms))


def _median(series: Series) -> float:
    blocks = map_blocks(lambda rows: np.isfinite(series[rows]).all(axis=1), len(series))
    finite = np.concatenate(blocks) if blocks else np.zeros(0, bool)
    if not finite.any():
        raise ValueError('no voxel is finite in all frames; look for volumes that are damaged')
    return median_of(series if finite.all() else series[finite])


def _add(block: NDArray[np.float32], scale: float) -> _Sums:
    block = block[np.isfinite(block).all(axis=1)]
    last = block.shape[1] - 1
    places = (last // 4, 3 * last // 4)
    quartiles = np.partition(block, places, axis=1)[:, places].astype(np.float64) * scale
    spread = (quartiles[:, 1] - quartiles[:, 0]) / IQR_PER_SD
    values = block[spread > 0].astype(np.float64) * scale
    spread = spread[spread > 0]
    centred = values - values.mean(axis=1, keepdims=True)
    power = np.einsum('vt,vt->v', centred, centred)
    lagged = np.einsum('vt,vt->v', centred[:, 1:], centred[:, :-1])
    expected = np.sqrt(2 * (1 - lagged / power)) * spread
    steps = np.diff(values, axis=1) ** 2
    return _Sums(
        steps.sum(axis=0),
        (steps / (expected**2)[:, None]).sum(axis=0),
        float(expected.sum()),
        len(values),
    )
