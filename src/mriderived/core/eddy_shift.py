"""Which part of the shifts of a diffusion series is of eddy currents, not of the head.

Eddy currents shift a whole volume along the phase encoding, in proportion to the gradients. No
registration can tell that from a head that moves, but a head does not follow the gradients.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mriderived.core.gradient_table import Gradients

Matrix = NDArray[np.float64]

#: With fewer weighted volumes, shifts that follow the gradients by chance would be taken away.
LEAST_VOLUMES = 12


def find_eddy_shift(parameters: Matrix, gradients: Gradients, along: Matrix) -> Matrix:
    """Return the shift of each volume that is linear in its diffusion gradient.

    Parameters
    ----------
    parameters : array of float, shape (n, 6)
        Shifts in mm (world axes), then turns.
    gradients : Gradients
        Of n volumes. The strength of a gradient is taken as the root of b.
    along : array of float, shape (3,)
        Unit vector of the phase encoding in world axes.

    Returns
    -------
    array of float, shape (n,)
        In mm along ``along``; 0 for volumes without weighting, and for all if there are fewer
        than 12 with weighting.

    References
    ----------
    Andersson and Sotiropoulos 2016, https://doi.org/10.1016/j.neuroimage.2015.10.019, whose
    second-level model this is.
    """
    count = len(gradients)
    if (gradients.shell > 0).sum() < LEAST_VOLUMES:
        return np.zeros(count)
    strength = np.sqrt(gradients.b / gradients.b.max())[:, None] * gradients.directions
    drift = np.vander(np.linspace(-1, 1, count), 2)
    design = np.hstack([strength, drift])
    shift = parameters[:, :3] @ along
    weights, *_ = np.linalg.lstsq(design, shift, rcond=None)
    return np.asarray(strength @ weights[:3])


def remove_eddy_shift(parameters: Matrix, shift: Matrix, along: Matrix) -> Matrix:
    """Return parameters (n, 6) of the head alone.

    Examples
    --------
    >>> remove_eddy_shift(np.ones((1, 6)), np.array([0.5]), np.array([0.0, 1, 0]))[0].tolist()
    [1.0, 0.5, 1.0, 1.0, 1.0, 1.0]
    """
    alone = np.array(parameters, np.float64)
    alone[:, :3] -= shift[:, None] * along
    return alone
