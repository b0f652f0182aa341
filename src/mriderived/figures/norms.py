"""Pictures of norms: whether they hold, and curves of centiles with everybody among them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy import stats

from mriderived.figures.style import GRID, PAPER, TEXT, WIDTH

Values = NDArray[np.float64]
LINE, BAND = '#b2182b', '#f4a582'
#: The centiles of which curves are drawn, in per cent.
CENTILES = (2.5, 10, 25, 50, 75, 90, 97.5)


class Curve(NamedTuple):
    """Mean and SD (k,) along ``at`` (k,), and people: where they are, and their z."""

    title: str
    unit: str
    at: Values
    mean: Values
    deviation: Values
    people: Values
    z: Values


def draw_calibration(levels: Values, shares: Values, z: Values, title: str) -> Figure:
    """Draw how many people are below each centile, region by region, and the law of all z.

    Parameters
    ----------
    levels : array (k,)
    shares : array (k, m)
    z : array
    """
    figure = Figure(figsize=(WIDTH, 4.0), facecolor=PAPER, layout='tight')
    left, right = figure.subplots(1, 2)
    low, mid, high = (np.nanpercentile(shares, q, axis=1) for q in (5, 50, 95))
    left.fill_between(100 * levels, 100 * (low - levels), 100 * (high - levels), color=BAND,
                      alpha=0.5, lw=0, label='90 % of regions')  # fmt: skip
    left.plot(100 * levels, 100 * (mid - levels), 'o-', color=LINE, ms=3.5, lw=1.2,
              label='median region')  # fmt: skip
    left.axhline(0, color=TEXT, lw=0.8)
    reach = max(5.0, 110 * float(np.nanmax(np.abs([low - levels, high - levels]))))
    left.set_ylim(-reach, reach)
    left.set(xlabel='centile', ylabel='people below, less the centile (%)')
    left.legend(fontsize=8, frameon=False)
    known = z[np.isfinite(z)]
    bins = np.linspace(-5, 5, 61)
    right.hist(np.clip(known, -5, 5), bins, density=True, color=TEXT, alpha=0.35, lw=0)
    right.plot(bins, stats.norm.pdf(bins), color=LINE, lw=1.4)
    right.set(xlabel='z of everybody and every region; the line is the normal law',
              yticks=[])  # fmt: skip
    for axes in (left, right):
        _dress(axes)
    figure.suptitle(title, color=TEXT, fontsize=12, x=0.01, ha='left')
    return figure


def draw_centiles(curves: Sequence[Curve], along: str) -> Figure:
    """Draw curves of centiles, each with everybody at their own centile."""
    columns = min(3, len(curves))
    rows = -(-len(curves) // columns)
    figure = Figure(figsize=(WIDTH, 3.4 * rows), facecolor=PAPER, layout='tight')
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, curve in zip(grid, curves, strict=False):
        centre = np.interp(curve.people, curve.at, curve.mean)
        spread = np.interp(curve.people, curve.at, curve.deviation)
        far = np.abs(curve.z) > stats.norm.ppf(0.975)
        for chosen, colour, alpha in ((~far, TEXT, 0.3), (far, LINE, 0.8)):
            axes.scatter(curve.people[chosen], (centre + curve.z * spread)[chosen], s=8, c=colour,
                         alpha=alpha, linewidths=0)  # fmt: skip
        for centile in CENTILES:
            line = curve.mean + stats.norm.ppf(centile / 100) * curve.deviation
            axes.plot(curve.at, line, color=TEXT, lw=1.6 if centile == 50 else 0.8,
                      ls='-' if centile in (2.5, 50, 97.5) else '--')  # fmt: skip
        axes.set_title(curve.title, fontsize=9, color=TEXT)
        axes.set(xlabel=along, ylabel=curve.unit)
        _dress(axes)
    for axes in grid[len(curves) :]:
        axes.axis('off')
    return figure


def _dress(axes: Axes) -> None:
    axes.grid(color=GRID, lw=0.7)
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set(fontsize=9, color=TEXT)
    axes.set_axisbelow(True)
    axes.tick_params(colors=TEXT, labelsize=8)
    for side in ('top', 'right'):
        axes.spines[side].set_visible(False)
