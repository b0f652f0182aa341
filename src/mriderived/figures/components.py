"""Maps of many components on one sheet, each through its peak."""

from __future__ import annotations

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from mriderived.figures.slices import AXES, Array, to_ras
from mriderived.figures.style import BACKDROP, FAINT, INK, WIDTH

#: Components beside each other, and the lowest and highest value that is drawn.
ACROSS, LOW, HIGH = 4, 2.0, 8.0
_PLANES = ('z', 'y', 'x')


def draw_components(background: Array, maps: Array, mask: Array, affine: Array) -> Figure:
    """Draw maps (components, x, y, z) over a background on the same grid; left is left."""
    grey, ras = to_ras(background, affine)
    inside = to_ras(mask, affine)[0] > 0
    turned = [to_ras(values, affine)[0] for values in maps]
    top = np.percentile(grey[inside], 99) if inside.any() else 1.0
    shade = np.clip(grey / max(float(top), 1e-9), 0, 1) * 0.85
    down = -(-len(turned) // ACROSS)
    size = (WIDTH, 1.35 * down)
    figure = Figure(figsize=size, facecolor=BACKDROP)
    panels = figure.subplots(down, 3 * ACROSS, squeeze=False)
    figure.subplots_adjust(0.004, 0.01, 0.996, 0.9 if down == 1 else 1 - 0.18 / down, 0.02, 0.2)
    for panel in panels.flat:
        panel.set_axis_off()
    for place, values in enumerate(turned):
        row, column = divmod(place, ACROSS)
        peak = np.unravel_index(np.argmax(np.where(inside, values, -np.inf)), values.shape)
        for number, plane in enumerate(_PLANES):
            axes = panels[row, 3 * column + number]
            picture = _cut(shade, values, plane, int(peak[AXES[plane][0]]))
            axes.imshow(picture, origin='lower', interpolation='nearest')
        where = ', '.join(f'{v:.0f}' for v in (ras @ [*peak, 1])[:3]).replace('-', '−')
        first = panels[row, 3 * column]
        first.set_title(f'{place + 1}', color=INK, fontsize=8, loc='left', pad=2)
        panels[row, 3 * column + 1].set_title(where, color=FAINT, fontsize=6, pad=2)
    return figure


def _cut(shade: Array, values: Array, plane: str, voxel: int) -> Array:
    """Return one cut in colour: (up, across, 3)."""
    axis, _, _ = AXES[plane]
    grey = np.take(shade, voxel, axis).T
    strength = np.take(values, voxel, axis).T
    hot = colormaps['autumn'](np.clip((strength - LOW) / (HIGH - LOW), 0, 1))[..., :3]
    cold = colormaps['winter'](np.clip((-strength - LOW) / (HIGH - LOW), 0, 1))[..., :3]
    picture = np.repeat(grey[..., None], 3, axis=2)
    picture[strength > LOW] = hot[strength > LOW]
    picture[strength < -LOW] = cold[strength < -LOW]
    return np.round(picture * 255).astype(np.uint8)
