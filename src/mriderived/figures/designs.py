"""Pictures of design matrices."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mriderived.figures.style import PAPER, TEXT, WIDTH

#: More columns than these are too narrow for their names.
_MOST_NAMED = 60


def draw_design_matrix(design: NDArray[np.float64], names: Sequence[str]) -> Figure:
    """Draw a design (volumes, columns), every column over its largest value."""
    figure = Figure(figsize=(WIDTH, 5.2), facecolor=PAPER, layout='constrained')
    panel = figure.subplots()
    largest = np.abs(design).max(axis=0)
    panel.imshow(
        design / np.where(largest > 0, largest, 1),
        aspect='auto',
        cmap='RdBu_r',
        vmin=-1,
        vmax=1,
        interpolation='none',
    )
    panel.set_ylabel('volume', color=TEXT, fontsize=8)
    panel.tick_params(labelsize=7, colors=TEXT)
    if len(names) <= _MOST_NAMED:
        panel.set_xticks(range(len(names)), list(names), rotation=90, fontsize=6, color=TEXT)
    else:
        panel.set_xlabel(f'{len(names)} columns', color=TEXT, fontsize=8)
    return figure
