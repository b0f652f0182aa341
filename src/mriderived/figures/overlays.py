"""Colour over grey: label images, maps, and pairs of pictures to flicker between."""

from __future__ import annotations

import colorsys
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray
from scipy import ndimage

from mriderived.figures.mosaic import (
    HEADER,
    Contour,
    Sheet,
    mosaic,
    open_sheet,
    tint,
)
from mriderived.figures.slices import Array, Layout, paint, plan_layout, to_ras, window
from mriderived.figures.style import FAINT, INK, WIDTH

Colour = tuple[float, float, float]
#: Turns of the colour wheel between one region and the next: neighbours in a table differ.
GOLDEN = 0.6180339887
#: The legend below the cuts: columns, letters that fit into one, and inches.
KEY_COLUMNS, KEY_LETTERS, KEY_LINE, KEY_MARGIN = 6, 26, 0.2, 0.16


class Pair(NamedTuple):
    """Two pictures of one layout, to be shown in turn."""

    before: Figure
    after: Figure


def label_overlay(
    background: Array,
    affine: Array,
    labels: Array,
    colours: Mapping[int, Colour],
    *,
    names: Mapping[int, str] | None = None,
    opacity: float = 0.55,
    title: str = '',
    n_cuts: int = 7,
    margin: float = 6.0,
) -> Figure:
    """Draw a label image in colour over ``background``; labels without a colour stay grey.

    ``names`` are for a legend below the cuts, in their order; best of few labels.
    """
    grey, ras_affine = to_ras(background, affine)
    ras_labels = to_ras(labels, affine)[0]
    mask = np.isin(ras_labels, list(colours))
    layout = plan_layout(mask, ras_affine, n_cuts=n_cuts, margin=margin)
    picture = shade(grey, layout, mask)
    painted = np.nan_to_num(paint(ras_labels, layout, order=0)).astype(np.int64)
    picture = _blend(picture, painted, colours, opacity)
    named = {k: name for k, name in (names or {}).items() if k in colours}
    key = {_as_seen(colours[k], opacity): name for k, name in named.items()}
    footer = KEY_LINE * -(-len(key) // KEY_COLUMNS) + KEY_MARGIN if key else 0.0
    sheet = open_sheet(picture, layout, ras_affine, title, footer)
    if key:
        _add_key(sheet, key, footer)
    return sheet.figure


def shade(grey: Array, layout: Layout, mask: Array) -> Array:
    """Return cuts through a volume in grey, its window set within a mask."""
    low, high = window(grey, mask if mask.any() else None)
    return tint((paint(grey, layout) - low) / (high - low))


def _blend(
    picture: Array, painted: NDArray[np.int64], colours: Mapping[int, Colour], opacity: float
) -> Array:
    """Mix in the colours of labels, with a darker rim where two labels meet."""
    keys = np.array(sorted(colours), dtype=np.int64)
    if not keys.size:
        return picture
    table = np.array([to_rgb(colours[key]) for key in keys.tolist()])
    place = np.clip(np.searchsorted(keys, painted), 0, len(keys) - 1)
    coloured = keys[place] == painted
    edge = ndimage.maximum_filter(painted, 2) != ndimage.minimum_filter(painted, 2)
    weight = np.where(coloured, np.where(edge, opacity + 0.3, opacity), 0.0)[..., None]
    return np.asarray(picture * (1 - weight) + table[place] * weight)


def _as_seen(colour: Colour, opacity: float) -> Colour:
    """Mix a colour with the grey of brain tissue, as it is in the picture."""
    red, green, blue = (opacity * value + (1 - opacity) * 0.6 for value in colour)
    return red, green, blue


def _add_key(sheet: Sheet, colours: Mapping[Colour, str], footer: float) -> None:
    """Name colours below the cuts, row by row."""
    whole = sheet.figure.get_figheight()
    for place, (colour, name) in enumerate(colours.items()):
        row, column = divmod(place, KEY_COLUMNS)
        x = 0.012 + column / KEY_COLUMNS
        y = (footer - KEY_MARGIN / 2 - (row + 0.5) * KEY_LINE) / whole
        swatch = Rectangle(
            (x, y - 0.05 / whole), 0.1 / WIDTH, 0.1 / whole, color=colour,
            transform=sheet.figure.transFigure,
        )  # fmt: skip
        sheet.figure.add_artist(swatch)
        text = name if len(name) <= KEY_LETTERS else f'{name[: KEY_LETTERS - 1]}…'
        sheet.figure.text(x + 0.016, y, text, color=INK, fontsize=7.5, va='center')


def region_colours(regions: Mapping[int, str]) -> dict[int, tuple[float, float, float]]:
    """Give every region a colour of its own; the same for both halves of the brain.

    ``regions`` maps a label to a name without its side.
    """
    order = {name: place for place, name in enumerate(dict.fromkeys(regions.values()))}
    return {index: _colour(order[name]) for index, name in regions.items()}


def _colour(place: int) -> tuple[float, float, float]:
    hue = (0.58 + place * GOLDEN) % 1.0
    lightness = (0.56, 0.68, 0.47)[place % 3]
    return colorsys.hls_to_rgb(hue, lightness, 0.72)


def map_overlay(
    background: Array,
    affine: Array,
    values: Array,
    *,
    label: str,
    unit: str,
    mask: Array | None = None,
    limits: tuple[float, float] | None = None,
    colours: str = 'viridis',
    opacity: float = 0.85,
    weights: Array | None = None,
    title: str = '',
) -> Figure:
    """Draw a map over ``background`` where it is finite (and inside ``mask``), with its scale.

    ``weights``, from 0 to 1, let the background through where they are small.
    """
    grey, ras_affine = to_ras(background, affine)
    shown = np.isfinite(values) & (np.asarray(mask) > 0 if mask is not None else True)
    ras_shown = to_ras(shown, affine)[0]
    ras_values = np.where(ras_shown, to_ras(values, affine)[0], 0)
    low, high = limits or map_limits(values[shown])
    layout = plan_layout(ras_shown, ras_affine)
    picture = shade(grey, layout, ras_shown)
    painted = np.nan_to_num(paint(ras_values, layout))
    share = np.nan_to_num(paint(ras_shown, layout, order=0))[..., None] * opacity
    if weights is not None:
        share *= np.clip(np.nan_to_num(paint(to_ras(weights, affine)[0], layout)), 0, 1)[..., None]
    hues = colormaps[colours](np.clip((painted - low) / (high - low), 0, 1))[..., :3]
    sheet = open_sheet(picture * (1 - share) + hues * share, layout, ras_affine, title)
    middle = 1 - HEADER / 2 / sheet.figure.get_figheight()
    draw_scale(sheet.figure, middle, colours, (low, high), with_unit(label, unit))
    return sheet.figure


def map_limits(values: Array) -> tuple[float, float]:
    """Return the ends of a scale for the middle 96 % of the values."""
    if not values.size:
        return 0.0, 1.0
    low, high = (float(value) for value in np.percentile(values, (2, 98)))
    return low, max(high, low + 1e-9)


def with_unit(label: str, unit: str) -> str:
    """Return a label with its unit, if it has one.

    >>> with_unit('T1', 's'), with_unit('ratio', '1')
    ('T1 (s)', 'ratio')
    """
    return f'{label} ({unit})' if unit not in ('', '1') else label


def draw_scale(
    figure: Figure, middle: float, colours: str, limits: tuple[float, float], text: str
) -> None:
    """Draw a ramp of colours with its ends and what it means, at a height from 0 to 1."""
    height = figure.get_figheight()
    bar = figure.add_axes((0.42, middle - 0.035 / height, 0.16, 0.07 / height))
    ramp = np.linspace(0, 1, 128)[None]
    bar.imshow(ramp, cmap=colours, aspect='auto', interpolation='none')
    bar.set_axis_off()
    place: dict[str, Any] = {'fontsize': 7, 'va': 'center', 'color': INK}
    figure.text(0.412, middle, f'{limits[0]:.3g}', ha='right', **place)
    figure.text(0.588, middle, f'{limits[1]:.3g}', **place)
    figure.text(0.63, middle, text, **{**place, 'color': FAINT})


def flicker_pair(
    before: Array,
    after: Array,
    affine: Array,
    *,
    contours: Sequence[Contour] = (),
    crop_to: Array,
    titles: tuple[str, str],
    margin: float = 6.0,
) -> Pair:
    """Draw two volumes on one grid with the same cuts and outlines."""
    return Pair(
        *(
            mosaic(volume, affine, contours=contours, crop_to=crop_to, margin=margin, title=title)
            for volume, title in zip((before, after), titles, strict=True)
        )
    )
