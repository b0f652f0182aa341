"""Fibre orientation distributions: sticks over three cuts, and glyphs where fibres cross most."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from nibabel.affines import apply_affine, voxel_sizes
from numpy.typing import NDArray
from scipy import ndimage

from mriderived.figures.glyphs import direction_colours, paint_glyphs, paint_sticks
from mriderived.figures.mosaic import PLANES, Sheet, open_sheet, tint
from mriderived.figures.slices import (
    AXES,
    Cell,
    Layout,
    bounding_box,
    paint,
    to_pixels,
    to_ras,
    window,
)
from mriderived.figures.style import AMBER

Array = NDArray[Any]

#: Pixels of the whole picture across, and between its parts.
ACROSS, GAP = 1700, 6
#: Edge of a window in mm, and in voxels at least and at most.
WINDOW_MM, WINDOW_VOXELS = 44.0, (14, 24)
#: How bright the image behind is.
DIM = 0.42
#: Where a window may be centred, as a share of the brain from left, back and bottom: cerebellum
#: and the edges have the most peaks, of noise.
CENTRED = ((0.2, 0.8), (0.2, 0.8), (0.55, 0.9))
#: Percentile of the sticks, and of the glyphs of a window, that are as large as a voxel; larger
#: ones are no larger.
LONGEST, LARGEST = 95.0, 80.0


class Fods(NamedTuple):
    """What is known of the fibres of a grid.

    ``peaks`` (x, y, z, k, 3) are vectors of world axes, the first the largest, as long as their
    density. ``harmonics`` (x, y, z, c) are what ``sample`` turns into amplitudes (n, m) at
    ``directions`` (m, 3), unit vectors of world axes that cover half a sphere densely.
    """

    peaks: Array
    harmonics: Array
    sample: Callable[[Array], Array]
    directions: Array


def fod_mosaic(
    background: Array,
    affine: Array,
    fods: Fods,
    mask: Array,
    limits: tuple[float, float] | None = None,
) -> Figure:
    """Draw sticks on the cut of each plane with most fibres, and glyphs in a window of each."""
    inside, ras_affine = to_ras(mask, affine)
    grey = to_ras(background, affine)[0]
    fods = fods._replace(
        peaks=to_ras(fods.peaks, affine)[0], harmonics=to_ras(fods.harmonics, affine)[0]
    )
    density = np.linalg.norm(fods.peaks, axis=-1) * (inside > 0)[..., None]
    whole = _lay_out(inside > 0, density, ras_affine)
    windows = [
        _open_window(cell, number, density, whole, ras_affine)
        for number, cell in enumerate(whole.cells)
    ]
    tall = max(layout.height for layout in windows)
    whole, *windows = (replace(layout, height=tall) for layout in (whole, *windows))
    low, high = limits or window(grey, inside > 0)
    shades = [(paint(grey, layout) - low) / (high - low) for layout in (whole, *windows)]
    picture = tint(DIM * np.fmax.reduce(shades))
    longest = _find_longest(density[..., 0], LONGEST)
    for layout, draw in ((whole, _add_sticks), *((one, _add_glyphs) for one in windows)):
        for cell in layout.cells:
            draw(picture, cell, layout, fods, ras_affine, longest)
    sheet = open_sheet(picture, whole, ras_affine, '')
    for cell, zoomed in zip(whole.cells, windows, strict=True):
        _frame(sheet, cell, whole, zoomed)
    return sheet.figure


def _find_longest(values: Array, percentile: float) -> float:
    found = values[values > 0]
    return float(np.percentile(found, percentile)) if found.size else 1.0


def _lay_out(inside: Array, density: Array, affine: Array) -> Layout:
    """Put one cut of each plane side by side, as tall as each other."""
    sizes = voxel_sizes(affine)
    box = bounding_box(inside, 4.0, sizes)
    spans = [(last - first + 1) * size for (first, last), size in zip(box, sizes, strict=True)]
    ratios = [spans[AXES[plane][1]] / spans[AXES[plane][2]] for plane in PLANES]
    height = round((ACROSS - 2 * GAP) / sum(ratios))
    total, left = density.sum(axis=-1), 0
    cells = []
    for plane, ratio in zip(PLANES, ratios, strict=True):
        normal = AXES[plane][0]
        others = tuple(axis for axis in range(3) if axis != normal)
        index = int(total.sum(axis=others).argmax())
        place = [(first + last) / 2 for first, last in box]
        place[normal] = index
        where = float(apply_affine(affine, place)[normal])
        width = round(height * ratio)
        cells.append(Cell(plane, index, where, left, 0, width, height))
        left += width + GAP
    return Layout(tuple(cells), left - GAP, height, box)


def _open_window(cell: Cell, number: int, density: Array, whole: Layout, affine: Array) -> Layout:
    """Return where most of the second and third fibres of a cut are, below all cuts."""
    sizes = voxel_sizes(affine)
    normal, across, up = AXES[cell.plane]
    flat = np.take(density, round(cell.voxel), axis=normal)
    crossing = flat[..., 1:].sum(axis=-1) if flat[..., 1:].any() else flat[..., 0]
    counts = [
        min(int(np.clip(round(WINDOW_MM / sizes[axis]), *WINDOW_VOXELS)), crossing.shape[k])
        for k, axis in enumerate((across, up))
    ]
    amount = ndimage.uniform_filter(crossing.astype(np.float64), counts, mode='constant')
    central = np.logical_and.outer(*(_central(whole.box[axis], CENTRED[axis], crossing.shape[k])
                       for k, axis in enumerate((across, up))))  # fmt: skip
    middle = np.unravel_index(np.where(central, amount, -1).argmax(), crossing.shape)
    box = list(whole.box)
    for k, axis in enumerate((across, up)):
        first = int(np.clip(middle[k] - counts[k] // 2, 0, crossing.shape[k] - counts[k]))
        box[axis] = (float(first), float(first + counts[k] - 1))
    edge = (whole.width - 2 * GAP) // 3
    place = number * (edge + GAP)
    spans = [(box[axis][1] - box[axis][0] + 1) * sizes[axis] for axis in (across, up)]
    height = min(round(edge * spans[1] / spans[0]), 2 * edge)
    top = whole.height + GAP
    found = Cell(cell.plane, cell.voxel, cell.millimetres, place, top, edge, height)
    return Layout((found,), whole.width, top + height, tuple(box))


def _central(span: tuple[float, float], shares: tuple[float, float], count: int) -> Array:
    first, last = (span[0] + share * (span[1] - span[0]) for share in shares)
    place = np.arange(count)
    return np.asarray((place >= first) & (place <= last))


def _grid_axes(affine: Array) -> Array:
    """Return the world directions of the axes of the grid, as columns."""
    return np.asarray(affine[:3, :3] / voxel_sizes(affine))


def _pitch(cell: Cell, layout: Layout) -> float:
    """Return the pixels of a voxel, where it is smaller."""
    _, across, up = AXES[cell.plane]
    (left, right), (bottom, top) = layout.box[across], layout.box[up]
    return min(cell.width / (right - left + 1), cell.height / (top - bottom + 1))


def _add_sticks(
    picture: Array, cell: Cell, layout: Layout, fods: Fods, affine: Array, longest: float
) -> None:
    normal, across, up = AXES[cell.plane]
    flat = np.take(fods.peaks, round(cell.voxel), axis=normal)
    where = np.argwhere(np.linalg.norm(flat, axis=-1) > 0)
    vectors = flat[tuple(where.T)]
    pitch = _pitch(cell, layout)
    scale = 1 / np.maximum(longest, np.linalg.norm(vectors, axis=1, keepdims=True))
    along = vectors @ _grid_axes(affine) * scale
    half = 0.6 * pitch * np.stack([along[:, across], -along[:, up]], axis=1)
    middle = to_pixels(where[:, :2].astype(float), cell, layout) - (cell.left, cell.top)
    ends = np.stack([middle - half, middle + half], axis=1)
    order = np.argsort(np.linalg.norm(vectors, axis=1), kind='stable')
    part = np.s_[cell.top : cell.top + cell.height, cell.left : cell.left + cell.width]
    colours = direction_colours(vectors)[order]
    picture[part] = paint_sticks(picture[part], ends[order], colours, max(0.26 * pitch, 1.4))


def _add_glyphs(
    picture: Array, cell: Cell, layout: Layout, fods: Fods, affine: Array, longest: float
) -> None:
    normal, across, up = AXES[cell.plane]
    flat = np.take(fods.harmonics, round(cell.voxel), axis=normal)
    (left, right), (bottom, top) = layout.box[across], layout.box[up]
    columns, rows = np.mgrid[int(left) : int(right) + 1, int(bottom) : int(top) + 1]
    where = np.column_stack([columns.ravel(), rows.ravel()])
    amplitudes = fods.sample(flat[where[:, 0], where[:, 1]])
    highest = amplitudes.max(axis=1, keepdims=True)
    scale = 0.6 * _pitch(cell, layout) / np.maximum(highest, _find_longest(highest, LARGEST))
    turned = fods.directions @ _grid_axes(affine)
    # the reader is above, behind, or to the right of the head
    facing = turned[:, [across, up, normal]] * (1, 1, 1 if cell.plane != 'y' else -1)
    places = to_pixels(where.astype(float), cell, layout) - (cell.left, cell.top)
    part = np.s_[cell.top : cell.top + cell.height, cell.left : cell.left + cell.width]
    colours = direction_colours(fods.directions)
    paint_glyphs(picture[part], amplitudes * scale, facing, colours, places)


def _frame(sheet: Sheet, cell: Cell, whole: Layout, zoomed: Layout) -> None:
    """Mark a window on its cut."""
    _, across, up = AXES[cell.plane]
    (left, right), (bottom, top) = zoomed.box[across], zoomed.box[up]
    corners = np.array([[left - 0.5, top + 0.5], [right + 0.5, bottom - 0.5]])
    (x, y), (x_end, y_end) = to_pixels(corners, cell, whole)
    sheet.axes.add_patch(
        Rectangle((x, y), x_end - x, y_end - y, fill=False, edgecolor=AMBER, linewidth=1.0)
    )
