"""Streamlines in colours of their direction."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from nibabel.affines import apply_affine
from numpy.typing import NDArray

from mriderived.figures.mosaic import Sheet, add_legend, open_sheet, tint
from mriderived.figures.slices import (
    AXES,
    Cell,
    paint,
    plan_layout,
    to_pixels,
    to_ras,
    window,
)

Array = NDArray[Any]

#: Cuts of each plane; more would make fibres too small to be seen.
CUTS = 4
#: Streamlines are shown this far to both sides of a cut, in mm.
SLAB_MM = 3.0
#: Streamlines that are drawn, spread evenly over all.
MOST_LINES = 20_000
#: How bright the image behind is.
DIM = 0.45


def tract_mosaic(
    background: Array, affine: Array, points: Array, offsets: Array, mask: Array
) -> Figure:
    """Draw the streamlines near each cut; ``points`` (P, 3) are in mm, as in a tractogram."""
    sheet = _open(background, affine, mask)
    _, ras_affine = to_ras(mask, affine)
    step = max((len(offsets) - 1) // MOST_LINES, 1)
    chosen = np.zeros(len(points), dtype=bool)
    for first, last in zip(offsets[:-1:step], offsets[1::step], strict=False):
        chosen[int(first) : int(last) - 1] = True
    starts = np.flatnonzero(chosen)
    here, there = points[starts].astype(float), points[starts + 1].astype(float)
    voxels = [apply_affine(np.linalg.inv(ras_affine), ends) for ends in (here, there)]
    for cell in sheet.layout.cells:
        normal, across, up = AXES[cell.plane]
        near = np.abs(here[:, normal] - cell.millimetres) < SLAB_MM
        ends = np.stack([place[near][:, [across, up]] for place in voxels], axis=1)
        _draw(sheet, cell, ends, (there - here)[near], 0.45)
    return sheet.figure


def _open(background: Array, affine: Array, mask: Array) -> Sheet:
    inside, ras_affine = to_ras(mask, affine)
    layout = plan_layout(inside, ras_affine, n_cuts=CUTS, cell_width=330, margin=4.0)
    grey, _ = to_ras(background, affine)
    low, high = window(grey, inside > 0 if (inside > 0).any() else None)
    picture = tint(DIM * (paint(grey, layout) - low) / (high - low))
    sheet = open_sheet(picture, layout, ras_affine, '')
    add_legend(sheet, ())
    return sheet


def _draw(sheet: Sheet, cell: Cell, ends: Array, vectors: Array, width: float) -> None:
    """Draw lines (n, 2 ends, 2) of voxel coordinates, in the colours of their vectors (n, 3)."""
    if not len(ends):
        return
    places = to_pixels(ends, cell, sheet.layout)
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    colours = np.abs(vectors) / np.maximum(length, 1e-12)
    lines = LineCollection(list(places), colors=colours, linewidths=width, rasterized=True)
    sheet.axes.add_collection(lines)
    lines.set_clip_path(_frame(cell), sheet.axes.transData)


def _frame(cell: Cell) -> Any:
    from matplotlib.path import Path

    right, bottom = cell.left + cell.width, cell.top + cell.height
    corners = [(cell.left, cell.top), (right, cell.top), (right, bottom), (cell.left, bottom)]
    return Path([*corners, corners[0]])
