"""Smoothness of an image from the variance of its first differences."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def estimate_fwhm(
    volume: NDArray[np.floating], mask: NDArray[np.bool_]
) -> tuple[float, float, float]:
    r"""Estimate the full width at half maximum of the image's spatial correlation.

    For a stationary Gaussian field the correlation between neighbours one voxel apart is
    :math:`r = 1 - \sigma^2_{\Delta} / (2\sigma^2)`, where :math:`\sigma^2_{\Delta}` is the
    variance of first differences inside the mask and :math:`\sigma^2` that of the values, and

    .. math:: \text{FWHM} = \sqrt{-2 \ln 2 / \ln r} \quad [\text{voxels}].

    This is the classic estimator of AFNI's 3dFWHMx. (MRIQC's documentation prints the
    standard deviation of the kernel, :math:`\sqrt{-1/(4 \ln r)}`, under the name of FWHM.)

    Parameters
    ----------
    volume : (x, y, z) float array
        Intensities, any unit.
    mask : (x, y, z) bool array
        Where to look. Only pairs of voxels inside it count.

    Returns
    -------
    three float
        FWHM along each axis, in voxels. 0 where neighbours are not correlated (white noise);
        NaN where the image is constant in the mask or has no pairs of voxels along the axis.

    References
    ----------
    Forman et al. 1995, https://doi.org/10.1002/mrm.1910330508

    Examples
    --------
    >>> noise = np.random.default_rng(0).normal(size=(40, 40, 40))
    >>> max(estimate_fwhm(noise, np.ones(noise.shape, bool))) < 0.6
    True
    """
    inside = volume[mask]
    variance = float(np.var(inside, dtype=np.float64)) if inside.size else 0.0
    x, y, z = (_fwhm_along(volume, mask, axis, variance) for axis in range(3))
    return x, y, z


def _fwhm_along(
    volume: NDArray[np.floating], mask: NDArray[np.bool_], axis: int, variance: float
) -> float:
    low: list[slice] = [slice(None)] * 3
    high = list(low)
    low[axis], high[axis] = slice(None, -1), slice(1, None)
    lower, upper = tuple(low), tuple(high)
    pairs = mask[lower] & mask[upper]
    steps = volume[upper][pairs] - volume[lower][pairs]
    if variance <= 0 or steps.size == 0:
        return float('nan')
    correlation = 1.0 - float(np.var(steps, dtype=np.float64)) / (2.0 * variance)
    if correlation <= 0:
        return 0.0
    if correlation >= 1:
        return float('nan')
    return float(np.sqrt(-2.0 * np.log(2.0) / np.log(correlation)))
