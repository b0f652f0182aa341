"""Values painted on the inflated hemispheres of a surface template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PolyCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mriderived.figures.style import BACKDROP, INK, WIDTH

Array = NDArray[Any]
#: Height of the picture and of its scale in inches.
HEIGHT, SCALE = 2.2, 0.55
#: Fractions of white of gyri and sulci where there is no value.
GYRUS, SULCUS = 0.82, 0.62
#: How much of the light comes from all sides.
AMBIENT = 0.55


@dataclass(frozen=True)
class Painted:
    """A hemisphere with a value per vertex; ``nan`` shows the folds instead.

    ``weights``, from 0 to 1, let the folds through where they are small.
    """

    points: Array
    triangles: Array
    sulcal_depth: Array
    values: Array
    weights: Array | None = None


def paint_inflated(
    hemispheres: Mapping[str, Painted],
    *,
    label: str,
    limits: tuple[float, float],
    colours: str = 'viridis',
) -> Figure:
    """Draw lateral and medial views of the hemispheres ``L`` and ``R``, one row."""
    figure = Figure(figsize=(WIDTH, HEIGHT + SCALE), facecolor=BACKDROP)
    views: Sequence[tuple[str, int, str]] = (
        ('L', -1, 'left, lateral'),
        ('L', 1, 'left, medial'),
        ('R', -1, 'right, medial'),
        ('R', 1, 'right, lateral'),
    )
    bottom = SCALE / (HEIGHT + SCALE)
    for place, (side, sign, title) in enumerate(views):
        axes = figure.add_axes((place / 4, bottom, 1 / 4, 0.92 - bottom))
        _paint_view(axes, hemispheres[side], sign, limits, colours)
        axes.set_title(title, fontsize=7.5, color=INK, pad=2)
    bar = figure.add_axes((0.36, 0.72 * bottom, 0.28, 0.14 * bottom))
    mappable = ScalarMappable(Normalize(*limits), colormaps[colours])
    scale = figure.colorbar(mappable, cax=bar, orientation='horizontal')
    scale.set_label(label, fontsize=7.5, color=INK, labelpad=1)
    scale.ax.tick_params(labelsize=7, length=2, color=INK, labelcolor=INK)
    scale.outline.set_visible(False)
    return figure


def _paint_view(
    axes: Axes, painted: Painted, sign: int, limits: tuple[float, float], colours: str
) -> None:
    """Paint what is seen from the right (1) or the left (-1)."""
    corners = painted.points[painted.triangles]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1), 1e-9)[:, None]
    facing = normals[:, 0] * sign
    seen = facing > 0
    order = np.argsort(corners[seen].mean(axis=1)[:, 0] * sign, kind='stable')
    values = painted.values[painted.triangles[seen]].mean(axis=1)
    shade = np.where(painted.sulcal_depth[painted.triangles[seen]].mean(axis=1) > 0, SULCUS, GYRUS)
    colour = colormaps[colours](np.clip((values - limits[0]) / (limits[1] - limits[0]), 0, 1))
    share = np.ones(len(values))
    if painted.weights is not None:
        share = painted.weights[painted.triangles[seen]].mean(axis=1)
    share = np.where(np.isnan(values), 0, share)[:, None]
    colour[:, :3] = np.where(share > 0, colour[:, :3], 0) * share + shade[:, None] * (1 - share)
    colour[:, 3] = 1
    colour[:, :3] *= (AMBIENT + (1 - AMBIENT) * facing[seen])[:, None]
    # seen from the left, anterior is on the left
    flat = corners[seen][:, :, 1:] * [sign, 1.0]
    axes.add_collection(
        PolyCollection(
            flat[order], facecolors=colour[order], edgecolors=colour[order], linewidths=0.3,
            rasterized=True,
        )
    )  # fmt: skip
    axes.autoscale_view()
    axes.set_aspect('equal')
    axes.axis('off')
