"""Measures beside what the raw dataset says of the participants: ``--join-covariates``.

This is the only table with anything from ``participants.tsv``, and it is written only if asked
for, because that may be more than the outputs should tell of a person.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import pandas as pd

from mriderived.bids.covariates import Covariates, read_covariates
from mriderived.bids.sidecar import write_sidecar
from mriderived.group.blocks import MISSING, Block
from mriderived.group.dictionary import describe_joined, mark_sloppy
from mriderived.group.known_people import check_sessions
from mriderived.group.long_table import WHO, session_label
from mriderived.group.records import Cohort, Row
from mriderived.group.sheets import read_sidecar
from mriderived.group.writing import write_lines

JOINED = PurePosixPath('group_joined.tsv')
#: People that a warning names.
_MOST_NAMED = 5


class JoinError(ValueError):
    """There is nothing to join; the message says why."""


class Known(NamedTuple):
    """Columns of the participants as they were written, and what is said of them."""

    frame: pd.DataFrame
    entries: Mapping[str, Mapping[str, Any]]


def write_joined(
    bids_dir: Path, out_dir: Path, cohort: Cohort, blocks: Sequence[Block], is_sloppy: bool = False
) -> PurePosixPath:
    """Write the columns of the participants in front of all measures.

    Raises
    ------
    JoinError
        The dataset has no such columns, or none for anybody in the cohort.
    CovariateError
        A table of the dataset cannot be used.
    """
    columns = [column for block in blocks for column in block.columns]
    known = _gather(bids_dir, cohort, {column.name for column in columns})
    write_lines(out_dir / JOINED, _lines(cohort.rows, known.frame, blocks))
    mark = mark_sloppy if is_sloppy else dict
    write_sidecar(out_dir / JOINED, mark(describe_joined(WHO, known.entries, columns)))
    return JOINED


def _gather(bids_dir: Path, cohort: Cohort, taken: set[str]) -> Known:
    covariates = read_covariates(bids_dir, as_text=True)
    names = _choose(covariates)
    if not names:
        raise JoinError(
            f'{bids_dir} has no participants.tsv, sessions.tsv or phenotype/*.tsv with columns'
        )
    frame = covariates.of([(row.participant, row.session) for row in cohort.rows])[list(names)]
    _warn_of_strangers(frame, covariates, cohort)
    renamed = {old: _free(new, covariates.origin[old], taken) for old, new in names.items()}
    for old, new in renamed.items():
        if new != names[old]:
            cohort.warnings.append(
                f'{names[old]} of {covariates.origin[old]} is called {new} in {JOINED}: '
                'a measure has its name'
            )
    entries = {new: _describe(bids_dir, covariates.origin[old], names[old], new)
               for old, new in renamed.items()}  # fmt: skip
    return Known(frame.rename(columns=renamed), entries)


def _choose(covariates: Covariates) -> dict[str, str]:
    """Return which columns are taken and under which name: each once, as its file has it.

    A column of ``phenotype/`` that an earlier table has, too, has its table's name in front.
    """
    chosen = {}
    for column in map(str, covariates.frame.columns):
        origin = covariates.origin[column]
        prefix = f'{PurePosixPath(origin).stem}_' if origin.startswith('phenotype/') else ''
        bare = column.removeprefix(prefix) if prefix else column
        if bare == column or covariates.origin.get(bare) != origin:
            chosen[column] = column
    return chosen


def _free(name: str, origin: str, taken: set[str]) -> str:
    """Return a name that no measure has, and take it."""
    wanted = name if name not in taken else f'{PurePosixPath(origin).stem}_{name}'
    while wanted in taken:
        wanted += '_'
    taken.add(wanted)
    return wanted


def _describe(bids_dir: Path, origin: str, name: str, shown: str) -> dict[str, Any]:
    """Return what the dictionary of a table says of a column, and which table that is."""
    told = read_sidecar(bids_dir / origin)
    bare = name.removeprefix(f'{PurePosixPath(origin).stem}_')
    entry = told.get(name, told.get(bare, {}))
    words = dict(entry) if isinstance(entry, Mapping) else {}
    return {'Description': f'{shown} of {origin}.', **words, 'Table': origin}


def _warn_of_strangers(frame: pd.DataFrame, covariates: Covariates, cohort: Cohort) -> None:
    """Name those of whom no table says anything."""
    unknown = frame.isna().all(axis=1).to_numpy()
    strangers = dict.fromkeys(
        f'sub-{row.participant}' for row, flag in zip(cohort.rows, unknown, strict=True) if flag
    )
    if len(strangers) == len({row.participant for row in cohort.rows}):
        for told in check_sessions(covariates, cohort.rows):
            raise JoinError(told)
        raise JoinError(
            'no table of the dataset names any participant of the results, such as '
            f'{next(iter(strangers))}: compare the labels in participants.tsv'
        )
    if strangers:
        named = ', '.join(list(strangers)[:_MOST_NAMED])
        rest = len(strangers) - _MOST_NAMED
        cohort.warnings.append(
            f'no table of the dataset says anything of {named}'
            + (f' and {rest} more' if rest > 0 else '')
            + f': their covariates are n/a in {JOINED}'
        )


def _lines(rows: Sequence[Row], frame: pd.DataFrame, blocks: Sequence[Block]) -> Iterator[str]:
    names = (column.name for block in blocks for column in block.columns)
    yield '\t'.join((*(column.name for column in WHO), *map(str, frame.columns), *names))
    filled = frame.where(frame.notna(), MISSING)
    for place, (row, cells) in enumerate(zip(rows, filled.itertuples(index=False), strict=True)):
        known = (f'sub-{row.participant}', session_label(row), *map(str, cells))
        yield '\t'.join((*known, *(block.values[place] for block in blocks)))
