"""How values are distributed: histograms by group."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from mriderived.figures.slices import Array
from mriderived.figures.style import GRID, PAPER, TEXT


def histogram(
    groups: Mapping[str, Array],
    colours: Mapping[str, str],
    *,
    label: str,
    unit: str,
    n_bins: int = 80,
) -> Figure:
    """Draw the distribution of each group's values as an outline over a shared range.

    Groups without a finite value are named in the legend, with their count of 0.
    """
    finite = {name: values[np.isfinite(values)] for name, values in groups.items()}
    pooled = np.concatenate([*finite.values(), np.empty(0)])
    low, high = np.percentile(pooled, (0.5, 99.5)) if pooled.size else (0.0, 1.0)
    edges = np.linspace(low, max(high, low + 1e-9), n_bins + 1)
    figure = Figure(figsize=(7, 2.8), facecolor=PAPER, layout='constrained')
    axes = figure.subplots()
    for name, values in finite.items():
        shares = np.histogram(values, edges)[0] / max(values.size, 1)
        text = f'{name} (n = {values.size:,})'
        axes.stairs(shares, edges, fill=True, color=colours[name], alpha=0.22)
        axes.stairs(shares, edges, color=colours[name], linewidth=1.3, label=text)
    axes.set_xlabel(f'{label} ({unit})' if unit not in ('', '1') else label, color=TEXT)
    axes.set_ylabel('share of values', color=TEXT)
    axes.grid(axis='y', color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=TEXT, labelsize=8)
    axes.spines[['top', 'right', 'left']].set_visible(False)
    axes.legend(frameon=False, fontsize=8, labelcolor=TEXT)
    return figure
