"""Resample labels, sides and maps between a scan and a space, through ANTs transforms."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple

import nibabel as nb
import numpy as np
from numpy.typing import NDArray

from mriderived.interfaces.itk import to_ants
from mriderived.interfaces.volumes import load_affine, voxel_size

Array = NDArray[Any]
Matrix = NDArray[np.float64]
Interpolation = Literal['nearestNeighbor', 'linear']

#: How far around an image regions are looked for that it does not cover, and how finely.
MARGIN_MM = 60.0
COARSE_MM = 2.0


class Grid(NamedTuple):
    """A shape and its affine."""

    shape: tuple[int, ...]
    affine: Matrix


def read_grid(path: Path) -> Grid:
    """Return the grid of an image."""
    return Grid(tuple(nb.loadsave.load(path).shape[:3]), load_affine(path))


def crop_grid(affine: Matrix, box: tuple[slice, ...]) -> Grid:
    """Return the grid of a box of an image."""
    start = [part.start for part in box]
    cropped = affine.copy()
    cropped[:3, 3] += affine[:3, :3] @ start
    return Grid(tuple(part.stop - part.start for part in box), cropped)


def warp_labels(path: Path, grid: Grid, xfm: Path) -> NDArray[np.int32]:
    """Return the label that lies at each voxel of ``grid``, 0 outside the label image."""
    import ants

    labels = _warp(ants.image_read(str(path), pixeltype='float'), grid, xfm, 'nearestNeighbor')
    return np.rint(labels).astype(np.int32)


def warp_map(path: Path, grid: Grid, xfm: Path) -> NDArray[np.float32]:
    """Return a map at each voxel of ``grid`` (linear), 0 outside the map."""
    import ants

    image = ants.image_read(str(path), pixeltype='float')
    return np.asarray(_warp(image, grid, xfm, 'linear'), dtype=np.float32)


def warp_channels(
    maps: NDArray[np.float32], affine: Matrix, grid: Grid, xfm: Path
) -> NDArray[np.float32]:
    """Return maps of shape (n, x, y, z) on the grid of ``affine`` at each voxel of ``grid``.

    All travel at once, because to read a transform takes longer than to apply it.
    """
    import ants

    moved = ants.apply_transforms(
        to_ants(np.zeros(grid.shape, np.float32), grid.affine),
        to_ants(np.moveaxis(maps, 0, -1), affine),
        transformlist=[str(xfm)],
        interpolator='linear',
        imagetype=3,
    ).numpy()
    return np.ascontiguousarray(np.moveaxis(moved, -1, 0), dtype=np.float32)


def warp_sides(path: Path, grid: Grid, xfm: Path) -> NDArray[np.int8]:
    """Return -1 left and 1 right of the middle (x = 0) of the space of the image at ``path``."""
    shape, affine = read_grid(path)
    x = affine[0, :3] @ np.indices(shape).reshape(3, -1) + affine[0, 3]
    image = to_ants(x.reshape(shape), affine)
    # Beyond the image the last value goes on: 0 is what ANTs puts there, and says unknown.
    return np.sign(_warp(image, grid, xfm, 'linear')).astype(np.int8)


def measure_coverage(
    path: Path,
    grid: Grid,
    xfm: Path,
    index: Array,
    merge: Callable[[NDArray[np.int32]], NDArray[np.int32]] | None = None,
) -> NDArray[np.float64]:
    """Return the fraction of each region that lies inside ``grid``; 1 for regions too small.

    The regions are looked for in a coarse grid that extends beyond the image on all sides.
    ``merge`` makes the regions of ``index`` out of those of the image.
    """
    wide, inside = _widen(grid)
    labels = warp_labels(path, wide, xfm)
    labels = merge(labels) if merge else labels
    size = int(max(index.max(), labels.max())) + 1
    everywhere = np.bincount(labels[labels > 0], minlength=size)[index]
    here = np.bincount(labels[inside & (labels > 0)], minlength=size)[index]
    return np.where(everywhere > 0, here / np.maximum(everywhere, 1), 1.0)


def _widen(grid: Grid) -> tuple[Grid, NDArray[np.bool_]]:
    spacing = voxel_size(grid.affine)
    step = COARSE_MM / spacing
    pad = np.ceil(MARGIN_MM / COARSE_MM).astype(int)
    shape = tuple(int(n) for n in np.ceil(np.array(grid.shape) / step) + 2 * pad)
    affine = grid.affine @ np.diag([*step, 1.0])
    affine[:3, 3] = grid.affine[:3, :3] @ (-pad * step) + grid.affine[:3, 3]
    voxels = (np.indices(shape) - pad) * step[:, None, None, None]
    limits = np.array(grid.shape)[:, None, None, None]
    return Grid(shape, affine), ((voxels > -0.5) & (voxels < limits - 0.5)).all(axis=0)


def _warp(image: Any, grid: Grid, xfm: Path, interpolation: Interpolation) -> Array:
    import ants

    fixed = to_ants(np.zeros(grid.shape, np.float32), grid.affine)
    moved = ants.apply_transforms(
        fixed, image, transformlist=[str(xfm)], interpolator=interpolation
    )
    return np.asarray(moved.numpy())
