"""Where in a segmented head perivascular spaces are looked for, and which region they are in."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mriderived.core.filters import smooth
from mriderived.core.hyperintensity_lobes import CHOROID, LOBES, VENTRICLES, divide_lobes
from mriderived.core.tube_region import find_search_region

Labels = NDArray[np.int32]
Mask = NDArray[np.bool_]
Volume = NDArray[np.float32]

#: FreeSurfer's numbers, left and right.
WHITE = (2, 41)
#: Caudate, putamen, pallidum and accumbens.
NUCLEI = ((11, 12, 13, 26), (50, 51, 52, 58))
#: What lies between white matter and is none of it, although a gap in white matter may reach it.
#: Small pieces of it inside of white matter are such gaps: a space of 2 mm looks like grey matter.
OTHERS = (3, 42, 7, 8, 46, 47, 10, 49, 16, 17, 53, 18, 54, 28, 60, 85)
CORTEX = (3, 42)
#: Fluid beyond the ventricles in pieces larger than this, in mm3, lies in sulci; larger pieces of
#: other structures are these.
SULCUS_MM3 = 200.0
#: What is taken for cortex is a gap where so much around it, weighted by a Gaussian of this width
#: in mm, is white matter or basal ganglia.
LEAST_WHITE, AROUND_MM = 0.8, 3.0
#: Voxels with more than this share of fluid are fluid.
FLUID = 0.5
#: Regions by number: the two sides of the basal ganglia, then those of each lobe's white matter.
BASAL_GANGLIA = {1: 'basal_ganglia_L', 2: 'basal_ganglia_R'}
CEREBRAL = {number: name for number, name in LOBES.items() if name != 'infratentorial'}
LOBAR = {
    10 * number + side: f'{name}_{letter}'
    for number, name in CEREBRAL.items()
    for side, letter in ((1, 'L'), (2, 'R'))
}
#: White matter of either side, where the lobes are not known.
SIDES = {3: 'white_matter_L', 4: 'white_matter_R'}


def find_perivascular_region(
    structures: Labels,
    fluid: Volume,
    brain: Mask,
    spacing: Sequence[float],
    lesions: Mask | None = None,
) -> Mask:
    """Return white matter of the cerebrum and basal ganglia, away from fluid and lesions.

    Parameters
    ----------
    structures : array of int32, shape (x, y, z)
        FreeSurfer's numbers.
    fluid : array of float32, shape (x, y, z)
        Share of fluid in each voxel.
    brain : array of bool, shape (x, y, z)
    spacing : three floats
        Voxel size in mm.
    lesions : array of bool, shape (x, y, z), optional

    Returns
    -------
    array of bool, shape (x, y, z)
        Small holes in white matter are part of it, whatever they were taken for.

    Examples
    --------
    >>> structures = np.full((20, 20, 20), 2, np.int32)
    >>> structures[9, 9], structures[:4] = 3, 4
    >>> fluid = (structures > 2).astype(np.float32)
    >>> found = find_perivascular_region(structures, fluid, fluid >= 0, (1, 1, 1))
    >>> bool(found[5, 10, 10]), bool(found[8, 10, 10])
    (False, True)
    """
    white = np.isin(structures, WHITE)
    nuclei = np.isin(structures, [number for side in NUCLEI for number in side])
    ventricles = np.isin(structures, (*VENTRICLES, *CHOROID))
    excluded = ventricles | _find_large((fluid > FLUID) & ~ventricles | ~brain, spacing)
    if lesions is not None:
        excluded |= lesions
    region = find_search_region(white, nuclei, excluded, spacing)
    others = _find_large(np.isin(structures, OTHERS), spacing, corners=1)
    # a tube of 3 mm leaves 0.88 of what is around it to white matter, a sheet of 2 mm 0.74
    sigma = AROUND_MM / np.asarray(spacing, float)
    around = smooth((white | nuclei).astype(np.float32), sigma)
    return np.asarray(region & ~(others & (around < LEAST_WHITE)))


def _find_large(mask: Mask, spacing: Sequence[float], corners: int = 3) -> Mask:
    """Return the large pieces of a mask; with ``corners`` 1 only faces connect, with 3 all do."""
    parts, _ = ndimage.label(mask, ndimage.generate_binary_structure(3, corners))
    large = np.bincount(parts.ravel()) * float(np.prod(spacing)) > SULCUS_MM3
    large[0] = False
    return np.asarray(large[parts])


def divide_region(
    structures: Labels, region: Mask, spacing: Sequence[float], gyri: Labels | None = None
) -> Labels:
    """Say of every voxel of the search region which region of the brain it is in.

    Parameters
    ----------
    structures : array of int32, shape (x, y, z)
        FreeSurfer's numbers; a hole belongs to what is nearest.
    region : array of bool, shape (x, y, z)
    spacing : three floats
        Voxel size in mm.
    gyri : array of int32, shape (x, y, z), optional
        Gyri and structures under FreeSurfer's numbers. Without, there are no lobes.

    Returns
    -------
    array of int32, shape (x, y, z)
        Keys of :data:`BASAL_GANGLIA` and :data:`LOBAR`, or of :data:`SIDES`; 0 elsewhere.

    Examples
    --------
    >>> row = np.int32([1028, 2, 0, 11, 0])[:, None, None]
    >>> divide_region(row, row >= 0, (1, 1, 1), row).ravel().tolist()
    [11, 11, 11, 1, 1]
    >>> divide_region(row, row >= 0, (1, 1, 1)).ravel().tolist()
    [3, 3, 3, 1, 1]
    """
    seeds = np.zeros(structures.shape, np.int32)
    for side, (white, nuclei) in enumerate(zip(WHITE, NUCLEI, strict=True)):
        seeds[structures == white] = 3 + side
        seeds[np.isin(structures, nuclei)] = 1 + side
    at = ndimage.distance_transform_edt(
        seeds == 0, sampling=spacing, return_distances=False, return_indices=True
    )
    nearest = np.asarray(seeds[tuple(at)], np.int32)
    if gyri is not None:
        lobes = divide_lobes(gyri, region, spacing)
        is_lobar = (nearest > 2) & np.isin(lobes, list(CEREBRAL))
        nearest = np.where(is_lobar, 10 * lobes + nearest - 2, nearest)
    return np.where(region, nearest, 0).astype(np.int32)
