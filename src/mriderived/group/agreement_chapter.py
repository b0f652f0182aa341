"""The part of ``group.html`` on what the choice of pipeline changes in a model of regions."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from mriderived.figures.agreement import draw_agreement
from mriderived.figures.style import save_svg
from mriderived.group.agreement import Agreement, compare
from mriderived.group.blocks import MISSING
from mriderived.group.chapters import Chapter, Picture, figure_file
from mriderived.group.columns import snake
from mriderived.group.region_models import RegionModel

_HEADER = ('Contrast', 'One', 'Other', 'Regions', 'r of estimates', 'r of t', 'hold in both',
           'in one only', 'in the other only')  # fmt: skip
#: Tables that share fewer regions are not compared.
FEWEST_SHARED = 8
#: Those that hold in one only are named up to so many, and drawn for so many pairs.
NAMED, DRAWN = 6, 12


def compare_pipelines(out_dir: Path, fitted: RegionModel) -> Chapter | None:
    """Compare all tables of a model that have regions of the same names, if there are any."""
    model = fitted.model
    chapter = Chapter(
        f'pipelines-{snake(model.name)}', f'How much the choice matters: {model.formula}',
        'The same model of the same regions as others measure them, side by side: how estimates '
        'and t correlate over the regions that both have, and which hold after correction.',
        _HEADER,
    )  # fmt: skip
    table = fitted.table[fitted.table['region'] != ''].assign(
        name=lambda t: t['region'].map(snake)
    )
    for (contrast, column), part in table.groupby(['contrast', 'column'], sort=False):
        families = {
            ' '.join(filter(None, map(str, key))): family.drop_duplicates('name')
            for key, family in part.groupby(['measure', 'variant'], sort=False)
        }
        for one, other in combinations(families, 2):
            _add(out_dir, chapter, fitted, (str(contrast), str(column)),
                 {one: families[one], other: families[other]})  # fmt: skip
    return chapter if chapter.rows else None


def _add(
    out_dir: Path,
    chapter: Chapter,
    fitted: RegionModel,
    about: tuple[str, str],
    pair: dict[str, pd.DataFrame],
) -> None:
    model, (one, other) = fitted.model, pair
    found = compare(pair[one], pair[other], 'name', f'p_{model.correction}', model.alpha)
    if len(found.names) < FEWEST_SHARED:
        return
    contrast, column = about
    chapter.rows.append((
        contrast, f'{one} {column}', f'{other} {column}', str(len(found.names)),
        number_text(found.r_estimate), number_text(found.r_t), str(found.both),
        list_names(found.first_only), list_names(found.second_only),
    ))  # fmt: skip
    if len(chapter.pictures) < DRAWN:
        path = figure_file(f'pipelines_{snake(model.name)}_{len(chapter.rows)}')
        title = f'{contrast}: {column}'
        chapter.pictures.append(draw_pair(out_dir, path, found, (one, other), title))


def draw_pair(
    out_dir: Path, path: PurePosixPath, found: Agreement, names: tuple[str, str], title: str
) -> Picture:
    """Draw two answers against each other."""
    changed = np.isin(found.names, [*found.first_only, *found.second_only])
    told = (f'r = {number_text(found.r_estimate)}', f'r = {number_text(found.r_t)}')
    figure = draw_agreement(found.estimates, found.t, changed, names, found.kinds, told, title)
    save_svg(figure, out_dir / path)
    caption = (
        'Each dot is a region; on the dashed line, both are the same. Red: holds after correction '
        'in one only.'
    )
    return Picture(path, title, caption)


def number_text(value: float) -> str:
    """Return a correlation as text."""
    return f'{value:.3f}' if np.isfinite(value) else MISSING


def list_names(names: Sequence[str]) -> str:
    """Count names, and list the first."""
    shown = ', '.join(names[:NAMED]) + ', …' * (len(names) > NAMED)
    return f'{len(names)}: {shown}' if names else '0'
