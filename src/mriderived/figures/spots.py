"""Where the points of a figure are in its picture, so that a page can tell them apart."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike, NDArray

from mriderived.figures.style import SETTINGS


def locate(axes: Axes, x: ArrayLike, y: ArrayLike) -> NDArray[np.float64]:
    """Return where points (n,) are, array (n, 2): shares of the width from the left, of the height
    from the top.

    To be called when the figure is complete, for its layout follows from what is drawn.
    """  # noqa: D205
    figure = axes.get_figure(root=True)
    assert figure is not None  # axes are of one
    with mpl.rc_context(SETTINGS):
        figure.draw_without_rendering()
    pixels = axes.transData.transform(np.column_stack([np.asarray(x), np.asarray(y)]))
    shares: NDArray[np.float64] = pixels / [figure.bbox.width, figure.bbox.height]
    shares[:, 1] = 1 - shares[:, 1]
    return shares
