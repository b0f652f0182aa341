"""Find the tables of other BIDS Apps by their names, and read them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

from mriderived.group.blocks import NO_VALUE
from mriderived.group.derivatives import Derivatives
from mriderived.group.records import Row
from mriderived.group.sheets import Grid, SheetError, read_grid
from mriderived.group.unreadable import UNREADABLE

_PAIR = re.compile(r'([a-zA-Z0-9]+)-([a-zA-Z0-9+]+)')
Content = TypeVar('Content')


class Named(NamedTuple):
    """A file of somebody, with the entities of its name."""

    row: Row
    entities: Mapping[str, str]
    path: Path


def name_row(name: str) -> tuple[Row, dict[str, str]] | None:
    """Return whose file it is and its entities; nothing where no name of BIDS.

    >>> name_row('sub-01_ses-a_task-rest_bold')
    (Row(session='a', participant='01', image=''), {'sub': '01', 'ses': 'a', 'task': 'rest'})
    """
    entities = dict(_PAIR.findall(name.partition('.')[0]))
    return (Row(entities.get('ses', ''), entities['sub']), entities) if 'sub' in entities else None


def find_named(folder: Path, pattern: str) -> list[Named]:
    """Return the files below a folder of participants that fit a pattern, sorted."""
    found = []
    for path in sorted(folder.rglob(pattern)):
        known = name_row(path.name)
        if known is not None:
            found.append(Named(*known, path))
    return found


def choose_runs(found: Iterable[Named]) -> list[Named]:
    """Return one file per row: of several runs, rest before other tasks, then the lowest."""
    chosen: dict[Row, Named] = {}
    for one in sorted(found, key=_rank):
        chosen.setdefault(one.row, one)
    return [chosen[row] for row in sorted(chosen)]


def rank_run(entities: Mapping[str, str]) -> tuple[bool, int, str]:
    """Return by what runs of somebody are put into order, as our own are."""
    run = entities.get('run', '0')
    return entities.get('task', 'rest') != 'rest', int(run) if run.isdigit() else 0, run


def choose_space(
    found: Sequence[Named], warnings: list[str], reasons: dict[Row, str]
) -> list[Named]:
    """Return the files of the space that most people have; others do not compare.

    ``reasons`` grows by those who have files of other spaces alone.
    """
    people = Counter(
        space for _, space in {(one.row, one.entities.get('space', '')) for one in found}
    )
    if len(people) < 2:
        return list(found)
    usual = min(people, key=lambda space: (-people[space], space))
    rest = ', '.join(f'{space or "no space"} ({people[space]})' for space in sorted(people)
                     if space != usual)  # fmt: skip
    warnings.append(
        f'{found[0].path.name} and others are of more than one space: {usual} ({people[usual]} '
        f'people) is in the table, {rest} is not'
    )
    chosen = [one for one in found if one.entities.get('space', '') == usual]
    there = {one.row for one in chosen}
    for one in found:
        if one.row not in there:
            space = one.entities.get('space') or 'no space'
            reasons[one.row] = f'{one.path.name} is of {space}, and most people have {usual}'
    return chosen


def read_each(
    files: Iterable[Named],
    read: Callable[[Path], Content],
    found: Derivatives,
    reasons: dict[Row, str],
) -> Iterator[tuple[Named, Content]]:
    """Yield what each file says; one that cannot be read is a reason and a warning."""
    for one in files:
        try:
            content = read(one.path)
        except UNREADABLE as error:
            reasons[one.row] = f'{one.path.name}: {error}'
            found.warnings.append(reasons[one.row])
            continue
        yield one, content


def read_rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of a table as cells by heading; a broken one raises :class:`SheetError`."""
    grid = read_grid(path)
    width = len(grid.header)
    return [
        dict(zip(grid.header, grid.cells[start : start + width], strict=True))
        for start in range(0, len(grid.cells), width)
    ]


def need_columns(grid: Grid, *names: str) -> None:
    """Raise :class:`SheetError` where a table lacks a column."""
    for name in names:
        if name not in grid.header:
            raise SheetError(f'the table lacks the column {name}')


def to_number(cell: str) -> float | None:
    """Return the number in a cell, or nothing where it holds a word or no value."""
    if cell in NO_VALUE:
        return None
    try:
        return float(cell)
    except ValueError:
        return None


def _rank(one: Named) -> tuple[Row, tuple[bool, int, str], str]:
    return one.row, rank_run(one.entities), one.path.name
