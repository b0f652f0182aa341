"""Pictures of a model: effects of all regions, where they are, and the largest of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from mriderived.config import Config
from mriderived.figures.effects import Effects, draw_effects, draw_partial_regression
from mriderived.figures.style import save_svg
from mriderived.group.chapters import Picture, figure_file
from mriderived.group.columns import snake
from mriderived.group.model_files import Model
from mriderived.group.painted import paint_effects
from mriderived.group.region_models import RegionModel
from mriderived.group.variables import Variables

CORRECTED = {'fdr': 'false discovery rate', 'holm': 'Holm', 'bonferroni': 'Bonferroni'}
_WHERE = {
    'cortex': 't of every region on the inflated cortex of fsaverage5.',
    'slices': 't of every region on the template.',
}


def draw_family(
    config: Config,
    fitted: RegionModel,
    variables: Variables,
    family: pd.DataFrame,
    number: int,
) -> list[Picture]:
    """Draw one contrast over one family, where it is, and the smallest p."""
    model, out_dir = fitted.model, config.out_dir
    first = family.iloc[0]
    title = f'{first["contrast"]}: {name_table(first)}'
    pictures = []
    stem = f'model_{snake(model.name)}_{number}'
    if len(family) > 1:
        path = figure_file(stem)
        save_svg(draw_effects(_effects(model, family), title), out_dir / path)
        caption = (
            'Each dot is a region; those that are coloured hold after correction (red: positive, '
            'blue: negative). Right: the regions with the smallest p.'
        )
        pictures.append(Picture(path, title, caption))
        pictures += _paint(config, model, family, title, stem)
    best = family.sort_values('p', kind='stable').iloc[0]
    pictures.append(_draw_best(out_dir, fitted, variables, best, f'{stem}_scatter'))
    return pictures


def _paint(
    config: Config, model: Model, family: pd.DataFrame, title: str, stem: str
) -> list[Picture]:
    corrected = f'p_{model.correction}'
    drawn = paint_effects(family, corrected, model.alpha, title, config.work_dir / 'atlases')
    pictures = []
    for one in drawn:
        path = figure_file(f'{stem}_{one.kind}')
        save_svg(one.figure, config.out_dir / path)
        caption = f'{_WHERE[one.kind]} Red: positive; faded: does not hold after correction.'
        pictures.append(Picture(path, f'{title}, {one.kind}', caption))
    return pictures


def _effects(model: Model, family: pd.DataFrame) -> Effects:
    p = family['p'].to_numpy(float)
    holds = family[f'p_{model.correction}'].to_numpy(float) <= model.alpha
    scale = (family['cohens_d'] / family['estimate']).to_numpy(float)
    return Effects(
        [
            region or name
            for region, name in zip(family['region'], family['variable'], strict=True)
        ],
        family['cohens_d'].to_numpy(float),
        family['ci_low'].to_numpy(float) * scale,
        family['ci_high'].to_numpy(float) * scale,
        p,
        model.alpha,
        float(p[holds].max()) if holds.any() else float('nan'),
        CORRECTED[model.correction],
    )


def _draw_best(
    out_dir: Path, fitted: RegionModel, variables: Variables, best: pd.Series, stem: str
) -> Picture:
    """Draw what the contrast and the variable have beside the rest of the design."""
    names = [one.name for one in variables.variables]
    values = variables.values[fitted.design.rows, names.index(best['variable'])]
    known = np.isfinite(values)
    design, weights = fitted.design.matrix[known], fitted.weights[best['contrast']]
    # The regressor whose coefficient is the contrast, and a basis of what else there is.
    inverse = np.linalg.pinv(design.T @ design)
    tested = design @ inverse @ weights / float(weights @ inverse @ weights)
    residuals = values[known] - design @ (np.linalg.pinv(design) @ values[known])
    outcome = residuals + tested * float(best['estimate'])
    path = figure_file(stem)
    text = f'{best["n"]} observations, t = {best["t"]:.2f}, p = {p_text(best["p"])}'
    figure = draw_partial_regression(
        tested, outcome, (best['contrast'], best['region'] or best['variable']), text
    )
    save_svg(figure, out_dir / path)
    title = f'{best["contrast"]}: {best["variable"]}'
    caption = (
        'The region with the smallest p, adjusted for the other terms: its slope is the estimate.'
    )
    return Picture(path, title, caption)


def p_text(value: float) -> str:
    """Return a p-value as text."""
    return f'{value:.1e}' if value < 0.001 else f'{value:.3f}'


def name_table(row: pd.Series) -> str:
    """Return measure, atlas and kind of number as text."""
    return ' '.join(filter(None, (row['measure'], row['variant'], row['column'])))
