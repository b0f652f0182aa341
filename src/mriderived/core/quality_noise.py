"""The distribution of noise in air, and how well the noise of coils explains it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import gammainc, gammaincinv

#: Bins of the histogram, from zero to the 99.9th percentile; the tail beyond is one more.
BINS = 100
#: Fewer voxels of air than this tell nothing about a distribution.
MIN_VOXELS = 1000
#: The median of rounded noise has at least this many steps, or its shape is lost.
MIN_STEPS = 3
#: Range of degrees of freedom over two; a coil array with n channels has n, correlated fewer.
SHAPES = (0.3, 64.0)


class NoiseFit(NamedTuple):
    """A histogram of air and the central chi distribution fitted to it.

    ``observed`` and ``expected`` are shares of all voxels in the bins between ``edges``; the
    last bin is open-ended. ``cutoff`` is the first bin of the upper tail, where ``misfit``
    (quality index 2) sums the absolute differences.
    """

    edges: NDArray[np.float64]
    observed: NDArray[np.float64]
    expected: NDArray[np.float64]
    cutoff: int
    coils: float
    sigma: float
    misfit: float


def artefact_share(air: int, artefacts: int) -> float:
    """Quality index 1: the share of artefacts among the voxels of air; 0 is best.

    Examples
    --------
    >>> artefact_share(900, 100)
    0.1
    """
    return artefacts / (air + artefacts) if air + artefacts else float('nan')


def rounding_step(values: NDArray[np.floating]) -> float:
    """Return the step between the values of rounded data; 0 for continuous data.

    Examples
    --------
    >>> rounding_step(np.array([0.0, 2.0, 6.0] * 50))
    2.0
    """
    stride = max(1, values.size // 20_000)
    levels = np.unique(values[::stride])
    if len(levels) < 2 or len(levels) > 1000:
        return 0.0
    return float(np.min(np.diff(levels)))


def is_coarse(values: NDArray[np.floating]) -> bool:
    """Tell whether intensities were rounded so coarsely that the shape of noise is lost.

    Examples
    --------
    >>> noise = np.random.default_rng(0).rayleigh(size=10_000)
    >>> is_coarse(noise), is_coarse(np.round(noise)), is_coarse(np.round(10 * noise))
    (False, True, False)
    """
    step = rounding_step(values)
    return step > 0 and float(np.median(values)) < MIN_STEPS * step


def quantiles(values: NDArray[np.floating], shares: tuple[float, ...]) -> NDArray[np.float64]:
    """Return quantiles that do not jump for rounded data: a value stands for its interval.

    Parameters
    ----------
    values : (n,) float array
        Data, continuous or in equal steps.
    shares : floats
        Between 0 and 1.

    Examples
    --------
    >>> quantiles(np.repeat([0.0, 1.0, 2.0], 100), (0.5,)).tolist()
    [1.0]
    """
    step = rounding_step(values)
    if step == 0:
        return np.asarray(np.quantile(values.astype(np.float64), shares))
    lowest = float(values.min())
    counts = np.bincount(np.rint((values - lowest) / step).astype(np.int64))
    below = np.concatenate([[0.0], np.cumsum(counts)]) / values.size
    bounds = lowest + step * (np.arange(len(counts) + 1) - 0.5)
    if lowest == 0:  # a magnitude that was rounded to zero lay above it
        bounds[0] = 0.0
    return np.asarray(np.interp(shares, below, bounds))


def fit_noise(values: NDArray[np.floating], minimum: int = MIN_VOXELS) -> NoiseFit | None:
    r"""Fit the noise of a magnitude image, a central chi distribution, to intensities of air.

    The squared magnitude of n uncorrelated channels with noise :math:`\sigma` follows a Gamma
    distribution of shape n and scale :math:`2\sigma^2`; n = 1 is Rayleigh noise. Both come
    from the quartiles, which artefacts in the tail do not move. Quality index 2 is then
    :math:`\sum_{t \ge t_2} |H(t) - \hat H(t)|` over shares of voxels in the upper tail, from where
    the histogram has fallen to half its maximum.

    MRIQC compares densities, whose size depends on the unit of intensity, and its workflow
    includes the artefacts that its documentation excludes. Here the index has no unit.

    Parameters
    ----------
    values : (n,) float array
        Intensities of air without artefacts.
    minimum : int
        With fewer values there is no fit.

    Returns
    -------
    NoiseFit or None
        None where there are too few values or rounding has taken their shape.

    References
    ----------
    Mortamet et al. 2009, https://doi.org/10.1002/mrm.21992

    Examples
    --------
    >>> fit = fit_noise(np.random.default_rng(0).rayleigh(3.0, 100_000))
    >>> round(fit.sigma, 1), round(fit.coils, 1), fit.misfit < 0.02
    (3.0, 1.0, True)
    """
    if values.size < minimum or is_coarse(values):
        return None
    lower, middle, upper = quantiles(values, (0.25, 0.5, 0.75))
    if lower <= 0 or upper <= lower:
        return None
    shape = _fit_shape((upper / lower) ** 2)
    scale = middle**2 / float(gammaincinv(shape, 0.5))
    return _compare(values, shape, scale)


def _fit_shape(quartile_ratio: float) -> float:
    """Return the shape of the Gamma distribution whose quartiles have this ratio."""

    def excess(shape: float) -> float:
        ratio = gammaincinv(shape, 0.75) / gammaincinv(shape, 0.25)
        return float(np.log(ratio) - np.log(quartile_ratio))

    low, high = SHAPES
    if excess(low) <= 0:
        return low
    if excess(high) >= 0:
        return high
    return float(brentq(excess, low, high, xtol=1e-6))


def _compare(values: NDArray[np.floating], shape: float, scale: float) -> NoiseFit:
    edges = _bin_edges(values)
    counts = np.histogram(values, np.append(edges[:-1], np.inf))[0]
    observed = counts / values.size
    # voxels below the first edge (negative after interpolation) are no part of the model
    cumulative = gammainc(shape, np.maximum(edges, 0) ** 2 / scale)
    cumulative[0], cumulative[-1] = 0.0, 1.0
    expected = np.diff(cumulative)
    peak = int(np.argmax(observed[:-1]))
    below = np.flatnonzero(observed[peak:] < observed[peak] / 2)
    cutoff = peak + int(below[0]) if below.size else len(observed) - 1
    misfit = float(np.abs(observed[cutoff:] - expected[cutoff:]).sum())
    sigma = float(np.sqrt(scale / 2))
    return NoiseFit(edges, observed, expected, cutoff, shape, sigma, misfit)


def _bin_edges(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return edges up to the 99.9th percentile, between the steps of rounded data."""
    top = float(np.percentile(values, 99.9))
    step = rounding_step(values)
    if step == 0:
        return np.linspace(0.0, top, BINS + 1)
    width = step * max(1.0, np.ceil(top / BINS / step))
    # the last edge may lie beyond all values: the last bin holds the tail in any case
    return np.asarray(np.arange(float(values.min()) - step / 2, top + width, width))
