"""Distortion of an EPI image told from the T1w image alone, where there is no field map.

The EPI image is registered to the T1w image with displacements along the phase-encode axis only
(Wang et al. 2017, doi:10.3389/fninf.2017.00017). In T2* contrast fluid is bright and white matter
dark, the reverse of T1w, so the T1w image is inverted within the brain. The result is a guess: it
follows what the two contrasts share and may follow signal loss as well. It is never used unless
asked for.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mriderived.core.diffeomorphism import Channel, Schedule, register

Volume = NDArray[np.float32]
Mask = NDArray[np.bool_]

#: Levels, steps and smoothing; EPI voxels are 2 to 4 mm, distortion is smooth.
FACTORS, ITERATIONS = (4, 2, 1), (40, 40, 20)
FIELD_SIGMA = 1.0
#: Longest displacement that is believed, in voxels; more is the registration's own.
LONGEST = 12.0


class EpiSyn(NamedTuple):
    """The shift in voxels along the axis, and how many voxels had to be kept from folding."""

    shift: Volume
    mended: int


def invert_contrast(t1w: Volume, brain: Mask) -> Volume:
    """Return a T1w image with bright fluid and dark white matter inside the brain, 0 outside.

    Examples
    --------
    >>> t1w = np.array([0, 20, 60, 100], np.float32).reshape(1, 1, 4)
    >>> bool(np.allclose(invert_contrast(t1w, t1w > 0).ravel(), [0, 1, 0.6, 0.2], atol=0.01))
    True
    """
    if not brain.any():
        raise ValueError('the brain mask is empty')
    low, high = np.percentile(t1w[brain], [1, 99])
    if not high > low:
        raise ValueError('the T1w image is constant inside the brain mask')
    scaled = np.clip((t1w - low) / (high - low), 0, 1)
    # no less than 0.2, so that the brain keeps its outline against the background
    return np.where(brain, 1 - 0.8 * scaled, 0).astype(np.float32)


def register_to_t1w(
    epi: Volume, epi_brain: Mask, t1w: Volume, brain: Mask, axis: int, threads: int = 1
) -> EpiSyn:
    """Return the shift of an EPI image that brings it closest to the T1w image.

    Parameters
    ----------
    epi : array of float32, shape (x, y, z)
    epi_brain : array of bool, shape (x, y, z)
        The brain in the EPI image.
    t1w : array of float32, shape (x, y, z)
        On the grid of the EPI image, rigidly aligned with it.
    brain : array of bool, shape (x, y, z)
        The brain in the T1w image.
    axis : int
        The phase-encode axis of the array.
    threads : int

    Returns
    -------
    EpiSyn
        ``epi(x + shift(x))`` is undistorted; see :func:`mriderived.core.epi_shift.unwarp`.

    Raises
    ------
    ValueError
        If shapes differ or there is no brain.
    """
    if not epi.shape == epi_brain.shape == t1w.shape == brain.shape:
        raise ValueError('the EPI image, the T1w image and their masks differ in shape')
    if not epi_brain.any():
        raise ValueError('the brain mask of the EPI image is empty')
    axes = (float(axis == 0), float(axis == 1), float(axis == 2))
    fixed = invert_contrast(t1w, brain)
    top = max(float(np.percentile(epi[epi_brain], 99)), 1e-6)
    moving = np.where(epi_brain, np.clip(epi / top, 0, 1), 0).astype(np.float32)
    outline = [ndimage.gaussian_filter(m.astype(np.float32), 1.0) for m in (brain, epi_brain)]
    schedule = Schedule(FACTORS, ITERATIONS, field_sigma=FIELD_SIGMA, axes=axes)
    channels = [Channel(fixed, moving), Channel(outline[0], outline[1], 0.5)]
    found = register(channels, schedule, threads)
    shift = np.clip(found.fixed_to_moving[axis], -LONGEST, LONGEST)
    return EpiSyn(np.ascontiguousarray(shift), found.mended)
