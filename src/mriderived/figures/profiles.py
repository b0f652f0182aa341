"""Profiles along bundles: small panels with a line for each side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mriderived.figures.style import GRID, PAPER, TEXT, WIDTH

Array = NDArray[Any]
COLOURS = {'left': '#2f7fc1', 'right': '#d97706', 'both': '#3f9c5a'}
COLUMNS = 3


def draw_profiles(panels: Mapping[str, Mapping[str, Array]], label: str) -> Figure:
    """Draw a panel for each bundle: title → side → values along it."""
    rows = -(-len(panels) // COLUMNS)
    figure = Figure(figsize=(WIDTH, 1.7 * rows + 0.3), facecolor=PAPER)
    figure.subplots_adjust(left=0.06, right=0.985, top=0.95, bottom=0.07, hspace=0.55, wspace=0.16)
    axes = figure.subplots(rows, COLUMNS, squeeze=False, sharey=True).ravel()
    for panel, (title, lines) in zip(axes, panels.items(), strict=False):
        for side, values in lines.items():
            panel.plot(np.linspace(0, 100, len(values)), values, color=COLOURS[side],
                       linewidth=1.3, label=side)  # fmt: skip
            if not np.isfinite(values).any():
                # below the line of the other side
                place = 0.12 if side == 'left' else 0.03
                panel.text(0.5, place, f'{side}: not found', transform=panel.transAxes,
                           ha='center', fontsize=7, color=COLOURS[side])  # fmt: skip
        panel.set_title(title, fontsize=8.5, color=TEXT)
        panel.set_xlim(0, 100)
        panel.tick_params(labelsize=7, colors=TEXT)
        panel.spines[['top', 'right']].set_visible(False)
        panel.grid(color=GRID, linewidth=0.6)
    for panel in axes[len(panels) :]:
        panel.set_visible(False)
    for panel in axes[::COLUMNS]:
        panel.set_ylabel(label, fontsize=8, color=TEXT)
    for panel in axes[max(0, len(panels) - COLUMNS) : len(panels)]:
        panel.set_xlabel('% of the way', fontsize=7.5, color=TEXT, loc='left')
    handles, names = axes[len(panels) - 1].get_legend_handles_labels()
    figure.legend(handles, names, loc='lower right', frameon=False, fontsize=8, ncols=2)
    return figure
