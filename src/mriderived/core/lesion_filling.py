"""Give lesions of white matter the intensity of white matter, so that they are segmented as such.

Lesions are darker than white matter in a T1w and pass for grey matter, which makes grey matter
too large and cortex near them too thick (Chard et al. 2010, doi:10.1002/jmri.22214). Each voxel
gets the mean of the normal white matter around it, with its noise (in the manner of Valverde et
al. 2014, doi:10.1016/j.nicl.2014.08.016).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mriderived.core.filters import smooth

Volume = NDArray[np.float32]
Mask = NDArray[np.bool_]

#: What a template takes for white matter with this probability is filled.
WHITE = 0.5
#: Voxels of which the intensity of a tissue is learnt.
PURE = 0.9
#: Width of the average of normal white matter around a lesion, in mm.
AROUND_MM = 4.0
#: The rim of a mask is a mixture: normal white matter begins so far from it, in mm.
RIM_MM = 1.5
#: Normal is what lies within so many robust standard deviations of the median.
NORMAL_SIGMAS = 2.5
TO_SIGMA = 1.4826
LEAST_VOXELS = 100
_TOUCHING = np.ones((3, 3, 3), bool)


class Filled(NamedTuple):
    """The image with its lesions filled, and where; both of shape (x, y, z)."""

    image: Volume
    mask: Mask


def fill_lesions(
    image: Volume,
    lesion: Mask,
    brain: Mask,
    priors: Volume,
    spacing: Sequence[float],
    threads: int = 1,
) -> Filled:
    """Fill lesions of white matter in a T1w.

    What of a lesion lies where the template expects white matter is filled; the rest of it, and
    cavities (parts that are mostly as dark as fluid), are left alone.

    Parameters
    ----------
    image : array of float32, shape (x, y, z)
        T1-weighted, with little inhomogeneity.
    lesion, brain : array of bool, shape (x, y, z)
    priors : array of float32, shape (3, x, y, z)
        Probabilities of CSF, grey and white matter by a template.
    spacing : three floats
        Voxel size in mm.
    threads : int

    Returns
    -------
    Filled
        The noise is drawn from a fixed seed: the same input gives the same bits.

    Raises
    ------
    ValueError
        If there is next to no normal white matter.

    Examples
    --------
    >>> image = np.full((24, 24, 24), 100, np.float32)
    >>> lesion = np.zeros(image.shape, bool); lesion[10:13, 10:13, 10:13] = True
    >>> image[lesion] = 60
    >>> priors = np.stack([0 * image, 0 * image, np.ones_like(image)])
    >>> found = fill_lesions(image, lesion, image > 0, priors, (1, 1, 1))
    >>> bool(np.allclose(found.image, 100, atol=0.1)), int(found.mask.sum())
    (True, 27)
    """
    away = ndimage.distance_transform_edt(~lesion, sampling=spacing)
    white = brain & (priors[2] > PURE) & (away > RIM_MM)
    if np.count_nonzero(white) < LEAST_VOXELS:
        raise ValueError(
            f'{np.count_nonzero(white)} voxels of white matter lie outside of the lesion mask, '
            f'{LEAST_VOXELS} needed to fill it; check the mask'
        )
    middle = float(np.median(image[white]))
    sigma = TO_SIGMA * float(np.median(np.abs(image[white] - middle)))
    white = brain & (priors[2] > WHITE) & (away > RIM_MM)
    white &= np.abs(image - middle) <= max(NORMAL_SIGMAS * sigma, 1e-3 * middle)
    part = lesion & brain & (priors[2] > WHITE)
    part &= ~_find_cavities(image, part, brain, priors, middle)
    level = _average(image, white, middle, spacing, threads)
    noise = TO_SIGMA * float(np.median(np.abs((image - level)[white])))
    drawn = np.random.default_rng(0).normal(0, noise, np.count_nonzero(part))
    filled = image.copy()
    filled[part] = level[part] + drawn
    return Filled(filled, part)


def _find_cavities(image: Volume, part: Mask, brain: Mask, priors: Volume, white: float) -> Mask:
    """Return the connected parts that are mostly fluid."""
    fluid, grey = (brain & (priors[tissue] > PURE) & ~part for tissue in (0, 1))
    if min(np.count_nonzero(fluid), np.count_nonzero(grey)) < LEAST_VOXELS:
        dark = 0.4 * white
    else:
        dark = float(np.median(image[fluid]) + np.median(image[grey])) / 2
    labels, count = ndimage.label(part, _TOUCHING)
    if count == 0:
        return np.zeros_like(part)
    middles = ndimage.median(image, labels, np.arange(1, count + 1))
    return np.asarray(np.append(False, np.asarray(middles) < dark)[labels])


def _average(
    image: Volume, white: Mask, mean: float, spacing: Sequence[float], threads: int
) -> Volume:
    """Smooth normal white matter; far from any, return its mean."""
    sigma = AROUND_MM / np.asarray(spacing, float)
    total = smooth(np.where(white, image - mean, 0).astype(np.float32), sigma, threads)
    share = smooth(white.astype(np.float32), sigma, threads)
    return np.asarray(mean + total / (share + np.float32(1e-4)), np.float32)
