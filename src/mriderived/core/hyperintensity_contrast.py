"""What healthy tissue looks like in a FLAIR image, and how far a voxel is from it.

White matter that looks normal gives the zero and the unit of brightness: its median and its median
absolute deviation, the former per place, because some inhomogeneity is always left.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.core.filters import smooth
from mriderived.core.partial_volume import Fractions

Volume = NDArray[np.float32]
Mask = NDArray[np.bool_]

#: A voxel is all one tissue from this fraction on, if the template agrees by so much.
PURE, LIKELY = 0.9, {'wm': 0.9, 'gm': 0.7, 'csf': 0.7}
#: Normal is what lies within so many robust standard deviations of the median.
NORMAL_SIGMAS = 2.5
#: Width of the average that the brightness of white matter is known by, per place, in mm.
FIELD_MM = 15.0
#: Without a T1w, fluid is darker than this share of white matter (it is suppressed).
FLUID_SHARE = 0.5
#: Grey matter is brighter than white matter in a FLAIR; less than this share of it is no FLAIR.
LEAST_GREY = 0.9
#: Fewer voxels tell nothing of a tissue.
LEAST_VOXELS = 500
TO_SIGMA = 1.4826


class Normal(NamedTuple):
    """Where normal tissue is, and how bright.

    ``white`` and ``grey`` are masks of normal-appearing tissue, ``solid`` of what is no fluid;
    ``level`` is the brightness of white matter at every place. Arrays of shape (x, y, z).
    """

    white: Mask
    grey: Mask
    solid: Mask
    level: Volume


class Contrast(NamedTuple):
    """Distance from white matter at one scale, in standard deviations of white matter.

    ``z`` of shape (x, y, z); ``grey`` and ``grey_sigma`` say where grey matter lies on the same
    scale, ``white`` is the brightness of white matter in these units.
    """

    z: Volume
    grey: float
    grey_sigma: float
    white: float


def find_normal(
    flair: Volume,
    brain: Mask,
    priors: Volume,
    tissues: Fractions | None,
    spacing: Sequence[float],
    threads: int = 1,
) -> Normal:
    """Find tissue that looks normal.

    Parameters
    ----------
    flair : array of float32, shape (x, y, z)
        Without most of its smooth inhomogeneity.
    brain : array of bool, shape (x, y, z)
    priors : array of float32, shape (3, x, y, z)
        Probabilities of CSF, grey and white matter by the template.
    tissues : Fractions or None
        From a T1w; without one the template and the FLAIR decide.
    spacing : three floats
        Voxel size in mm.
    threads : int

    Returns
    -------
    Normal

    Raises
    ------
    ValueError
        If there is too little white or grey matter, or fluid is not dark and grey matter not
        bright, as they are in a FLAIR.
    """
    if tissues is None:
        white, grey = priors[2] > LIKELY['wm'], priors[1] > LIKELY['gm']
    else:
        white = (tissues.wm > PURE) & (priors[2] > LIKELY['wm'])
        grey = (tissues.gm > PURE) & (priors[1] > LIKELY['gm'])
    white, grey = white & brain, grey & brain
    for name, tissue in (('white', white), ('grey', grey)):
        if np.count_nonzero(tissue) < LEAST_VOXELS:
            raise ValueError(
                f'{np.count_nonzero(tissue)} voxels of the FLAIR are {name} matter, '
                f'{LEAST_VOXELS} needed; check its brain mask and its alignment'
            )
    middle = float(np.median(flair[white]))
    solid = brain & (flair > FLUID_SHARE * middle)
    fluid = priors[0] > LIKELY['csf'] if tissues is None else tissues.csf > PURE
    _check_contrast(flair, brain & fluid, grey, middle)
    if tissues is not None:
        solid &= tissues.csf < PURE
    white &= solid & _is_normal(flair, white & solid)
    grey &= solid
    level = _average(flair, white, FIELD_MM, spacing, threads)
    return Normal(white, grey, solid, level)


def measure_contrast(
    flair: Volume,
    normal: Normal,
    scale_mm: float,
    spacing: Sequence[float],
    threads: int = 1,
) -> Contrast:
    """Return the distance from normal white matter after smoothing.

    Parameters
    ----------
    flair : array of float32, shape (x, y, z)
    normal : Normal
    scale_mm : float
        Width of the Gaussian; 0 leaves the image alone. Fluid takes no part.
    spacing : three floats
        Voxel size in mm.
    threads : int

    Returns
    -------
    Contrast

    Raises
    ------
    ValueError
        If white matter has no noise at all, so that nothing can be measured in units of it.
    """
    image = _average(flair, normal.solid, scale_mm, spacing, threads) if scale_mm > 0 else flair
    apart = image - normal.level
    centre, sigma = robust(apart[normal.white])
    if sigma <= 0:
        raise ValueError('normal-appearing white matter is constant in the FLAIR; is it an image?')
    z = np.where(normal.solid, (apart - centre) / sigma, -10).astype(np.float32)
    grey, grey_sigma = robust(z[normal.grey])
    white = float(np.median(normal.level[normal.white])) / sigma
    return Contrast(z, grey, max(grey_sigma, 1.0), white)


def robust(values: NDArray[np.float32]) -> tuple[float, float]:
    """Return the median and the standard deviation by the median absolute deviation.

    Examples
    --------
    >>> robust(np.float32([1, 2, 3, 4, 900]))
    (3.0, 1.4826)
    """
    centre = float(np.median(values))
    return centre, TO_SIGMA * float(np.median(np.abs(values - centre)))


def _check_contrast(flair: Volume, fluid: Mask, grey: Mask, white: float) -> None:
    if np.count_nonzero(fluid) >= LEAST_VOXELS and np.median(flair[fluid]) > white:
        raise ValueError(
            'fluid is brighter than white matter: this is no FLAIR, or it does not lie on the T1w'
        )
    if np.median(flair[grey]) < LEAST_GREY * white:
        raise ValueError(
            'grey matter is darker than white matter: this is no FLAIR, or it does not lie on '
            'the template'
        )


def _is_normal(flair: Volume, white: Mask) -> Mask:
    centre, sigma = robust(flair[white])
    return np.asarray(np.abs(flair - centre) <= NORMAL_SIGMAS * max(sigma, 1e-6))


def _average(
    image: Volume, mask: Mask, width_mm: float, spacing: Sequence[float], threads: int
) -> Volume:
    """Smooth what is in a mask and nothing else; far from it, return its mean."""
    sigma = width_mm / np.asarray(spacing, float)
    weight = mask.astype(np.float32)
    mean = float(image[mask].mean())
    # the mean joins with next to no weight, and counts where there is nothing else
    total = smooth(np.where(mask, image - mean, 0).astype(np.float32), sigma, threads)
    share = smooth(weight, sigma, threads)
    return np.asarray(mean + total / (share + np.float32(1e-4)), np.float32)
