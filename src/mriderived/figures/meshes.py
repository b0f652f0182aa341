"""Outlines of surfaces on slices: where meshes cut the planes of a mosaic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path as Outline

from mriderived.figures.mosaic import Contour, Sheet, add_legend, open_sheet, simplify, tint
from mriderived.figures.slices import AXES, Array, Cell, Layout, paint, plan_layout, to_ras, window

#: Shorter outlines, in pixels, are left out: they only fill the file.
SHORTEST = 3.0


@dataclass(frozen=True)
class Outlined:
    """Closed meshes that share a colour: points in mm, triangles."""

    meshes: Sequence[tuple[Array, Array]]
    colour: str
    label: str
    width: float = 0.6


def mesh_mosaic(
    background: Array, affine: Array, outlined: Sequence[Outlined], *, n_cuts: int = 6
) -> Figure:
    """Draw ``background`` in grey with the outlines of surfaces; left is left."""
    grey, ras_affine = to_ras(background, affine)
    to_voxel = np.linalg.inv(ras_affine)
    points = np.concatenate([mesh[0] for layer in outlined for mesh in layer.meshes])
    voxels = np.rint(points @ to_voxel[:3, :3].T + to_voxel[:3, 3]).astype(int)
    inside = ((voxels >= 0) & (voxels < grey.shape)).all(axis=1)
    mask = np.zeros(grey.shape, bool)
    mask[tuple(voxels[inside].T)] = True
    layout = plan_layout(mask, ras_affine, n_cuts=n_cuts, margin=5)
    low, high = window(grey, grey > grey.mean())
    picture = tint((paint(grey, layout) - low) / (high - low))
    sheet = open_sheet(picture, layout, ras_affine, '')
    for layer in outlined:
        _draw(sheet, layer, to_voxel)
    add_legend(sheet, [Contour(mask, layer.colour, layer.label) for layer in outlined])
    return sheet.figure


def _draw(sheet: Sheet, layer: Outlined, to_voxel: Array) -> None:
    lines: list[Array] = []
    for points, faces in layer.meshes:
        voxels = points @ to_voxel[:3, :3].T + to_voxel[:3, 3]
        for cell in sheet.layout.cells:
            for line in cut_mesh(voxels, faces, AXES[cell.plane][0], cell.voxel):
                drawn = simplify(_to_pixels(line, cell, sheet.layout))
                if np.abs(np.diff(drawn, axis=0)).sum() > SHORTEST:
                    lines.append(drawn)
    if not lines:
        return
    codes = [Outline.MOVETO, Outline.LINETO]
    path = Outline(
        np.concatenate(lines),
        np.concatenate([np.repeat(codes, (1, len(line) - 1)) for line in lines]),
    )
    sheet.axes.add_patch(
        PathPatch(path, fill=False, edgecolor=layer.colour, linewidth=layer.width,
                  joinstyle='round')
    )  # fmt: skip


def _to_pixels(line: Array, cell: Cell, layout: Layout) -> Array:
    """Return where voxels (n, 3) of a cut are in the picture: (n, 2)."""
    _, across, up = AXES[cell.plane]
    (left, right), (bottom, top) = layout.box[across], layout.box[up]
    x = (line[:, across] - left + 0.5) / (right - left + 1) * cell.width
    y = (line[:, up] - bottom + 0.5) / (top - bottom + 1) * cell.height
    return np.stack([cell.left + x, cell.top + cell.height - y], axis=1)


def cut_mesh(points: Array, faces: Array, axis: int, position: float) -> list[Array]:
    """Return the closed lines (n, 3) along which a plane cuts a closed mesh."""
    # never through a vertex: such cuts would touch more than two triangles
    above = points[:, axis] > position + 1e-7
    count = above[faces].sum(axis=1)
    cut = faces[(count > 0) & (count < 3)]
    edges = np.sort(np.stack([cut, np.roll(cut, -1, axis=1)], axis=2), axis=2)
    crossed = above[edges[:, :, 0]] != above[edges[:, :, 1]]
    pairs = edges[crossed].reshape(-1, 2, 2)
    keys, number = np.unique(pairs.reshape(-1, 2), axis=0, return_inverse=True)
    ends = number.reshape(-1, 2)
    low, high = points[keys[:, 0]], points[keys[:, 1]]
    share = (position - low[:, axis]) / (high[:, axis] - low[:, axis])
    where = low + share[:, None] * (high - low)
    return [where[loop] for loop in _chain(ends, len(keys))]


def _chain(ends: Array, size: int) -> list[list[int]]:
    """Join pieces, each from one crossed edge to another, to closed lines."""
    beside: list[list[int]] = [[] for _ in range(size)]
    for first, second in ends.tolist():
        beside[first].append(second)
        beside[second].append(first)
    seen = [False] * size
    loops = []
    for start in range(size):
        if seen[start]:
            continue
        loop, here = [], start
        while not seen[here]:
            seen[here] = True
            loop.append(here)
            here = next((other for other in beside[here] if not seen[other]), start)
        loops.append([*loop, start])
    return loops
