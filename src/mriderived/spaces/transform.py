"""The fixed warp between the two MNI spaces that packages carry atlases in.

``data/MNI152NLin6Asym_warp.npz`` holds, on a 3 mm grid of MNI152NLin2009cAsym, where each point
lies in MNI152NLin6Asym minus the point itself, in mm (RAS). See ``build_transform.py``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

WARP_FILE = Path(__file__).parent / 'data' / 'MNI152NLin6Asym_warp.npz'
#: The grid in which atlases are delivered: 1 mm, that of the ICBM 2009c images.
GRID_SHAPE = (193, 229, 193)
GRID_AFFINE = np.array(
    [[1.0, 0, 0, -96], [0, 1, 0, -132], [0, 0, 1, -78], [0, 0, 0, 1]], dtype=np.float64
)

Points = NDArray[Any]


class Warp(NamedTuple):
    """Displacements in mm, shape (3, x, y, z), and the affine of their grid."""

    displacement: NDArray[np.float32]
    affine: NDArray[np.float64]


def load_warp(path: Path = WARP_FILE) -> Warp:
    """Read the shipped warp."""
    with np.load(path) as data:
        return Warp(data['displacement'].astype(np.float32), data['affine'])


def map_points(points: Points, warp: Warp) -> Points:
    """Map points (3, n) of MNI152NLin2009cAsym to MNI152NLin6Asym, both in mm."""
    inverse = np.linalg.inv(warp.affine)
    voxels = inverse[:3, :3] @ points + inverse[:3, 3:]
    shifts = [
        ndimage.map_coordinates(component, voxels, order=1, mode='nearest', prefilter=False)
        for component in warp.displacement
    ]
    moved: Points = points + np.stack(shifts)
    return moved


def deliver_labels(
    labels: NDArray[np.int32], affine: NDArray[np.float64]
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Resample labels of MNI152NLin6Asym to MNI152NLin2009cAsym: the nearest label, 0 outside."""
    warp = load_warp()
    target = np.zeros(GRID_SHAPE, np.int32)
    to_voxel = np.linalg.inv(affine)
    planes = np.indices((1, *GRID_SHAPE[1:])).reshape(3, -1).astype(np.float64)
    for plane in range(GRID_SHAPE[0]):
        planes[0] = plane
        points = map_points(GRID_AFFINE[:3, :3] @ planes + GRID_AFFINE[:3, 3:], warp)
        target[plane] = sample_labels(labels, to_voxel, points).reshape(GRID_SHAPE[1:])
    return target, GRID_AFFINE


def sample_labels(
    labels: NDArray[np.int32], to_voxel: NDArray[Any], points: Points
) -> NDArray[np.int32]:
    """Return the label of the voxel that each point (3, n; mm) lies in, 0 outside."""
    voxels = np.rint(to_voxel[:3, :3] @ points + to_voxel[:3, 3:]).astype(np.intp)
    shape = np.array(labels.shape)[:, None]
    inside = ((voxels >= 0) & (voxels < shape)).all(axis=0)
    found = np.zeros(points.shape[1], np.int32)
    found[inside] = labels[tuple(voxels[:, inside])]
    return found
