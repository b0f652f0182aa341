"""The picture of motion in connectivity: edges of each participant, and their tie with motion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mriderived.figures.slices import Array
from mriderived.figures.style import GRID, PAPER, TEXT, WIDTH

#: Fisher's z beyond this is drawn at the border.
LIMIT = 2.0
USUAL, APART, EFFECT = '#8b95a5', ('#c8452c', '#7a3fb0', '#d97706', '#2f7fc1'), '#2f7fc1'
#: More names than these do not fit into the legend.
MOST_NAMED = 8
#: Of those that do not stand apart, so many are drawn, evenly spaced.
MOST_USUAL = 200
#: Bins of a correlation, and of the length of edges.
_STEPS, _LENGTHS = 61, 30


class EdgePanel(NamedTuple):
    """One kind of edges.

    ``densities`` (participants, bins) between the ``bins`` of z, the participants' ``names`` and
    the places of those that stand ``apart``; ``correlation`` of each edge with motion (``None``
    where it was refused) over so many ``participants``, the ``lengths`` of edges in mm, and the
    ``rank`` correlation of the two.
    """

    densities: Array
    bins: Array
    names: Sequence[str]
    apart: Sequence[int]
    correlation: Array | None
    participants: int
    lengths: Array
    rank: float


def draw_edges(panels: Mapping[str, EdgePanel]) -> Figure:
    """Draw one row per kind of edges."""
    height = 2.9 * len(panels)
    figure = Figure(figsize=(WIDTH, height), facecolor=PAPER)
    axes = figure.subplots(len(panels), 3, squeeze=False, width_ratios=(1.3, 1, 1))
    # Fixed margins: a layout that is solved for differs in its last bit from run to run.
    figure.subplots_adjust(0.05, 0.5 / height, 0.99, 1 - 0.3 / height, 0.22, 0.38)
    for (densities, motion, lengths), (title, panel) in zip(axes, panels.items(), strict=True):
        _draw_densities(densities, title, panel)
        if panel.correlation is None:
            for empty in (motion, lengths):
                empty.set_axis_off()
            motion.text(0.5, 0.5, 'too few participants', ha='center', color=TEXT, fontsize=8,
                        transform=motion.transAxes)  # fmt: skip
            continue
        _draw_motion(motion, panel.correlation, panel.participants)
        _draw_lengths(lengths, panel.correlation, panel.lengths, panel.rank)
    return figure


def _draw_densities(axes: Axes, title: str, panel: EdgePanel) -> None:
    middles = (panel.bins[1:] + panel.bins[:-1]) / 2
    apart = list(panel.apart)
    usual = [place for place in range(len(panel.densities)) if place not in apart]
    step = max(1, -(-len(usual) // MOST_USUAL))
    for place in usual[::step]:
        axes.plot(middles, panel.densities[place], color=USUAL, linewidth=0.6, alpha=0.5)
    for rank, place in enumerate(apart):
        name = panel.names[place] if rank < MOST_NAMED else None
        axes.plot(middles, panel.densities[place], color=APART[rank % len(APART)], linewidth=1.3,
                  label=name)  # fmt: skip
    if apart:
        axes.legend(frameon=False, fontsize=7, labelcolor=TEXT, loc='upper right')
    drawn = panel.densities.max(axis=0, initial=0) > 0
    if drawn.any():
        axes.set_xlim(middles[drawn].min() - 0.1, middles[drawn].max() + 0.1)
    axes.set_ylim(bottom=0)
    _dress(axes, "Fisher's z", 'density of edges', f'{title}, {len(panel.names)} participants')


def _draw_motion(axes: Axes, correlation: Array, number: int) -> None:
    found = correlation[np.isfinite(correlation)]
    bins = np.linspace(-1, 1, _STEPS)
    density = np.histogram(found, bins, density=True)[0]
    axes.stairs(density, bins, fill=True, color=EFFECT, alpha=0.55)
    # Of r without any effect, for n participants: (1 − r²)^((n − 4) / 2).
    r = np.linspace(-0.999, 0.999, 401)
    chance = (1 - r**2) ** ((number - 4) / 2)
    axes.plot(r, chance / (chance.sum() * (r[1] - r[0])), color=TEXT, linestyle='--', linewidth=1)
    axes.axvline(0, color=GRID, linewidth=0.8)
    axes.set_xticks((-1, -0.5, 0, 0.5, 1))
    _dress(axes, 'r of edge and motion', 'density', f'median |r| {np.median(np.abs(found)):.3f}')


def _draw_lengths(axes: Axes, correlation: Array, lengths: Array, rank: float) -> None:
    there = np.isfinite(correlation) & np.isfinite(lengths)
    if there.any():
        x, y = lengths[there], correlation[there]
        counts, across, up = np.histogram2d(x, y, bins=(_LENGTHS, _STEPS - 1))
        shown = np.where(counts > 0, np.log1p(counts), np.nan).T
        axes.pcolormesh(across, up, shown, cmap='Blues', rasterized=True, vmin=0)
        cuts = np.quantile(x, np.linspace(0, 1, 11))
        place = np.clip(np.searchsorted(cuts, x, side='right') - 1, 0, 9)
        medians = [np.median(y[place == k]) if (place == k).any() else np.nan for k in range(10)]
        axes.plot((cuts[1:] + cuts[:-1]) / 2, medians, color=APART[0], linewidth=1.5)
    axes.axhline(0, color=TEXT, linewidth=0.6, linestyle='--')
    told = 'lengths unknown' if np.isnan(rank) else f'ρ {rank:.2f}'.replace('-', '−')
    _dress(axes, 'length of edge (mm)', 'r of edge and motion', told)


def _dress(axes: Axes, across: str, up: str, title: str) -> None:
    axes.set_title(title, fontsize=9, color=TEXT)
    axes.set_xlabel(across, fontsize=8, color=TEXT)
    axes.set_ylabel(up, fontsize=8, color=TEXT)
    axes.tick_params(labelsize=7, colors=TEXT)
    axes.spines[['top', 'right']].set_visible(False)
