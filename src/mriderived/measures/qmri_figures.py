"""What quantitative maps have in common: how they are drawn."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mriderived.figures.map_rows import MapRow, map_rows
from mriderived.figures.overlays import map_overlay
from mriderived.interfaces.volumes import load, load_affine
from mriderived.measures.base import Figure

#: What the voxels are drawn over.
BACKGROUND = 'qmri_reference'


class Panel(NamedTuple):
    """How the map ``field`` is drawn.

    Voxels of 0 are left out if not ``zero_counts``; a map that ``is_relative`` is divided by its
    median. Without ``limits`` the scale covers the middle 96 % of the values.
    """

    field: str
    label: str
    unit: str
    limits: tuple[float, float] | None = None
    zero_counts: bool = False
    is_relative: bool = False
    is_label: bool = False


def misfit_panel(field: str) -> Panel:
    """Return how the map of a misfit is drawn."""
    return Panel(field, 'misfit over the mean signal', '1', (0.0, 0.1))


def outcome_panel(field: str) -> Panel:
    """Return how the map of outcomes is drawn."""
    label = '1 fitted, 2 no signal, 3 no solution, 4 implausible'
    return Panel(field, label, '1', (1.0, 4.0), is_label=True)


def density_panel(field: str) -> Panel:
    """Return how a map of proton density is drawn: over its median."""
    return Panel(field, 'proton density over its median', '1', (0.6, 1.4), is_relative=True)


def signal_panel(field: str) -> Panel:
    """Return how a map of signals at no echo time is drawn: over its median."""
    label = 'signal at no echo time over its median'
    return Panel(field, label, '1', (0.6, 1.6), is_relative=True)


def qmri_figure(panel: Panel) -> Callable[..., list[Any]]:
    """Return what draws a map over the reference of its collection, large."""
    return partial(_draw, panels=(panel,))


def more_maps(name: str, title: str, caption: str, *panels: Panel) -> Figure:
    """Declare the figure of the other maps of a measure, a row each."""
    return Figure(
        name=name,
        draw=partial(_draw_rows, panels=panels),
        needs=(*(panel.field for panel in panels), BACKGROUND),
        title=title,
        caption=caption,
    )


def _values(panel: Panel, path: Path, *masks: Any) -> tuple[Any, Any]:
    """Return what is drawn of a map, and where: not beyond masks, such as of outcomes."""
    values = load(path)
    shown = np.isfinite(values) & (panel.zero_counts | (values != 0))
    for mask in masks:
        shown &= mask
    if panel.is_relative and shown.any():
        values = values / np.median(values[shown])
    return values, shown


def _draw(*, panels: tuple[Panel, ...], qmri_reference: Path, **maps: Path) -> list[Any]:
    (panel,) = panels
    values, shown = _values(panel, maps[panel.field])
    affine = load_affine(maps[panel.field])
    return [
        map_overlay(load(qmri_reference), affine, values, label=panel.label, unit=panel.unit,
                    mask=shown, limits=panel.limits, opacity=1.0)
    ]  # fmt: skip


def _draw_rows(*, panels: tuple[Panel, ...], qmri_reference: Path, **maps: Path) -> list[Any]:
    outcomes = [load(maps[panel.field]) > 0 for panel in panels if panel.is_label]
    rows = []
    for panel in panels:
        values, shown = _values(panel, maps[panel.field], *outcomes)
        rows.append(
            MapRow(values, shown, panel.label, panel.unit, panel.limits, is_label=panel.is_label)
        )
    return [map_rows(load(qmri_reference), load_affine(qmri_reference), rows)]
