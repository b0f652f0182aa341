"""Connectivity in tangent space over the participants, from the series that they wrote."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.bids.names import build_path, split_name
from mriderived.bids.sidecar import bids_uri, write_sidecar
from mriderived.bids.status import shorten_paths
from mriderived.config import Config
from mriderived.figures.style import save_svg
from mriderived.figures.time_courses import draw_matrices
from mriderived.group.chapters import Chapter, Picture, figure_file
from mriderived.group.connectivity_files import (
    MEASURE,
    Run,
    find_runs,
    group_path,
    label,
    mixed_tasks,
    read_names,
    read_values,
    write_values,
)
from mriderived.group.records import Cohort
from mriderived.group.unreadable import UNREADABLE
from mriderived.interfaces.tangent import Tangent, find_tangent

Matrix = NDArray[np.float64]
#: A run with fewer volumes left has no covariance worth a place in the mean.
FEWEST_FRAMES = 30
#: A run that lacks more of the regions than this is left out, instead of these for everybody.
MOST_LACKING = 0.2
REFERENCE = 'https://doi.org/10.1016/j.neuroimage.2019.02.062'
TEXT = (
    'The covariance of the standardised series of the regions (Ledoit and Wolf) of each '
    'participant, as the departure from the geometric mean of all: the matrix logarithm after '
    'whitening with the mean. Positive where a pair is more strongly coupled than on average.'
)
HEADER = ('Atlas', 'Runs', 'Regions', 'Regions left out', 'Runs left out')


class Series(NamedTuple):
    """Series (frames, regions) of runs, regions that all have, and what was left out and why."""

    runs: list[Run]
    courses: list[Matrix]
    kept: NDArray[np.bool_]
    lacking: NDArray[np.int64]
    reasons: dict[str, str]


def find_tangents(config: Config, cohort: Cohort) -> Chapter:
    """Write the matrices of every atlas; what is refused is a note and a warning."""
    chapter = Chapter('tangent', 'Connectivity in tangent space', TEXT, HEADER)
    for atlas in dict.fromkeys(cohort.variants(MEASURE)):
        try:
            _write_atlas(config, cohort, atlas or '', chapter)
        except ValueError as error:
            reason = f'{atlas}: no connectivity in tangent space: {error}'
            reason = shorten_paths(reason, config.out_dir)
            chapter.notes.append(reason)
            cohort.warnings.append(reason)
    return chapter


def _write_atlas(config: Config, cohort: Cohort, atlas: str, chapter: Chapter) -> None:
    found = find_runs(cohort, atlas, cohort.rows, config.out_dir)
    series = read_series(found.runs, found.names, config)
    series.reasons.update({label(row): reason for row, reason in found.reasons.items()})
    participants = len({run.row.participant for run in series.runs})
    if participants < 2:
        told = '; '.join(
            f'{name}: {reason}' for name, reason in sorted(series.reasons.items())[:3]
        )
        raise ValueError(
            f'it wants 2 participants and there are {participants}'
            + (f' ({told})' if told else '')
        )
    regions = int(series.kept.sum())
    if regions < 2:
        raise ValueError(f'{regions} of {len(found.names)} regions have a series in every run')
    _check_memory(len(series.runs), regions, config.mem_gb)
    tangent = find_tangent([courses[:, series.kept] for courses in series.courses])
    said = _describe(found.names, series, tangent)
    mean = group_path(series.runs, atlas, config, 'tangent', desc='mean')
    write_values(config.out_dir / mean, found.names, _spread(tangent.mean, series.kept))
    write_sidecar(config.out_dir / mean, {
        'Description': 'Geometric mean of the covariances of standardised series: the place in '
        'which the tangent space touches.', **said,
        'Sources': [bids_uri('', run.files['mean']) for run in series.runs],
    })  # fmt: skip
    chapter.files.append(mean)
    for run, matrix in zip(series.runs, tangent.matrices, strict=True):
        chapter.others.append(_write_own(config, run, found.names, matrix, series.kept, said))
    chapter.rows.append((
        atlas, str(len(series.runs)), str(regions), str(len(found.names) - regions),
        ', '.join(sorted(series.reasons)) or '–',
    ))  # fmt: skip
    chapter.notes += [f'{atlas}: {note}' for note in mixed_tasks(run.image for run in series.runs)]
    chapter.notes += [f'{atlas}: {name} is left out: {reason}.'
                      for name, reason in sorted(series.reasons.items())]  # fmt: skip
    chapter.notes += [f'{atlas}: {told}' for told in _lacking_notes(found.names, series)]
    if not tangent.converged:
        chapter.notes.append(f'{atlas}: the mean was still changing when its search ended.')
    _draw(config, atlas, tangent, series, chapter)


def read_series(runs: Sequence[Run], names: Sequence[str], config: Config) -> Series:
    """Read the series of runs, and tell which regions all of them have."""
    kept_runs, courses, reasons = [], [], {}
    for run in runs:
        name = label(run.row)
        try:
            path = config.out_dir / run.files['mean']
            if read_names(path) != tuple(names):
                raise ValueError('other regions than its matrix')
            values = read_values(path)
        except UNREADABLE as error:
            reasons[name] = f'its series cannot be read ({error})'
            continue
        lacking = np.count_nonzero(~_has_series(values)) / max(len(names), 1)
        if len(values) < FEWEST_FRAMES:
            reasons[name] = f'it has {len(values)} volumes left, and {FEWEST_FRAMES} are needed'
        elif lacking > MOST_LACKING:
            reasons[name] = f'it lacks {100 * lacking:.0f} % of the regions'
        else:
            kept_runs.append(run)
            courses.append(values)
    there = np.array([_has_series(values) for values in courses]).reshape(-1, len(names))
    lacking_runs = np.count_nonzero(~there, axis=0)
    return Series(kept_runs, courses, lacking_runs == 0, lacking_runs, reasons)


def _has_series(courses: Matrix) -> NDArray[np.bool_]:
    if not len(courses):
        return np.zeros(courses.shape[1], bool)
    return np.asarray(np.isfinite(courses).all(axis=0) & (np.ptp(courses, axis=0) > 0))


def _check_memory(runs: int, regions: int, mem_gb: float) -> None:
    # covariances, whitened ones, their logarithms and the result are there at once
    needed = 5 * runs * regions**2 * 8 / 2**30
    if needed > mem_gb:
        raise ValueError(
            f'{runs} runs of {regions} regions take about {needed:.0f} GiB of memory, and '
            f'{mem_gb:g} are allowed: give more --mem, or fewer --participant-label'
        )


def _describe(names: Sequence[str], series: Series, tangent: Tangent) -> dict[str, Any]:
    return {
        'Reference': REFERENCE,
        'Runs': len(series.runs),
        'Converged': tangent.converged,
        'RegionsLeftOut': {
            name: f'no series in {count} of {len(series.runs)} runs'
            for name, count in zip(names, series.lacking, strict=True)
            if count
        },
        'RunsLeftOut': series.reasons,
    }


def _lacking_notes(names: Sequence[str], series: Series) -> list[str]:
    left = [name for name, keep in zip(names, series.kept, strict=True) if not keep]
    if not left:
        return []
    told = ', '.join(left[:5]) + (f' and {len(left) - 5} more' if len(left) > 5 else '')
    return [f'{len(left)} of {len(names)} regions are left out, for not all runs have a series '
            f'of them: {told}.']  # fmt: skip


def _write_own(
    config: Config,
    run: Run,
    names: Sequence[str],
    matrix: Matrix,
    kept: NDArray[np.bool_],
    said: dict[str, Any],
) -> PurePosixPath:
    entities = {**split_name(run.files['mean']).entities, 'stat': 'tangent'}
    path = build_path(entities, datatype='func', suffix='relmat', extension='.tsv')
    write_values(config.out_dir / path, names, _spread(matrix, kept))
    write_sidecar(config.out_dir / path, {
        'Description': 'Departure of the covariance from the geometric mean of the cohort, in '
        'tangent space. One row and one column per region, in the same order.', **said,
        'Sources': [bids_uri('', run.files['mean'])],
    })  # fmt: skip
    return path


def _spread(matrix: Matrix, kept: NDArray[np.bool_]) -> Matrix:
    whole = np.full((len(kept), len(kept)), np.nan)
    whole[np.ix_(kept, kept)] = matrix
    return whole


def _draw(config: Config, atlas: str, tangent: Tangent, series: Series, chapter: Chapter) -> None:
    departure = np.sqrt((tangent.matrices**2).mean(axis=0))
    shown = {'Mean of the cohort': tangent.mean, 'Departure (root mean square)': departure}
    limits = {title: _limit(values) for title, values in shown.items()}
    whole = {title: _spread(values, series.kept) for title, values in shown.items()}
    path = figure_file(f'tangent_{"".join(filter(str.isalnum, atlas))}')
    save_svg(draw_matrices(whole, limits), config.out_dir / path)
    chapter.pictures.append(
        Picture(
            path,
            f'Tangent space of {atlas}',
            'Left: the geometric mean of the covariances. '
            'Right: how far participants are from it. Grey: regions left out.',
        )
    )


def _limit(values: Matrix) -> float:
    apart = np.abs(values[~np.eye(len(values), dtype=bool)])
    return float(np.percentile(apart, 99)) or 1.0
