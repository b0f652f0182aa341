"""Which lobe white matter belongs to: that of the nearest gyrus.

Gyri are grouped as FreeSurfer groups them (Klein & Tourville 2012,
doi:10.3389/fnins.2012.00171): the anterior cingulate is frontal, the posterior one parietal, and
the insula is a lobe of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Labels = NDArray[np.int32]
Mask = NDArray[np.bool_]

#: Lobes by number; what lies below the tentorium counts as one.
LOBES = {
    1: 'frontal',
    2: 'parietal',
    3: 'temporal',
    4: 'occipital',
    5: 'insular',
    6: 'infratentorial',
}
#: Gyri of each lobe: FreeSurfer's numbers less 1000 (left) or 2000 (right).
GYRI = {
    1: (2, 3, 12, 14, 17, 18, 19, 20, 24, 26, 27, 28, 32),
    2: (8, 10, 22, 23, 25, 29, 31),
    3: (1, 6, 7, 9, 15, 16, 30, 33, 34),
    4: (5, 11, 13, 21),
    5: (35,),
}
#: Brain stem and cerebellum, ventricles and choroid plexus in FreeSurfer's numbers.
INFRATENTORIAL = (7, 8, 16, 46, 47)
VENTRICLES = (4, 5, 14, 15, 43, 44)
CHOROID = (31, 63)
#: Less fluid than this share of the template's ventricles is no ventricle that was found.
LEAST_FLUID = 0.1


def divide_lobes(labels: Labels, brain: Mask, spacing: Sequence[float]) -> Labels:
    """Give every voxel of the brain the lobe of the nearest gyrus.

    Parameters
    ----------
    labels : array of int32, shape (x, y, z)
        Gyri and structures under FreeSurfer's numbers; 0 is unknown.
    brain : array of bool, shape (x, y, z)
    spacing : three floats
        Voxel size in mm.

    Returns
    -------
    array of int32, shape (x, y, z)
        See :data:`LOBES`; 0 outside the brain. Brain stem and cerebellum are known by their
        labels; voxels without a label may be nearest to these, too, those of the cerebrum not.

    Raises
    ------
    ValueError
        If there is no gyrus.

    Examples
    --------
    >>> row = np.int32([1028, 2, 2, 1011, 8, 0])[:, None, None]
    >>> divide_lobes(row, row >= 0, (1, 1, 1)).ravel().tolist()
    [1, 1, 4, 4, 6, 6]
    """
    seeds = np.zeros(labels.shape, np.int32)
    for lobe, gyri in GYRI.items():
        numbers = [side + gyrus for gyrus in gyri for side in (1000, 2000)]
        seeds[np.isin(labels, numbers)] = lobe
    if not seeds.any():
        raise ValueError('no gyrus lies in the image: its lobes cannot be told')
    below = np.isin(labels, INFRATENTORIAL)
    cerebral = _nearest(seeds, spacing)
    seeds[below] = 6
    lobes = np.where(labels > 0, cerebral, _nearest(seeds, spacing))
    lobes[below] = 6
    return np.where(brain, lobes, 0).astype(np.int32)


def _nearest(seeds: Labels, spacing: Sequence[float]) -> Labels:
    at = ndimage.distance_transform_edt(
        seeds == 0, sampling=spacing, return_distances=False, return_indices=True
    )
    return np.asarray(seeds[tuple(at)], np.int32)


def follow_fluid(ventricles: Mask, fluid: Mask, spacing: Sequence[float], reach: float) -> Mask:
    """Return the ventricles of an image that a template says the place of.

    Parameters
    ----------
    ventricles : array of bool, shape (x, y, z)
        Of the template.
    fluid : array of bool, shape (x, y, z)
        What is as dark as fluid in the image, in the brain.
    spacing : three floats
        Voxel size in mm.
    reach : float
        Fluid that begins in a ventricle of the template belongs to it up to this distance, mm.

    Returns
    -------
    array of bool, shape (x, y, z)
        The template's where there is next to no fluid in it.

    Examples
    --------
    >>> template = np.array([0, 0, 1, 1, 0, 0, 0, 0], bool)[:, None, None]
    >>> fluid = np.array([0, 1, 1, 1, 1, 0, 0, 1], bool)[:, None, None]
    >>> follow_fluid(template, fluid, (1, 1, 1), 3).ravel().astype(int).tolist()
    [0, 1, 1, 1, 1, 0, 0, 0]
    """
    if not ventricles.any():
        return ventricles
    away = ndimage.distance_transform_edt(~ventricles, sampling=spacing)
    parts, _ = ndimage.label(fluid & (away <= reach))
    begun = np.unique(parts[ventricles])
    found = np.isin(parts, begun[begun > 0])
    if np.count_nonzero(found) < LEAST_FLUID * np.count_nonzero(ventricles):
        return ventricles
    return np.asarray(found)
