"""Cortical thickness by projection, from the tissue map of one hemisphere."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.core.cortical_boundary import (
    PIAL,
    WHITE,
    find_boundary,
)
from mriderived.core.filters import smooth
from mriderived.core.geodesic import Reach, Sources, propagate
from mriderived.core.narrow_sulci import find_meeting, narrow_sulci

Volume = NDArray[np.float32]
Mask = NDArray[np.bool_]


#: Standard deviation, in voxels, of the Gaussian that steadies points of the boundaries: without
#: it the nearest of many noisy points is always a little too near.
SMOOTHING = 0.5


class Cortex(NamedTuple):
    """The cortex of a hemisphere between its two boundaries; all lengths in voxels."""

    white: Sources
    pial: Sources
    from_white: Reach
    from_pial: Reach
    #: bool, shape (x, y, z): the voxels that lie between the boundaries.
    mask: Mask
    #: float32, shape (x, y, z): 0 at the pial boundary and beyond, 1 at the white boundary and
    #: beyond, in between the distance to the pial boundary over the sum of both distances.
    position: Volume


def find_cortex(tissue: Volume) -> Cortex:
    """Find both boundaries of the cortex and the distances of every voxel between them.

    Distances travel through grey matter only, and buried sulci are opened where fronts from both
    banks meet.

    Parameters
    ----------
    tissue : array of float32, shape (x, y, z)
        1 CSF and all else outside the hemisphere, 2 grey matter, 3 white matter and what is
        filled, and in between what voxels share; cubic voxels.

    Returns
    -------
    Cortex

    Raises
    ------
    ValueError
        If there is no grey matter between white matter and CSF.
    """
    tissue = smooth(tissue, SMOOTHING)
    domain = (tissue > PIAL) & (tissue < WHITE)
    white = find_boundary(tissue, domain, WHITE, 1)
    from_white = propagate(domain, white)
    visible = narrow_sulci(tissue, find_boundary(tissue, domain, PIAL, -1))
    buried = find_meeting(tissue, domain, from_white, white)
    pial = Sources(*(np.concatenate(pair) for pair in zip(visible, buried, strict=True)))
    if not len(white.points) or not len(pial.points):
        raise ValueError('there is no grey matter between white matter and CSF')
    from_pial = propagate(domain, pial)
    mask = (from_white.source >= 0) & (from_pial.source >= 0)
    if not mask.any():
        raise ValueError('no grey matter connects white matter with CSF')
    mask[mask] = ~_lie_beyond(mask, white, pial, from_white, from_pial)
    position = np.zeros(tissue.shape, np.float32)
    # What only white matter can reach is enclosed by it.
    position[(tissue >= WHITE) | ((from_white.source >= 0) & (from_pial.source < 0))] = 1
    to_white, to_pial = from_white.distance[mask], from_pial.distance[mask]
    position[mask] = to_pial / np.maximum(to_white + to_pial, 1e-6)
    return Cortex(white, pial, from_white, from_pial, mask, position)


def _lie_beyond(
    mask: Mask, white: Sources, pial: Sources, from_white: Reach, from_pial: Reach
) -> Mask:
    """Tell which voxels lie outside the pial boundary, as they may in a narrow sulcus."""
    outer = pial.points[from_pial.source[mask]]
    across = outer - white.points[from_white.source[mask]]
    is_far = from_white.distance[mask] > np.sqrt((across**2).sum(axis=1))
    outward = np.argwhere(mask).astype(np.float32) - outer
    return np.asarray(is_far & ((outward * across).sum(axis=1) > 0))


def project_thickness(cortex: Cortex) -> Volume:
    """Estimate thickness everywhere in the cortex.

    At every point of the pial boundary the distance to the nearest point of the white boundary
    is one estimate of thickness, at every point of the white boundary the distance to the nearest
    point of the pial boundary another. Each voxel gets the mean of both at the points nearest to
    it: the definition of Fischl and Dale (2000, doi:10.1073/pnas.200033797) in a projection of
    distances like that of Dahnke et al. (2013, doi:10.1016/j.neuroimage.2012.09.050).

    Parameters
    ----------
    cortex : Cortex

    Returns
    -------
    array of float32, shape (x, y, z)
        In voxels, 0 outside the cortex.

    Examples
    --------
    >>> layers = np.repeat(np.float32([3, 3, 3, 2, 2, 2, 2, 1, 1, 1]), 2)
    >>> sheet = np.broadcast_to(layers, (9, 9, 20)).copy()
    >>> thickness = project_thickness(find_cortex(sheet))
    >>> round(float(np.median(thickness[thickness > 0])), 2)
    8.0
    """
    mask = cortex.mask
    at_pial = _span_to(cortex.pial, cortex.white, cortex.from_white)
    at_white = _span_to(cortex.white, cortex.pial, cortex.from_pial)
    sulcal = at_pial[cortex.from_pial.source[mask]]
    gyral = at_white[cortex.from_white.source[mask]]
    thickness = np.zeros(mask.shape, np.float32)
    thickness[mask] = np.nan_to_num((sulcal + gyral) / 2)
    return thickness


def _span_to(points: Sources, others: Sources, reach: Reach) -> NDArray[np.float32]:
    """Return the distance of each point to that of the others which is nearest to its voxel."""
    number = reach.source[tuple(points.voxels.T)]
    span = np.sqrt(((points.points - others.points[number]) ** 2).sum(axis=1))
    return np.where(number >= 0, span, np.nan).astype(np.float32)
