"""Volumes whose motion could not be told.

Where the signal is weak and contrast by direction strong, registration may run away: turns of the
head and shears by eddy currents make up for each other. Whatever is far beyond what heads and
eddy currents do, and explains the volumes no better than their neighbours' position does, is not
believed.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mriderived.core.eddy_levels import Pose
from mriderived.core.eddy_rounds import Rounds
from mriderived.core.rigid import rigid_matrix, rigid_parameters

Matrix = NDArray[np.float64]

#: What is usual: voxels at the edge, mm and rad away from the median of the neighbours.
MOST_EDDY, MOST_SHIFT, MOST_TURN = 3.0, 10.0, np.radians(10.0)
#: Volumes before and after that are neighbours.
REACH = 3


def put_back(
    rounds: Rounds,
    poses: list[Pose],
    known: NDArray[np.bool_],
    chosen: NDArray[np.intp],
    centre: Matrix,
    judge: Callable[[list[Pose]], Matrix],
) -> tuple[Rounds, NDArray[np.bool_]]:
    """Put volumes of a shell back that ran away, where that explains them as well.

    Parameters
    ----------
    rounds : Rounds
        The m volumes of the shell as they were found.
    poses : list of Pose
        Of all n volumes, in the order of their acquisition; those of the shell as in ``rounds``.
    known : array of bool, shape (n,)
        Volumes that have been aligned, those of the shell among them.
    chosen : array of int, shape (m,)
        The volumes of the shell.
    centre : array, shape (3,)
        Of the turns, in mm.
    judge : callable
        Returns for m poses how well the volumes fit their predictions.

    Returns
    -------
    Rounds
    array of bool, shape (m,)
        Volumes that were put back.
    """
    seen = np.flatnonzero(known)
    moves = rigid_parameters(np.stack([poses[i].matrix for i in seen]), centre)
    eddy = np.stack([poses[i].eddy for i in seen])
    doubtful = find_doubtful(moves, eddy, np.searchsorted(seen, chosen))
    if not doubtful.any():
        return rounds, doubtful
    believed = known.copy()
    believed[chosen[doubtful]] = False
    usual = list(rounds.poses)
    back = take_usual(poses, believed, chosen[doubtful], centre)
    for place, pose in zip(np.flatnonzero(doubtful), back, strict=True):
        usual[place] = pose
    found, other = judge(rounds.poses), judge(usual)
    untold = doubtful & (other >= found)
    fitted = [
        each._replace(pose=usual[place], fit=float(other[place])) if untold[place] else each
        for place, each in enumerate(rounds.fitted)
    ]
    return rounds._replace(fitted=fitted), untold


def find_doubtful(moves: Matrix, eddy: Matrix, chosen: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Tell of which volumes motion or eddy currents are implausible.

    Parameters
    ----------
    moves : array, shape (n, 6)
        Shifts in mm and turns in rad of all n volumes, in the order of their acquisition.
    eddy : array, shape (n, k)
        Displacement by eddy currents in voxels at the edge, a term each.
    chosen : array of int, shape (m,)
        The volumes that are asked for.

    Returns
    -------
    array of bool, shape (m,)
        Where a term of eddy currents is beyond 3 voxels, or the head 10 mm or 10 degrees away from
        the median of the volumes around.

    Examples
    --------
    >>> moves, eddy = np.zeros((5, 6)), np.zeros((5, 3))
    >>> moves[1, 3], eddy[4, 0] = 0.3, -4
    >>> find_doubtful(moves, eddy, np.array([0, 1, 4])).tolist()
    [False, True, True]
    """
    away = np.abs(moves[chosen] - _find_usual(moves, chosen))
    far = (away[:, :3] > MOST_SHIFT).any(axis=1) | (away[:, 3:] > MOST_TURN).any(axis=1)
    return np.asarray(far | (np.abs(eddy[chosen]) > MOST_EDDY).any(axis=1))


def take_usual(
    poses: list[Pose], known: NDArray[np.bool_], chosen: NDArray[np.intp], centre: Matrix
) -> list[Pose]:
    """Return the poses of the nearest volumes that are known, without eddy currents.

    Parameters
    ----------
    poses : list of Pose
        Of all n volumes, in the order of their acquisition.
    known : array of bool, shape (n,)
        Volumes whose poses are believed; without any, the head lies as in the reference.
    chosen : array of int, shape (m,)
        The volumes that poses are returned for.
    centre : array, shape (3,)
        Of the turns, in mm.

    Returns
    -------
    list of Pose
    """
    believed = np.flatnonzero(known)
    usual = np.zeros((len(chosen), 6))
    if len(believed):
        moves = rigid_parameters(np.stack([poses[i].matrix for i in believed]), centre)
        usual = np.stack([np.interp(chosen, believed, move) for move in moves.T], axis=1)
    return [
        Pose(rigid_matrix(move, centre), np.zeros_like(poses[i].eddy), poses[i].axis)
        for i, move in zip(chosen, usual, strict=True)
    ]


def _find_usual(moves: Matrix, chosen: NDArray[np.intp]) -> Matrix:
    """Return the median of the volumes around each that is chosen, without itself."""
    usual = np.zeros((len(chosen), moves.shape[1]))
    for row, index in enumerate(chosen):
        around = [
            near
            for near in range(max(index - REACH, 0), min(index + REACH + 1, len(moves)))
            if near != index
        ]
        if around:
            usual[row] = np.median(moves[around], axis=0)
    return usual
