"""Where the voxels of a template space lie in the T1w, for the one interpolation of BOLD."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.core.masks import find_box
from mriderived.core.sampling import resample
from mriderived.core.series_route import Deformation
from mriderived.interfaces.points import move_points
from mriderived.interfaces.volumes import load, load_affine, voxel_size

Matrix = NDArray[np.float64]

#: Size of the voxels of BOLD in template spaces, in mm: the same for everyone.
STEP_MM = 2.0
#: What the sidecars of BOLD and its maps in template spaces say of it.
RESOLUTION = f'{STEP_MM:g} mm, the box around the brain of the space'
#: Voxels around the brain of the space.
MARGIN = 2


class SpaceGrid(NamedTuple):
    """The brain of a space on coarse cubic voxels."""

    mask: NDArray[np.bool_]
    affine: Matrix


def read_space_grid(space_mask: Path, step_mm: float = STEP_MM) -> SpaceGrid:
    """Return the grid that BOLD of a space is on: the box around the brain."""
    affine, mask = load_affine(space_mask), load(space_mask) > 0
    scale = np.diag([*(step_mm / voxel_size(affine)), 1.0])
    shape = tuple(int(n) for n in np.ceil((np.array(mask.shape) - 1) / np.diag(scale)[:3]) + 1)
    coarse = resample(mask.astype(np.float32), scale, shape) > 0.5
    box = find_box(coarse, (MARGIN, MARGIN, MARGIN))
    start = np.eye(4)
    start[:3, 3] = [part.start for part in box]
    return SpaceGrid(np.ascontiguousarray(coarse[box]), affine @ scale @ start)


def find_deformation(grid: SpaceGrid, xfm_to_space: Path) -> Deformation:
    """Return by how many voxels of the grid the T1w differs from the space, within the brain."""
    voxels = np.argwhere(grid.mask)
    points = voxels @ grid.affine[:3, :3].T + grid.affine[:3, 3]
    there = move_points(points, xfm_to_space)
    back = np.linalg.inv(grid.affine)
    field = np.zeros((3, *grid.mask.shape), np.float32)
    field[:, grid.mask] = (there @ back[:3, :3].T + back[:3, 3] - voxels).T
    return Deformation(field, grid.affine)
