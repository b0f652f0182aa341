"""A picture of what harmonisation did: sites before and after."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mriderived.figures.style import GRID, PAPER, TEXT, WIDTH

Matrix = NDArray[np.float64]
#: More sites than these have no names below them.
NAMED = 24


def draw_sites(before: Matrix, after: Matrix, sites: NDArray[np.str_], title: str) -> Figure:
    """Draw the mean over regions of every participant by site, before and after.

    Parameters
    ----------
    before, after : array (n, m)
    sites : array (n,)
    """
    figure = Figure(figsize=(WIDTH, 3.4), facecolor=PAPER, layout='tight')
    left, right = figure.subplots(1, 2, sharey=True)
    centre, scale = before.mean(axis=0), np.maximum(before.std(axis=0), 1e-12)
    for axes, values, name in ((left, before, 'before'), (right, after, 'after')):
        _draw(axes, ((values - centre) / scale).mean(axis=1), sites)
        axes.set_title(name, fontsize=10, color=TEXT)
    left.set_ylabel('mean over regions (standard deviations)', fontsize=9)
    figure.suptitle(title, color=TEXT, fontsize=12, x=0.01, ha='left')
    return figure


def _draw(axes: Axes, means: Matrix, sites: NDArray[np.str_]) -> None:
    names = np.unique(sites)
    for place, name in enumerate(names):
        mine = means[sites == name]
        # Spread over the width in the order of values, the same in every run.
        offset = np.linspace(-0.3, 0.3, len(mine))[np.argsort(np.argsort(mine * 7919 % 1))]
        axes.scatter(place + offset, mine, s=10, c=TEXT, alpha=0.5, linewidths=0)
        axes.plot([place - 0.35, place + 0.35], [np.median(mine)] * 2, color='#b2182b', lw=2)
    axes.axhline(0, color=TEXT, lw=0.7)
    axes.set_xticks(range(len(names)), names if len(names) <= NAMED else [''] * len(names),
                    rotation=45 if len(names) > 6 else 0, fontsize=8)  # fmt: skip
    axes.grid(axis='y', color=GRID, lw=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(colors=TEXT, labelsize=8)
    for side in ('top', 'right'):
        axes.spines[side].set_visible(False)
