"""The probability that a voxel is hyperintense: by brightness, place and neighbours."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.special import expit, log_ndtr

from mriderived.core.filters import smooth
from mriderived.core.hyperintensity_contrast import Contrast, Normal, measure_contrast

Volume = NDArray[np.float32]
Mask = NDArray[np.bool_]

#: Widths of the Gaussians: one for small lesions, one for faint ones.
SCALES_MM = (0.75, 1.5)
#: How much of white matter is a lesion before anything is seen: 20 of 500 mL.
SHARE = 0.04
#: A lesion may be brighter than grey matter by up to this share of white matter's brightness.
BREADTH = 0.5
#: The template follows the brain to about 2 mm: priors are smoothed by so much, in mm, and nothing
#: is impossible: this is added to each.
BLUR_MM, FLOOR = 1.5, 0.01
#: Strength of the neighbours (the change of the log odds if all are alike), and rounds.
NEIGHBOURS, ROUNDS = 4.0, 8


def log_odds(
    flair: Volume,
    normal: Normal,
    priors: Volume,
    weight: Volume | None,
    spacing: Sequence[float],
    threads: int = 1,
) -> Volume:
    """Return the logarithm of the odds that a voxel is hyperintense, before neighbours speak.

    Healthy white and grey matter are normal distributions around their medians; a lesion may have
    any brightness above that of grey matter within :data:`BREADTH`, because how bright it is
    depends on the scanner and the disease. The mean over scales counts.

    Parameters
    ----------
    flair : array of float32, shape (x, y, z)
    normal : Normal
    priors : array of float32, shape (3, x, y, z)
        Probabilities of CSF, grey and white matter by the template.
    weight : array of float32, shape (x, y, z), optional
        By how much a lesion is likelier here than elsewhere in white matter.
    spacing : three floats
        Voxel size in mm.
    threads : int

    Returns
    -------
    array of float32, shape (x, y, z)
    """
    _, grey, white = blur_priors(priors, spacing, threads)
    lesion = SHARE * white if weight is None else SHARE * white * weight
    total = np.zeros(flair.shape, np.float32)
    for scale in SCALES_MM:
        contrast = measure_contrast(flair, normal, scale, spacing, threads)
        total += _compare(contrast, grey, white, lesion) / len(SCALES_MM)
    return np.where(normal.solid, total, -20).astype(np.float32)


def blur_priors(priors: Volume, spacing: Sequence[float], threads: int = 1) -> Volume:
    """Return probabilities of tissues as uncertain as the place of the template.

    Parameters
    ----------
    priors : array of float32, shape (3, x, y, z)
    spacing : three floats
        Voxel size in mm.
    threads : int

    Returns
    -------
    array of float32, shape (3, x, y, z)
        Above 0, with a sum of 1.

    Examples
    --------
    >>> found = blur_priors(np.eye(3, dtype=np.float32)[:, :, None, None], (9, 9, 9))
    >>> found[:, 0, 0, 0].round(2).tolist()
    [0.9800000190734863, 0.009999999776482582, 0.009999999776482582]
    """
    blur = BLUR_MM / np.asarray(spacing, float)
    raised = np.stack([smooth(prior, blur, threads) for prior in priors]) + np.float32(FLOOR)
    return np.asarray(raised / raised.sum(axis=0), np.float32)


def settle(odds: Volume, spacing: Sequence[float]) -> Volume:
    """Return probabilities after neighbours have spoken: a mean field over six of them.

    Parameters
    ----------
    odds : array of float32, shape (x, y, z)
        Logarithms.
    spacing : three floats
        In mm; those farther away say less.

    Returns
    -------
    array of float32, shape (x, y, z)
        0 to 1.

    Examples
    --------
    >>> odds = np.full((7, 7, 7), -2, np.float32); odds[1, 1, 1] = 1; odds[2:6, 2:6, 3:6] = 1
    >>> found = settle(odds, (1, 1, 1)) > 0.5
    >>> bool(found[1, 1, 1]), bool(found[3, 3, 4])
    (False, True)
    """
    size = np.asarray(spacing, float)
    pull = size.min() / size
    pull = NEIGHBOURS * pull / (2 * pull.sum())
    found = expit(odds)
    for _ in range(ROUNDS):
        push = np.zeros_like(odds)
        for axis in range(3):
            sides = ndimage.correlate1d(2 * found - 1, [1.0, 0.0, 1.0], axis, mode='nearest')
            push += np.float32(pull[axis]) * sides
        found = expit(odds + push)
    return np.asarray(found, np.float32)


def _compare(contrast: Contrast, grey: Volume, white: Volume, lesion: Volume) -> Volume:
    """Return the log odds at one scale."""
    z = contrast.z
    above = (z - contrast.grey) / contrast.grey_sigma
    # darker than a tissue speaks for it no less than its own brightness
    healthy = white * _density(z) + grey * _density(above) / np.float32(contrast.grey_sigma)
    density = log_ndtr(above) - np.log(BREADTH * contrast.white)
    bright = np.log(lesion + 1e-12) + density
    return np.asarray(bright - np.log(healthy + 1e-12), np.float32)


def _density(z: Volume) -> Volume:
    root = np.float32(np.sqrt(2 * np.pi))
    return np.asarray(np.exp(-0.5 * np.maximum(z, 0) ** 2) / root, np.float32)
