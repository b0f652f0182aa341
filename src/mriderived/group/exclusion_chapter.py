"""The part of ``group.html`` on whom statistics leave out, and what that changes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from mriderived import __version__
from mriderived.bids.sidecar import write_sidecar
from mriderived.config import Config
from mriderived.group.agreement import compare
from mriderived.group.agreement_chapter import draw_pair, list_names, number_text
from mriderived.group.blocks import MISSING
from mriderived.group.chapters import Chapter, figure_file
from mriderived.group.columns import snake
from mriderived.group.exclusion import Exclusion
from mriderived.group.model_chapter import write_table
from mriderived.group.model_files import Model, ModelError
from mriderived.group.region_models import RegionModel, fit_regions
from mriderived.group.sample import Sample
from mriderived.group.variables import Variables
from mriderived.group.writing import write_lines

_COLUMNS = {
    'participant_id': 'Participant.',
    'session_id': 'Session; n/a where there are none.',
    'reason': 'Every rule and rating that leaves them out.',
}
_COMPARED = ('Model', 'Contrast', 'Table', 'n with', 'n without', 'r of estimates', 'r of t',
             'hold in both', 'with only', 'without only')  # fmt: skip
#: So many families are drawn.
DRAWN = 6


def tell_exclusion(config: Config, found: Exclusion, variables: Variables) -> Chapter:
    """Write the list of those who are left out, and make a chapter of it."""
    count = len(found.reasons)
    chapter = Chapter(
        'exclusions', 'Left out of statistics',
        f'{count} of {len(variables.rows)} rows are left out of models, maps, harmonisation, '
        'prediction and norms, by --exclude and --ratings. The tables keep them.',
        ('Participant', 'Session', 'Reason'), notes=list(found.notes),
    )  # fmt: skip
    rows = [
        (f'sub-{row.participant}', f'ses-{row.session}' if row.session else MISSING,
         '; '.join(found.reasons[row]))
        for row in variables.rows if row in found.reasons
    ]  # fmt: skip
    chapter.rows = list(rows)
    path = PurePosixPath('models', 'excluded.tsv')
    write_lines(config.out_dir / path, ['\t'.join(_COLUMNS), *map('\t'.join, rows)])
    write_sidecar(config.out_dir / path, {
        'Description': f'MRIderived {__version__}: who is left out of statistics.',
        'Rules': list(config.exclude),
        'Ratings': config.ratings.name if config.ratings else MISSING,
        **{name: {'Description': text} for name, text in _COLUMNS.items()},
    })  # fmt: skip
    chapter.files.append(path)
    return chapter


def compare_with_everybody(
    out_dir: Path,
    models: Sequence[Model],
    everybody: Sample,
    stayed: Sample,
) -> Chapter:
    """Fit all models with those who are left out, too, and say what changes."""
    chapter = Chapter(
        'exclusions-compared', 'Models with and without those left out',
        'Every model of regions was fitted twice. Estimates and t are compared over regions; a '
        'region holds where p is below alpha after the correction of the model.', _COMPARED,
    )  # fmt: skip
    for model in models:
        try:
            whole, part = (
                fit_regions(model, one.values_for(model), one.covariates)
                for one in (everybody, stayed)
            )
        except ModelError as error:
            chapter.notes.append(str(error))
            continue
        path = PurePosixPath('models', f'model-{model.name}_desc-everybody_stats.tsv')
        write_table(out_dir / path, whole)
        chapter.files.append(path)
        _compare_families(out_dir, chapter, whole, part)
    return chapter


def _compare_families(
    out_dir: Path, chapter: Chapter, whole: RegionModel, part: RegionModel
) -> None:
    model = whole.model
    keys = ['contrast', 'measure', 'variant', 'column']
    others = dict(iter(part.table.groupby(keys, sort=False)))
    for number, (key, family) in enumerate(whole.table.groupby(keys, sort=False), start=1):
        if key not in others:
            chapter.notes.append(f'{model.formula}: {key[0]} cannot be tested without them')
            continue
        found = compare(family, others[key], 'variable', f'p_{model.correction}', model.alpha)
        table = ' '.join(filter(None, map(str, key[1:])))
        chapter.rows.append((
            model.name, str(key[0]), table, str(family['n'].max()), str(others[key]['n'].max()),
            number_text(found.r_estimate), number_text(found.r_t), str(found.both),
            list_names(found.first_only), list_names(found.second_only),
        ))  # fmt: skip
        if np.isfinite(found.r_t) and len(chapter.pictures) < DRAWN:
            path = figure_file(f'exclusions_{snake(model.name)}_{number}')
            chapter.pictures.append(draw_pair(
                out_dir, path, found, ('everybody', 'without those left out'), f'{key[0]}: {table}'
            ))  # fmt: skip
