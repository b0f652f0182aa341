"""Pictures of a model: p-values of all regions, the largest effects, and what they rest on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mriderived.figures.style import GRID, PAPER, TEXT, WIDTH

Values = NDArray[np.float64]

#: Effects above and below 0, told apart by colour-blind readers too, and on grey paper.
MORE, LESS, NEITHER = '#b2182b', '#2166ac', '#9aa3b0'
#: The names of so many regions are shown.
NAMED = 20
LONGEST_NAME = 34


class Effects(NamedTuple):
    """One contrast in m regions: names, effects in standard deviations, bounds at 95 %, p.

    ``threshold`` is the largest p that holds, or would, after correction. Bounds are NaN where
    effects have none.
    """

    names: Sequence[str]
    effect: Values
    lower: Values
    upper: Values
    p: Values
    alpha: float
    threshold: float
    correction: str
    label: str = 'effect (residual standard deviations), 95 % interval'


def draw_effects(effects: Effects, title: str) -> Figure:
    """Draw −log10 p of every region beside the regions with the smallest p."""
    rows = min(NAMED, int(np.isfinite(effects.p).sum()))
    figure = Figure(figsize=(WIDTH, max(3.4, 0.23 * rows + 1.3)), facecolor=PAPER, layout='tight')
    left, right = figure.subplots(1, 2, width_ratios=(1.05, 1))
    _draw_p(left, effects)
    _draw_largest(right, effects, rows)
    figure.suptitle(title, color=TEXT, fontsize=12, x=0.01, ha='left')
    return figure


def _colours(effects: Effects, places: NDArray[np.intp]) -> list[str]:
    counts = effects.p[places] <= effects.threshold
    return [
        (MORE if effects.effect[place] > 0 else LESS) if is_counted else NEITHER
        for place, is_counted in zip(places, counts, strict=True)
    ]


def _draw_p(axes: Axes, effects: Effects) -> None:
    known = np.flatnonzero(np.isfinite(effects.p))
    height = -np.log10(np.maximum(effects.p[known], 1e-300))
    axes.scatter(known, height, s=14, c=_colours(effects, known), linewidths=0, zorder=3)
    # At opposite ends, for both lines may be at the same height.
    lines = (
        (effects.alpha, f'p = {effects.alpha:g}, uncorrected', ':', 0.01, 'left'),
        (effects.threshold, f'{effects.correction} at {effects.alpha:g}', '--', 1, 'right'),
    )
    for p, text, style, end, side in lines:
        axes.axhline(-np.log10(p), color=TEXT, lw=0.9, ls=style, zorder=2)
        axes.annotate(text, (end, -np.log10(p)), xycoords=('axes fraction', 'data'), fontsize=8,
                      ha=side, va='bottom', color=TEXT, zorder=4,
                      bbox={'facecolor': PAPER, 'alpha': 0.7, 'lw': 0, 'pad': 0.5})  # fmt: skip
    top = max(height.max(initial=0), *(-np.log10(p) for p, *_ in lines))
    axes.set_ylim(0, 1.15 * top)
    axes.set_xlim(-0.02 * len(effects.p) - 0.5, 1.02 * len(effects.p) - 0.5)
    axes.set_xticks([])
    axes.set_xlabel(f'{len(known)} regions, in the order of the atlas', fontsize=9)
    axes.set_ylabel('−log₁₀ p', fontsize=9)
    _style(axes, 'y')


def _draw_largest(axes: Axes, effects: Effects, rows: int) -> None:
    places = np.argsort(np.where(np.isfinite(effects.p), effects.p, np.inf), kind='stable')[:rows]
    heights = np.arange(rows)[::-1]
    for place, height, colour in zip(places, heights, _colours(effects, places), strict=True):
        bounds = [effects.lower[place], effects.upper[place]]
        axes.plot(bounds, [height, height], color=colour, lw=1.6, solid_capstyle='butt')
        axes.plot(effects.effect[place], height, 'o', color=colour, ms=4.5)
    axes.axvline(0, color=TEXT, lw=0.8)
    axes.set_yticks(heights, [_shorten(effects.names[place]) for place in places], fontsize=8)
    axes.set_ylim(-0.7, rows - 0.3)
    axes.set_xlabel(effects.label, fontsize=9)
    _style(axes, 'x')


def _shorten(name: str) -> str:
    half = LONGEST_NAME // 2 - 1
    return name if len(name) <= LONGEST_NAME else f'{name[:half]}…{name[-half:]}'


def draw_partial_regression(
    tested: Values, outcome: Values, names: tuple[str, str], text: str
) -> Figure:
    """Draw what a regressor and an outcome have beside the other regressors, and their line.

    Parameters
    ----------
    tested, outcome : array (n,)
        Residuals after the other columns of the design.
    """
    figure = Figure(figsize=(WIDTH, 3.6), facecolor=PAPER, layout='tight')
    axes = figure.subplots()
    axes.scatter(tested, outcome, s=16, c=TEXT, alpha=0.6, linewidths=0)
    size = float(tested @ tested)
    if size > 0:
        ends = np.array([tested.min(), tested.max()])
        axes.plot(ends, ends * float(tested @ outcome) / size, color=MORE, lw=1.6)
    axes.set_xlabel(f'{_shorten(names[0])}, less the other terms', fontsize=9)
    axes.set_ylabel(f'{_shorten(names[1])},\nless the same', fontsize=9)
    axes.set_title(text, fontsize=9, color=TEXT, loc='left')
    _style(axes, 'both')
    return figure


def _style(axes: Axes, grid: str) -> None:
    axes.grid(axis=grid, color=GRID, lw=0.7)  # type: ignore[arg-type]
    axes.set_axisbelow(True)
    axes.tick_params(colors=TEXT, labelsize=8)
    for side in ('top', 'right'):
        axes.spines[side].set_visible(False)
