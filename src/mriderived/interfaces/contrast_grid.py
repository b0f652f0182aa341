"""Maps of a T1w image on the grid of another image that was aligned with it, and back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mriderived.core.grid_average import average_on_grid, count_parts
from mriderived.core.sampling import resample
from mriderived.interfaces.rigid_files import load_rigid
from mriderived.interfaces.volumes import load, load_affine, voxel_size


def bring_to_contrast(
    values: NDArray[np.float32],
    on_grid_of: Path,
    xfm_to_t1w: Path,
    affine: NDArray[np.float64],
    shape: tuple[int, ...],
    threads: int = 1,
) -> NDArray[np.float32]:
    """Average a map of the T1w over the voxels of another image."""
    there = load_affine(on_grid_of)
    matrix = np.linalg.inv(there) @ np.linalg.inv(load_rigid(xfm_to_t1w)) @ affine
    parts = count_parts(voxel_size(affine).tolist(), voxel_size(there).tolist())
    return average_on_grid(np.ascontiguousarray(values, np.float32), matrix, shape, parts, threads)


def bring_to_t1w(
    path: Path, xfm_to_t1w: Path, t1w: Path, shape: tuple[int, ...], threads: int = 1
) -> NDArray[np.float32]:
    """Interpolate a map of another image linearly at the voxels of the T1w."""
    matrix = np.linalg.inv(load_affine(path)) @ load_rigid(xfm_to_t1w) @ load_affine(t1w)
    return resample(load(path), matrix, shape, threads)
