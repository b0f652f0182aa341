"""The part of ``group.html`` on norms: who deviates, whether norms hold, and their curves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mriderived import __version__
from mriderived.bids.sidecar import write_sidecar
from mriderived.config import Config
from mriderived.core.normative import share_below
from mriderived.figures.norms import Curve, draw_calibration, draw_centiles
from mriderived.figures.style import save_svg
from mriderived.group.blocks import MISSING
from mriderived.group.chapters import Chapter, Picture, figure_file
from mriderived.group.columns import snake
from mriderived.group.exclusion_effects import compare_norms
from mriderived.group.guard import guard
from mriderived.group.model_files import Model, ModelError
from mriderived.group.norms import NormResult, draw_curve, find_norms, pose_norms
from mriderived.group.rules import Rule, read_rule
from mriderived.group.sample import Sample
from mriderived.group.variables import Variables
from mriderived.group.writing import write_lines

Matrix = NDArray[np.float64]
LEVELS = np.array([1, 2.5, 5, 10, 25, 50, 75, 90, 95, 97.5, 99]) / 100
#: Beyond this is 5 % of the people, of each region.
FAR = 1.96
#: Regions whose curves the page shows.
CURVES = 6
#: Points of a curve.
POINTS = 80
NOTE_OF_NORMS = (
    'values are harmonised, by sites of which everybody had a part, those who are judged, too'
)
_HEADER = ('Participant', 'Regions', 'Below 2.5 %', 'Above 97.5 %', 'Lowest', 'Highest')
_TEXT = (
    'For each variable, mean and log-variance go with the covariates{along}. Nobody was judged by '
    'a curve that they helped to draw: {who}. z is the normal deviate of the centile, under a law '
    'that counts how unsure the curve is. Of {m} variables and {n} rows, z has mean {mean:.3f} '
    'and standard deviation {sd:.3f}; {low:.1f} % are below the 5th centile and {high:.1f} % '
    'above the 95th. A deviation is a distance from these people, no diagnosis.'
)
_FIT = {
    'variable': 'Column of phenotype/mriderived.tsv.',
    'n': 'Rows that have a z.',
    'mean_z': 'Mean of z: 0 where the curve of the mean holds.',
    'sd_z': 'Standard deviation of z: 1 where that of the spread holds.',
    'below_5': 'Share of rows below the 5th centile.',
    'below_95': 'Share of rows below the 95th centile.',
    'explained': 'Share of the variance that the covariates explain, out of sample.',
    'reason': 'Why there are no norms.',
}


def find_norms_chapters(
    config: Config, models: Sequence[Model], sample: Sample, everybody: Sample | None = None
) -> tuple[list[Chapter], list[str]]:
    """Find the norms of all models, write z and centiles, and say what was refused and why.

    With ``everybody``, norms are found with those who are left out, too, and compared.
    """
    chapters: list[Chapter] = []
    refused: list[str] = []
    for model in models:
        chapter = Chapter(f'norms-{snake(model.name)}', f'Norms: {model.formula}', '', _HEADER)
        chapters.append(chapter)
        with guard(chapter, refused, 'No norms were found.'):
            rule = read_rule(config.norms_reference) if config.norms_reference else None
            variables = sample.values_for(model)
            task = pose_norms(model, variables, sample.covariates, rule)
            found = find_norms(task, config.random_seed)
            _fill(config.out_dir, chapter, found, variables, rule)
            if model.harmonised:
                chapter.notes.append(NOTE_OF_NORMS)
            if everybody is None:
                continue
            try:
                chapters.append(_compare(config, found, sample, everybody, rule))
            except ModelError as error:
                chapter.notes.append(f'there are no norms with everybody: {error}')
    return chapters, refused


def _compare(
    config: Config, found: NormResult, sample: Sample, everybody: Sample, rule: Rule | None
) -> Chapter:
    model = found.task.model
    variables = everybody.values_for(model)
    task = pose_norms(model, variables, everybody.covariates, rule)
    whole = find_norms(task, config.random_seed)
    return compare_norms(config.out_dir, (found, whole), (sample.values_for(model), variables))


def _fill(
    out_dir: Path, chapter: Chapter, found: NormResult, variables: Variables, rule: Rule | None
) -> None:
    fit = describe_fit(found, variables)
    chapter.text = _tell(found, rule)
    chapter.rows = _list_people(found, variables)
    chapter.notes = _list_notes(found)
    chapter.files += [
        _write_values(out_dir, 'z', found.z, found, variables),
        _write_values(out_dir, 'centile', 100 * found.centile, found, variables),
        _write_fit(out_dir, found, fit),
    ]
    chapter.pictures += _draw(out_dir, found, variables, fit)


def _tell(found: NormResult, rule: Rule | None) -> str:
    task, known = found.task, found.centile[np.isfinite(found.centile)]
    z = found.z[np.isfinite(found.z)]
    along = f'; along {task.axis.name}, in curves (B-splines)' if task.axis else ''
    folds = 'ten folds, each judged by the other nine'
    who = f'the reference ({rule}) in {folds}, all others by all of it' if rule else folds
    if not len(z):
        return 'No variable has norms.'
    return _TEXT.format(
        along=along, who=who, m=found.z.shape[1] - len(found.without),
        n=int(np.isfinite(found.z).any(axis=1).sum()), mean=z.mean(), sd=z.std(),
        low=100 * (known < 0.05).mean(), high=100 * (known > 0.95).mean(),
    )  # fmt: skip


def describe_fit(found: NormResult, variables: Variables) -> pd.DataFrame:
    """Return one row per variable: whether its norms hold; see ``_FIT``."""
    values, rows = found.task.values, []
    shares = share_below(found.centile, [0.05, 0.95])
    for place, number in enumerate(found.task.variables):
        z = found.z[:, place]
        known = np.isfinite(z)
        error = values[known, place] - found.expected[known, place]
        explained = 1 - error.var() / values[known, place].var() if known.sum() > 1 else np.nan
        rows.append((
            variables.variables[number].name, int(known.sum()),
            *((z[known].mean(), z[known].std()) if known.any() else (np.nan, np.nan)),
            *shares[:, place], explained, found.without.get(number, ''),
        ))  # fmt: skip
    return pd.DataFrame(rows, columns=list(_FIT))


def _list_people(found: NormResult, variables: Variables) -> list[Sequence[str]]:
    """Return all participants, those who deviate in most regions first."""
    z, names = found.z, [variables.variables[place].name for place in found.task.variables]
    known = np.isfinite(z).sum(axis=1)
    far = (np.abs(z) > FAR).sum(axis=1)
    order = np.argsort(-far / np.maximum(known, 1), kind='stable')
    rows: list[Sequence[str]] = []
    for place in order:
        if not known[place]:
            continue
        least, most = int(np.nanargmin(z[place])), int(np.nanargmax(z[place]))
        rows.append((
            ' '.join(_who(variables, int(found.task.design.rows[place]))), str(known[place]),
            str(int((z[place] < -FAR).sum())), str(int((z[place] > FAR).sum())),
            f'{names[least]} ({z[place, least]:.1f})', f'{names[most]} ({z[place, most]:.1f})',
        ))  # fmt: skip
    return rows


def _who(variables: Variables, row: int) -> tuple[str, ...]:
    one = variables.rows[row]
    return (f'sub-{one.participant}', f'ses-{one.session}') if one.session else (f'sub-{one.participant}',)  # noqa: E501  # fmt: skip


def _list_notes(found: NormResult) -> list[str]:
    notes = found.task.design.notes
    for reason in sorted({str(one) for one in found.reasons} - {''}):
        notes.append(f'{int((found.reasons == reason).sum())} not judged: {reason}')
    if found.without:
        reason = next(iter(found.without.values()))
        notes.append(f'{len(found.without)} variables have no norms ({reason}, …)')
    return notes


def _write_values(
    out_dir: Path, kind: str, values: Matrix, found: NormResult, variables: Variables
) -> PurePosixPath:
    task, model = found.task, found.task.model
    path = PurePosixPath('models', f'norms-{model.name}_{kind}.tsv')
    columns = [variables.variables[place] for place in task.variables]
    lines = ['\t'.join(['participant_id', 'session_id', *(one.name for one in columns)])]
    for place, row in enumerate(task.design.rows):
        who = variables.rows[row]
        cells = [f'sub-{who.participant}', f'ses-{who.session}' if who.session else MISSING]
        cells += [f'{one:.4f}' if np.isfinite(one) else MISSING for one in values[place]]
        lines.append('\t'.join(cells))
    write_lines(out_dir / path, lines)
    judged = {
        ' '.join(_who(variables, int(task.design.rows[place]))): str(reason)
        for place, reason in enumerate(found.reasons) if reason
    }  # fmt: skip
    text = {
        'z': 'standard deviations from what is expected',
        'centile': 'per cent of people below',
    }
    write_sidecar(out_dir / path, {
        'Description': f'MRIderived {__version__}: {model.formula}, {text[kind]}, out of sample.',
        'Formula': model.formula,
        'Coefficients': list(task.design.names),
        'Reference': int(task.draws.sum()),
        **task.design.counts,
        'NotJudged': judged,
        **{
            one.name: {
                'Description': f'{one.title}: {text[kind]}.',
                'Units': '1' if kind == 'z' else 'percent',
                **({'Reason': found.without[place]} if place in found.without else {}),
            }
            for place, one in zip(task.variables, columns, strict=True)
        },
    })  # fmt: skip
    return path


def _write_fit(out_dir: Path, found: NormResult, fit: pd.DataFrame) -> PurePosixPath:
    path = PurePosixPath('models', f'norms-{found.task.model.name}_fit.tsv')
    body = ('\t'.join(map(_cell, row)) for row in fit.itertuples(index=False))
    write_lines(out_dir / path, ['\t'.join(_FIT), *body])
    write_sidecar(out_dir / path, {
        'Description': f'MRIderived {__version__}: whether the norms of {found.task.model.formula} hold.',  # noqa: E501
        **{name: {'Description': text} for name, text in _FIT.items()},
    })  # fmt: skip
    return path


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f'{value:.6g}' if np.isfinite(value) else MISSING
    return str(value) or MISSING


def _draw(
    out_dir: Path, found: NormResult, variables: Variables, fit: pd.DataFrame
) -> list[Picture]:
    model = found.task.model
    if not np.isfinite(found.z).any():
        return []
    path = figure_file(f'norms_{snake(model.name)}_calibration')
    shares = share_below(found.centile, LEVELS)
    with_norms = np.isfinite(shares).all(axis=0)
    title = f'Do the norms of {model.outcome} hold?'
    save_svg(draw_calibration(LEVELS, shares[:, with_norms], found.z, title), out_dir / path)
    pictures = [Picture(
        path, title,
        'Left: share of people below each centile, less the centile: 0 is right. Right: all z.',
    )]  # fmt: skip
    axis = found.task.axis
    if axis is None:
        return pictures
    best = np.argsort(-fit['explained'].fillna(-np.inf).to_numpy(), kind='stable')
    at = np.linspace(axis.knots[0], axis.knots[-1], POINTS)
    curves = []
    for place in best[:CURVES]:
        known = np.isfinite(found.z[:, place])
        if not known.any():
            continue
        one = variables.variables[found.task.variables[place]]
        mean, deviation = draw_curve(found, int(place), at)
        people = found.task.design.matrix[known, axis.place]
        curves.append(
            Curve(one.region or one.name, one.unit, at, mean, deviation, people,
                  found.z[known, place])
        )  # fmt: skip
    path = figure_file(f'norms_{snake(model.name)}_centiles')
    save_svg(draw_centiles(curves, axis.name), out_dir / path)
    caption = (
        'The variables of which the covariates explain most; lines: centiles 2.5, 10, 25, 50, 75, '
        '90 and 97.5 of all that draw curves, other covariates at their mean. Each dot is a '
        'person at their own centile; red is outside of 95 %.'
    )
    return [*pictures, Picture(path, f'Centiles along {axis.name}', caption)]
