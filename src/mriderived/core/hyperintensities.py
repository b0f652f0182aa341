"""White-matter hyperintensities in a FLAIR image, without a trained model.

Three steps. Every voxel gets a probability from its brightness against normal-appearing white
matter at several scales, from what the template expects there, and from its neighbours (an outlier
model in the manner of Van Leemput et al. 2001, doi:10.1109/42.938237). Connected voxels that are
probable are the cores of lesions. From a core a lesion reaches to where brightness has fallen
half-way to that of the tissue around: a border that does not depend on how bright the lesion is,
and by which blurred volumes are true.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mriderived.core.hyperintensity_contrast import Normal, find_normal, robust
from mriderived.core.hyperintensity_field import blur_priors, log_odds, settle
from mriderived.core.hyperintensity_territory import distance_mm, find_territory
from mriderived.core.masks import find_box
from mriderived.core.partial_volume import Fractions

Volume = NDArray[np.float32]
Mask = NDArray[np.bool_]

#: A core holds at least this probability.
LIKELY = 0.5
#: A core is brighter than its surroundings by so many standard deviations of white matter: less
#: is what smoothing brought there from a brighter place that cannot be a lesion.
LEAST_HEIGHT = 2.0
#: How far from its core a lesion can reach, in mm.
REACH_MM = 5.0
#: A lesion is at least as large as a ball of 2.7 mm and three voxels: less is noise or a vessel.
LEAST_MM3, LEAST_VOXELS = 10.0, 3
#: What lies all within this distance of a ventricle is its lining, not a lesion.
LINING_MM = 2.0
#: Probability is cut here outside and inside of lesions, so that map and mask tell the same.
MOST_OUTSIDE, LEAST_INSIDE = 0.49, 0.51
_TOUCHING = np.ones((3, 3, 3), bool)


class Scan(NamedTuple):
    """What is known on one grid, its first axis from left to right; arrays of shape (x, y, z).

    ``flair`` has little inhomogeneity; ``priors`` (3, x, y, z) are probabilities of CSF, grey and
    white matter by the template; ``tissues`` come from a T1w, if there is one, ``choroid`` from
    labels of structures; ``weight`` says by how much lesions are likelier here than elsewhere (see
    :func:`~mriderived.core.hyperintensity_territory.weigh`).
    """

    flair: Volume
    brain: Mask
    priors: Volume
    ventricles: Mask
    spacing: tuple[float, float, float]
    tissues: Fractions | None = None
    choroid: Mask | None = None
    weight: Volume | None = None


class Hyperintensities(NamedTuple):
    """``probability`` (float32, above 0.5 in lesions alone) and ``mask`` (bool) of one shape."""

    probability: Volume
    mask: Mask


def find_hyperintensities(scan: Scan, threads: int = 1) -> Hyperintensities:
    """Find hyperintensities of white matter.

    Parameters
    ----------
    scan : Scan
    threads : int
        Any number gives the same bits.

    Returns
    -------
    Hyperintensities

    Raises
    ------
    ValueError
        If shapes differ, a tissue is missing, or the image is no FLAIR.
    """
    _check(scan)
    box = find_box(scan.brain, (2, 2, 2))
    part = _crop(scan, box)
    normal = find_normal(part.flair, part.brain, part.priors, part.tissues, part.spacing, threads)
    allowed = find_territory(
        part.brain, part.priors[2], part.ventricles, part.spacing, part.choroid
    )
    odds = log_odds(part.flair, normal, part.priors, part.weight, part.spacing, threads)
    probability = settle(np.where(allowed, odds, -20).astype(np.float32), part.spacing)
    expected = _expect(part, normal)
    least = LEAST_HEIGHT * robust((part.flair - normal.level)[normal.white])[1]
    apart = part.flair - expected
    grown = _grow(apart, probability > LIKELY, allowed & normal.solid, least, part.spacing)
    return _finish(scan, box, part, probability, grown)


def judge_hyperintensities(scan: Scan, probability: Volume, threads: int = 1) -> Hyperintensities:
    """Hold the probabilities of a trained model to the same rules of place and size.

    Its odds are multiplied by the template's share of white matter and by ``scan.weight``; what
    lies where no lesion can be does not count, nor does what is too small or lines a ventricle.

    Parameters
    ----------
    scan : Scan
    probability : array of float32, shape (x, y, z)
        0 to 1, of a model.
    threads : int

    Returns
    -------
    Hyperintensities
        The mask is what is above :data:`LIKELY` then; it does not grow.

    Raises
    ------
    ValueError
        If shapes differ, values are no probabilities, a tissue is missing, or the image is no
        FLAIR.
    """
    _check(scan)
    if probability.shape != scan.flair.shape:
        raise ValueError(
            f'FLAIR {scan.flair.shape} and probabilities {probability.shape} are not on one grid'
        )
    if not (probability.min() >= 0 and probability.max() <= 1):
        raise ValueError(
            f'probabilities lie between {probability.min():.3g} and {probability.max():.3g}, not '
            'between 0 and 1'
        )
    box = find_box(scan.brain, (2, 2, 2))
    part = _crop(scan, box)
    # only for what it refuses
    find_normal(part.flair, part.brain, part.priors, part.tissues, part.spacing, threads)
    allowed = find_territory(
        part.brain, part.priors[2], part.ventricles, part.spacing, part.choroid
    )
    _, grey, white = blur_priors(part.priors, part.spacing, threads)
    share = white / (white + grey)
    if part.weight is not None:
        share = share * part.weight
    given = probability[box]
    weighed = given * share / (given * share + 1 - given + np.float32(1e-12))
    weighed = np.where(allowed, weighed, 0).astype(np.float32)
    return _finish(scan, box, part, weighed, weighed > LIKELY)


def _finish(
    scan: Scan, box: tuple[slice, ...], part: Scan, probability: Volume, lesions: Mask
) -> Hyperintensities:
    """Drop what is no lesion, let the map tell the same as the mask, and undo the crop."""
    mask = _drop(lesions, part)
    probability = np.where(
        mask, np.maximum(probability, LEAST_INSIDE), np.minimum(probability, MOST_OUTSIDE)
    )
    found = Hyperintensities(np.zeros(scan.brain.shape, np.float32), np.zeros_like(scan.brain))
    found.probability[box] = np.where(part.brain, probability, 0)
    found.mask[box] = mask
    return found


def _check(scan: Scan) -> None:
    shape = scan.flair.shape
    others = {
        'brain mask': scan.brain.shape,
        'priors': scan.priors.shape[1:],
        'ventricles': scan.ventricles.shape,
    }
    for name, other in others.items():
        if other != shape:
            raise ValueError(f'FLAIR {shape} and {name} {other} are not on one grid')
    if not scan.brain.any():
        raise ValueError('the brain mask is empty')


def _crop(scan: Scan, box: tuple[slice, ...]) -> Scan:
    tissues = scan.tissues
    if tissues is not None:
        tissues = Fractions(*(part[box] for part in tissues))
    return scan._replace(
        flair=np.ascontiguousarray(scan.flair[box], np.float32),
        brain=scan.brain[box],
        priors=np.ascontiguousarray(scan.priors[(slice(None), *box)]),
        ventricles=scan.ventricles[box],
        tissues=tissues,
        choroid=None if scan.choroid is None else scan.choroid[box],
        weight=None if scan.weight is None else scan.weight[box],
    )


def _expect(scan: Scan, normal: Normal) -> Volume:
    """Return how bright healthy tissue of the kind that the template expects would be."""
    grey = float(np.median(scan.flair[normal.grey] - normal.level[normal.grey]))
    share = scan.priors[1] / np.maximum(scan.priors[1] + scan.priors[2], 1e-3)
    return np.asarray(normal.level + share * grey, np.float32)


def _grow(
    above: Volume, cores: Mask, allowed: Mask, least: float, spacing: Sequence[float]
) -> Mask:
    """Return lesions: each from its core to where it is half as bright as the core."""
    labels, _ = ndimage.label(cores, _TOUCHING)
    margin = [int(np.ceil(REACH_MM / size)) for size in spacing]
    grown = np.zeros_like(cores)
    for number, place in enumerate(ndimage.find_objects(labels), 1):
        box = tuple(
            slice(max(part.start - add, 0), part.stop + add)
            for part, add in zip(place, margin, strict=True)
        )
        core = labels[box] == number
        apart = above[box]
        # a very bright lesion's core holds its blurred edge, which is no measure of its height
        height = float(np.median(apart[core]))
        if height < least:
            continue
        height = float(np.median(apart[core & (apart > height / 2)]))
        is_bright = apart > height / 2
        near = distance_mm(core, spacing) <= REACH_MM
        parts, _ = ndimage.label(is_bright & near & allowed[box])
        kept = np.unique(parts[core])
        grown[box] |= ndimage.binary_fill_holes(np.isin(parts, kept[kept > 0])) & allowed[box]
    return grown


def _drop(mask: Mask, scan: Scan) -> Mask:
    """Leave out what is too small, and the lining of the ventricles."""
    labels, count = ndimage.label(mask, _TOUCHING)
    if count == 0:
        return mask
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    away = distance_mm(scan.ventricles, scan.spacing)
    farthest = ndimage.maximum(away, labels, np.arange(count + 1))
    kept = (sizes * np.prod(scan.spacing) >= LEAST_MM3) & (sizes >= LEAST_VOXELS)
    kept &= np.asarray(farthest) > LINING_MM
    kept[0] = False
    return np.asarray(kept[labels])
