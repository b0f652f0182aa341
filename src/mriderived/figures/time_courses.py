"""Pictures of series: motion, the carpet of all voxels, and matrices of regions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from mriderived.figures.style import FAINT, GRID, PAPER, TEXT, WIDTH

Array = NDArray[Any]
#: Colours of the three axes of a head, and of single traces.
AXES_COLOURS = ('#2f7fc1', '#d97706', '#3f9c5a')
TRACE = '#5b4b8a'
#: Limits of a carpet, in percent of the mean.
CARPET_LIMIT = 3.0


def draw_traces(
    panels: Mapping[str, Mapping[str, Array]], lines: Mapping[str, float], xlabel: str = 'volume'
) -> Figure:
    """Draw series below each other: label of a panel → name → values.

    ``lines`` holds the height of a dashed line for some of the panels.
    """
    figure = Figure(figsize=(WIDTH, 1.45 * len(panels)), facecolor=PAPER, layout='constrained')
    axes = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    for panel, (label, traces) in zip(axes, panels.items(), strict=True):
        colours = AXES_COLOURS if len(traces) > 1 else (TRACE,)
        for (name, values), colour in zip(traces.items(), colours, strict=False):
            panel.plot(values, color=colour, linewidth=0.9, label=name)
        if label in lines:
            panel.axhline(lines[label], color=FAINT, linestyle='--', linewidth=0.8)
        _dress(panel, label)
        if len(traces) > 1:
            panel.legend(frameon=False, fontsize=7, ncols=3, loc='upper left')
    axes[-1].set_xlabel(xlabel, color=TEXT, fontsize=8)
    axes[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    axes[-1].margins(x=0.005)
    return figure


def draw_carpet_plot(
    carpet: Array,
    groups: Mapping[str, int],
    traces: Mapping[str, Array],
    lines: Mapping[str, float],
) -> Figure:
    """Draw voxels (rows, in percent of their mean) over time below some traces.

    ``groups`` gives the number of rows of each kind of tissue, from the top.
    """
    heights = [0.5] * len(traces) + [4.0]
    figure = Figure(figsize=(WIDTH, sum(heights)), facecolor=PAPER, layout='constrained')
    axes = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights, squeeze=False)[
        :, 0
    ]
    for panel, (label, values) in zip(axes, traces.items(), strict=False):
        panel.plot(values, color=TRACE, linewidth=0.9)
        if label in lines:
            panel.axhline(lines[label], color=FAINT, linestyle='--', linewidth=0.8)
        _dress(panel, label)
    panel = axes[-1]
    panel.imshow(carpet, aspect='auto', cmap='gray', vmin=-CARPET_LIMIT, vmax=CARPET_LIMIT,
                 interpolation='none')  # fmt: skip
    edges = np.cumsum([0, *groups.values()])
    panel.set_yticks((edges[:-1] + edges[1:]) / 2, list(groups), fontsize=8, color=TEXT)
    for edge in edges[1:-1]:
        panel.axhline(edge - 0.5, color='#ffb000', linewidth=1.0)
    panel.tick_params(axis='y', length=0)
    panel.set_xlabel('volume', color=TEXT, fontsize=8)
    panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


def draw_matrices(matrices: Mapping[str, Array], limits: Mapping[str, float]) -> Figure:
    """Draw square matrices beside each other, each with its colour scale.

    It is about 0 where there are negative values, else from 0 on.
    """
    figure = Figure(figsize=(WIDTH, 5.2), facecolor=PAPER, layout='constrained')
    axes = figure.subplots(1, len(matrices), squeeze=False)[0]
    for panel, (title, values) in zip(axes, matrices.items(), strict=True):
        shown = np.where(np.eye(len(values), dtype=bool), np.nan, values)
        limit = limits[title]
        panel.set_facecolor(GRID)
        has_signs = np.nanmin(shown, initial=0) < 0
        picture = panel.imshow(shown, cmap='RdBu_r' if has_signs else 'viridis',
                               vmin=-limit if has_signs else 0, vmax=limit,
                               interpolation='nearest')  # fmt: skip
        panel.set_title(title, fontsize=9, color=TEXT)
        panel.set_xlabel('region', fontsize=8, color=TEXT)
        panel.tick_params(labelsize=7, colors=TEXT)
        figure.colorbar(picture, ax=panel, shrink=0.8).ax.tick_params(labelsize=7, colors=TEXT)
    return figure


def _dress(panel: Axes, label: str) -> None:
    panel.set_ylabel(label, color=TEXT, fontsize=8)
    panel.tick_params(labelsize=7, colors=TEXT)
    panel.spines[['top', 'right']].set_visible(False)
    panel.grid(color=GRID, linewidth=0.6)
