"""What contrast that changes with direction has feigned of motion and eddy currents.

The contrast of a shell is about that of a tensor: the same for opposite directions. Motion or eddy
currents that follow the directions as a tensor does cannot be told from it, and what was found of
them is mostly feigned. But eddy currents are proportional to the gradient, so that opposite
gradients have opposite ones (the second-level model of Andersson and Sotiropoulos 2016,
doi:10.1016/j.neuroimage.2015.10.019), and a head that moves slowly or seldom does not follow
directions that change with every volume.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mriderived.core.eddy_levels import Pose
from mriderived.core.rigid import rigid_matrix, rigid_parameters

Matrix = NDArray[np.float64]

#: With fewer volumes, six numbers for each parameter explain whatever there is.
LEAST_VOLUMES = 12
#: What is expected to be feigned at b = 1000 s/mm²: mm, rad, voxels at the edge.
USUAL_SHIFT, USUAL_TURN, USUAL_EDDY = 0.1, np.radians(0.1), 0.1
#: Motion from volume to volume is known to no more than this share of what is expected.
LEAST_SPREAD = 0.05
TIMES = 20


def tensor_terms(directions: Matrix) -> Matrix:
    """Return the products of directions (n, 3) that a tensor multiplies, shape (n, 6).

    Examples
    --------
    >>> tensor_terms(np.array([[0.6, 0.8, 0]])).round(2).tolist()
    [[0.36, 0.64, 0.0, 0.48, 0.0, 0.0]]
    """
    x, y, z = np.asarray(directions, np.float64).T
    return np.stack([x * x, y * y, z * z, x * y, x * z, y * z], axis=1)


def remove_feigned(
    poses: list[Pose],
    shell: NDArray[np.integer[Any]],
    strength: Matrix,
    directions: Matrix,
    turned: Matrix,
    centre: Matrix,
) -> list[Pose]:
    """Return poses without motion and eddy currents that contrast has feigned.

    Parameters
    ----------
    poses : list of Pose
        Of n volumes in the order of their acquisition.
    shell : array of int, shape (n,)
        0 for volumes whose poses stay as they are.
    strength : array, shape (n,)
        b in s/mm²: contrast grows with it.
    directions, turned : arrays, shape (n, 3)
        Unit vectors of the gradients, in the scanner and in the reference.
    centre : array, shape (3,)
        Of the turns, in mm.

    Returns
    -------
    list of Pose
        As they were in shells of less than 12 volumes.
    """
    groups = [np.flatnonzero(shell == number) for number in np.unique(shell[shell > 0])]
    groups = [group for group in groups if len(group) >= LEAST_VOLUMES]
    if not groups:
        return list(poses)
    motion = rigid_parameters(np.stack([pose.matrix for pose in poses]), centre)
    eddy = np.stack([pose.eddy for pose in poses])
    tensor = np.zeros((len(poses), 6 * len(groups)))
    for number, group in enumerate(groups):
        gain = strength[group].mean() / 1000
        own = gain * tensor_terms(turned[group])
        tensor[group, 6 * number : 6 * number + 6] = own
        for term in eddy.T:
            term[group] -= own @ explain(term[group], own, USUAL_EDDY, directions[group])
    steps, changes = np.diff(motion, axis=0), np.diff(tensor, axis=0)
    usual = [USUAL_SHIFT] * 3 + [USUAL_TURN] * 3
    feigned = np.stack(
        [tensor @ explain(s, changes, size) for s, size in zip(steps.T, usual, strict=True)],
        axis=1,
    )
    return [
        Pose(pose.matrix @ rigid_matrix(-part, centre), found, pose.axis)
        for pose, part, found in zip(poses, feigned, eddy, strict=True)
    ]


def explain(values: Matrix, terms: Matrix, usual: float, free: Matrix | None = None) -> Matrix:
    """Return how much of each term there is in values most of which are small otherwise.

    Parameters
    ----------
    values : array, shape (n,)
    terms : array, shape (n, k)
    usual : float
        The size of coefficients that is expected: where the values do not tell, they are 0.
    free : array, shape (n, l), optional
        Other terms, which may be of any size.

    Returns
    -------
    array, shape (k,)
        The mode where what is left has Cauchy's distribution, so that a few large values, such as
        a head's jumps, hardly count.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> terms = rng.standard_normal((50, 2))
    >>> values = terms @ [0.2, -0.1] + 0.01 * rng.standard_normal(50)
    >>> values[::7] += 3
    >>> explain(values, terms, 0.3).round(2).tolist()
    [0.2, -0.1]
    """
    count = terms.shape[1]
    design = terms if free is None else np.concatenate([terms, free], axis=1)
    prior = np.where(np.arange(design.shape[1]) < count, 1 / usual**2, 1e-9 / usual**2)
    found = np.zeros(design.shape[1])
    for _ in range(TIMES):
        left = values - design @ found
        spread = max(1.4826 * float(np.median(np.abs(left))), LEAST_SPREAD * usual)
        weights = 1 / (spread**2 + left**2)
        normal = (design.T * weights) @ design + np.diag(prior)
        found = np.linalg.solve(normal, (design.T * weights) @ values)
    return np.asarray(found[:count])
