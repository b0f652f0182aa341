"""What a T1w image and a brain template say of every place, on one coarse grid."""

from __future__ import annotations

from pathlib import Path

import nibabel as nb
import numpy as np
from numpy.typing import NDArray

from mriderived.core.filters import smooth
from mriderived.core.lesions import Evidence
from mriderived.core.masks import find_box
from mriderived.core.sampling import resample
from mriderived.interfaces.transforms import read_affine
from mriderived.interfaces.volumes import load, load_affine, voxel_size
from mriderived.interfaces.warps import Grid, crop_grid, warp_channels

Matrix = NDArray[np.float64]
Volume = NDArray[np.float32]
Mask = NDArray[np.bool_]

#: Fine enough for balls of 4.5 mm, and quick.
STEP_MM = 2.0
#: Around the brain and the template, in mm.
MARGIN_MM = 6.0
#: Left and right of the space change places.
MIRROR = np.diag([-1.0, 1.0, 1.0, 1.0])


def gather_evidence(
    brain_mask: Path,
    wm_probseg: Path,
    csf_probseg: Path,
    space_tissues: Path,
    xfm_from_space: Path,
    threads: int,
) -> tuple[Evidence, Matrix]:
    """Sample tissues and template on cubic voxels along the axes of the image.

    Returns the evidence and the matrix from its voxels to mm.
    """
    affine = load_affine(brain_mask)
    whole = load(brain_mask, np.uint8)
    box = find_box(whole > 0, (0, 0, 0))
    brain = whole[box] > 0
    template = nb.as_closest_canonical(nb.loadsave.load(space_tissues))
    maps = np.moveaxis(np.asarray(template.dataobj, dtype=np.float32)[..., :2], -1, 0)
    maps = np.ascontiguousarray(maps)
    to_space = read_affine(xfm_from_space)
    to_image = np.linalg.inv(to_space) @ template.affine
    cropped = crop_grid(affine, box).affine
    corners = np.vstack([_corners(brain, cropped), _corners(maps.sum(axis=0) > 0.5, to_image)])
    grid = _plan_grid(affine, corners)
    to_voxel = np.linalg.inv(cropped) @ grid.affine
    blur = 0.4 * np.sqrt(np.maximum((STEP_MM / voxel_size(affine)) ** 2 - 1, 0))

    def bring(volume: Volume) -> Volume:
        padded = np.pad(volume, 1)  # the box ends at the brain
        shift = np.eye(4)
        shift[:3, 3] = 1
        return resample(smooth(padded, blur, threads), shift @ to_voxel, grid.shape, threads)

    from_template = np.linalg.inv(to_image) @ grid.affine
    evidence = Evidence(
        csf=bring(_load_box(csf_probseg, box)),
        wm=bring(_load_box(wm_probseg, box)),
        brain=bring(brain.astype(np.float32)) > 0.5,
        inside=_find_inside(np.linalg.inv(affine) @ grid.affine, grid.shape, whole.shape),
        nonlinear=warp_channels(maps, template.affine, grid, xfm_from_space),
        affine=np.stack([resample(each, from_template, grid.shape, threads) for each in maps]),
        mirror=np.linalg.inv(to_space @ grid.affine) @ MIRROR @ to_space @ grid.affine,
        voxel_mm=STEP_MM,
    )
    return evidence, grid.affine


def to_image_grid(
    mask: Mask, grid: Matrix, affine: Matrix, shape: tuple[int, ...]
) -> tuple[tuple[slice, ...], Mask]:
    """Return a mask of the coarse grid on that of the image: a box, and the mask in it.

    It is one coarse voxel wider, so that the image itself can decide where its edge is.
    """
    to_voxel = np.linalg.inv(affine) @ grid
    ends = _corners(mask, to_voxel)
    reach = np.abs(np.diag(to_voxel)[:3])
    low = np.maximum(np.floor(ends.min(axis=0) - reach), 0).astype(int)
    high = np.minimum(np.ceil(ends.max(axis=0) + reach) + 1, shape).astype(int)
    box = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    cropped = crop_grid(affine, box)
    matrix = np.linalg.inv(grid) @ cropped.affine
    return box, np.asarray(resample(mask.astype(np.float32), matrix, cropped.shape) > 0)


def _load_box(path: Path, box: tuple[slice, ...]) -> Volume:
    data = np.asarray(nb.loadsave.load(path).dataobj)
    return np.ascontiguousarray(data[box], dtype=np.float32)


def _find_inside(matrix: Matrix, shape: tuple[int, ...], size: tuple[int, ...]) -> Mask:
    """Return which voxels lie inside an image of ``size`` whose axes are the same."""
    x, y, z = (
        (step * np.arange(count) + start > -0.5) & (step * np.arange(count) + start < end - 0.5)
        for step, start, count, end in zip(
            np.diag(matrix), matrix[:3, 3], shape, size, strict=False
        )
    )
    return np.asarray(x[:, None, None] & y[:, None] & z)


def _corners(mask: Mask, affine: Matrix) -> Matrix:
    """Return the corners of the box of a mask in mm."""
    where = [np.flatnonzero(mask.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
    ends = np.meshgrid(*((axis[0], axis[-1]) for axis in where))
    points = np.stack([each.ravel() for each in ends], axis=1)
    return np.asarray(points @ affine[:3, :3].T + affine[:3, 3])


def _plan_grid(affine: Matrix, corners: Matrix) -> Grid:
    """Return a grid along the axes of the image that holds all corners."""
    axes = affine[:3, :3] / voxel_size(affine)
    along = np.linalg.solve(axes, corners.T).T
    low, high = along.min(axis=0) - MARGIN_MM, along.max(axis=0) + MARGIN_MM
    matrix = np.eye(4)
    matrix[:3, :3] = STEP_MM * axes
    matrix[:3, 3] = axes @ low
    x, y, z = (int(n) for n in np.ceil((high - low) / STEP_MM) + 1)
    return Grid((x, y, z), matrix)
