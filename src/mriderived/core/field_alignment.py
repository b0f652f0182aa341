"""Where the head of a field map lies in a run: it may have moved between the two.

The magnitude of the field map has another contrast than EPI and no distortion. So the run's
reference is aligned with its head by mutual information, corrected with the field where it lies
then, and aligned once more.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.core.epi_shift import phase_axis, shift_map, unwarp
from mriderived.core.field_cleaning import resample_field
from mriderived.core.mutual_information import register_rigid

Volume = NDArray[np.float32]
Mask = NDArray[np.bool_]
Matrix = NDArray[np.float64]

#: A brain that moved by less than this at most, in mm, is taken to lie still. On two real heads
#: the alignment was wrong by up to 2.3 mm, which is worth less than 0.1 voxel of displacement.
STILL_MM = 3.0
#: Alignment ends when it changes by less than this, in mm, or after so many rounds.
STEP_MM, ROUNDS = 0.3, 3
#: Points of the brain by which distances are told.
_POINTS = 2000


class FieldImage(NamedTuple):
    """A field in Hz that reaches beyond the head, magnitude and head, from their voxels to mm."""

    hz: Volume
    magnitude: Volume
    head: Mask
    affine: Matrix


class Readout(NamedTuple):
    """``PhaseEncodingDirection`` and ``TotalReadoutTime`` (s) of a run."""

    direction: str
    seconds: float


class Placed(NamedTuple):
    """From mm of a run to mm of its field map, and by how far the brain moved at most, in mm."""

    matrix: Matrix
    moved_mm: float


def place_field(
    field: FieldImage,
    reference: Volume,
    brain: Mask,
    affine: Matrix,
    readout: Readout,
    threads: int = 1,
) -> Placed:
    """Find where the brain of a run lies in its field map.

    Parameters
    ----------
    field : FieldImage
        Arrays of shape (a, b, c): float32, float32, bool.
    reference : array of float32, shape (x, y, z)
        Of the run, distorted.
    brain : array of bool, shape (x, y, z)
        Of the reference, roughly: by how much it moves is what counts.
    affine : array, shape (4, 4)
        From voxels of the reference to mm.
    readout : Readout
    threads : int

    Returns
    -------
    Placed
        The identity where the brain moved by less than :data:`STILL_MM`.

    Raises
    ------
    ValueError
        If the images do not overlap.

    References
    ----------
    Studholme et al. 1999, https://doi.org/10.1016/S0031-3203(98)00091-0
    """
    voxels = np.argwhere(brain)
    points = voxels[:: max(len(voxels) // _POINTS, 1)] @ affine[:3, :3].T + affine[:3, 3]
    matrix, moved, image = np.eye(4), 0.0, reference
    for _ in range(ROUNDS):
        there = register_rigid(field.magnitude, field.affine, field.head, image, affine).matrix
        found = np.asarray(np.linalg.inv(there), np.float64)
        step, moved = _farthest(found, matrix, points), _farthest(found, np.eye(4), points)
        matrix = found
        if moved < STILL_MM:
            return Placed(np.eye(4), moved)
        if step < STEP_MM:
            break
        hz = resample_field(field.hz, field.affine, matrix @ affine, reference.shape)
        shift = shift_map(hz, readout.direction, readout.seconds)
        image = unwarp(reference, shift, phase_axis(readout.direction)[0], threads=threads)
    return Placed(matrix, moved)


def _farthest(first: Matrix, second: Matrix, points: Matrix) -> float:
    """Return by how many mm two transforms differ at most."""
    apart = points @ (first - second)[:3, :3].T + (first - second)[:3, 3]
    return float(np.sqrt((apart**2).sum(axis=1)).max())
