"""Nyquist ghosts: the copy of the head, shifted by half the field of view, of an EPI image."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mriderived.core.series import Mask


def ghost_ratio(image: NDArray[np.floating], brain: Mask, axis: int) -> float:
    r"""Return the intensity of the ghost above the background, over that of the brain.

    The ghost is where the brain, shifted by half the field of view along ``axis``, lies outside
    the brain; the background is what is neither. The ratio is
    :math:`(\mu_{ghost} - \mu_{background}) / \mathrm{median}_{brain}`, as in MRIQC. Only that
    along the phase-encode axis tells of ghosts; the other is its reference.

    Parameters
    ----------
    image : array, shape (x, y, z)
        Mean volume, on the grid as acquired.
    brain : array of bool, shape (x, y, z)
    axis : int

    Returns
    -------
    float
        NaN where ghost or background have no voxel or the brain's median is not positive.

    References
    ----------
    Giannelli et al. 2010, https://doi.org/10.1120/jacmp.v11i4.3237

    Examples
    --------
    >>> brain = np.zeros((8, 8, 2), bool); brain[3:5, 3:5] = True
    >>> image = 100.0 * brain + 5 * np.roll(brain, 4, axis=1)
    >>> ghost_ratio(image, brain, 1), round(ghost_ratio(image, brain, 0), 3)
    (0.05, -0.004)
    """
    ghost = np.roll(brain, brain.shape[axis] // 2, axis=axis) & ~brain
    background = ~brain & ~ghost
    if not (ghost.any() and background.any() and brain.any()):
        return float('nan')
    level = float(np.median(image[brain]))
    surplus = float(image[ghost].mean(dtype=np.float64) - image[background].mean(dtype=np.float64))
    return surplus / level if level > 0 else float('nan')
