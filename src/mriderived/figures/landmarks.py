"""Small cuts through landmarks, in the frame of the two commissures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy import ndimage

from mriderived.figures.slices import AXES, Plane, window
from mriderived.figures.style import AMBER, BACKDROP, CYAN, FAINT, INK, ROSE, WIDTH

Array = NDArray[Any]

#: Behind words, so that they can be read on bright tissue.
SHADE: dict[str, Any] = {'facecolor': BACKDROP, 'alpha': 0.55, 'linewidth': 0, 'pad': 1.2}
#: Pixels of the large and of the small cuts, in mm.
LARGE_STEP, SMALL_STEP = 0.5, 0.3
#: What the large cuts show, in mm of the frame of the commissures: from, to.
BOX = ((-75.0, 75.0), (-110.0, 80.0), (-65.0, 85.0))
#: Half the width of the cuts that show a landmark closely, in mm.
CLOSE_MM, NEAR_MM = 16.0, 18.0
#: Landmarks so near to the midsagittal plane, in mm, are shown in it.
MIDLINE_MM = 4.0
COLUMNS = 8


class View(NamedTuple):
    """One cut: its plane, where, and from where to where it shows, across and up."""

    plane: Plane
    depth: float
    across: tuple[float, float]
    up: tuple[float, float]
    step: float


def draw_commissures(image: Array, affine: Array, to_frame: Array, ac: Array, pc: Array) -> Figure:
    """Draw both commissures in three planes, whole and close.

    ``to_frame`` brings mm of the image to mm of the frame, in which ``ac`` and ``pc`` are given.
    """
    whole = {plane: _whole(plane) for plane in ('x', 'y', 'z')}
    rows: list[list[tuple[View, str]]] = [
        [
            (whole['x'], 'midsagittal plane'),
            (whole['z'], 'plane of the commissures'),
            (whole['y'], 'through AC'),
            (whole['y']._replace(depth=float(pc[1])), 'through PC'),
        ],
        [
            (_close(plane, point, CLOSE_MM), f'{name}, closely')
            for name, point in (('AC', ac), ('PC', pc))
            for plane in ('x', 'z', 'y')
        ],
    ]
    heights = [_row_height(row) for row in rows]
    figure = Figure(figsize=(WIDTH, sum(heights)), facecolor=BACKDROP)
    limits = window(image)
    bottom = sum(heights)
    for row, height in zip(rows, heights, strict=True):
        bottom -= height
        widths = np.array([view.across[1] - view.across[0] for view, _ in row])
        lefts = np.concatenate([[0], np.cumsum(widths)]) / widths.sum()
        for place, (view, title) in enumerate(row):
            box = (lefts[place], bottom / sum(heights), widths[place] / widths.sum(),
                   height / sum(heights))  # fmt: skip
            axes = figure.add_axes(box)
            _show(axes, image, affine, to_frame, view, limits)
            _mark_commissures(axes, view, ac, pc)
            axes.text(0.03, 0.97, title, transform=axes.transAxes, color=INK, fontsize=7.5,
                      va='top', bbox=SHADE)  # fmt: skip
    return figure


def draw_fiducials(
    image: Array,
    affine: Array,
    to_frame: Array,
    positions: Mapping[str, Array],
    refined: Sequence[str],
) -> Figure:
    """Draw every landmark on a cut of its own; ``positions`` are in the frame."""
    rows = -(-len(positions) // COLUMNS)
    figure = Figure(figsize=(WIDTH, WIDTH * rows / COLUMNS), facecolor=BACKDROP)
    limits = window(image)
    for place, (name, point) in enumerate(positions.items()):
        row, column = divmod(place, COLUMNS)
        axes = figure.add_axes((column / COLUMNS, 1 - (row + 1) / rows, 1 / COLUMNS, 1 / rows))
        view = _close('x' if abs(point[0]) < MIDLINE_MM else 'z', point, NEAR_MM)
        _show(axes, image, affine, to_frame, view, limits)
        colour = ROSE if name in refined else AMBER
        _, across, up = AXES[view.plane]
        axes.plot(point[across], point[up], '+', color=colour, markersize=9, markeredgewidth=0.9)
        axes.text(0.05, 0.95, name, transform=axes.transAxes, color=colour, fontsize=7, va='top',
                  bbox=SHADE)  # fmt: skip
    return figure


def _whole(plane: Plane) -> View:
    _, across, up = AXES[plane]
    return View(plane, 0.0, BOX[across], BOX[up], LARGE_STEP)


def _close(plane: Plane, point: Array, reach: float) -> View:
    normal, across, up = AXES[plane]
    spans = [(float(point[axis]) - reach, float(point[axis]) + reach) for axis in (across, up)]
    return View(plane, float(point[normal]), spans[0], spans[1], SMALL_STEP)


def _row_height(row: Sequence[tuple[View, str]]) -> float:
    width = sum(view.across[1] - view.across[0] for view, _ in row)
    return WIDTH * max(view.up[1] - view.up[0] for view, _ in row) / width


def _show(
    axes: Axes,
    image: Array,
    affine: Array,
    to_frame: Array,
    view: View,
    limits: tuple[float, float],
) -> None:
    picture = sample_view(image, affine, to_frame, view)
    # closely, what is faint beside the scalp is to be told apart
    low, high = limits if view.step == LARGE_STEP else np.percentile(picture, (0.5, 99.5))
    extent = (*view.across, *view.up)
    axes.set_facecolor(BACKDROP)
    axes.imshow(
        picture.T, cmap='gray', vmin=low, vmax=high, origin='lower', extent=extent,
        interpolation='none',
    )  # fmt: skip
    axes.set(xlim=view.across, ylim=view.up)
    axes.set_axis_off()
    if view.plane != 'x':
        place: dict[str, Any] = {'transform': axes.transAxes, 'color': FAINT, 'fontsize': 7}
        axes.text(0.02, 0.5, 'L', **place)
        axes.text(0.98, 0.5, 'R', ha='right', **place)


def sample_view(image: Array, affine: Array, to_frame: Array, view: View) -> Array:
    """Return a cut through the image, shape (across, up): linear, 0 outside."""
    normal, across, up = AXES[view.plane]
    steps = [np.arange(*span, view.step) + view.step / 2 for span in (view.across, view.up)]
    points = np.empty((3, len(steps[0]), len(steps[1])))
    points[normal] = view.depth
    points[across], points[up] = np.meshgrid(*steps, indexing='ij')
    matrix = np.linalg.inv(to_frame @ affine)
    voxels = np.tensordot(matrix[:3, :3], points, 1) + matrix[:3, 3][:, None, None]
    return np.asarray(ndimage.map_coordinates(image, voxels, order=1, mode='constant'))


def _mark_commissures(axes: Axes, view: View, ac: Array, pc: Array) -> None:
    """Draw the planes of the frame as lines, and the commissures that lie in the cut."""
    normal, across, up = AXES[view.plane]
    line: dict[str, Any] = {'color': CYAN, 'linewidth': 0.5, 'alpha': 0.7}
    is_close = view.step == SMALL_STEP
    if not is_close:
        axes.axhline(0, **line) if view.plane != 'z' else None
        axes.axvline(0, **line)
    size = 12 if is_close else 7
    for point, colour in ((ac, ROSE), (pc, AMBER)):
        if abs(point[normal] - view.depth) < 1:
            place = (point[across], point[up])
            axes.plot(*place, '+', color=colour, markersize=size, markeredgewidth=0.9)
