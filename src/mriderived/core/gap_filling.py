"""Fill censored frames from the frames around them, for measures that need a whole spectrum."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, toeplitz

from mriderived.core.series import Frames, Mask, Series, check_series, map_blocks

#: Less than this share of frames tells too little of a spectrum.
MIN_KEPT = 0.5
#: Part of the variance that counts as unpredictable, so that the equations are well conditioned.
_NUGGET = 1e-3


class Filler:
    r"""Predict censored frames from the kept ones by the autocorrelation of the series.

    The mean autocorrelation of all voxels, each scaled to unit variance, is taken over pairs of
    kept frames; what of its spectrum is negative by chance is cut off. The fill is then the best
    linear prediction :math:`K_{ck} K_{kk}^{-1} x_k` from kept frames k to censored ones c: the
    least-squares fit of all frequencies, each weighted by the power that the run has there. For
    white noise it is the mean, for a slow wave its course. Censored values are never looked at.
    The prediction adds no information: use it for spectra only, never for correlations. It is
    smoother than what it stands for; what its spectrum lacks on average follows from the same
    autocorrelation and is given by :meth:`missing_power`.

    Parameters
    ----------
    series : array of float32, shape (voxels, frames) or (voxels, kept frames)
    keep : array of bool, shape (frames,)
        False for censored frames.

    Raises
    ------
    ValueError
        If lengths differ or fewer than half of the frames are kept.

    References
    ----------
    The use for spectra of censored runs: Power et al. 2014,
    https://doi.org/10.1016/j.neuroimage.2013.08.048 (whose fill is the Lomb-Scargle periodogram)

    Examples
    --------
    >>> wave = np.sin(2 * np.pi * np.arange(200) / 20)
    >>> keep = ~np.isin(np.arange(200), [63, 124])
    >>> filler = Filler(np.float32([wave]), keep)
    >>> filled = filler.fill(np.where(keep, wave, 99)[None].astype(np.float32))
    >>> bool(np.abs(filled - wave).max() < 0.1)
    True
    """

    def __init__(self, series: Series, keep: Mask) -> None:
        check_series(series, 4)
        count = int(np.count_nonzero(keep))
        if series.shape[1] not in (len(keep), count):
            raise ValueError(
                f'the series has {series.shape[1]} frames and the mask {len(keep)}, {count} kept'
            )
        share = count / len(keep)
        if share < MIN_KEPT:
            raise ValueError(f'only {share:.0%} of frames are kept, {MIN_KEPT:.0%} are needed')
        self.keep = keep
        covariance = toeplitz(_autocorrelation(series, keep))
        values, vectors = np.linalg.eigh(covariance)
        covariance = (vectors * np.maximum(values, 0)) @ vectors.T
        covariance /= np.mean(np.diag(covariance))
        covariance[np.diag_indices(len(keep))] += _NUGGET
        across = covariance[np.ix_(keep, ~keep)]
        self._weights: Frames = cho_solve(cho_factor(covariance[np.ix_(keep, keep)]), across)
        self._unknown = covariance[np.ix_(~keep, ~keep)] - across.T @ self._weights

    def fill(self, block: Series) -> Frames:
        """Return the block with its censored frames filled, shape (voxels, frames)."""
        centred, mean, _ = self.split(block)
        return np.asarray(centred + mean)

    def split(self, block: Series) -> tuple[Frames, Frames, Frames]:
        """Return the filled block less its mean, the mean, and the variance, of kept frames."""
        kept = _select(block, self.keep)
        mean = kept.mean(axis=1, keepdims=True)
        kept -= mean
        centred = np.empty((len(block), len(self.keep)))
        centred[:, self.keep] = kept
        centred[:, ~self.keep] = kept @ self._weights
        return centred, mean, np.square(kept).mean(axis=1, keepdims=True)

    def missing_power(self) -> Frames:
        """Return the power that the fill is expected to lack, for a series of unit variance.

        Returns
        -------
        array of float64, shape (frames // 2 + 1,)
            To be added to the squared modulus of the discrete Fourier transform.
        """
        frames = len(self.keep)
        bins = np.arange(frames // 2 + 1)
        turn = np.exp(-2j * np.pi * np.outer(bins, np.flatnonzero(~self.keep)) / frames)
        power = np.real(np.sum((turn @ self._unknown) * turn.conj(), axis=1))
        return np.asarray(np.maximum(power, 0))


def _select(block: Series, keep: Mask) -> Frames:
    """Return the kept frames of a block that has all of them, or only these."""
    whole = block.shape[1] == len(keep)
    return (block[:, keep] if whole else block).astype(np.float64)


def _autocorrelation(series: Series, keep: Mask) -> NDArray[np.float64]:
    """Return the mean autocorrelation over voxels at every lag, from pairs of kept frames."""
    frames = len(keep)

    def add(rows: slice) -> tuple[Frames, int]:
        values = np.zeros((rows.stop - rows.start, frames))
        kept = _select(series[rows], keep)
        kept = kept - kept.mean(axis=1, keepdims=True)
        with np.errstate(invalid='ignore', divide='ignore'):
            values[:, keep] = kept / kept.std(axis=1, keepdims=True)
        values = values[np.isfinite(values).all(axis=1)]
        power = np.abs(np.fft.rfft(values, 2 * frames, axis=1)) ** 2
        return power.sum(axis=0), len(values)

    power, voxels = np.zeros(frames + 1), 0
    for part, count in map_blocks(add, len(series)):
        power += part
        voxels += count
    if voxels == 0:
        return np.eye(frames)[:, 0]
    products = np.fft.irfft(power / voxels)[:frames]
    pairs = np.fft.irfft(np.abs(np.fft.rfft(keep, 2 * frames)) ** 2)[:frames]
    with np.errstate(invalid='ignore', divide='ignore'):
        correlation = np.where(pairs > 0.5, products / np.rint(pairs), 0)
    # Far lags rest on few pairs. A raised cosine keeps the course of a wave better than a line.
    taper = (1 + np.cos(np.pi * np.arange(frames) / frames)) / 2
    return np.asarray(correlation * taper)
