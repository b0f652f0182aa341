"""Several maps of one grid below each other."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib import colormaps

from mriderived.figures.map_rows import MapRow, map_rows

AFFINE = np.diag([4.0, 4.0, 4.0, 1.0])
HEAD = (np.indices((16, 18, 14)).T - (7.5, 8.5, 6.5)).T
HEAD = (HEAD**2).sum(axis=0) < 30


def test_every_row_has_cuts_a_scale_with_its_unit_and_its_colours() -> None:
    rows = [
        MapRow(np.full(HEAD.shape, 0.6), HEAD, 'R1', '1/s', (0.2, 1.0)),
        MapRow(np.where(HEAD, 4.0, 1.0), HEAD, 'outcome', '1', (1.0, 4.0), is_label=True),
        MapRow(HEAD * np.linspace(5, 9, 14), HEAD, 'signal', 'percent'),
    ]
    figure = map_rows(100.0 * HEAD, AFFINE, rows)
    pictures = [axes for axes in figure.axes if axes.get_position().width > 0.9]
    assert len(pictures) == len(rows) and len(figure.axes) == 2 * len(rows)
    said = [text.get_text() for text in figure.texts]
    assert {'R1 (1/s)', 'outcome', 'signal (percent)', '0.2', '1', '4'} <= {*said}
    ends = sorted(float(text) for text in said if text.replace('.', '').isdigit())
    assert 5 < ends[-2] < ends[-1] <= 9  # the middle of the values, where no limits are given
    for axes, row in zip(pictures[:2], rows, strict=False):
        image = np.asarray(axes.images[0].get_array())
        place = {'R1': 0.5, 'outcome': 1.0}[row.label]
        colour = 255 * np.array(colormaps['viridis'](place)[:3])
        middle = image[image.shape[0] // 2, image.shape[1] // 2]
        assert middle == pytest.approx(colour, abs=2)
    # rows do not overlap, and fill the page from the top
    bottoms = [axes.get_position().y0 for axes in pictures]
    assert bottoms == sorted(bottoms, reverse=True) and bottoms[-1] == pytest.approx(0)


def test_a_map_without_values_is_grey() -> None:
    nowhere = np.zeros(HEAD.shape, bool)
    figure = map_rows(100.0 * HEAD, AFFINE, [MapRow(HEAD * 1.0, nowhere, 'R1', '1/s')])
    image = np.asarray(figure.axes[0].images[0].get_array(), float)
    assert np.ptp(image - image.mean(axis=2, keepdims=True), axis=2).max() < 20
