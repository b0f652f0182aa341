"""Directions as colours: red from side to side, green from front to back, blue up and down."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mriderived.figures.mosaic import add_legend, open_sheet, tint
from mriderived.figures.slices import paint, plan_layout, to_ras

Array = NDArray[Any]


def direction_mosaic(
    colours: Array, affine: Array, *, crop_to: Array, title: str = '', margin: float = 6.0
) -> Figure:
    """Draw a map of colours (x, y, z, 3) from 0 to 1, over the box around a mask."""
    mask, ras_affine = to_ras(crop_to, affine)
    layout = plan_layout(mask, ras_affine, margin=margin)
    channels = [paint(to_ras(colours[..., axis], affine)[0], layout) for axis in range(3)]
    picture = np.stack(channels, axis=-1)
    between = ~np.isfinite(picture[..., :1])
    shown = np.where(between, tint(np.zeros(picture.shape[:2])), np.clip(picture, 0, 1))
    sheet = open_sheet(np.nan_to_num(shown), layout, ras_affine, title)
    add_legend(sheet, ())
    return sheet.figure
