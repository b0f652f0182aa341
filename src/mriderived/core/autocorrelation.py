"""How many independent frames a run is worth."""

from __future__ import annotations

import numpy as np

from mriderived.core.series import Frames, Mask


def autocorrelation(courses: Frames, keep: Mask | None = None) -> Frames:
    """Return the autocorrelation of time courses at every lag.

    Parameters
    ----------
    courses : array, shape (kept frames, regions)
    keep : array of bool, shape (frames,), optional
        Which frames of the run these are: pairs count at their true distance, and none are made
        across a gap as if it were not there.

    Returns
    -------
    array of float64, shape (frames, regions)
        1 at lag 0; the products at a lag are divided by all kept frames (the usual estimate, which
        fades with the lag). NaN for a course that is constant or not finite.

    Examples
    --------
    >>> autocorrelation(np.array([[1.0], [-1.0], [1.0], [-1.0]]))[:2, 0].tolist()
    [1.0, -0.75]
    """
    kept = np.ones(len(courses), bool) if keep is None else keep
    frames = len(kept)
    centred = courses - courses.mean(axis=0)
    whole = np.zeros((frames, courses.shape[1]))
    whole[kept] = np.nan_to_num(centred)
    power = np.abs(np.fft.rfft(whole, 2 * frames, axis=0)) ** 2
    products = np.fft.irfft(power, axis=0)[:frames]
    pairs = np.fft.irfft(np.abs(np.fft.rfft(kept, 2 * frames)) ** 2)[:frames]
    # Gaps take pairs away; what is left is scaled to the pairs that a run without them has.
    count = int(np.count_nonzero(kept))
    expected = count * (1 - np.arange(frames) / frames)
    scale = np.where(pairs > 0.5, expected / np.maximum(np.rint(pairs), 1), 0)
    valid = np.isfinite(centred).all(axis=0) & (products[0] > 0)
    with np.errstate(invalid='ignore', divide='ignore'):
        normed = products * scale[:, None] / products[0]
    return np.asarray(np.where(valid, normed, np.nan))


def effective_frames(
    courses: Frames, keep: Mask | None = None, degrees: int | None = None
) -> Frames:
    r"""Return for each pair of time courses the number of independent frames they are worth.

    Bartlett's :math:`N / (1 + 2 \sum_l \rho_i(l) \rho_j(l))`: the variance of the correlation of
    two independent courses is one over it. The autocorrelations are tapered (Tukey) to 0 at lag
    :math:`2 \sqrt N`, because estimates at far lags are noise. After a filter and censoring this
    is 20 to 50 % too many, because a series with gaps is not stationary; what denoising has left
    is then the limit, which chance correlations of filtered white noise reach.

    Parameters
    ----------
    courses : array, shape (kept frames, regions)
    keep : array of bool, shape (frames,), optional
        As for :func:`autocorrelation`.
    degrees : int, optional
        Degrees of freedom that denoising has left.

    Returns
    -------
    array of float64, shape (regions, regions)
        At most the number of kept frames and of degrees of freedom; NaN where a course is
        constant or missing.

    References
    ----------
    Bartlett 1946, https://doi.org/10.2307/2983611;
    Afyouni et al. 2019, https://doi.org/10.1016/j.neuroimage.2019.05.011

    Examples
    --------
    >>> noise = np.random.default_rng(0).normal(size=(1000, 2))
    >>> bool(effective_frames(noise)[0, 1] > 950)
    True
    """
    correlation = autocorrelation(courses, keep)
    count = len(courses)
    reach = min(max(int(2 * np.sqrt(count)), 1), len(correlation) - 1)
    taper = (1 + np.cos(np.pi * np.arange(1, reach + 1) / reach)) / 2
    lags = correlation[1 : reach + 1] * taper[:, None]
    effective = count / np.maximum(1 + 2 * lags.T @ lags, 1)
    return np.asarray(np.minimum(effective, count if degrees is None else degrees))


def lag_one(courses: Frames, keep: Mask | None = None) -> Frames:
    """Return the autocorrelation of each time course at lag one, shape (regions,).

    Examples
    --------
    >>> lag_one(np.array([[1.0], [-1.0], [1.0], [-1.0]])).tolist()
    [-0.75]
    """
    correlation = autocorrelation(courses, keep)
    return correlation[1] if len(correlation) > 1 else np.full(courses.shape[1], np.nan)
