"""Read one participant's table, quickly and without trusting it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mriderived.group.columns import Key, Source

_TAB, _NEWLINE = ord('\t'), ord('\n')


class SheetError(ValueError):
    """A participant's table cannot be used; the message says why, without the file's name."""


class Sheet(NamedTuple):
    """The cells of a table that go to the cohort, tab-separated, and what each of them is."""

    keys: tuple[Key, ...]
    cells: str


class Grid(NamedTuple):
    """A TSV file cut into cells, row after row."""

    header: list[str]
    cells: list[str]

    def column(self, name: str) -> list[str]:
        """Return the cells below a heading."""
        return self.cells[self.header.index(name) :: len(self.header)]


#: Keys by layout, so that ten thousand equal layouts share one tuple.
Layouts = dict[tuple[str, ...], tuple[Key, ...]]


def read_grid(path: Path) -> Grid:
    """Read a TSV file; a cut-off or ragged one raises :class:`SheetError`."""
    try:
        text = path.read_bytes().decode()
    except FileNotFoundError:
        raise SheetError('the file is missing: run the participant again') from None
    except OSError as error:
        raise SheetError(f'the file cannot be read: {error.strerror}') from error
    except UnicodeDecodeError as error:
        raise SheetError(f'the file cannot be read: {error}') from error
    if '\r' in text:
        text = text.replace('\r\n', '\n')
    if not text.endswith('\n'):
        raise SheetError('the file is cut off' if text else 'the file is empty')
    first, _, body = text.partition('\n')
    header = first.split('\t')
    if len(set(header)) != len(header) or not _is_even(body, len(header)):
        raise SheetError('the rows do not match the header')
    return Grid(header, body[:-1].replace('\n', '\t').split('\t') if body else [])


def _is_even(body: str, width: int) -> bool:
    """Tell whether every line has so many cells; of a megabyte in a millisecond."""
    data = np.frombuffer(body.encode(), np.uint8)
    marks = data[(data == _TAB) | (data == _NEWLINE)]
    if len(marks) % width:
        return False
    rows = marks.reshape(-1, width)
    return bool((rows[:, :-1] == _TAB).all() and (rows[:, -1] == _NEWLINE).all())


def read_sheet(path: Path, source: Source, layouts: Layouts) -> Sheet:
    """Read the cells of ``source`` that go to the cohort."""
    grid = read_grid(path)
    return _read_regions(grid, source, layouts) if source.has_regions else _read_row(grid, layouts)


def _read_row(grid: Grid, layouts: Layouts) -> Sheet:
    if len(grid.cells) != len(grid.header):
        rows = len(grid.cells) // len(grid.header)
        raise SheetError(f'the table has {rows} rows instead of one')
    layout = tuple(grid.header)
    keys = layouts.setdefault(layout, tuple(Key('', '', name) for name in layout))
    return Sheet(keys, '\t'.join(grid.cells))


def _read_regions(grid: Grid, source: Source, layouts: Layouts) -> Sheet:
    columns = [name for name in source.cohort_columns if name in grid.header]
    if not columns or not {'index', 'name'} <= set(grid.header):
        wanted = ', '.join(('index', 'name', *source.cohort_columns))
        raise SheetError(f'the table lacks one of the columns {wanted}')
    index, names = grid.column('index'), grid.column('name')
    # Three long words are hashed and compared in a tenth of the time of thousands of short ones.
    layout = ('\t'.join(columns), '\t'.join(index), '\t'.join(names))
    if layout not in layouts:
        if len(set(zip(index, names, strict=True))) != len(index):
            raise SheetError('the table lists a region twice')
        layouts[layout] = tuple(
            Key(number, name, column)
            for number, name in zip(index, names, strict=True)
            for column in columns
        )
    cells = grid.column(columns[0])
    if len(columns) > 1:
        rows = zip(*(grid.column(name) for name in columns), strict=True)
        cells = [cell for row in rows for cell in row]
    return Sheet(layouts[layout], '\t'.join(cells))


def read_sidecar(path: Path) -> Mapping[str, Any]:
    """Read the JSON beside a table; nothing if there is none that can be read."""
    try:
        content = json.loads(path.with_suffix('.json').read_bytes())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def find_missing_reason(reasons: object, key: Key) -> str:
    """Look a cell up in ``MissingReasons``.

    Its keys are columns, region names or region indices, its values reasons, or the same again.
    """
    for _ in range(2):
        if not isinstance(reasons, Mapping):
            break
        found = (reasons.get(name) for name in (key.column, key.region, key.number) if name)
        reasons = next((reason for reason in found if reason), '')
    return ' '.join(reasons.split()) if isinstance(reasons, str) else ''
