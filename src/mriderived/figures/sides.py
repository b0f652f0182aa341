"""Pairs of regions: left against right."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter
from numpy.typing import NDArray

from mriderived.figures.style import GRID, PAPER, TEXT

#: How many pairs are named.
NAMED = 5
POINT = '#2b7bba'


def draw_sides(
    names: Sequence[str],
    left: NDArray[np.float64],
    right: NDArray[np.float64],
    label: str,
    unit: str,
) -> Figure:
    """Draw a point for every pair of regions, on logarithmic axes, and name the least equal."""
    figure = Figure(figsize=(6.4, 5.4), facecolor=PAPER, layout='constrained')
    axes = figure.subplots()
    shown = (left > 0) & (right > 0)
    values = np.concatenate([left[shown], right[shown], [1.0, 10.0] if not shown.any() else []])
    ends = np.array([values.min() / 1.3, values.max() * 1.3])
    axes.plot(ends, ends, color='#9aa5b1', linewidth=1)
    axes.scatter(left[shown], right[shown], s=14, color=POINT, alpha=0.75, linewidths=0)
    for place in _least_equal(left, right, shown):
        axes.annotate(
            names[place],
            (left[place], right[place]),
            xytext=(4, 3),
            textcoords='offset points',
            fontsize=7,
            color=TEXT,
        )
    axes.set(xscale='log', yscale='log', xlim=ends, ylim=ends, aspect='equal')
    axes.set_xlabel(f'{label}, left ({unit})', color=TEXT)
    axes.set_ylabel(f'{label}, right ({unit})', color=TEXT)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter(StrMethodFormatter('{x:,.0f}'))
        axis.set_minor_formatter(NullFormatter())
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=TEXT, labelsize=8)
    axes.spines[['top', 'right']].set_visible(False)
    return figure


def _least_equal(
    left: NDArray[np.float64], right: NDArray[np.float64], shown: NDArray[np.bool_]
) -> list[int]:
    asymmetry = np.zeros(len(left))
    asymmetry[shown] = np.abs(np.log(left[shown] / right[shown]))
    return [int(place) for place in np.argsort(-asymmetry)[:NAMED] if shown[place]]
