"""Rigid registration of two images of one session whose contrasts differ, from a near start.

Images of one collection differ in echo time, flip angle or inversion time. Their relation is not
linear, near the null of an inversion not even monotonic, so that normalised mutual information
tells how well they fit.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.core.mutual_information import (
    Samples,
    blur,
    classify,
    find_information,
    sample_brain,
)
from mriderived.core.rigid_search import minimise, to_matrix

Volume = NDArray[np.float32]
Matrix = NDArray[np.float64]

#: Distance of the sampled points and resolution of the moving image at each level, in mm.
LEVELS = (6.0, 3.0, 2.0)
#: Points nearer than this to the border of the moving image are left out, in mm, where enough are
#: left: nothing is to be gained by moving them out of it.
MARGIN_MM = 6.0
FEWEST_POINTS = 2000
#: Points beyond this many are left out of a level, evenly.
MOST_POINTS = 60_000


class ContrastAlignment(NamedTuple):
    """The matrix from mm of the fixed to mm of the moving image, and information then and now."""

    matrix: Matrix
    before: float
    after: float


def align_contrast(
    fixed: Volume,
    fixed_affine: Matrix,
    mask: NDArray[np.bool_],
    moving: Volume,
    moving_affine: Matrix,
    start: Matrix | None = None,
) -> ContrastAlignment:
    """Align ``moving`` with ``fixed``, which lie within a few mm and degrees of each other.

    Parameters
    ----------
    fixed, moving : array of float32, shape (x, y, z)
        Finite, of any contrasts and grids.
    fixed_affine, moving_affine : array, shape (4, 4)
        From voxels to mm.
    mask : array of bool, shape of ``fixed``
        What is compared.
    start : array, shape (4, 4), optional
        From mm of the fixed to mm of the moving image.

    Returns
    -------
    ContrastAlignment
        The start itself where no other position is better.

    Raises
    ------
    ValueError
        If the two images do not overlap.

    References
    ----------
    Studholme et al. 1999, https://doi.org/10.1016/S0031-3203(98)00091-0

    Examples
    --------
    >>> x, y, z = np.indices((24, 24, 24))
    >>> ball = (x - 11) ** 2 + (y - 12) ** 2 / 1.5 + (z - 12) ** 2 / 2 < 50
    >>> head = (ball * (100 + 9 * np.cos(x) + y)).astype(np.float32)
    >>> here = np.diag([3.0, 3, 3, 1])
    >>> there = here.copy(); there[:3, 3] = 2, -1, 1
    >>> found = align_contrast(head, here, ball, (head - 110) ** 2, there)
    >>> bool(np.abs(found.matrix[:3, 3] - [2, -1, 1]).max() < 0.2)
    True
    """
    first = np.eye(4) if start is None else np.asarray(start, np.float64)
    centre = np.argwhere(mask).mean(axis=0) @ fixed_affine[:3, :3].T + fixed_affine[:3, 3]
    to_voxel = np.asarray(np.linalg.inv(moving_affine), np.float64)
    found = np.zeros(6)
    before = after = 0.0
    for step in LEVELS:
        samples = sample_brain(fixed, fixed_affine, mask, step)
        samples = _thin(_keep_inner(samples, moving.shape, to_voxel @ first, moving_affine))
        classes = classify(blur(moving, moving_affine, step))

        def cost(
            parameters: NDArray[np.float64],
            samples: Samples = samples,
            classes: Volume = classes,
        ) -> float:
            matrix = to_voxel @ first @ to_matrix(parameters, centre)
            return -float(find_information(samples.points, samples.classes, classes, matrix))

        before = -cost(np.zeros(6))
        value, found = minimise(cost, found, step / 2)
        after = -value
    if before <= 0 and after <= 0:
        raise ValueError('the two images do not overlap: look at their orientation in a viewer')
    if after <= before:
        return ContrastAlignment(first, before, before)
    return ContrastAlignment(first @ to_matrix(found, centre), before, after)


def _keep_inner(
    samples: Samples, shape: tuple[int, ...], to_voxel: Matrix, affine: Matrix
) -> Samples:
    """Leave out points near the border of the moving image, where enough others are left."""
    size = np.sqrt((affine[:3, :3] ** 2).sum(axis=0))
    voxels = samples.points @ to_voxel[:3, :3].T + to_voxel[:3, 3]
    margin = np.minimum(MARGIN_MM / size, (np.array(shape) - 1) / 4)
    inner = ((voxels >= margin) & (voxels <= np.array(shape) - 1 - margin)).all(axis=1)
    if np.count_nonzero(inner) < FEWEST_POINTS:
        return samples
    return Samples(samples.points[inner], samples.classes[inner])


def _thin(samples: Samples) -> Samples:
    """Leave out points, evenly, where there are too many."""
    count = len(samples.points)
    if count <= MOST_POINTS:
        return samples
    chosen = np.linspace(0, count - 1, MOST_POINTS).astype(int)
    return Samples(samples.points[chosen], samples.classes[chosen])
