"""Image quality metrics: each a formula over intensities or tissue maps.

The set and its names are MRIQC's (https://doi.org/10.1371/journal.pone.0184661). Metrics that
cannot be had are NaN here; ``quality_t1w`` says why.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy
from scipy.stats import kurtosis

Array = NDArray[np.floating]

#: Scales a median absolute deviation to the standard deviation of a normal distribution.
MAD_TO_SD = 1.482602218505602
#: Standard deviation of Rayleigh noise over that of the underlying Gaussian noise.
RAYLEIGH_SD = float(np.sqrt((4.0 - np.pi) / 2.0))


class Summary(NamedTuple):
    """Statistics of the intensities of a region; all but ``n`` and ``k`` in intensity units."""

    mean: float
    median: float
    mad: float
    stdv: float
    k: float
    p05: float
    p95: float
    n: int


def summarise(values: Array, minimum: int = 1) -> Summary:
    """Summarise intensities.

    Parameters
    ----------
    values : (n,) float array
        Intensities.
    minimum : int
        With fewer values, everything but ``n`` is NaN.

    Returns
    -------
    Summary
        Mean, median, median absolute deviation (scaled to a standard deviation), standard
        deviation (of the population), excess kurtosis, 5th and 95th percentile, count.

    Examples
    --------
    >>> summarise(np.array([1.0, 2.0, 3.0, 4.0, 5.0])).median
    3.0
    """
    n = int(values.size)
    if n < max(minimum, 1):
        nan = float('nan')
        return Summary(nan, nan, nan, nan, nan, nan, nan, n)
    p05, median, p95 = (float(p) for p in np.percentile(values, (5, 50, 95)))
    stdv = float(np.std(values, dtype=np.float64))
    return Summary(
        mean=float(np.mean(values, dtype=np.float64)),
        median=median,
        mad=float(np.median(np.abs(values - median))) * MAD_TO_SD,
        stdv=stdv,
        k=float(kurtosis(values.astype(np.float64))) if stdv > 0 else float('nan'),
        p05=p05,
        p95=p95,
        n=n,
    )


def ratio(numerator: float, denominator: float) -> float:
    """Divide; NaN where the denominator is not positive."""
    return numerator / denominator if denominator > 0 else float('nan')


def cjv(wm: Summary, gm: Summary) -> float:
    r"""Coefficient of joint variation of white and grey matter; lower is better.

    :math:`(\sigma_{WM} + \sigma_{GM}) / |\mu_{WM} - \mu_{GM}|` with medians and scaled MADs.

    References
    ----------
    Ganzetti et al. 2016, https://doi.org/10.3389/fninf.2016.00010
    """
    return ratio(wm.mad + gm.mad, abs(wm.median - gm.median))


def cnr(wm: Summary, gm: Summary, air: Summary) -> float:
    r"""Contrast-to-noise ratio between white and grey matter; higher is better.

    :math:`|\mu_{WM} - \mu_{GM}| / \sqrt{\sigma_{air}^2 + \sigma_{WM}^2 + \sigma_{GM}^2}`.

    References
    ----------
    Magnotta and Friedman 2006, https://doi.org/10.1007/s10278-006-0264-x
    """
    noise = float(np.sqrt(air.stdv**2 + wm.stdv**2 + gm.stdv**2))
    return ratio(abs(wm.median - gm.median), noise)


def snr(tissue: Summary) -> float:
    r"""Signal-to-noise ratio inside a tissue: median over the sample standard deviation.

    Examples
    --------
    >>> round(snr(summarise(np.array([9.0, 10.0, 11.0]))), 6)
    10.0
    """
    if tissue.n < 2:
        return float('nan')
    return ratio(tissue.median, tissue.stdv * float(np.sqrt(tissue.n / (tissue.n - 1))))


def snr_dietrich(tissue: Summary, air: Summary) -> float:
    r"""Signal-to-noise ratio of a tissue against the noise in air; higher is better.

    :math:`\mu / (\sqrt{2/(4-\pi)}\,\sigma_{air})`: noise of a magnitude image is Rayleigh
    distributed where there is no signal, which makes it look smaller than it is. The spread
    is the scaled MAD; the standard deviation where more than half of the air has one value.
    (MRIQC decides between the two at MAD = 1, which depends on the unit of intensity.)

    References
    ----------
    Dietrich et al. 2007, equation A.12, https://doi.org/10.1002/jmri.20969
    """
    return ratio(RAYLEIGH_SD * tissue.median, air.mad if air.mad > 0 else air.stdv)


def wm_to_max(wm_median: float, image: Array) -> float:
    """White-matter median over the 99.95th percentile of the whole image; 0.6 to 0.8 is usual.

    (MRIQC's documentation says 95th percentile, its formula and code 99.95th.)
    """
    return ratio(wm_median, float(np.percentile(image, 99.95)))


def entropy_focus(image: Array) -> float:
    r"""Entropy focus criterion: 0 for all energy in one voxel, 1 for a uniform image.

    :math:`E = -\sum_i (x_i/x_{max}) \ln (x_i/x_{max})` with
    :math:`x_{max} = \sqrt{\sum_i x_i^2}`, over its maximum :math:`\sqrt{N} \ln \sqrt{N}`.
    Ghosts and blur raise it. Negative intensities count as zero.

    Parameters
    ----------
    image : float array
        Intensities (without voxels of filled-in padding, which are no data).

    Returns
    -------
    float
        Between 0 and 1; NaN for an empty or all-zero image.

    References
    ----------
    Atkinson et al. 1997, https://doi.org/10.1109/42.650886

    Examples
    --------
    >>> round(entropy_focus(np.full(1000, 7.0)), 6)
    1.0
    """
    x = np.maximum(image.ravel(), 0)
    energy = float(np.sqrt(np.sum(np.square(x, dtype=np.float64))))
    if energy == 0 or x.size < 2:
        return float('nan')
    x = x / x.dtype.type(energy)
    entropy = -float(np.sum(xlogy(x, x), dtype=np.float64))
    return entropy / float(np.sqrt(x.size) * np.log(np.sqrt(x.size)))


def energy_ratio(head: Array, air: Array) -> float:
    """Foreground-background energy ratio: mean squared intensity of head over that of air.

    Air within 10 mm of the head is left out by the caller: there, a head mask that misses a jaw
    would decide the number.

    (MRIQC's code takes medians; its documentation and the definition take means, and only
    these feel an artefact that covers less than half of the air.)

    References
    ----------
    Shehzad et al. 2015, https://doi.org/10.3389/conf.fnins.2015.91.00047

    Examples
    --------
    >>> energy_ratio(np.array([4.0]), np.array([2.0]))
    4.0
    """
    if head.size == 0 or air.size == 0:
        return float('nan')
    foreground = float(np.mean(np.square(head, dtype=np.float64)))
    return ratio(foreground, float(np.mean(np.square(air, dtype=np.float64))))


def nonuniformity(raw: Array, corrected: Array) -> tuple[float, float]:
    """Median and range (95th minus 5th percentile) of the bias field, scaled to mean 1.

    The gain of a bias field is arbitrary: a field times two and an image over two are the
    same correction. MRIQC leaves the gain in; here it is divided out, so that neither number
    depends on it.

    Parameters
    ----------
    raw, corrected : (n,) float array
        Intensities inside the brain before and after the correction.

    Returns
    -------
    float, float
        NaN if fewer than 100 voxels have a positive intensity in both.

    References
    ----------
    Tustison et al. 2010, https://doi.org/10.1109/TMI.2010.2046908

    Examples
    --------
    >>> nonuniformity(np.full(200, 6.0), np.full(200, 2.0))
    (1.0, 0.0)
    """
    usable = (raw > 0) & (corrected > 0)
    if np.count_nonzero(usable) < 100:
        return float('nan'), float('nan')
    field = raw[usable] / corrected[usable]
    field = field / np.mean(field, dtype=np.float64)
    p05, median, p95 = (float(p) for p in np.percentile(field, (5, 50, 95)))
    return median, p95 - p05
