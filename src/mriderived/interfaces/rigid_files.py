"""Rigid transforms as files that other programs read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mriderived.interfaces.points import move_points
from mriderived.interfaces.transforms import affine_transform, write_composite

Matrix = NDArray[np.float64]

#: Points whose images tell a matrix, in mm: far enough apart for single precision.
POINTS = 100.0 * np.vstack([np.zeros(3), np.eye(3)])


def save_rigid(matrix: Matrix, name: str) -> Path:
    """Write the 4 x 4 matrix that takes RAS mm of the fixed to RAS mm of the moving image."""
    return write_composite([affine_transform(matrix)], name)


def load_rigid(xfm: Path) -> Matrix:
    """Return the matrix of a linear transform, between RAS mm."""
    images = move_points(POINTS, xfm)
    matrix = np.eye(4)
    matrix[:3, 3] = images[0]
    matrix[:3, :3] = (images[1:] - images[0]).T / POINTS.max()
    return matrix
