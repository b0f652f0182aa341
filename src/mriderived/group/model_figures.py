"""Pictures of a model: effects of all regions, where they are, and the largest of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mriderived.config import Config
from mriderived.core.multiple_tests import critical_p
from mriderived.figures.effects import Effects, draw_effects, draw_partial_regression
from mriderived.figures.style import save_svg
from mriderived.group.blocks import MISSING
from mriderived.group.chapters import Picture, figure_file
from mriderived.group.columns import snake
from mriderived.group.model_files import Model
from mriderived.group.painted import paint_effects
from mriderived.group.region_models import RegionModel
from mriderived.group.spots import ON_CLICK, find_spots
from mriderived.group.variables import Variables

Matrix = NDArray[np.float64]
#: A row of the table of a model.
Estimate = pd.Series | Mapping[str, Any]
CORRECTED = {'fdr': 'false discovery rate', 'holm': 'Holm', 'bonferroni': 'Bonferroni'}
_WHERE = {
    'cortex': 'of every region on the inflated cortex of fsaverage5.',
    'slices': 'of every region on the template.',
}
_OF_EFFECTS = (
    'Each dot is a region; those that are coloured hold after correction (red: positive, '
    'blue: negative). Right: the regions with the smallest p.'
)
_OF_SHARES = (
    'Each dot is a region; those that are red hold after correction. Right: the regions with the '
    'smallest p, and the share of what the other terms leave that this one explains.'
)


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
        save_svg(draw_effects(_effects(fitted, family), title), out_dir / path)
        pictures.append(Picture(path, title, _OF_SHARES if is_joint(first) else _OF_EFFECTS))
        pictures += _paint(config, model, family, title, stem)
    best = family.sort_values('p', kind='stable').iloc[0]
    pictures.append(_draw_best(out_dir, fitted, variables, best, f'{stem}_scatter'))
    return pictures


def _paint(
    config: Config, model: Model, family: pd.DataFrame, title: str, stem: str
) -> list[Picture]:
    corrected = f'p_{model.correction}'
    statistic = 'f' if is_joint(family.iloc[0]) else 't'
    drawn = paint_effects(
        family, corrected, model.alpha, title, config.work_dir / 'atlases', statistic
    )
    pictures = []
    for one in drawn:
        path = figure_file(f'{stem}_{one.kind}')
        save_svg(one.figure, config.out_dir / path)
        name = 'F' if statistic == 'f' else 't'
        sign = '' if statistic == 'f' else ' Red: positive.'
        caption = f'{name} {_WHERE[one.kind]}{sign} Faded: does not hold after correction.'
        pictures.append(Picture(path, f'{title}, {one.kind}', caption))
    return pictures


def _effects(fitted: RegionModel, family: pd.DataFrame) -> Effects:
    model, table = fitted.model, fitted.table
    together = table[table['contrast'] == family['contrast'].iloc[0]]
    together = together if model.family == 'model' else family
    p = family['p'].to_numpy(float)
    corrected = together[f'p_{model.correction}'].dropna().to_numpy(float)
    scale = (family['cohens_d'] / family['estimate']).to_numpy(float)
    effects = Effects(
        [
            region or name
            for region, name in zip(family['region'], family['variable'], strict=True)
        ],
        family['cohens_d'].to_numpy(float),
        family['ci_low'].to_numpy(float) * scale,
        family['ci_high'].to_numpy(float) * scale,
        p,
        model.alpha,
        critical_p(corrected, model.correction, model.alpha),
        CORRECTED[model.correction],
    )
    if not is_joint(family.iloc[0]):
        return effects
    return effects._replace(effect=family['partial_r2'].to_numpy(float), label='partial R²')


def _draw_best(
    out_dir: Path, fitted: RegionModel, variables: Variables, best: pd.Series, stem: str
) -> Picture:
    """Draw what the contrast and the variable have beside the rest of the design."""
    names = [one.name for one in variables.variables]
    values = variables.values[fitted.design.rows, names.index(best['variable'])]
    known = np.isfinite(values)
    design, weights = fitted.design.matrix[known], fitted.weights[best['contrast']]
    tested, outcome = _partial(design, np.atleast_2d(weights), values[known])
    path = figure_file(stem)
    text = f'{best["n"]} observations, {statistic_text(best)}, p = {p_text(best["p"])}'
    figure = draw_partial_regression(
        tested, outcome, (best['contrast'], best['region'] or best['variable']), text
    )
    people = [variables.rows[row] for row in fitted.design.rows[known]]
    spots = find_spots(figure.axes[0], tested, outcome, people)
    save_svg(figure, out_dir / path)
    title = f'{best["contrast"]}: {best["variable"]}'
    slope = 'what the term adds, along the line' if is_joint(best) else 'its slope is the estimate'
    caption = f'The region with the smallest p, adjusted for the other terms: {slope}.'
    return Picture(path, title, f'{caption} {ON_CLICK}', spots)


def _partial(design: Matrix, weights: Matrix, values: Matrix) -> tuple[Matrix, Matrix]:
    """Return regressor and outcome (n,) without what the rest of a design explains.

    Of one contrast, the regressor is that whose coefficient it is; of several rows, what they
    add to the fit.
    """
    inverse = np.linalg.pinv(design.T @ design)
    coefficients = np.linalg.pinv(design) @ values
    own = design @ inverse @ weights.T @ np.linalg.inv(weights @ inverse @ weights.T)
    added = own @ (weights @ coefficients)
    residuals = values - design @ coefficients
    tested = own[:, 0] if len(weights) == 1 else added
    return np.asarray(tested), np.asarray(residuals + added)


def is_joint(row: Estimate) -> bool:
    """Tell whether several contrasts were tested at once."""
    return bool(row['dof_tested'] > 1)


def statistic_text(row: pd.Series) -> str:
    """Return t, or F with its degrees of freedom."""
    return f'F = {f_text(row)}' if is_joint(row) else f't = {row["t"]:.2f}'


def f_text(row: Estimate) -> str:
    """Return F with both degrees of freedom; those of mixed models are endless."""
    left = f'{row["dof"]:.0f}' if np.isfinite(row['dof']) else '∞'
    return f'{row["f"]:.2f} ({row["dof_tested"]:.0f}, {left})'


def p_text(value: float) -> str:
    """Return a p-value as text."""
    if np.isnan(value):
        return MISSING
    return f'{value:.1e}' if value < 0.001 else f'{value:.3f}'


def name_table(row: Estimate) -> str:
    """Return measure, atlas and kind of number as text."""
    return ' '.join(filter(None, (row['measure'], row['variant'], row['column'])))
