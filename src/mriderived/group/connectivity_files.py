"""What participants have of connectivity: whose, of which regions, and how much they moved."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mriderived.bids.names import build_path, split_name
from mriderived.config import Config
from mriderived.group.blocks import NO_VALUE
from mriderived.group.records import Cohort, Row, Unit, explain
from mriderived.group.sheets import read_grid
from mriderived.group.unreadable import UNREADABLE
from mriderived.spaces import UnavailableError, get_atlas

Matrix = NDArray[np.float64]
MEASURE = 'connectivity'
#: Of the name of an output, what belongs to the atlas and not to the image.
_OF_ATLAS = ('atlas', 'seg', 'scale', 'label')


class Run(NamedTuple):
    """The reference run of a participant (and session), and its files by what they hold."""

    row: Row
    image: str
    files: Mapping[str, str]


class Matrices(NamedTuple):
    """Runs with the same regions, their names, and why others were left out."""

    runs: list[Run]
    names: tuple[str, ...]
    reasons: dict[Row, str]


def label(row: Row) -> str:
    """Return what a participant (and session) is called in a file or a picture."""
    return f'sub-{row.participant}' + (f'_ses-{row.session}' if row.session else '')


def find_runs(cohort: Cohort, atlas: str | None, rows: Iterable[Row], out_dir: Path) -> Matrices:
    """Return the runs of ``rows`` with a connectivity matrix of the regions that most have."""
    units = cohort.units.get((MEASURE, atlas), {})
    runs, names, reasons = [], {}, {}
    for row in rows:
        unit = units.get(row)
        if unit is None or unit.status != 'done':
            reasons[row] = _explain(cohort, row, unit)
            continue
        run = Run(row, unit.image, _by_content(unit))
        try:
            names[row] = read_names(out_dir / run.files['pearsoncorrelation'])
        except UNREADABLE as error:
            reasons[row] = f'the matrix cannot be read ({error}): run the participant again'
            continue
        runs.append(run)
    votes = Counter(names.values())
    winner = min(votes, key=lambda found: (-votes[found], found), default=())
    for row, found in names.items():
        if found != winner:
            reasons[row] = 'the matrix has other regions than those of most participants'
    return Matrices([run for run in runs if run.row not in reasons], winner, reasons)


def _explain(cohort: Cohort, row: Row, unit: Unit | None) -> str:
    if unit is not None:
        return explain(unit.status, unit.reason)
    return cohort.faults.get(row.participant) or 'there is no bold image'


def _by_content(unit: Unit) -> dict[str, str]:
    files = {}
    for file in unit.outputs:
        name = split_name(file)
        if name.extension == '.tsv' and 'stat' in name.entities:
            files[name.entities['stat']] = file
    return files


def read_names(path: Path) -> tuple[str, ...]:
    """Return the header of a table."""
    with path.open(encoding='utf-8') as stream:
        return tuple(next(stream, '').rstrip('\n').split('\t'))


def read_values(path: Path) -> Matrix:
    """Return the numbers below the header of a table, NaN where there is none."""
    table = pd.read_csv(path, sep='\t', header=None, skiprows=1, na_values='n/a')
    return table.to_numpy(np.float64)


def read_motion(
    cohort: Cohort, runs: Iterable[Run], out_dir: Path, reasons: dict[Row, str]
) -> dict[Row, float]:
    """Return the mean framewise displacement of runs in mm, NaN where it is not known.

    ``reasons`` grows by those whose table cannot be read.
    """
    found = {}
    for run in runs:
        try:
            found[run.row] = _read_displacement(cohort, run, out_dir)
        except UNREADABLE as error:
            found[run.row] = float('nan')
            reasons[run.row] = (
                f'the framewise displacement cannot be read ({error}): run the participant again'
            )
    return found


def _read_displacement(cohort: Cohort, run: Run, out_dir: Path) -> float:
    unit = cohort.units.get(('bold_confounds', None), {}).get(run.row)
    tables = [file for file in unit.outputs if file.endswith('.tsv')] if unit else []
    if unit is None or unit.image != run.image or not tables:
        return float('nan')
    cells = read_grid(out_dir / tables[0]).column('framewise_displacement')
    known = [float(cell) for cell in cells if cell not in NO_VALUE]
    return float(np.mean(known)) if known else float('nan')


def group_path(
    runs: Sequence[Run], atlas: str | None, config: Config, stat: str, **more: str
) -> PurePosixPath:
    """Return the name of a matrix of a cohort: the atlas' space, the task, the atlas, the rest."""
    names = [split_name(run.files['pearsoncorrelation']).entities for run in runs]
    entities = {key: names[0][key] for key in _OF_ATLAS if key in names[0]}
    tasks = {name.get('task', '') for name in names}
    if len(tasks) == 1 and '' not in tasks:
        entities['task'] = tasks.pop()
    return build_path(
        {'tpl': _space(atlas, config), **entities, 'stat': stat, **more},
        datatype='func',
        suffix='relmat',
        extension='.tsv',
    )


def _space(atlas: str | None, config: Config) -> str:
    try:
        return get_atlas(atlas or '').space
    except UnavailableError:
        return config.output_spaces[0]


def write_values(path: Path, names: Sequence[str], values: Matrix) -> None:
    """Write a matrix below the names of its columns, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f'.{path.name}.partial')
    try:
        with partial.open('w', encoding='utf-8', newline='\n') as stream:
            stream.write('\t'.join(names) + '\n')
            table = pd.DataFrame(values)
            table.to_csv(stream, sep='\t', index=False, header=False, na_rep='n/a',
                         float_format='%.7g', lineterminator='\n')  # fmt: skip
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def mixed_tasks(images: Iterable[str]) -> list[str]:
    """Return a note where the images are not all of the same task."""
    tasks = Counter(split_name(image).entities.get('task', 'n/a') for image in images)
    if len(tasks) < 2:
        return []
    told = ', '.join(f'{task} ({number})' for task, number in sorted(tasks.items()))
    return [f'The reference runs are of different tasks: {told}.']
