"""Rigid transforms as files that other programs read."""

from __future__ import annotations

from pathlib import Path

import ants
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mriderived.interfaces.transforms import affine_transform, write_composite

Matrix = NDArray[np.float64]

#: Points whose images tell a matrix, in mm: far enough apart for single precision.
POINTS = 100.0 * np.vstack([np.zeros(3), np.eye(3)])
_LPS = np.array([-1.0, -1.0, 1.0])


def save_rigid(matrix: Matrix, name: str) -> Path:
    """Write the 4 x 4 matrix that takes RAS mm of the fixed to RAS mm of the moving image."""
    return write_composite([affine_transform(matrix)], name)


def load_rigid(xfm: Path) -> Matrix:
    """Return the matrix of a linear transform, between RAS mm."""
    frame = pd.DataFrame(POINTS * _LPS, columns=['x', 'y', 'z'])
    moved = ants.apply_transforms_to_points(3, frame, [str(xfm)])[['x', 'y', 'z']].to_numpy()
    images = moved * _LPS
    matrix = np.eye(4)
    matrix[:3, 3] = images[0]
    matrix[:3, :3] = (images[1:] - images[0]).T / POINTS.max()
    return matrix
