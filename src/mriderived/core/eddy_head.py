"""The head alone, told from noise, feigned motion, and shifts by eddy currents."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.core.eddy_contrast import LEAST_VOLUMES, tensor_terms
from mriderived.core.eddy_course import follow_course
from mriderived.core.eddy_levels import Pose
from mriderived.core.gradient_table import Gradients
from mriderived.core.rigid import rigid_matrix, rigid_parameters
from mriderived.core.rigid_descent import RADIUS

Matrix = NDArray[np.float64]

#: A position is wrong by no more than so many of its standard deviations, which are of errors
#: that are alike over 20 mm: what contrast feigns is alike over the brain.
MOST_SPREADS = 6.0
#: How far volumes without weighting may be off, and weighted ones of which it is not known, in mm.
BASE_NOISE, OTHER_NOISE = 0.03, 0.3
#: Shifts by eddy currents, and what contrast feigns at b = 1000 s/mm², are no larger, in mm.
MOST_SHIFT, MOST_FEIGNED = 3.0, 0.12
#: Eddy currents outlast a volume: those of so many gradients count, its own among them.
LAGS = 3
#: From mm and rad to mm.
ARC = np.array([1.0] * 3 + [RADIUS] * 3)


class Positions(NamedTuple):
    """Positions of n volumes as registration has found them.

    ``spreads`` (n, 6) are their standard deviations in mm and rad, NaN where not known; those that
    are not ``believed`` (n,) count for nothing.
    """

    poses: list[Pose]
    spreads: Matrix
    believed: NDArray[np.bool_]


def follow_head(
    positions: Positions,
    gradients: Gradients,
    turned: Matrix,
    along: Matrix,
    centre: Matrix,
) -> tuple[list[Pose], Matrix]:
    """Tell positions of the head from all else that registration has found.

    Parameters
    ----------
    positions : Positions
        Of n volumes in the order of their acquisition.
    gradients : Gradients
    turned : array, shape (n, 3)
        Directions of the gradients in the reference.
    along : array, shape (3,)
        Unit vector of the phase axis, in world axes.
    centre : array, shape (3,)
        Of the turns, in mm.

    Returns
    -------
    list of Pose
        Of the head, shifted by eddy currents. With less than 12 weighted volumes, as they were.
    array, shape (n,)
        In mm: that shift, the part along the phase axis that is linear in the gradients of the
        volume and of the two before it.

    Notes
    -----
    The shift by eddy currents cannot be told from a head that moves but by its dependence on the
    gradients (Andersson and Sotiropoulos 2016, doi:10.1016/j.neuroimage.2015.10.019).
    """
    weighted = gradients.shell > 0
    if (weighted & positions.believed).sum() < LEAST_VOLUMES:
        return list(positions.poses), np.zeros(len(gradients))
    frame = _make_frame(along)
    seen = rigid_parameters(np.stack([pose.matrix for pose in positions.poses]), centre) * ARC
    seen[:, :3] = seen[:, :3] @ frame.T
    terms, kinds = _list_terms(gradients, turned)
    largest = np.full((len(kinds), 6), MOST_FEIGNED)
    by_eddy = kinds < LAGS
    largest[by_eddy] = [MOST_SHIFT, 0, 0, 0, 0, 0]
    course = follow_course(
        seen, terms, kinds, largest, gradients.shell, _bound(positions, gradients, frame),
        positions.believed,
    )  # fmt: skip
    shift = terms[:, by_eddy] @ course.amounts[by_eddy, 0]
    head = course.head.copy()
    head[:, 0] += shift
    head[:, :3] = head[:, :3] @ frame
    return [
        Pose(rigid_matrix(move, centre), pose.eddy, pose.axis)
        for move, pose in zip(head / ARC, positions.poses, strict=True)
    ], shift


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


def _make_frame(along: Matrix) -> Matrix:
    """Return orthogonal axes as rows, the phase axis first."""
    basis = np.linalg.qr(np.column_stack([along, np.eye(3)]))[0].T
    basis[0] = along
    return np.asarray(basis)


def _list_terms(gradients: Gradients, turned: Matrix) -> tuple[Matrix, NDArray[np.intp]]:
    """Return what positions may follow, (n, k), and of which kind each is.

    Kinds are the gradients of the volume itself, of those before it, and last, tensors of a shell.
    """
    strength = np.sqrt(gradients.b / gradients.b.max())[:, None] * gradients.directions
    columns = [
        np.concatenate([np.zeros((lag, 3)), strength[: len(strength) - lag]])
        for lag in range(LAGS)
    ]
    for shell in range(1, int(gradients.shell.max()) + 1):
        ours = gradients.shell == shell
        columns.append(tensor_terms(turned) * (gradients.b * ours / 1000)[:, None])
    terms = np.concatenate(columns, axis=1)
    return terms, np.minimum(np.arange(terms.shape[1]) // 3, LAGS)


def _bound(positions: Positions, gradients: Gradients, frame: Matrix) -> Matrix:
    """Return the most that registration can be wrong by, shape (n, 6), in mm, along a frame."""
    variances = (positions.spreads * ARC) ** 2
    variances[:, :3] = variances[:, :3] @ frame.T**2
    known = np.isfinite(variances).all(axis=1)
    most = np.full((len(gradients), 6), BASE_NOISE)
    for shell in range(1, int(gradients.shell.max()) + 1):
        ours = gradients.shell == shell
        most[ours] = OTHER_NOISE
        if (ours & known).any():
            most[ours] = MOST_SPREADS * np.sqrt(np.median(variances[ours & known], axis=0))
    return most
