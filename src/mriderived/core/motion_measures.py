"""Numbers that are derived from head motion: how far the head moved from volume to volume."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mriderived.core.rigid import COLUMNS

Values = NDArray[np.float64]

#: The head as a sphere (mm), for turns as shifts (Power et al. 2012).
HEAD_RADIUS = 50.0
#: The head as a sphere (mm), for the root mean square over it (Jenkinson 1999).
SPHERE_RADIUS = 80.0


def framewise_displacement(parameters: NDArray[Any], radius: float = HEAD_RADIUS) -> Values:
    """Return how far the head moved since the volume before, as Power et al. define it.

    Parameters
    ----------
    parameters : array, shape (t, 6)
        Shifts in mm, then turns in rad.
    radius : float
        In mm: a turn counts as the arc that it makes at this distance.

    Returns
    -------
    array, shape (t,)
        The sum of the six absolute changes in mm; NaN for the first volume.

    Raises
    ------
    ValueError
        If there are not six parameters per volume.

    Notes
    -----
    Power et al. 2012 (doi:10.1016/j.neuroimage.2011.10.018).

    Examples
    --------
    >>> framewise_displacement(np.array([[0, 0, 0, 0, 0, 0], [0.1, 0, -0.2, 0.01, 0, 0]]))
    array([nan, 0.8])
    """
    changes = np.abs(np.diff(_check(parameters), axis=0)) * ([1.0] * 3 + [radius] * 3)
    return np.concatenate([[np.nan], changes.sum(axis=1)])


def rms_displacement(
    matrices: NDArray[Any], centre: NDArray[Any], radius: float = SPHERE_RADIUS
) -> Values:
    """Return the root mean square over a sphere of how far the head moved since the last volume.

    Parameters
    ----------
    matrices : array, shape (t, 4, 4)
        From mm of the reference to mm of each volume.
    centre : array, shape (3,)
        Of the sphere in the reference, in mm.
    radius : float
        In mm.

    Returns
    -------
    array, shape (t,)
        In mm; NaN for the first volume. fMRIPrep's ``rmsd``.

    Notes
    -----
    Jenkinson 1999, "Measuring transformation error by RMS deviation", FMRIB technical report
    TR99MJ1; see also Jenkinson et al. 2002 (doi:10.1006/nimg.2002.1132).

    Examples
    --------
    >>> moved = np.eye(4); moved[:3, 3] = 3, 0, 4
    >>> rms_displacement(np.stack([np.eye(4), moved]), np.zeros(3))
    array([nan,  5.])
    """
    change = np.diff(np.asarray(matrices, float), axis=0)
    linear = change[:, :3, :3]
    middle = linear @ np.asarray(centre, float) + change[:, :3, 3]
    square = radius**2 / 5 * (linear**2).sum(axis=(1, 2)) + (middle**2).sum(axis=1)
    return np.concatenate([[np.nan], np.sqrt(square)])


def _check(parameters: NDArray[Any]) -> Values:
    found = np.asarray(parameters, float)
    if found.ndim != 2 or found.shape[1] != len(COLUMNS):
        raise ValueError(f'motion is six parameters per volume, not an array of {found.shape}')
    return found
