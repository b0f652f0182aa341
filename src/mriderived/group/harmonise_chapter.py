"""The part of ``group.html`` on harmonisation: tables without differences between sites."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from mriderived import __version__
from mriderived.bids.sidecar import write_sidecar
from mriderived.figures.sites import draw_sites
from mriderived.figures.style import save_svg
from mriderived.group.blocks import MISSING
from mriderived.group.chapters import Chapter, Picture, figure_file
from mriderived.group.columns import snake
from mriderived.group.harmonise import Harmonised, describe
from mriderived.group.model_files import Model
from mriderived.group.sample import Sample
from mriderived.group.variables import Variables
from mriderived.group.writing import write_lines

_HEADER = ('Table', 'Participants', 'Regions', 'Variance of sites before', 'after')
_TEXT = (
    'ComBat (Johnson et al. 2007, doi:10.1093/biostatistics/kxj037; Fortin et al. 2018, '
    'doi:10.1016/j.neuroimage.2017.11.024), one table at a time: what each site adds to and '
    'multiplies regions by was drawn towards its law over the regions, and taken off. {kept} '
    'Of everybody: do not predict from these values, for they know the participants that are '
    'tested.'
)


def find_harmonised_chapters(
    out_dir: Path, models: Sequence[Model], sample: Sample
) -> tuple[list[Chapter], list[str]]:
    """Write what a sample has harmonised, and say what was refused and why."""
    chapters, refused = [], []
    for model in models:
        chapter = Chapter(
            f'sites-{snake(model.name)}', f'Harmonised: {model.formula}', '', _HEADER
        )
        chapters.append(chapter)
        found = sample.harmonised[model.name]
        if isinstance(found, str):
            refused.append(found)
            chapter.text, chapter.header = 'Nothing was harmonised.', ()
            chapter.notes.append(found)
            continue
        _fill(out_dir, chapter, found, sample.variables)
    return chapters, refused


def _fill(out_dir: Path, chapter: Chapter, found: Harmonised, variables: Variables) -> None:
    kept = found.model.terms if found.model.terms.strip() != '1' else ''
    chapter.text = _TEXT.format(
        kept=f'Kept was what goes with {kept}.' if kept else 'No covariate was kept.'
    )
    chapter.rows = list(describe(found.tables))
    chapter.notes = found.notes
    path = PurePosixPath('models', f'harmonised-{found.model.name}.tsv')
    _write(out_dir / path, found, variables)
    chapter.files.append(path)
    for number, one in enumerate(found.tables, start=1):
        place = np.isin(found.rows, one.rows)
        name = ' '.join(filter(None, one.table))
        figure = draw_sites(one.before, one.after, found.sites[place], name)
        file = figure_file(f'sites_{snake(found.model.name)}_{number}')
        save_svg(figure, out_dir / file)
        caption = (
            'Mean over the regions, each in standard deviations of everybody: one dot per '
            'participant, by site, before and after.'
        )
        chapter.pictures.append(Picture(file, name, caption))


def _write(path: Path, found: Harmonised, variables: Variables) -> None:
    """Write all harmonised columns; whoever had no part in a table has no value."""
    values: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float64]]] = {}
    for one in found.tables:
        for place, column in zip(one.variables, one.after.T, strict=True):
            cells = np.full(len(variables.rows), np.nan)
            cells[one.rows] = column
            values[variables.variables[place].name] = cells
    has_sessions = any(row.session for row in variables.rows)
    header = ['participant_id', *(['session_id'] * has_sessions), *values]
    lines = ['\t'.join(header)]
    for number, row in enumerate(variables.rows):
        who = [f'sub-{row.participant}', *([f'ses-{row.session}'] * has_sessions)]
        numbers = (column[number] for column in values.values())
        shown = (f'{value:.10g}' if np.isfinite(value) else MISSING for value in numbers)
        lines.append('\t'.join([*who, *shown]))
    write_lines(path, lines)
    write_sidecar(path, {
        'Description': f'MRIderived {__version__}: columns of phenotype/mriderived.tsv without '
        f'differences between {found.model.outcome}.',
        'Formula': found.model.formula,
        **found.counts,
        'Sites': {str(site): int((found.sites == site).sum()) for site in np.unique(found.sites)},
        **{
            one.name: {'Description': f'{one.title}, harmonised.', 'Units': one.unit}
            for one in variables.variables if one.name in values
        },
    })  # fmt: skip
