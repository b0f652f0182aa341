"""Mean and variance of a magnitude signal, which noise never lets fall to zero."""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import ArrayLike, NDArray
from scipy.special import ive
from scipy.stats import chi2

#: Up to this argument the scaled Bessel functions come from the first series, beyond from the
#: second, which is in the inverse of the argument.
_SPLIT = 6.0
#: Beyond this ratio of signal to noise the moments come from a series in its inverse.
_FAR = 10.0


def _series(order: int, beyond: bool) -> NDArray[np.float64]:
    nodes = chebyshev.chebpts1(64)
    if beyond:
        arguments = 2 * _SPLIT / (nodes + 1)
        values = ive(order, arguments) * np.sqrt(arguments)
    else:
        values = ive(order, _SPLIT * (nodes + 1) / 2)
    return np.asarray(chebyshev.chebfit(nodes, values, 18), np.float64)


#: Chebyshev series of exp(-x) I0(x) and exp(-x) I1(x), below and beyond the split.
_BELOW_0, _BELOW_1 = _series(0, False), _series(1, False)
_BEYOND_0, _BEYOND_1 = _series(0, True), _series(1, True)


def noise_from_misfit(misfit: ArrayLike, signals: ArrayLike, parameters: int) -> float:
    """Return the noise of images from what a fit leaves of them.

    The median over voxels of the squares left, over what it is expected to be, so that voxels that
    the model does not describe hardly count.

    Parameters
    ----------
    misfit : array, shape (voxels,)
        Root mean square of what is left, over the mean signal; NaN where nothing is fitted.
    signals : array, shape (voxels, images)
    parameters : int
        Of the model that was fitted.

    Returns
    -------
    float
        Standard deviation, in units of the signals; NaN without a fitted voxel.

    Raises
    ------
    ValueError
        If there are no more images than parameters.

    Examples
    --------
    >>> round(noise_from_misfit([0.02], [[100.0, 50.0, 30.0]], 2), 3)
    3.082
    """
    rows = np.asarray(signals)
    images = rows.shape[1]
    if images <= parameters:
        raise ValueError(f'{images} images leave nothing of {parameters} parameters')
    left = images * (np.asarray(misfit, np.float64) * rows.mean(axis=1)) ** 2
    left = left[np.isfinite(left)]
    if not left.size:
        return math.nan
    return math.sqrt(float(np.median(left)) / float(chi2.median(images - parameters)))


@numba.njit(nogil=True, cache=True)
def _chebyshev(series: Any, x: float) -> float:
    one, two = 0.0, 0.0
    for index in range(len(series) - 1, 0, -1):
        one, two = 2 * x * one - two + series[index], one
    total: float = x * one - two + series[0]
    return total


@numba.njit(nogil=True, cache=True)
def _bessel(x: float) -> tuple[float, float]:
    if x <= _SPLIT:
        place = 2 * x / _SPLIT - 1
        return _chebyshev(_BELOW_0, place), _chebyshev(_BELOW_1, place)
    place, root = 2 * _SPLIT / x - 1, math.sqrt(x)
    return _chebyshev(_BEYOND_0, place) / root, _chebyshev(_BEYOND_1, place) / root


@numba.njit(nogil=True, cache=True)
def rician_moments(signal: float, noise: float) -> tuple[float, float, float]:
    r"""Return the mean of the magnitude, its slope over the true signal, and its variance.

    With :math:`x = \nu^2 / (2 \sigma^2)` the mean is :math:`\sigma \sqrt{\pi / 2} \, e^{-x / 2}
    [(1 + x) I_0(x / 2) + x I_1(x / 2)]`; at no signal it is 1.2533 times the noise.

    Parameters
    ----------
    signal : float
        The true signal.
    noise : float
        Standard deviation of the noise of the real and of the imaginary part; 0 for a signal
        without noise floor (the variance is then 1, so that all images weigh the same).

    Returns
    -------
    mean, slope, variance : float

    References
    ----------
    Gudbjartsson and Patz 1995, https://doi.org/10.1002/mrm.1910340618

    Examples
    --------
    >>> [round(value, 4) for value in rician_moments(0.0, 1.0)]
    [1.2533, 0.0, 0.4292]
    """
    if noise <= 0:
        return signal, 1.0, 1.0
    ratio = signal / noise
    if ratio > 30:
        # where the series of the mean in the inverse ratio is exact to 1e-6 of the noise
        return (
            signal + noise / (2 * ratio),
            1 - 0.5 / ratio**2,
            noise**2 * (1 - 0.5 / ratio**2),
        )
    if ratio > _FAR:
        # the same with three terms more, exact to 3e-9 of the noise
        near = 1 / (ratio * ratio)
        mean = signal * (1 + near * (0.5 + near * (0.125 + near * (0.1875 + near * 0.5859375))))
        slope = 1 - near * (0.5 + near * (0.375 + near * (0.9375 + near * 4.1015625)))
        return mean, slope, 2 * noise**2 + signal * signal - mean * mean
    x = ratio * ratio / 2
    zero, one = _bessel(x / 2)
    root = noise * math.sqrt(math.pi / 2)
    mean = root * ((1 + x) * zero + x * one)
    slope = root * 0.5 * (zero + one) * ratio / noise
    return mean, slope, 2 * noise**2 + signal * signal - mean * mean
