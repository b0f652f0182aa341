"""From two velocity fields to a pair of mappings that are inverse to one another.

Symmetric normalisation (Avants et al. 2008, doi:10.1016/j.media.2007.06.004) with stationary
velocities: each image flows to a midpoint, and the whole mapping is one flow and then the other
one backwards.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mriderived.core.diffeomorphism import LEAST_CHANGE, Diffeomorphism, unfold
from mriderived.core.sampling import compose, jacobian

Field = NDArray[np.float32]

#: The flow is halved so often before it is squared as often (Arsigny et al. 2006,
#: doi:10.1007/11866565_113).
SQUARINGS = 7


def exponential(velocity: Field, threads: int = 1) -> Field:
    """Return the displacements after flowing along ``velocity`` for unit time.

    Parameters
    ----------
    velocity : array of float32, shape (3, x, y, z)
        In voxels.
    threads : int

    Returns
    -------
    array of float32, shape (3, x, y, z)

    Examples
    --------
    >>> float(exponential(np.full((3, 8, 8, 8), 0.5, np.float32)).max())
    0.5
    """
    field = (velocity / np.float32(2**SQUARINGS)).astype(np.float32)
    for _ in range(SQUARINGS):
        field = compose(field, field, threads)
    return field


def join_flows(moving_velocity: Field, fixed_velocity: Field, threads: int = 1) -> Diffeomorphism:
    """Return the mappings between two images whose halves flow along the given velocities.

    Parameters
    ----------
    moving_velocity, fixed_velocity : array of float32, shape (3, x, y, z)
        By which the moving and the fixed image reach the midpoint, in voxels.
    threads : int

    Returns
    -------
    Diffeomorphism

    Examples
    --------
    >>> velocity = np.zeros((3, 8, 8, 8), np.float32); velocity[0] = 0.25
    >>> found = join_flows(velocity, -velocity)
    >>> float(found.fixed_to_moving[0].max()), float(found.moving_to_fixed[0].min())
    (0.5, -0.5)
    """
    forward = compose(
        exponential(-fixed_velocity, threads), exponential(moving_velocity, threads), threads
    )
    backward = compose(
        exponential(-moving_velocity, threads), exponential(fixed_velocity, threads), threads
    )
    mended = int((jacobian(forward, threads) < LEAST_CHANGE).sum())
    return Diffeomorphism(unfold(forward, threads), unfold(backward, threads), mended)
