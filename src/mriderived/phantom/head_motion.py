"""How the head moves in a synthetic BOLD run: drifts slowly, shakes, and jumps a few times."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mriderived.core.rigid import rigid_matrix

Matrix = NDArray[np.float64]

#: Standard deviation of the shaking as a share of the largest motion.
SHAKE = 0.015
#: Volumes over which the drift is smooth.
SMOOTH = 18.0
#: Height of the jumps as a share of the drift's range.
JUMP = 0.35


def draw_motion(
    rng: np.random.Generator, volumes: int, most: tuple[float, float], jumps: int
) -> Matrix:
    """Return shifts in mm and turns in rad (volumes, 6), starting at 0.

    The largest shift and the largest turn from the first volume are exactly ``most`` (mm and
    degrees).
    """
    drift = ndimage.gaussian_filter1d(
        rng.standard_normal((volumes, 6)).cumsum(axis=0), SMOOTH, axis=0, mode='nearest'
    )
    drift /= np.ptp(drift, axis=0) + 1e-9
    # nobody jumps in the first tenth or the last tenth of a run
    places = rng.choice(np.arange(volumes // 10 + 1, volumes - volumes // 10), jumps, False)
    for place in places:
        drift[place:] += JUMP * rng.uniform(-1, 1, 6)
    drift += SHAKE * rng.standard_normal((volumes, 6))
    drift -= drift[0]
    # real heads nod more than they tilt or turn
    drift *= [0.5, 0.6, 1.0, 1.0, 0.5, 0.6]
    for part, largest in ((slice(0, 3), most[0]), (slice(3, 6), np.radians(most[1]))):
        drift[:, part] *= largest / np.abs(drift[:, part]).max()
    return np.asarray(drift, np.float64)


def motion_matrices(parameters: Matrix, centre: Matrix) -> Matrix:
    """Return matrices (volumes, 4, 4) from mm of the head at rest to mm of each volume."""
    return np.stack([rigid_matrix(row, centre) for row in parameters])
