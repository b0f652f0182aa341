"""Pictures of a model's effects: nothing may lie outside its panel or on its neighbour."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from mriderived.figures.effects import Effects, draw_effects

NAMES = [f'ctx-lh-region{place}' for place in range(68)]


def draw(p, threshold):
    effect = np.linspace(-0.1, 0.1, len(p))
    effects = Effects(
        NAMES, effect, effect - 0.1, effect + 0.1, p, 0.05, threshold, 'false discovery rate'
    )
    figure = draw_effects(effects, 'tiv: surface_regions DesikanKilliany thickness')
    FigureCanvasAgg(figure).draw()
    return figure


@pytest.mark.parametrize('threshold', [0.05 / 68, 0.0499, 1e-9])
def test_labels_of_thresholds_stay_in_the_panel_and_apart(threshold):
    figure = draw(np.linspace(0.04, 0.99, 68), threshold)
    axes = figure.axes[0]
    # A label above the panel makes the layout shrink it: at least 60 % of the figure's height.
    assert axes.get_position().height > 0.6
    frame = axes.get_window_extent()
    first, second = (text.get_window_extent() for text in axes.texts)
    assert not first.overlaps(second)
    for box in (first, second):
        assert box.y0 >= frame.y0 and box.y1 <= frame.y1 + 1
        assert box.x0 >= frame.x0 - 1 and box.x1 <= frame.x1 + 1


def test_axes_say_what_they_show():
    figure = draw(np.linspace(0.001, 0.9, 68), 0.01)
    left, right = figure.axes
    assert left.get_ylabel() == '−log₁₀ p' and 'regions' in left.get_xlabel()
    assert right.get_xlabel()
