"""Thin tubes in a volume: a multi-scale filter, for enlarged perivascular spaces.

Across a tube the intensity bends strongly in two directions, along it in none; the eigenvalues of
the second derivatives say so at every scale (Frangi et al. 1998, doi:10.1007/BFb0056195), and the
largest answer over scales counts (tuned to visual ratings of perivascular spaces by Ballerini et
al. 2018, doi:10.1038/s41598-018-19781-5). The answer is measured in units of what noise and
texture of the searched tissue give nearby, so that no threshold depends on the scale of an image,
and what would drown beside the cortex is found in quiet deep white matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mriderived.core.eigenvalues import hessian_eigenvalues
from mriderived.core.filters import smooth
from mriderived.core.masks import find_box
from mriderived.core.slabs import run_slabs
from mriderived.core.tube_response import respond

Volume = NDArray[np.float32]
Mask = NDArray[np.bool_]

#: A tube of 1 to 3 mm is lost in larger voxels: it fills a fraction of one.
MOST_MM = 1.2
#: Width of the average of what surrounds a tube, in mm, and how dark its core is.
AROUND_MM, CORE_PERCENTILE = 2.0, 75
#: Width of the average that tells noise and texture nearby, in mm.
NEARBY_MM = 6.0
#: Mean of what pure noise gives, capped at its median, over that median.
CAPPED = np.float32(0.87)
#: Places that are calmer than this percentile of all count as being as calm as it.
LEAST_PERCENTILE = 5
_TOUCHING = np.ones((3, 3, 3), bool)


@dataclass(frozen=True)
class Settings:
    """What steers the filter."""

    #: Widths of the Gaussians in mm; a tube answers most where the width is half its radius or so.
    scales_mm: tuple[float, ...] = (0.5, 0.7, 1.0, 1.4)
    #: How much the cross section may deviate from a circle, and the tube from a straight line.
    roundness: float = 0.5
    straightness: float = 0.5
    #: Where a tube begins, and how far it goes on, in units of the background's answer.
    seed: float = 2.0
    edge: float = 1.2


class Tubes(NamedTuple):
    """``strength`` (float32) is 0 outside the region; ``mask`` (bool) is not cleaned by rules."""

    strength: Volume
    mask: Mask


def check_resolution(spacing: Sequence[float]) -> None:
    """Refuse voxels in which perivascular spaces cannot be seen.

    Raises
    ------
    ValueError
        If an edge of the voxels is longer than :data:`MOST_MM`.

    Examples
    --------
    >>> check_resolution((1, 1, 1.2))
    """
    if max(spacing) > MOST_MM + 1e-3:
        size = ' x '.join(f'{edge:.3g}' for edge in spacing)
        raise ValueError(
            f'voxels of {size} mm are too large to see perivascular spaces; {MOST_MM} mm at most'
        )


def find_tubes(
    image: Volume,
    region: Mask,
    spacing: Sequence[float],
    is_bright: bool = False,
    settings: Settings | None = None,
    threads: int = 1,
) -> Tubes:
    """Find tubes.

    Parameters
    ----------
    image : array of float32, shape (x, y, z)
        Perivascular spaces are dark in a T1w, bright in a T2w image and in the T2w/T1w contrast.
    region : array of bool, shape (x, y, z)
        Where to look: white matter and basal ganglia, without lesions, sulci and ventricles.
    spacing : three floats
        Voxel size in mm.
    is_bright : bool
        Whether the tubes are brighter than their surroundings.
    settings : Settings, optional
    threads : int
        Any number gives the same bits.

    Returns
    -------
    Tubes

    Raises
    ------
    ValueError
        If the voxels are too large, or there is nowhere to look.

    Examples
    --------
    >>> x, y, z = np.indices((24, 24, 24))
    >>> rod = (x - 12) ** 2 + (y - 12) ** 2 < 2
    >>> noise = np.random.default_rng(0).normal(0, 2, rod.shape)
    >>> image = (100 - 40 * rod + noise).astype(np.float32)
    >>> found = find_tubes(image, np.ones(rod.shape, bool), (1, 1, 1))
    >>> bool(found.mask[12, 12].mean() > 0.8), bool(found.mask[~rod].mean() < 0.02)
    (True, True)
    """
    check_resolution(spacing)
    if not region.any():
        raise ValueError('there is no tissue in which perivascular spaces could be looked for')
    settings = settings or Settings()
    reach = [int(np.ceil(4 * max(settings.scales_mm) / edge)) for edge in spacing]
    box = find_box(region, reach)
    inside = np.ascontiguousarray(region[box])
    part = np.ascontiguousarray(image[box], np.float32)
    best = np.zeros(inside.shape, np.float32)
    for sigma in settings.scales_mm:
        values = hessian_eigenvalues(part, sigma, spacing, inside, threads)
        background = _measure_background(np.abs(values[..., 2]), inside, spacing, threads)
        run_slabs(
            respond, len(best), threads, values, -1.0 if is_bright else 1.0,
            background, settings.roundness, settings.straightness, best,
        )  # fmt: skip
    strength = np.zeros(image.shape, np.float32)
    strength[box] = best
    followed = _follow(best, settings)
    depth = -part if is_bright else part
    mask = np.zeros(image.shape, bool)
    mask[box] = _trim(depth, followed, inside, spacing, threads)
    return Tubes(strength, mask)


def _measure_background(
    bend: Volume, region: Mask, spacing: Sequence[float], threads: int
) -> Volume:
    """Return what noise and texture give around each voxel, never more than everywhere's median.

    The cap keeps a tube from hiding itself.
    """
    usual = float(np.median(bend[region]))
    if usual == 0:
        raise ValueError('the image is constant where perivascular spaces are looked for')
    sigma = NEARBY_MM / np.asarray(spacing, float)
    known = region & (bend > 0)  # on the faces of the grid nothing is known
    share = smooth(known.astype(np.float32), sigma, threads) + np.float32(1e-4)
    capped = np.where(known, np.minimum(bend, usual), 0).astype(np.float32)
    local = smooth(capped, sigma, threads) / (CAPPED * share)
    least = float(np.percentile(local[region], LEAST_PERCENTILE))
    return np.maximum(local, np.float32(max(least, 1e-6 * usual)))


def _follow(strength: Volume, settings: Settings) -> Mask:
    """Return what is above the lower threshold and hangs together with what is above the upper."""
    labels, count = ndimage.label(strength > settings.edge, _TOUCHING)
    kept = np.zeros(count + 1, bool)
    kept[labels[strength > settings.seed]] = True
    kept[0] = False
    return np.asarray(kept[labels])


def _trim(image: Volume, mask: Mask, region: Mask, spacing: Sequence[float], threads: int) -> Mask:
    """Keep of every tube what is at least half as dark as its core: the filter blurs."""
    sigma = AROUND_MM / np.asarray(spacing, float)
    around = region & ~mask
    if not mask.any() or not around.any():
        return mask
    mean = float(image[around].mean())
    share = smooth(around.astype(np.float32), sigma, threads)
    total = smooth(np.where(around, image - mean, 0).astype(np.float32), sigma, threads)
    depth = mean + total / (share + np.float32(1e-4)) - image
    labels, _ = ndimage.label(mask, _TOUCHING)
    trimmed = np.zeros_like(mask)
    for number, box in enumerate(ndimage.find_objects(labels), 1):
        mine = labels[box] == number
        core = float(np.percentile(depth[box][mine], CORE_PERCENTILE))
        trimmed[box] |= mine & (depth[box] > core / 2)
    return trimmed
