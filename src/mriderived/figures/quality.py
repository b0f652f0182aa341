"""Pictures of image quality: what lies in the background of a scan, and its noise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from mriderived.figures.style import BACKDROP, FAINT, INK, PAPER, TEXT, WIDTH

Volume = NDArray[np.floating]
Labels = NDArray[np.uint8]

#: Colours of the labels 1 (air), 2 (artefact), 3 (head; its outline), 4 (padding)
#: and 5 (air below the plane).
COLOURS = {1: '#4c9be8', 2: '#ff3b30', 3: '#ffffff', 4: '#8a8a8a', 5: '#b08cff'}
OPACITY = {1: 0.22, 2: 0.9, 4: 0.25, 5: 0.12}
#: Columns of the mosaic; one row per axis.
COLUMNS = 6
ROWS = ('sagittal', 'coronal', 'axial')


def draw_background(
    volume: Volume, labels: Labels, spacing: NDArray[np.floating], names: Mapping[int, str]
) -> Any:
    """Draw slices whose background is brightened, with labels laid over; returns a figure."""
    top = 0.1 * float(np.percentile(volume[::2, ::2, ::2], 99.5)) or 1.0
    figure = Figure(figsize=(WIDTH, 6.4), facecolor=BACKDROP, layout='constrained')
    axes = figure.subplots(3, COLUMNS)
    for axis in range(3):
        plane = [size for index, size in enumerate(spacing) if index != axis]
        for panel, position in zip(axes[axis], _positions(labels, axis), strict=True):
            image = np.take(volume, position, axis).T
            panel.imshow(
                image, cmap='gray', vmin=0, vmax=top, origin='lower', aspect=plane[1] / plane[0]
            )
            _lay_over(panel, np.take(labels, position, axis).T, plane[1] / plane[0])
            panel.set_axis_off()
        axes[axis, 0].set_title(ROWS[axis], color=INK, fontsize=8, loc='left')
    handles = [Patch(color=COLOURS[value], label=name) for value, name in names.items()]
    figure.legend(
        handles=handles, loc='outside lower center', ncols=5, fontsize=8,
        facecolor=BACKDROP, edgecolor=BACKDROP, labelcolor=INK,
    )  # fmt: skip
    return figure


def _positions(labels: Labels, axis: int) -> NDArray[np.int_]:
    """Return slices spread over the head, the one with most artefacts among them."""
    others = tuple(index for index in range(3) if index != axis)
    head = np.flatnonzero((labels == 3).any(axis=others))
    low, high = (head[0], head[-1]) if head.size else (0, labels.shape[axis] - 1)
    spread = np.linspace(low, high, COLUMNS + 2)[1:-1].round().astype(int)
    artefacts = np.count_nonzero(labels == 2, axis=others)
    if artefacts.any():
        worst = int(artefacts.argmax())
        spread[np.abs(spread - worst).argmin()] = worst
    return np.sort(spread)


def _lay_over(panel: Axes, labels: Labels, aspect: float) -> None:
    colours = np.zeros((6, 4))
    for value, opacity in OPACITY.items():
        colours[value] = to_rgba(COLOURS[value], opacity)
    panel.imshow(colours[labels], origin='lower', aspect=aspect, interpolation='nearest')
    head = labels == 3
    if head.any() and not head.all():
        panel.contour(head, levels=[0.5], colors=[COLOURS[3]], linewidths=0.6)


def draw_noise(
    edges: NDArray[np.float64],
    observed: NDArray[np.float64],
    expected: NDArray[np.float64],
    cutoff: int,
) -> Any:
    """Draw a histogram of air with the fitted distribution; returns a figure."""
    figure = Figure(figsize=(7, 3), facecolor=PAPER, layout='constrained')
    panel = figure.subplots()
    middles = (edges[:-1] + edges[1:]) / 2
    # the last bin is open-ended: its share is no density
    panel.bar(middles[:-1], observed[:-1], np.diff(edges)[:-1], color='#9ec5ee', label='air')
    panel.plot(middles[:-1], expected[:-1], color='#c0392b', label='coil noise, fitted')
    panel.axvline(edges[cutoff], color=FAINT, linestyle='--', linewidth=1)
    panel.set_xlabel('intensity (as acquired)', color=TEXT)
    panel.set_ylabel('share of voxels', color=TEXT)
    panel.spines[['top', 'right']].set_visible(False)
    panel.legend(frameon=False)
    return figure
