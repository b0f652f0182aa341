"""Values on inflated hemispheres: sides, views, colours."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib import colormaps
from matplotlib.figure import Figure

from mriderived.figures.inflated import AMBIENT, GYRUS, SULCUS, Painted, paint_inflated

LIMITS = (1.0, 4.0)
TITLES = ['left, lateral', 'left, medial', 'right, medial', 'right, lateral']


def octahedron(value: np.ndarray, depth: float = -1.0) -> Painted:
    """Longer to the front, so that a view tells where the front is."""
    points = np.array([[1, 0, 0], [-1, 0, 0], [0, 3, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1.0]])
    faces = np.array([[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4],
                      [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]])  # fmt: skip
    return Painted(points, faces, np.full(6, depth), np.asarray(value, dtype=np.float64))


def paint(left: Painted, right: Painted) -> Figure:
    return paint_inflated({'L': left, 'R': right}, label='cortical thickness (mm)', limits=LIMITS)


def test_four_views_with_titles_and_a_scale() -> None:
    figure = paint(octahedron(np.full(6, 2.0)), octahedron(np.full(6, 3.0)))
    *views, bar = figure.axes
    assert [axes.get_title() for axes in views] == TITLES
    assert bar.get_xlabel() == 'cortical thickness (mm)'
    assert bar.get_xlim() == LIMITS
    assert [axes.get_position().x0 for axes in views] == pytest.approx([0, 0.25, 0.5, 0.75])


def test_the_front_is_where_the_view_has_it() -> None:
    """Seen from the left the front is on the left, seen from the right on the right."""
    figure = paint(octahedron(np.ones(6)), octahedron(np.ones(6)))
    for axes, sign in zip(figure.axes, (-1, 1, -1, 1), strict=False):
        (faces,) = axes.collections
        corners = np.concatenate([path.vertices for path in faces.get_paths()])
        furthest = corners[np.abs(corners[:, 0]).argmax(), 0]
        assert furthest == pytest.approx(3 * sign)
        assert len(faces.get_paths()) == 4  # the other four face away


def test_colours_are_those_of_the_values_on_their_side() -> None:
    """Lateral halves 2, medial halves 3; every view shows one of them."""
    left = octahedron([3, 2, 2, 2, 2, 2.0])
    right = octahedron([2, 3, 3, 3, 3, 3.0])
    figure = paint(left, right)
    light = AMBIENT + (1 - AMBIENT) * 3 / np.sqrt(19)  # of the two faces towards the front
    for axes, value in zip(figure.axes, (2, (2 + 2 + 3) / 3, 3, (3 + 3 + 2) / 3), strict=False):
        (faces,) = axes.collections
        expected = np.array(colormaps['viridis']((value - 1) / 3)[:3]) * light
        shown = faces.get_facecolor()[:, :3]
        assert np.abs(shown - expected).max(axis=1).min() < 1e-6


def test_without_values_the_folds_are_seen() -> None:
    missing = np.full(6, np.nan)
    figure = paint(octahedron(missing, depth=1.0), octahedron(missing, depth=-1.0))
    for axes, grey in zip(figure.axes, (SULCUS, SULCUS, GYRUS, GYRUS), strict=False):
        colour = axes.collections[0].get_facecolor()
        assert np.ptp(colour[:, :3], axis=1) == pytest.approx(np.zeros(4))
        lights = AMBIENT + (1 - AMBIENT) * np.array([3 / np.sqrt(19), 1 / np.sqrt(3)])
        assert sorted(set(colour[:, 0].round(6))) == pytest.approx(sorted(grey * lights))
        assert (colour[:, 3] == 1).all()
