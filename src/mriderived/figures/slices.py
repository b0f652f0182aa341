"""Cut volumes into slices: where to cut, how to lay cuts out, how to sample them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from nibabel.affines import apply_affine, voxel_sizes
from nibabel.orientations import apply_orientation, inv_ornt_aff, io_orientation
from numpy.typing import NDArray
from scipy import ndimage

Plane = Literal['x', 'y', 'z']
Array = NDArray[Any]
#: The array axes that run across and up a picture of each plane, in RAS.
AXES: dict[str, tuple[int, int, int]] = {'x': (0, 1, 2), 'y': (1, 0, 2), 'z': (2, 0, 1)}


class Cell(NamedTuple):
    """One cut and its place, in pixels from the top left, in the picture."""

    plane: Plane
    voxel: float
    millimetres: float
    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True)
class Layout:
    """Where every cut goes; rows are planes, and every row fills the width."""

    cells: tuple[Cell, ...]
    width: int
    height: int
    #: Voxel range (first, last) shown along each axis.
    box: tuple[tuple[float, float], ...]


def to_ras(data: Array, affine: Array) -> tuple[Array, Array]:
    """Permute and flip axes so that they run to right, front and top."""
    orientation = io_orientation(affine)
    turned = apply_orientation(data, orientation)
    return turned, affine @ inv_ornt_aff(orientation, data.shape[:3])


def bounding_box(mask: Array, margin: float, sizes: Array) -> tuple[tuple[float, float], ...]:
    """Return first and last voxel along each axis, widened by ``margin`` mm, in the image."""
    box = []
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        inside = np.flatnonzero(mask.any(axis=others))
        low, high = (inside[0], inside[-1]) if inside.size else (0, mask.shape[axis] - 1)
        extra = margin / float(sizes[axis])
        box.append((max(low - extra, 0.0), min(high + extra, mask.shape[axis] - 1.0)))
    return tuple(box)


def plan_layout(
    mask: Array,
    affine: Array,
    *,
    planes: Sequence[Plane] = ('z', 'y', 'x'),
    n_cuts: int = 7,
    margin: float = 8.0,
    cell_width: int = 190,
    gap: int = 4,
    focus: Array | None = None,
) -> Layout:
    """Choose cuts across the bounding box of ``mask`` (RAS) and lay them out in rows.

    With ``focus``, the cuts go through its box instead; what they show stays the same.
    """
    sizes = voxel_sizes(affine)
    box = bounding_box(mask, margin, sizes)
    core = bounding_box(mask if focus is None else focus, 0.0, sizes)
    cells: list[Cell] = []
    top = 0
    for plane in planes:
        normal, across, up = AXES[plane]
        spans = [float((b - a + 1) * size) for (a, b), size in zip(box, sizes, strict=True)]
        height = max(round(cell_width * spans[up] / spans[across]), 1)
        for column, index in enumerate(_cuts(core[normal], n_cuts)):
            left = column * (cell_width + gap)
            where = _position(index, normal, core, affine)
            cells.append(Cell(plane, index, where, left, top, cell_width, height))
        top += height + gap
    width = n_cuts * (cell_width + gap) - gap
    return Layout(tuple(cells), width, top - gap, box)


def _cuts(span: tuple[float, float], n_cuts: int) -> list[float]:
    """Spread cuts evenly, away from the ends where little is to be seen."""
    low, high = span
    return [low + (high - low) * (k + 0.8) / (n_cuts + 0.6) for k in range(n_cuts)]


def _position(index: float, axis: int, box: Sequence[tuple[float, float]], affine: Array) -> float:
    voxel = [(low + high) / 2 for low, high in box]
    voxel[axis] = index
    return float(apply_affine(affine, voxel)[axis])


def sample_cell(data: Array, cell: Cell, layout: Layout, order: int = 1) -> Array:
    """Return the picture of one cut, top row first: shape (height, width, ...)."""
    normal, across, up = AXES[cell.plane]
    index = min(max(round(cell.voxel), 0), data.shape[normal] - 1)
    # a view: numpy.take would copy the whole volume first where axes were flipped
    flat = data[(slice(None),) * normal + (index,)]
    (left, right), (bottom, top) = layout.box[across], layout.box[up]
    columns = _centres(left, right, cell.width)
    rows = _centres(bottom, top, cell.height)[::-1]
    if order == 0:
        nearest = np.ix_(_nearest(columns, flat.shape[0]), _nearest(rows, flat.shape[1]))
        return np.asarray(flat[nearest]).T
    # smoothing first, where pixels are larger than voxels, keeps fine noise out of the picture
    step = [(right - left + 1) / cell.width, (top - bottom + 1) / cell.height]
    flat = flat.astype(np.float32)
    if max(step) > 1.5:
        flat = ndimage.gaussian_filter(flat, [0.4 * s if s > 1.5 else 0.0 for s in step])
    grid = np.meshgrid(columns, rows, indexing='ij')
    sampled = ndimage.map_coordinates(flat, grid, order=order, mode='nearest')
    return np.asarray(sampled).T


def _centres(low: float, high: float, count: int) -> Array:
    """Return the voxel coordinates of pixel centres; the outer voxels are shown whole."""
    step = (high - low + 1) / count
    return low - 0.5 + step * (np.arange(count) + 0.5)


def _nearest(positions: Array, size: int) -> Array:
    return np.clip(np.rint(positions), 0, size - 1).astype(np.intp)


def to_pixels(places: Array, cell: Cell, layout: Layout) -> Array:
    """Return where voxel coordinates (..., 2), across and up a cut, are in the whole picture."""
    _, across, up = AXES[cell.plane]
    (left, right), (bottom, top) = layout.box[across], layout.box[up]
    x = cell.left + (places[..., 0] - left + 0.5) * cell.width / (right - left + 1)
    y = cell.top + (top - places[..., 1] + 0.5) * cell.height / (top - bottom + 1)
    return np.stack([x, y], axis=-1)


def paint(data: Array, layout: Layout, order: int = 1) -> Array:
    """Return the picture of all cuts in one array (height, width); NaN between the cuts."""
    canvas = np.full((layout.height, layout.width), np.nan, dtype=np.float32)
    for cell in layout.cells:
        rows = slice(cell.top, cell.top + cell.height)
        columns = slice(cell.left, cell.left + cell.width)
        canvas[rows, columns] = sample_cell(data, cell, layout, order)
    return canvas


def window(data: Array, mask: Array | None = None) -> tuple[float, float]:
    """Return the darkest and the brightest shown value, robust against outliers."""
    finite = data[np.isfinite(data)] if mask is None else data[mask & np.isfinite(data)]
    values = finite[:: max(finite.size // 200_000, 1)]
    if mask is None:
        values = values[values > 0] if (values > 0).any() else values
    if not values.size:
        return 0.0, 1.0
    low, high = (float(value) for value in np.percentile(values, (0.5, 99.7)))
    # white matter stays short of white, so that scalp and vessels can be brighter still
    return min(low, 0.0) if low < 0 else 0.0, max(high * 1.12, low + 1e-6)


def resample(data: Array, affine: Array, to_affine: Array, shape: Sequence[int]) -> Array:
    """Resample a volume linearly to another grid; outside of it is 0."""
    data, affine = to_ras(data, affine)
    voxels = np.linalg.inv(affine) @ to_affine
    matrix, offset = voxels[:3, :3], voxels[:3, 3]
    scales = np.diag(matrix)
    if np.allclose(matrix, np.diag(scales), atol=1e-6):
        matrix = scales  # a vector says that axes do not mix, which is several times faster
    values = data.astype(np.float32)
    if values.shape == tuple(shape) and np.allclose(voxels, np.eye(4), atol=1e-6):
        return values
    with warnings.catch_warnings():
        warnings.filterwarnings('ignore', 'The behavior of affine_transform')
        return np.asarray(ndimage.affine_transform(values, matrix, offset, tuple(shape), order=1))
