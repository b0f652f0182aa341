"""Mosaics and overlays: what is drawn, that files are small and the same every time."""

from __future__ import annotations

import base64
import re
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from PIL import Image

from mriderived.figures.distribution import histogram
from mriderived.figures.mosaic import Contour, mosaic, simplify
from mriderived.figures.overlays import (
    KEY_LINE,
    KEY_MARGIN,
    flicker_pair,
    label_overlay,
    map_overlay,
    region_colours,
)
from mriderived.figures.style import save_svg
from mriderived.figures.svg import shrink_path

SHAPE = (40, 48, 44)


def ball(radius: float, centre: tuple[float, ...] = (20, 24, 22)) -> np.ndarray:
    grid = np.indices(SHAPE)
    return np.sqrt(sum((g - c) ** 2 for g, c in zip(grid, centre, strict=True))) < radius


HEAD = (100 * ball(18) + 60 * ball(14)).astype(np.float32)
OUTLINE = Contour(ball(14), '#ff0000', 'brain')


def words(figure: Figure) -> list[str]:
    own = [text.get_text() for text in figure.texts]
    return own + [text.get_text() for axes in figure.axes for text in axes.texts]


def outlines(figure: Figure) -> list[PathPatch]:
    return [patch for patch in figure.axes[0].patches if isinstance(patch, PathPatch)]


def picture(figure: Figure) -> np.ndarray:
    return np.asarray(figure.axes[0].images[0].get_array()) / 255


def test_sides_and_positions_are_written() -> None:
    found = words(mosaic(HEAD, np.eye(4), contours=[OUTLINE], n_cuts=4))
    assert found.count('L') == found.count('R') == 2  # axial and coronal, not sagittal
    assert len([text for text in found if re.fullmatch(r'[xyz] [+−]\d+', text)]) == 12
    assert any('left is left' in text for text in found)


def test_outline_has_the_size_of_the_mask() -> None:
    figure = mosaic(HEAD, np.eye(4), contours=[OUTLINE], n_cuts=1, planes=('z',), margin=0)
    vertices = outlines(figure)[0].get_path().vertices
    width = figure.axes[0].get_xlim()[1]
    # one cut lies in the middle of the box, so the disc fills the picture
    assert np.ptp(vertices[:, 0]) == pytest.approx(width, rel=0.05)


def test_outline_follows_a_flipped_image() -> None:
    mask = ball(5, (10, 24, 22))  # on the left of a RAS image
    crop = ball(16)
    contour = [Contour(mask, '#00ff00', 'spot')]
    plain = mosaic(HEAD, np.eye(4), contours=contour, crop_to=crop, n_cuts=1, planes=('z',))
    affine = np.diag([-1.0, 1.0, 1.0, 1.0])
    affine[0, 3] = SHAPE[0] - 1
    flipped = mosaic(HEAD[::-1], affine, contours=[Contour(mask[::-1], '#00ff00', 'spot')],
                     crop_to=crop[::-1], n_cuts=1, planes=('z',))  # fmt: skip
    one, other = (outlines(figure)[0].get_path().vertices for figure in (plain, flipped))
    assert np.allclose(one.mean(axis=0), other.mean(axis=0), atol=0.5)
    assert one[:, 0].mean() < plain.axes[0].get_xlim()[1] / 2


def test_an_empty_mask_is_drawn_without_outline() -> None:
    figure = mosaic(HEAD, np.eye(4), contours=[Contour(np.zeros(SHAPE, bool), '#ff0000', 'none')])
    assert outlines(figure) == []
    assert picture(figure).max() > 0.5


def test_missing_values_are_dark() -> None:
    hole = HEAD.copy()
    hole[ball(6)] = np.nan
    shown = picture(mosaic(hole, np.eye(4), contours=[OUTLINE], n_cuts=1, planes=('z',)))
    middle = shown[shown.shape[0] // 2, shown.shape[1] // 2]
    assert np.allclose(middle, to_rgb('#0b0e13'), atol=0.01)


def test_labels_have_their_colours() -> None:
    labels = np.where(ball(6), 3, np.where(ball(12), 1, 0))
    colours = {1: (0.0, 1.0, 0.0), 3: (1.0, 0.0, 0.0)}
    figure = label_overlay(HEAD, np.eye(4), labels, colours, names={1: 'shell', 3: 'core'},
                           n_cuts=1, opacity=1.0)  # fmt: skip
    shown = picture(figure)
    cell = shown[: shown.shape[1]]
    red, green, _ = cell[cell.shape[0] // 2, cell.shape[1] // 2]
    assert red > green + 0.3
    red, green, _ = cell[cell.shape[0] // 2, cell.shape[1] // 5]
    assert green > red + 0.3
    assert [text.get_text() for text in figure.texts][-2:] == ['shell', 'core']
    # Each name stands behind a patch of its colour.
    assert [to_hex(patch.get_facecolor()) for patch in figure.artists] == ['#00ff00', '#ff0000']


def test_a_legend_of_many_labels_has_rows_below_the_cuts() -> None:
    labels = np.where(ball(12), 1, 0)
    names = {k: f'{k} is a region with quite a long name' for k in range(1, 9)}
    colours = region_colours(names)
    plain = label_overlay(HEAD, np.eye(4), labels, colours)
    figure = label_overlay(HEAD, np.eye(4), labels, colours, names=names)
    assert figure.get_figheight() == pytest.approx(
        plain.get_figheight() + 2 * KEY_LINE + KEY_MARGIN
    )
    texts = [text for text in figure.texts if 'is a region' in text.get_text()]
    assert texts[0].get_text() == '1 is a region with quite …'
    rows = sorted({round(text.get_position()[1], 6) for text in texts}, reverse=True)
    assert [sum(round(t.get_position()[1], 6) == row for t in texts) for row in rows] == [6, 2]
    # The lowest row of cuts begins above the legend.
    assert figure.axes[0].get_position().y0 > rows[0]


def test_labels_without_a_colour_stay_grey() -> None:
    figure = label_overlay(HEAD, np.eye(4), np.where(ball(12), 9, 0), {})
    shown = picture(figure)
    assert np.ptp(shown, axis=2).max() < 0.05


def test_both_sides_share_colours_and_neighbours_differ() -> None:
    colours = region_colours({1: 'a', 2: 'b', 3: 'c', 11: 'a', 12: 'b', 13: 'c'})
    assert colours[1] == colours[11]
    assert len(set(colours.values())) == 3
    steps = np.array([colours[k] for k in (1, 2, 3)])
    assert np.linalg.norm(np.diff(steps, axis=0), axis=1).min() > 0.3


def test_maps_show_their_scale_and_unit() -> None:
    values = np.where(ball(12), 2.5, np.nan)
    figure = map_overlay(HEAD, np.eye(4), values, label='thickness', unit='mm', limits=(1, 4))
    assert {'1', '4', 'thickness (mm)'} <= set(words(figure))


def test_a_pair_has_one_layout() -> None:
    pair = flicker_pair(HEAD, HEAD[::-1], np.eye(4), contours=[OUTLINE], crop_to=ball(14),
                        titles=('one', 'two'))  # fmt: skip
    before, after = (
        [(t.get_position(), t.get_text()) for t in figure.axes[0].texts] for figure in pair
    )
    assert before == after
    assert tuple(pair.before.get_size_inches()) == tuple(pair.after.get_size_inches())
    assert (pair.before.texts[0].get_text(), pair.after.texts[0].get_text()) == ('one', 'two')


def test_histogram_counts_what_is_finite() -> None:
    values = np.array([1.0, 2.0, np.nan])
    figure = histogram({'gm': values, 'wm': np.array([])}, {'gm': 'red', 'wm': 'blue'},
                       label='volume', unit='mm³')  # fmt: skip
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert labels == ['gm (n = 2)', 'wm (n = 0)']
    assert figure.axes[0].get_xlabel() == 'volume (mm³)'


def test_files_are_the_same_every_time_and_small(tmp_path: Path) -> None:
    first = save_svg(mosaic(HEAD, np.eye(4), contours=[OUTLINE]), tmp_path / 'a' / 'one.svg')
    second = save_svg(mosaic(HEAD, np.eye(4), contours=[OUTLINE]), tmp_path / 'two.svg')
    assert first.read_bytes() == second.read_bytes()
    assert first.stat().st_size < 250_000
    assert [path.name for path in tmp_path.rglob('*') if path.is_file()] == ['two.svg', 'one.svg']
    text = first.read_text()
    assert '<text' in text and 'image/jpeg' in text and 'dc:date' not in text


def test_pictures_survive_compression(tmp_path: Path) -> None:
    figure = mosaic(HEAD, np.eye(4), contours=[OUTLINE])
    text = save_svg(figure, tmp_path / 'one.svg').read_text()
    found = re.search(r'data:image/jpeg;base64,([^"]+)', text)
    assert found
    stored = np.asarray(Image.open(BytesIO(base64.b64decode(found[1])))) / 255
    assert stored.shape == picture(figure).shape
    upright = min(
        np.abs(stored - picture(figure)).mean(), np.abs(stored[::-1] - picture(figure)).mean()
    )
    assert upright < 0.02


def test_shrunk_paths_do_not_drift() -> None:
    points = np.cumsum(np.full((1000, 2), 0.14), axis=0)
    path = 'M ' + ' L '.join(f'{x:.6f} {y:.6f}' for x, y in points)
    numbers = re.findall(r'-?\d+\.?\d*', shrink_path(path))
    steps = np.array(numbers, float).reshape(-1, 2)
    assert np.allclose(steps.sum(axis=0), points[-1], atol=0.051)


def test_simplified_lines_stay_within_tolerance() -> None:
    angle = np.linspace(0, 2 * np.pi, 2000)
    circle = 50 * np.column_stack([np.cos(angle), np.sin(angle)])
    simple = simplify(circle, tolerance=0.2)
    assert len(simple) < 80
    assert np.array_equal(simple[[0, -1]], circle[[0, -1]])
    middles = (simple[1:] + simple[:-1]) / 2
    assert np.abs(np.linalg.norm(middles, axis=1) - 50).max() <= 0.21
