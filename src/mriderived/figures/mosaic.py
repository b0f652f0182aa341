"""A mosaic: three rows of cuts through a brain, with outlines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import contourpy
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import PathPatch
from matplotlib.path import Path as Outline
from numpy.typing import NDArray
from scipy import ndimage

from mriderived.figures.slices import (
    Array,
    Layout,
    Plane,
    paint,
    plan_layout,
    sample_cell,
    to_ras,
    window,
)
from mriderived.figures.style import BACKDROP, FAINT, INK, WIDTH

PLANES: tuple[Plane, ...] = ('z', 'y', 'x')
#: Height, in inches, of the line of text above the cuts.
HEADER = 0.36


@dataclass(frozen=True)
class Contour:
    """The outline of a mask or of a map at ``level``."""

    mask: NDArray[Any]
    colour: str
    label: str
    level: float = 0.5
    width: float = 0.75


@dataclass(frozen=True)
class Sheet:
    """A drawn mosaic that more can be drawn on, in pixels of its layout."""

    figure: Figure
    axes: Axes
    layout: Layout
    affine: Array


def mosaic(
    background: Array,
    affine: Array,
    *,
    contours: Sequence[Contour] = (),
    crop_to: Array | None = None,
    planes: Sequence[Plane] = PLANES,
    n_cuts: int = 7,
    margin: float = 8.0,
    title: str = '',
    limits: tuple[float, float] | None = None,
    focus: Array | None = None,
) -> Figure:
    """Draw ``background`` in grey with outlines; left is left.

    All arrays share one grid. Cuts are spread over the bounding box of ``crop_to``, by default
    of the first contour, and what lies within ``margin`` mm of it is shown. With ``focus``, cuts
    are spread over its box instead.
    """
    if crop_to is None and contours:
        crop_to = np.asarray(contours[0].mask) > contours[0].level
    grey, ras_affine = to_ras(background, affine)
    mask = to_ras(crop_to, affine)[0] if crop_to is not None else grey > 0
    centre = None if focus is None else to_ras(focus, affine)[0]
    layout = plan_layout(
        mask, ras_affine, planes=planes, n_cuts=n_cuts, margin=margin, focus=centre
    )
    low, high = limits or window(grey, mask if crop_to is not None and mask.any() else None)
    picture = tint((paint(grey, layout) - low) / (high - low))
    sheet = open_sheet(picture, layout, ras_affine, title)
    for contour in contours:
        draw_contour(sheet, contour, to_ras(contour.mask, affine)[0])
    add_legend(sheet, contours)
    return sheet.figure


def tint(shade: Array) -> Array:
    """Turn shades (0 dark, 1 bright, NaN between cuts) into colours on the backdrop."""
    shade = np.clip(np.nan_to_num(shade), 0, 1)[..., None]
    dark, bright = np.array(to_rgb(BACKDROP)), np.array(to_rgb('#ffffff'))
    return np.asarray(dark + shade * (bright - dark))


def open_sheet(
    picture: Array, layout: Layout, affine: Array, title: str, footer: float = 0.0
) -> Sheet:
    """Put a picture (height, width, 3) on a new figure, with the cuts' positions and sides.

    ``footer`` inches below the cuts stay free for a legend.
    """
    height = WIDTH * layout.height / layout.width
    whole = HEADER + height + footer
    figure = Figure(figsize=(WIDTH, whole), facecolor=BACKDROP)
    axes = figure.add_axes((0.0, footer / whole, 1.0, height / whole))
    axes.set(xlim=(0, layout.width), ylim=(layout.height, 0))
    axes.set_axis_off()
    extent = (0, layout.width, layout.height, 0)
    axes.imshow(
        np.round(picture * 255).astype(np.uint8),
        extent=extent,
        aspect='auto',
        interpolation='none',
    )
    sheet = Sheet(figure, axes, layout, affine)
    write_positions(sheet)
    write_header(figure, 1 - HEADER / 2 / whole, title)
    return sheet


def write_positions(sheet: Sheet) -> None:
    """Write on every cut where it is, and which side is left."""
    seen: set[str] = set()
    for cell in sheet.layout.cells:
        text = f'{cell.plane} {cell.millimetres:+.0f}'.replace('-', '−')
        bottom = cell.top + cell.height - 6
        sheet.axes.text(cell.left + 7, bottom, text, color=INK, fontsize=6.2, alpha=0.75)
        if cell.plane == 'x' or cell.plane in seen:
            continue
        seen.add(cell.plane)
        middle = cell.top + cell.height / 2
        place: dict[str, Any] = {'color': INK, 'fontsize': 7.5, 'va': 'center', 'alpha': 0.85}
        sheet.axes.text(cell.left + 7, middle, 'L', **place)
        sheet.axes.text(cell.left + cell.width - 7, middle, 'R', ha='right', **place)


def write_header(figure: Figure, y: float, title: str) -> None:
    """Write the title, and how the cuts are to be read, at a height from 0 to 1."""
    figure.text(0.008, y, title, color=INK, fontsize=8.5, va='center')
    note = 'left is left · positions in mm'
    figure.text(0.992, y, note, color=FAINT, fontsize=6.5, va='center', ha='right')


def add_legend(sheet: Sheet, contours: Sequence[Contour]) -> None:
    """Name the outlines above the cuts."""
    named = [contour for contour in contours if contour.label]
    if not named:
        return
    height = sheet.figure.get_figheight()
    handles = [Line2D([], [], color=c.colour, linewidth=1.8, label=c.label) for c in named]
    place = 0.5 if sheet.figure.texts[0].get_text() else 0.0
    sheet.figure.legend(
        handles=handles, loc='center' if place else 'center left',
        bbox_to_anchor=(place, 1 - HEADER / 2 / height),
        ncols=len(named), frameon=False, labelcolor=INK, fontsize=7.5, borderpad=0,
        handlelength=1.4, handletextpad=0.5, columnspacing=1.6, borderaxespad=0.9,
    )  # fmt: skip


def draw_contour(sheet: Sheet, contour: Contour, volume: Array) -> None:
    """Add the outline of ``volume`` (RAS) on every cut as one path."""
    lines: list[Array] = []
    for cell in sheet.layout.cells:
        flat = sample_cell(volume, cell, sheet.layout)
        flat = ndimage.gaussian_filter(flat.astype(np.float32), 0.6)
        found = contourpy.contour_generator(z=flat).lines(contour.level)
        # contourpy puts pixel centres at whole numbers, the sheet their edges
        corner = np.array((cell.left + 0.5, cell.top + 0.5))
        lines += [np.asarray(line) + corner for line in found]
    simple = [simplify(line) for line in lines if len(line) > 4]
    if not simple:
        return
    codes = [Outline.MOVETO, Outline.LINETO]
    path = Outline(
        np.concatenate(simple),
        np.concatenate([np.repeat(codes, (1, len(line) - 1)) for line in simple]),
    )
    # An artist does not widen the axes, and asking each curve for its bounds takes a second.
    sheet.axes.add_artist(
        PathPatch(path, fill=False, edgecolor=contour.colour, linewidth=contour.width,
                  joinstyle='round')
    )  # fmt: skip


def simplify(line: Array, tolerance: float = 0.22) -> Array:
    """Drop points of a line (n, 2) that lie within ``tolerance`` of it (Douglas-Peucker)."""
    keep = np.zeros(len(line), dtype=bool)
    keep[[0, -1]] = True
    pending = [(0, len(line) - 1)]
    while pending:
        first, last = pending.pop()
        if last - first < 2:
            continue
        points = line[first + 1 : last] - line[first]
        chord = line[last] - line[first]
        length = float(np.hypot(*chord))
        if length > 0:
            away = np.abs(points[:, 0] * chord[1] - points[:, 1] * chord[0]) / length
        else:
            away = np.hypot(points[:, 0], points[:, 1])
        worst = int(away.argmax())
        if away[worst] > tolerance:
            middle = first + 1 + worst
            keep[middle] = True
            pending += [(first, middle), (middle, last)]
    return np.asarray(line[keep])
