"""Suspected large lesions of the brain in a T1w image, found without a mask.

A large lesion is a *block*: it holds a ball. Sulci, layers of cortex and ordinary white-matter
hyperintensities are thin, however much of them there is. A block of fluid or of grey matter is
suspected where a brain template says that it should be something else, and far from where the
template says that it might be. The template is asked twice. Brought to the image by a nonlinear
registration, it follows healthy anatomy, large ventricles included, to 2 or 3 mm; but it is also
drawn into lesions. Brought by an affine transform alone it is off by a centimetre, yet no lesion
draws it. So what only the second finds must, besides, be absent at the mirrored place: a lesion
seldom has a twin, a ventricle has one.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mriderived.core.sampling import resample

Mask = NDArray[np.bool_]
Volume = NDArray[np.float32]
Matrix = NDArray[np.float64]
Kind = Literal['cavity', 'solid', 'gap']

#: Numbers in the image of lesions.
NUMBERS = {'cavity': 1, 'solid': 2, 'gap': 3, 'given': 4}

#: A ball of this radius, in mm, must fit into a lesion; wide sulci hold smaller ones.
RADIUS_MM = {'cavity': 4.5, 'solid': 5.0, 'gap': 5.0}
#: Less is no large lesion, in mL.
LEAST_ML = 2.0
#: So much of a lesion must contradict the template, in mL.
LEAST_WRONG_ML = 1.0
#: How deep, in mm, in what the template says the contradiction begins: nonlinear, affine.
DEPTH_MM = {'cavity': (3.0, 6.0), 'solid': (3.0, 5.0), 'gap': (3.0, 5.0)}
#: The mirrored place is like this one if the like of it lies within this distance, in mm.
MIRROR_MM = 5.0
#: Fluid of the template is a ventricle where it lies this deep in the brain, in mm; ventricles of
#: both sides may reach so much farther than the registration follows, in mm.
CENTRAL_MM, SPREAD_MM = 20.0, 15.0
#: A lesion goes on around what contradicts the template, as far as the sum of the depth and the
#: tolerance of the mirror, in mm: these leave out its rim.
NEAR_MM = 8.0
#: A dark block of which so much is fluid is a cavity and its rim.
MOST_SHARE = 0.5
_TOUCHING = np.ones((3, 3, 3), bool)


class Evidence(NamedTuple):
    """What is known on one grid of cubic voxels, all arrays of shape (x, y, z).

    ``csf`` and ``wm`` are fractions in the image, ``brain`` its brain mask, ``inside``
    where the image has voxels. ``nonlinear`` and ``affine`` are grey and white matter of the
    template, shape (2, x, y, z), brought here in the two ways. ``mirror`` leads from a voxel to
    its place in the other hemisphere.
    """

    csf: Volume
    wm: Volume
    brain: Mask
    inside: Mask
    nonlinear: Volume
    affine: Volume
    mirror: Matrix
    voxel_mm: float


class Suspect(NamedTuple):
    """One suspected lesion: of fluid, of grey intensity, or missing from the brain mask.

    ``mask`` is on the grid of the evidence; ``radius_mm`` of the largest ball in it; ``wrong_ml``
    of it contradict the template.
    """

    kind: Kind
    mask: Mask
    volume_ml: float
    radius_mm: float
    wrong_ml: float


def find_lesions(evidence: Evidence) -> list[Suspect]:
    """Find blocks that contradict the template.

    Parameters
    ----------
    evidence : Evidence
        On voxels of 1 to 2 mm.

    Returns
    -------
    list of Suspect
        The largest first; empty for a healthy brain.

    Notes
    -----
    The idea to tell lesions by what is unexpected at a place is that of Seghier et al. 2008
    (doi:10.1016/j.neuroimage.2008.03.028); the asymmetry, that of many since.
    """
    likely_n, likely_a = evidence.nonlinear.sum(axis=0), evidence.affine.sum(axis=0)
    fluid = (evidence.csf > 0.5) & evidence.brain
    dark = (evidence.wm < 0.5) & evidence.brain
    gap = evidence.inside & ~evidence.brain & (likely_a > 0.5)
    found = _suspect('cavity', fluid, likely_n > 0.5, likely_a > 0.5, evidence)
    found += _suspect('gap', gap, likely_n > 0.5, likely_a > 0.5, evidence)
    white = evidence.nonlinear[1] > 0.5, evidence.affine[1] > 0.5
    found = _merge(found, _suspect('solid', dark, *white, evidence))
    return sorted(found, key=lambda suspect: -suspect.volume_ml)


def _merge(others: list[Suspect], solids: list[Suspect]) -> list[Suspect]:
    """Keep the fluid, or the dark block around it if that is more, and in more doubt."""
    kept = list(others)
    for solid in solids:
        inside = [other for other in kept if (other.mask & solid.mask).any()]
        shared = sum(np.count_nonzero(other.mask & solid.mask) for other in inside)
        doubt = sum(other.wrong_ml for other in inside)
        if shared < MOST_SHARE * np.count_nonzero(solid.mask) and solid.wrong_ml > doubt:
            kept = [other for other in kept if all(other is not each for each in inside)]
            union = np.logical_or.reduce([solid.mask, *(other.mask for other in inside)])
            more = float(np.count_nonzero(union) / np.count_nonzero(solid.mask))
            kept.append(solid._replace(mask=union, volume_ml=more * solid.volume_ml))
    return kept


def _suspect(
    kind: Kind, block: Mask, nonlinear: Mask, affine: Mask, evidence: Evidence
) -> list[Suspect]:
    """Return the blocks that lie where the template, brought in two ways, has something else."""
    size = evidence.voxel_mm
    thickness = _depth(block, size)
    cores = thickness > RADIUS_MM[kind]
    if not cores.any():
        return []
    whole = block & (_depth(~cores, size) <= RADIUS_MM[kind] + size)
    lonely = resample(_depth(~block, size), evidence.mirror, block.shape) > MIRROR_MM
    deep_n, deep_a = DEPTH_MM[kind]
    by_mirror = (_depth(affine, size) > deep_a) & lonely
    by_warp = _depth(nonlinear, size) > deep_n
    if kind == 'cavity':
        by_warp &= ~_is_ventricle(whole, nonlinear, evidence)
    elif kind == 'solid':  # grey nuclei and the brain stem vary, but are the same on both sides
        by_warp &= lonely
    wrong = whole & (by_warp | by_mirror)
    labels, _ = ndimage.label(whole, _TOUCHING)
    suspects = []
    for number in np.unique(labels[wrong]):
        mine = labels == number
        part, amount = mine & wrong, _millilitres(mine & wrong, size)
        if amount < LEAST_WRONG_ML:
            continue
        mine &= (_depth(~part, size) <= NEAR_MM) & (nonlinear | lonely)
        volume, radius = _millilitres(mine, size), float(_depth(mine, size).max())
        # what a misregistration leaves over is thin
        if volume >= LEAST_ML and radius > RADIUS_MM[kind]:
            suspects.append(Suspect(kind, mine, volume, radius, amount))
    return suspects


def _is_ventricle(blocks: Mask, tissue: Mask, evidence: Evidence) -> Mask:
    """Return where fluid near that of the template's centre has a twin: no lesion, but more of it.

    No registration follows a hydrocephalus all the way.
    """
    size = evidence.voxel_mm
    central = ~tissue & (_depth(evidence.brain, size) > CENTRAL_MM)
    twin = resample(_depth(~blocks, size), evidence.mirror, blocks.shape) <= MIRROR_MM
    return twin & (_depth(~central, size) <= SPREAD_MM)


def _depth(mask: Mask, size: float) -> Volume:
    """Return the distance of every voxel of ``mask`` from the end of it, in mm."""
    if mask.all():  # there is no end
        return np.full(mask.shape, np.inf, np.float32)
    return np.asarray(size * ndimage.distance_transform_edt(mask), dtype=np.float32)


def _millilitres(mask: Mask, size: float) -> float:
    return float(np.count_nonzero(mask) * size**3 / 1000)
