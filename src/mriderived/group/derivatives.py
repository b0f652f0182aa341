"""Results of others in the cohort table: ``--derivatives NAME=FOLDER``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mriderived.group.blocks import MISSING, Block
from mriderived.group.columns import Key, Source, name_columns
from mriderived.group.records import Row
from mriderived.measures.base import Column, Measure, Output


@dataclass
class Sheet:
    """Numbers of one table of another tool: by row, then by region (or '') and column.

    ``reasons`` say of rows why they have none.
    """

    name: str
    title: str
    reference: str
    columns: tuple[Column, ...]
    variant: str = ''
    values: dict[Row, dict[tuple[str, str], float]] = field(default_factory=dict)
    reasons: dict[Row, str] = field(default_factory=dict)

    def add(self, row: Row, region: str, column: str, value: float) -> None:
        """Put one number in."""
        self.values.setdefault(row, {})[region, column] = value


@dataclass
class Derivatives:
    """What the folder of another tool holds; ``refused`` says which folders hold nothing."""

    sheets: list[Sheet] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    @property
    def rows(self) -> set[Row]:
        """Everybody who has a number."""
        return {row for sheet in self.sheets for row in sheet.values}

    def fit(self, rows: Iterable[Row]) -> None:
        """Move the session of those who have one row of the cohort, without session, there."""
        known = list(rows)
        sessions = {row.participant for row in known if row.session}
        plain = {row.participant for row in known} - sessions
        for sheet in self.sheets:
            for table in (sheet.values, sheet.reasons):
                for row in [row for row in table if row.session and row.participant in plain]:
                    _move(table, row)


def _move(table: dict[Row, Any], row: Row) -> None:
    """Take the session from a row."""
    table[row._replace(session='')] = table.pop(row)


def place_sheets(sheets: Iterable[Sheet], rows: Sequence[Row], taken: set[str]) -> list[Block]:
    """Return the blocks of sheets: their columns in the cohort table, behind our own.

    ``taken`` holds the names of columns in use and grows. Whoever lacks a number has a reason.
    """
    return [_place(sheet, rows, taken) for sheet in sheets if sheet.values]


def _place(sheet: Sheet, rows: Sequence[Row], taken: set[str]) -> Block:
    cells = dict.fromkeys(key for values in sheet.values.values() for key in values)
    keys = _sort(cells, sheet.columns)
    regions = [region for region, _ in keys]
    source = _declare(sheet, has_regions=any(regions))
    named = name_columns(source, [Key('', region, column) for region, column in keys], (), taken)
    values, reasons, numbers = [], [], []
    for row in rows:
        mine = _of(sheet.values, row)
        found = [mine.get(key, np.nan) for key in keys]
        why = _of(sheet.reasons, row) or f'{sheet.title} has no result of this participant'
        partly = f'{sheet.title} has no such number of this participant' + (
            f' ({why})' if mine and _of(sheet.reasons, row) else ''
        )
        values.append('\t'.join(_write(v) if np.isfinite(v) else MISSING for v in found))
        reasons.append(
            '\t'.join(MISSING if np.isfinite(v) else (partly if mine else why) for v in found)
        )
        numbers.append(found)
    return Block(tuple(named), tuple(values), tuple(reasons),
                 np.array(numbers, float).reshape(len(rows), len(keys)))  # fmt: skip


def _write(number: float) -> str:
    """Return the shortest text of a number that is read back as the same one.

    >>> _write(1000.0), _write(712345.123456789)
    ('1000', '712345.123456789')
    """
    return repr(float(number)).removesuffix('.0')


def _sort(cells: Iterable[tuple[str, str]], columns: Sequence[Column]) -> list[tuple[str, str]]:
    """Sort by region, in the order of the tables, then by column, in that of the declaration."""
    known = list(cells)
    regions = {region: place for place, (region, _) in reversed(list(enumerate(known)))}
    order = {column.name: place for place, column in enumerate(columns)}
    return sorted(known, key=lambda cell: (regions[cell[0]], order[cell[1]]))


def _of(known: Mapping[Row, Any], row: Row) -> Any:
    """Return what is known of a row; what has no session holds for all sessions of somebody."""
    found = known.get(row)
    return found if found is not None else known.get(Row('', row.participant), {})


def _declare(sheet: Sheet, *, has_regions: bool) -> Source:
    """Return the declaration of a table that no workflow of ours makes."""
    output = Output(
        field=sheet.name,
        datatype='anat',
        suffix='morph',
        description=f'{sheet.title}.',
        extension='.tsv',
        columns=sheet.columns,
        cohort_columns=tuple(column.name for column in sheet.columns) if has_regions else (),
    )
    measure = Measure(
        name=sheet.name,
        title=sheet.title,
        needs=(),
        outputs=(output,),
        init_wf=_refuse,
        reference=sheet.reference,
        methods='',
        over='atlas' if sheet.variant else 'image',
    )
    return Source(measure, output, sheet.variant or None)


def _refuse(config: object) -> None:
    raise TypeError('results of others are read, not made')
