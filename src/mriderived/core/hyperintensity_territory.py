"""Where white-matter hyperintensities may be, and where brightness means something else."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Volume = NDArray[np.float32]
Mask = NDArray[np.bool_]

#: White matter of the template, as uncertain as its registration, begins here.
LEAST_WHITE = 0.3
#: The septum lies between fluid to the left and to the right, at most so far apart, in mm.
SEPTUM_MM = 8.0
#: The choroid plexus and what its brightness spreads to, in mm.
CHOROID_MM = 1.0
#: Below the tentorium FLAIR shows few lesions and many artefacts of pulsation: their share there.
INFRATENTORIAL = 0.1
#: The rim of the brain mask in which cortex, vessels and the skull are bright, in mm.
RIM_MM = 3.0


def find_territory(
    brain: Mask,
    white_prior: Volume,
    ventricles: Mask,
    spacing: Sequence[float],
    choroid: Mask | None = None,
) -> Mask:
    """Return where lesions of white matter may be.

    Parameters
    ----------
    brain : array of bool, shape (x, y, z)
    white_prior : array of float32, shape (x, y, z)
        Probability of white matter by the template.
    ventricles : array of bool, shape (x, y, z)
    spacing : three floats
        Voxel size in mm; the first axis runs from left to right.
    choroid : array of bool, shape (x, y, z), optional
        Choroid plexus, where it is known.

    Returns
    -------
    array of bool, shape (x, y, z)

    Examples
    --------
    >>> brain = np.ones((20, 12, 12), bool)
    >>> ventricles = np.zeros_like(brain); ventricles[[8, 11], 4:8, 4:8] = True
    >>> white = np.ones(brain.shape, np.float32)
    >>> found = find_territory(brain, white, ventricles, (2, 2, 2))
    >>> bool(found[9, 5, 5]), bool(found[7, 5, 5]), bool(found[0, 5, 5])
    (False, True, False)
    """
    allowed = brain & (white_prior > LEAST_WHITE) & ~ventricles
    allowed &= distance_mm(~np.pad(brain, 1), spacing)[1:-1, 1:-1, 1:-1] > RIM_MM
    allowed &= ~find_septum(ventricles, spacing[0])
    if choroid is not None and choroid.any():
        allowed &= distance_mm(choroid, spacing) > CHOROID_MM
    return np.asarray(allowed)


def find_septum(ventricles: Mask, step_mm: float) -> Mask:
    """Return what lies between ventricles on the left and on the right, close together.

    Parameters
    ----------
    ventricles : array of bool, shape (x, y, z)
    step_mm : float
        Voxel size along the first axis.

    Examples
    --------
    >>> find_septum(np.array([1, 0, 0, 1, 0, 0], bool)[:, None, None], 1.0).ravel().tolist()
    [False, True, True, False, False, False]
    """
    index = np.arange(len(ventricles))[:, None, None]
    last = np.maximum.accumulate(np.where(ventricles, index, -(10**6)), axis=0)
    following = np.where(ventricles, index, 10**6)[::-1]
    following = np.minimum.accumulate(following, axis=0)[::-1]
    return np.asarray(~ventricles & ((following - last - 1) * step_mm <= SEPTUM_MM))


def weigh(infratentorial: Mask) -> Volume:
    """Return by how much lesions are likelier at a place than in white matter of the cerebrum.

    Parameters
    ----------
    infratentorial : array of bool, shape (x, y, z)
        Brain stem and cerebellum.

    Returns
    -------
    array of float32, shape (x, y, z)

    Examples
    --------
    >>> weigh(np.array([True, False])).round(3).tolist()
    [0.10000000149011612, 1.0]
    """
    return np.where(infratentorial, INFRATENTORIAL, 1).astype(np.float32)


def distance_mm(mask: Mask, spacing: Sequence[float]) -> Volume:
    """Return the distance from a mask in mm; infinite where the mask is empty.

    Examples
    --------
    >>> distance_mm(np.array([True, False, False]), [2.0]).tolist()
    [0.0, 2.0, 4.0]
    """
    if not mask.any():
        return np.full(mask.shape, np.inf, np.float32)
    return np.asarray(ndimage.distance_transform_edt(~mask, sampling=spacing), np.float32)
