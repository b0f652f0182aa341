"""Ratio of T1- to T2-weighted intensity: the field of the receive coils cancels.

Glasser & Van Essen 2011 (doi:10.1523/JNEUROSCI.2180-11.2011) read it as a map of myelin. Its
scale is arbitrary unless both images are calibrated by two tissues, best outside the brain
(Ganzetti et al. 2014, doi:10.3389/fnhum.2014.00671); see :mod:`mriderived.core.reference_tissue`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Volume = NDArray[np.float32]
Mask = NDArray[np.bool_]

#: A ratio is an outlier so many robust standard deviations from the median, on the log scale:
#: what divides is symmetric there.
LIMIT = 4.0
#: A T2w below this share of its median in the brain is a void: the ratio there is noise.
LEAST_SHARE = 0.05
#: From a median absolute deviation to the standard deviation of normal values.
TO_SIGMA = 1.4826
#: Bins of the histogram that the mode of a tissue is read from, and its smoothing in bins.
BINS, BLUR = 128, 3.0
#: A tissue of fewer voxels has no mode that could be trusted.
LEAST_VOXELS = 200


class Ratio(NamedTuple):
    """``values`` is NaN outside the brain, where T2w is void and where the ratio is an outlier.

    ``voids`` and ``outliers`` say how many voxels of the brain these are.
    """

    values: Volume
    voids: int
    outliers: int


class Anchors(NamedTuple):
    """Intensity of two tissues that are far apart on both contrasts.

    ``fluid`` of the eyes or the ventricles, ``solid`` of muscle or white matter.
    """

    fluid: float
    solid: float


#: The scale of calibrated images, for either pair of tissues: a convention, in which most of the
#: head lies between 0 and 100.
REFERENCE_T1W, REFERENCE_T2W = Anchors(28.0, 59.0), Anchors(100.0, 21.0)
BRAIN_T1W, BRAIN_T2W = Anchors(25.0, 100.0), Anchors(100.0, 30.0)


def divide(t1w: Volume, t2w: Volume, brain: Mask) -> Ratio:
    """Divide a T1w by a T2w image.

    Parameters
    ----------
    t1w, t2w : array of float32, shape (x, y, z)
        On one grid, without smooth intensity inhomogeneity, the T2w aligned with the T1w.
    brain : array of bool, shape (x, y, z)

    Returns
    -------
    Ratio

    Raises
    ------
    ValueError
        If the shapes differ, or nothing in the brain can be divided.

    Examples
    --------
    >>> t1w, t2w = np.full((4, 4, 4), 6.0, np.float32), np.full((4, 4, 4), 3.0, np.float32)
    >>> t2w[0, 0, 0], t1w[1, 1, 1] = 0, 600
    >>> found = divide(t1w, t2w, np.ones((4, 4, 4), bool))
    >>> float(found.values[2, 2, 2]), found.voids, found.outliers
    (2.0, 1, 1)
    """
    if not t1w.shape == t2w.shape == brain.shape:
        raise ValueError(
            f'T1w {t1w.shape}, T2w {t2w.shape} and brain mask {brain.shape} are not on one grid; '
            'resample the T2w first'
        )
    positive = brain & (t1w > 0) & (t2w > 0)
    if not positive.any():
        raise ValueError('no voxel of the brain has a signal in both the T1w and the T2w image')
    usable = positive & (t2w > LEAST_SHARE * np.median(t2w[positive]))
    logs = np.log(t1w[usable]) - np.log(t2w[usable])
    centre = np.median(logs)
    width = max(TO_SIGMA * float(np.median(np.abs(logs - centre))), 1e-6)
    is_outlier = np.abs(logs - centre) > LIMIT * width
    values = np.full(t1w.shape, np.nan, np.float32)
    values[usable] = np.where(is_outlier, np.nan, np.exp(logs))
    voids = np.count_nonzero(brain) - np.count_nonzero(usable)
    return Ratio(values, int(voids), int(is_outlier.sum()))


def calibrate(image: Volume, found: Anchors, wanted: Anchors) -> Volume:
    """Scale an image so that the two tissues have the intensities that are wanted.

    Parameters
    ----------
    image : array of float32
    found : Anchors
        In the image: see :func:`find_mode`.
    wanted : Anchors
        Of the reference that all images are brought to.

    Returns
    -------
    array of float32

    Raises
    ------
    ValueError
        If the two tissues cannot be told apart.

    Examples
    --------
    >>> calibrate(np.float32([10, 20, 40]), Anchors(10, 40), Anchors(1, 7)).tolist()
    [1.0, 3.0, 7.0]
    """
    if abs(found.fluid - found.solid) < 1e-3 * max(abs(found.fluid), abs(found.solid)):
        raise ValueError(
            f'fluid ({found.fluid:g}) and solid tissue ({found.solid:g}) have the same intensity: '
            'there is nothing to calibrate by'
        )
    slope = (wanted.fluid - wanted.solid) / (found.fluid - found.solid)
    return np.asarray(wanted.fluid + slope * (image - found.fluid), np.float32)


def find_mode(image: Volume, tissue: Mask) -> float:
    """Return the commonest intensity of a tissue, from a smoothed histogram.

    Parameters
    ----------
    image : array of float32
    tissue : array of bool, of the same shape
        May hold some of its surroundings: they do not move a mode.

    Raises
    ------
    ValueError
        If there are too few voxels.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> values = np.append(rng.normal(100, 5, 4000), rng.uniform(0, 400, 1000))
    >>> bool(abs(find_mode(values.astype(np.float32), values > -1) - 100) < 3)
    True
    """
    values = image[tissue]
    values = values[values > 0]
    if values.size < LEAST_VOXELS:
        raise ValueError(f'{values.size} voxels of a tissue have a signal; {LEAST_VOXELS} needed')
    low, high = np.percentile(values, (1, 99))
    if high <= low:
        return float(low)
    counts, edges = np.histogram(values, BINS, (low, high))
    reach = np.arange(-int(3 * BLUR), int(3 * BLUR) + 1)
    smoothed = np.convolve(counts, np.exp(-0.5 * (reach / BLUR) ** 2), 'same')
    peak = int(smoothed.argmax())
    return float((edges[peak] + edges[peak + 1]) / 2)
