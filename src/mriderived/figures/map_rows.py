"""Small multiples: several maps of one grid, a row of cuts each, each with its scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from mriderived.figures.mosaic import HEADER, Sheet, write_header, write_positions
from mriderived.figures.overlays import draw_scale, map_limits, shade, with_unit
from mriderived.figures.slices import Array, Layout, paint, plan_layout, to_ras
from mriderived.figures.style import BACKDROP, WIDTH


class MapRow(NamedTuple):
    """One map: where it has values, what it is called, its unit, and the ends of its scale.

    Without ``limits`` the scale covers the middle 96 % of the values. Values of a map that
    ``is_label`` are never mixed.
    """

    values: Array
    shown: Array
    label: str
    unit: str
    limits: tuple[float, float] | None = None
    colours: str = 'viridis'
    is_label: bool = False


def map_rows(background: Array, affine: Array, rows: Sequence[MapRow], n_cuts: int = 7) -> Figure:
    """Draw maps below each other over ``background``, at the same axial cuts; left is left."""
    grey, ras_affine = to_ras(background, affine)
    anywhere = np.any([row.shown for row in rows], axis=0)
    inside = to_ras(anywhere, affine)[0]
    layout = plan_layout(inside, ras_affine, planes=('z',), n_cuts=n_cuts)
    under = shade(grey, layout, inside)
    one = WIDTH * layout.height / layout.width
    whole = len(rows) * (HEADER + one)
    figure = Figure(figsize=(WIDTH, whole), facecolor=BACKDROP)
    for number, row in enumerate(rows):
        bottom = whole - (number + 1) * (HEADER + one)
        axes = figure.add_axes((0.0, bottom / whole, 1.0, one / whole))
        axes.set(xlim=(0, layout.width), ylim=(layout.height, 0))
        axes.set_axis_off()
        limits = row.limits or map_limits(row.values[row.shown])
        picture = _blend(under, row, limits, affine, layout)
        extent = (0, layout.width, layout.height, 0)
        axes.imshow(np.round(picture * 255).astype(np.uint8), extent=extent, aspect='auto',
                    interpolation='none')  # fmt: skip
        middle = (bottom + one + HEADER / 2) / whole
        write_positions(Sheet(figure, axes, layout, ras_affine))
        draw_scale(figure, middle, row.colours, limits, with_unit(row.label, row.unit))
        write_header(figure, middle, '')
    return figure


def _blend(
    under: Array, row: MapRow, limits: tuple[float, float], affine: Array, layout: Layout
) -> Array:
    values, shown = (to_ras(each, affine)[0] for each in (row.values, row.shown))
    order = 0 if row.is_label else 1
    painted = np.nan_to_num(paint(np.where(shown, values, 0), layout, order=order))
    share = np.nan_to_num(paint(shown, layout, order=0))[..., None]
    place = np.clip((painted - limits[0]) / (limits[1] - limits[0]), 0, 1)
    return np.asarray(under * (1 - share) + colormaps[row.colours](place)[..., :3] * share)
