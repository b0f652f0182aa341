"""The part of ``group.html`` on models of regions: tables, figures and what was left out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd

from mriderived import __version__
from mriderived.bids.covariates import Covariates
from mriderived.bids.sidecar import sidecar_path, write_sidecar
from mriderived.config import Config
from mriderived.group.agreement_chapter import compare_pipelines
from mriderived.group.blocks import MISSING
from mriderived.group.chapters import Chapter
from mriderived.group.columns import snake
from mriderived.group.guard import guard
from mriderived.group.model_design import impute_policy
from mriderived.group.model_figures import CORRECTED, Matrix, draw_family
from mriderived.group.model_files import Model
from mriderived.group.model_rows import HEADER, list_estimates
from mriderived.group.region_models import RegionModel, fit_regions
from mriderived.group.sample import Sample
from mriderived.group.variables import Variables
from mriderived.group.writing import write_lines

#: A model of one family has a figure for each contrast, as long as there are no more than these.
MOST_FIGURES = 24
NOTE_OF_HARMONISED = (
    'values are harmonised; the degrees of freedom that sites took are not counted, so p-values '
    'are somewhat too small, the more so the less even sites are (Nygaard et al. 2016, '
    'doi:10.1093/biostatistics/kxv027)'
)
_ERRORS = {
    'classical': 'Ordinary least squares.',
    'robust': 'Ordinary least squares with standard errors that hold for unequal variances (HC3).',
    'mixed': 'Linear mixed model with a random intercept per participant (restricted likelihood).',
}
_COLUMNS = {
    'variable': 'Column of phenotype/mriderived.tsv.',
    'measure': 'Measure.',
    'variant': 'Atlas or space.',
    'region': 'Region.',
    'index': 'Number of the region in its atlas.',
    'column': 'Kind of number.',
    'unit': 'Unit of estimate, se, ci_low and ci_high, per unit of the regressor.',
    'contrast': 'Coefficient, or weighted sum of coefficients, that is tested against 0; or a '
    'term or contrast of several, tested at once.',
    'n': 'Observations.',
    'dof': 'Degrees of freedom of the residuals; n/a for mixed models, whose t is normal.',
    'estimate': 'Effect.',
    'se': 'Its standard error.',
    'ci_low': 'Lower bound of its 95 % confidence interval.',
    'ci_high': 'Upper bound.',
    't': 'Estimate over its standard error; n/a where several are tested at once.',
    'f': 'F of what is tested, with dof_tested and dof degrees of freedom: the square of t where '
    'that is one contrast, Wald\'s statistic over dof_tested for robust errors and mixed models.',
    'dof_tested': 'Contrasts that are tested at once.',
    'p': 'p-value of t (two-sided) or F, uncorrected.',
    'p_bonferroni': 'p after Bonferroni, over the family.',
    'p_holm': 'p after Holm, over the family.',
    'p_fdr': 'p after Benjamini and Hochberg (false discovery rate), over the family.',
    'partial_r2': 'Share of the variance that the other terms leave which the contrast explains.',
    'cohens_d': 'Estimate in standard deviations of the residuals: Cohen\'s d for two groups.',
    'reason': 'Why there is no estimate.',
}  # fmt: skip


def find_model_chapters(
    config: Config, models: Sequence[Model], known: Covariates, sample: Sample
) -> tuple[list[Chapter], list[str]]:
    """Fit all models, write their tables and figures.

    Returns a part of the page for each model, and why models were refused.
    """
    chapters: list[Chapter] = []
    refused: list[str] = []
    for model in models:
        chapter = Chapter(_anchor(model), f'Model: {model.formula}', '')
        chapters.append(chapter)
        with guard(chapter, refused, 'This model was not fitted.'):
            variables = sample.values_for(model)
            fitted = fit_regions(model, variables, sample.covariates)
            _write(config, chapter, fitted, variables, known)
            if model.harmonised:
                chapter.notes.append(NOTE_OF_HARMONISED)
            pairs = compare_pipelines(config.out_dir, fitted)
            chapters += [pairs] if pairs else []
    return chapters, refused


def _anchor(model: Model) -> str:
    return f'model-{snake(model.name)}'


def join_covariates(known: Covariates, variables: Variables) -> pd.DataFrame:
    """Return what models may be of, in the order of the rows: covariates, then our numbers."""
    told = known.of([(row.participant, row.session) for row in variables.rows])
    own = variables.frame()
    table = told.reset_index(drop=True)
    return pd.concat([table, own[[name for name in own if name not in table]]], axis=1)


def _write(
    config: Config,
    chapter: Chapter,
    fitted: RegionModel,
    variables: Variables,
    known: Covariates,
) -> None:
    model, out_dir = fitted.model, config.out_dir
    chapter.text, chapter.header = _tell(fitted), HEADER
    path = PurePosixPath('models', f'model-{model.name}_stats.tsv')
    write_table(out_dir / path, fitted)
    chapter.files.append(path)
    chapter.rows, shortened = list_estimates(fitted.table, model.correction)
    chapter.notes = [*filter(None, [shortened]), *_list_notes(fitted), *known.notes]
    keys = ['contrast', 'measure', 'variant', 'column']
    families = [family for _, family in fitted.table.groupby(keys, sort=False)]
    for number, family in enumerate(families[:MOST_FIGURES], start=1):
        if family['p'].notna().any():
            chapter.pictures += draw_family(config, fitted, variables, family, number)
    if len(families) > MOST_FIGURES:
        chapter.notes.append(f'{len(families) - MOST_FIGURES} more families are in the table only')


def _tell(fitted: RegionModel) -> str:
    model, design = fitted.model, fitted.design
    over = 'the model' if model.family == 'model' else 'the regions of one table'
    return (
        f'{_ERRORS[model.errors]} {len(design.rows)} observations, coefficients '
        f'{", ".join(design.names)}. {impute_policy(model.missing)} p-values are two-sided, and '
        f'corrected over {over}, one contrast at a time; the page shows {CORRECTED[model.correction]}, '  # noqa: E501
        'the table all three.'
    )  # fmt: skip


def _list_notes(fitted: RegionModel) -> list[str]:
    table, notes = fitted.table, fitted.design.notes
    for is_known, what in ((False, 'no estimate'), (True, 'an estimate and no test')):
        without = table[(table['reason'] != '') & (table['estimate'].notna() == is_known)]
        for contrast, mine in without.groupby('contrast', sort=False):
            notes.append(
                f'{contrast}: {len(mine)} variables have {what} ({mine["reason"].iloc[0]}'
                f'{", …" * (mine["reason"].nunique() > 1)}): see the column reason of the table'
            )
    fewest, most = table['n'].min(), table['n'].max()
    if fewest < most:
        notes.append(f'variables have between {fewest} and {most} observations: see the column n')
    return notes


def _tell_weights(names: Sequence[str], weights: Matrix) -> object:
    """Return the weights by coefficient; one such entry per row where there are several."""
    if weights.ndim == 2:
        return [_tell_weights(names, row) for row in weights]
    return dict(zip(names, weights.tolist(), strict=True))


def write_table(path: Path, fitted: RegionModel) -> None:
    """Write all estimates of a model, and what the columns are."""
    table, model = fitted.table, fitted.model
    header = '\t'.join(map(str, table.columns))
    body = ('\t'.join(map(_cell, row)) for row in table.itertuples(index=False))
    write_lines(path, [header, *body])
    content: dict[str, Any] = {
        'Description': f'MRIderived {__version__}: {model.formula}.',
        'Formula': model.formula,
        'Errors': model.errors,
        'MissingCovariates': model.missing,
        'Family': model.family,
        'Harmonised': bool(model.harmonised),
        'Coefficients': list(fitted.design.names),
        'Contrasts': {
            title: _tell_weights(fitted.design.names, weights)
            for title, weights in fitted.weights.items()
        },
        'Observations': len(fitted.design.rows),
        **fitted.design.counts,
        **{name: {'Description': text} for name, text in _COLUMNS.items()},
    }
    write_sidecar(sidecar_path(path).with_suffix('.tsv'), content)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f'{value:.8g}' if np.isfinite(value) else MISSING
    return str(value) or MISSING
