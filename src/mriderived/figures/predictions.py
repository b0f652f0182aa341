"""Pictures of predictions: what was said against what is true, and what it rests on."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mriderived.figures.style import GRID, PAPER, TEXT, WIDTH

Values = NDArray[np.float64]
#: Groups of equal size by which probabilities are compared with what happened.
BINS = 8
NAMED = 12
#: Letters of a line of a name.
LINE = 38
MORE, LESS = '#b2182b', '#2166ac'


def draw_numbers(
    target: Values, predicted: Values, names: Sequence[str], importance: Values, title: str
) -> Figure:
    """Draw predicted against true numbers, beside the features that go with the prediction."""
    figure, left, right = _open(title)
    left.scatter(target, predicted, s=14, c=TEXT, alpha=0.6, linewidths=0)
    ends = [float(min(target.min(), predicted.min())), float(max(target.max(), predicted.max()))]
    left.plot(ends, ends, color=MORE, lw=1.2)
    left.set(xlabel='true', ylabel='predicted, out of sample')
    _draw_importance(right, names, importance)
    return figure


def draw_classes(
    target: Values,
    predicted: Values,
    classes: tuple[str, str],
    names: Sequence[str],
    importance: Values,
    title: str,
) -> Figure:
    """Draw how often the second class was true where it had a probability, and the features."""
    figure, left, right = _open(title)
    parts = np.array_split(np.argsort(predicted, kind='stable'), min(BINS, len(target)))
    said = [float(predicted[part].mean()) for part in parts]
    true = [float(target[part].mean()) for part in parts]
    error = [float(np.sqrt(p * (1 - p) / len(part))) for p, part in zip(true, parts, strict=True)]
    left.errorbar(said, true, yerr=error, fmt='o-', color=TEXT, ms=5, lw=1)
    left.plot([0, 1], [0, 1], color=MORE, lw=1.2)
    left.set(xlabel=f'probability of {classes[1]}', ylabel=f'share that is {classes[1]}')
    left.set_xlim(-0.02, 1.02)
    left.set_ylim(-0.02, 1.02)
    _draw_importance(right, names, importance)
    return figure


def _open(title: str) -> tuple[Figure, Axes, Axes]:
    figure = Figure(figsize=(WIDTH, 5.0), facecolor=PAPER, layout='constrained')
    left, right = figure.subplots(1, 2)
    for axes in (left, right):
        axes.grid(color=GRID, lw=0.7)
        axes.set_axisbelow(True)
        axes.tick_params(colors=TEXT, labelsize=8)
        for side in ('top', 'right'):
            axes.spines[side].set_visible(False)
    figure.suptitle(title, color=TEXT, fontsize=12, x=0.01, ha='left')
    return figure, left, right


def _draw_importance(axes: Axes, names: Sequence[str], importance: Values) -> None:
    places = np.argsort(-np.abs(importance), kind='stable')[:NAMED][::-1]
    colours = [MORE if importance[place] > 0 else LESS for place in places]
    axes.barh(range(len(places)), importance[places], color=colours, height=0.7)
    axes.axvline(0, color=TEXT, lw=0.8)
    axes.set_yticks(range(len(places)), [_wrap(names[place]) for place in places], fontsize=6.5,
                    linespacing=1.1)  # fmt: skip
    axes.set_xlabel('correlation of the feature with the prediction')


def _wrap(name: str) -> str:
    r"""Break a long name at underscores and blanks into lines, none of which is cut.

    >>> _wrap('surface_regions_desikankilliany_ctx_lh_rostralanteriorcingulate_thickness')
    'surface_regions_desikankilliany_ctx_\nlh_rostralanteriorcingulate_thickness'
    """
    lines = ['']
    for part in re.findall('[^_ ]*[_ ]?', name):
        if lines[-1] and len(lines[-1]) + len(part) > LINE:
            lines.append('')
        lines[-1] += part
    return '\n'.join(lines)
