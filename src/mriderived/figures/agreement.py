"""A picture of two answers to one question, region by region."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mriderived.figures.style import GRID, PAPER, TEXT, WIDTH

Values = NDArray[np.float64]
CHANGED = '#b2182b'


def draw_agreement(
    estimates: Values,
    t: Values,
    changed: NDArray[np.bool_],
    names: tuple[str, str],
    kinds: tuple[str, str],
    told: tuple[str, str],
    title: str,
) -> Figure:
    """Draw estimates and statistics of one against the other.

    Parameters
    ----------
    estimates, t : array (k, 2)
    changed : array (k,)
        Which hold after correction in one only.
    kinds
        What was estimated, and its statistic.
    told
        What stands above each half.
    """
    figure = Figure(figsize=(WIDTH, 4.0), facecolor=PAPER, layout='tight')
    halves = zip(figure.subplots(1, 2), (estimates, t), kinds, told, strict=True)
    for axes, pairs, name, text in halves:
        for chosen, colour in ((~changed, TEXT), (changed, CHANGED)):
            axes.scatter(*pairs[chosen].T, s=16, c=colour, alpha=0.7, linewidths=0)
        ends = [float(pairs.min()), float(pairs.max())]
        axes.plot(ends, ends, color=TEXT, lw=0.8, ls='--')
        axes.axhline(0, color=GRID, lw=1)
        axes.axvline(0, color=GRID, lw=1)
        axes.set(xlabel=f'{name}, {names[0]}', ylabel=f'{name}, {names[1]}')
        axes.set_title(text, fontsize=9, color=TEXT)
        axes.grid(color=GRID, lw=0.7)
        axes.set_axisbelow(True)
        axes.tick_params(colors=TEXT, labelsize=8)
        for side in ('top', 'right'):
            axes.spines[side].set_visible(False)
    figure.suptitle(title, color=TEXT, fontsize=12, x=0.01, ha='left')
    return figure
