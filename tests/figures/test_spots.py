"""Points of a figure are where the picture has them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from mriderived.figures.effects import draw_partial_regression
from mriderived.figures.spots import locate
from mriderived.figures.style import save_svg


def test_points_are_where_the_picture_draws_them(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=30), 1e4 * rng.normal(size=30)
    figure = draw_partial_regression(x, y, ('age', 'a long name of a region'), 'text')
    found = locate(figure.axes[0], x, y)
    text = save_svg(figure, tmp_path / 'figure.svg').read_text()
    width, height = map(float, re.search(r'viewBox="0 0 ([0-9.]+) ([0-9.]+)"', text).groups())
    drawn = re.findall(
        r'<use [^>]*x="([0-9.-]+)" y="([0-9.-]+)" style="fill: #27303d; fill-opacity: 0.6', text
    )
    assert len(drawn) == 30
    wanted = np.array(drawn, float) / [width, height]
    np.testing.assert_allclose(found, wanted, atol=0.004)
    assert found[:, 1][np.argmax(y)] == found[:, 1].min()
