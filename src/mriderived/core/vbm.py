"""Voxel-based morphometry: tissue maps in a common space that keep the native volume."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Volume = NDArray[np.float32]

#: Full width at half maximum of a Gaussian over its standard deviation.
FWHM_PER_SIGMA = float(np.sqrt(8 * np.log(2)))


def modulate(fraction: Volume, log_jacobian: Volume) -> Volume:
    """Multiply a warped tissue fraction by the volume that a voxel had before the warp.

    After Good et al. 2001 (doi:10.1006/nimg.2001.0786): where the warp has shrunk the brain, the
    result exceeds the fraction, so that the sum over the voxels times their volume stays the
    native volume. The Jacobian is that of the whole mapping, affine part included, so head size
    is not taken out; account for it in the statistical model (with the TIV).

    Parameters
    ----------
    fraction : array of float32, shape (x, y, z)
        Partial volume fractions, 0..1, resampled to the space.
    log_jacobian : array of float32, shape (x, y, z)
        Logarithm of native volume per volume in the space.

    Returns
    -------
    array of float32, shape (x, y, z)
        Not negative; may exceed 1.

    Examples
    --------
    >>> modulate(np.float32([0.5]), np.log(np.float32([3.0])))
    array([1.5], dtype=float32)
    """
    return np.asarray(np.maximum(fraction, 0) * np.exp(log_jacobian), dtype=np.float32)


def smooth(volume: NDArray[Any], fwhm: float, spacing: Sequence[float]) -> Volume:
    """Smooth with a Gaussian; what is spread beyond the grid is lost.

    Parameters
    ----------
    volume : array, shape (x, y, z)
    fwhm : float
        Full width at half maximum in mm.
    spacing : three floats
        Voxel size in mm.

    Returns
    -------
    array of float32, shape (x, y, z)

    Examples
    --------
    >>> point = np.zeros((33, 33, 33)); point[16, 16, 16] = 1
    >>> blurred = smooth(point, 8.0, (2.0, 2.0, 2.0))
    >>> round(float(blurred[16, 16, 18] / blurred[16, 16, 16]), 2)  # half of it 4 mm away
    0.5
    >>> round(float(blurred.sum()), 4)
    1.0
    """
    sigma = [fwhm / FWHM_PER_SIGMA / size for size in spacing]
    blurred = ndimage.gaussian_filter(
        np.asarray(volume, dtype=np.float32), sigma, mode='constant', truncate=5.0
    )
    return np.asarray(blurred, dtype=np.float32)
