"""The part of the cohort table that one measure fills: values, reasons and numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.group.columns import CohortColumn, Key, Source, find_file, name_columns
from mriderived.group.records import Cohort, Row, explain
from mriderived.group.regions import Layout, fit_layout, lay_out
from mriderived.group.sheets import (
    Layouts,
    Sheet,
    SheetError,
    find_missing_reason,
    read_sheet,
    read_sidecar,
)

MISSING = 'n/a'
#: How participants' tables say that there is no value.
NO_VALUE = ('', MISSING, 'nan', 'NaN')
#: Stands for a cell that a table does not have.
LACKING = '\0'


@dataclass(frozen=True)
class Block:
    """Columns of one source; cells of a row are tab-separated, ``numbers`` has NaN for text."""

    columns: tuple[CohortColumn, ...]
    values: tuple[str, ...]
    reasons: tuple[str, ...]
    numbers: NDArray[np.float64]


class _Find(NamedTuple):
    """What was found for one row: a sheet of a file, or the reason why there is none."""

    sheet: Sheet | None
    file: str = ''
    reason: str = ''


class _Filled(NamedTuple):
    values: str
    reasons: str
    numbers: NDArray[np.float64]


def build_block(
    source: Source,
    cohort: Cohort,
    out_dir: Path,
    taken: set[str] | None = None,
    columns: Sequence[CohortColumn] = (),
) -> Block:
    """Read the tables of ``source`` of all rows and put them below common columns.

    ``taken`` holds the names of columns in use and grows; ``columns`` are those of another block
    of this source, to be the same.
    """
    layouts: Layouts = {}
    finds = [_find(source, cohort, row, out_dir, layouts) for row in cohort.rows]
    sheets = [find.sheet for find in finds]
    layout = (
        fit_layout(source, [column.key for column in columns], sheets)
        if columns
        else lay_out(source, sheets, cohort, out_dir)
    )
    filler = _Filler(source, layout, sheets, out_dir)
    filled = []
    for row, find in zip(cohort.rows, finds, strict=True):
        if find.sheet is not None and id(find.sheet.keys) in layout.misfits:
            find = _Find(None, find.file, layout.misfits[id(find.sheet.keys)])
            cohort.warnings.append(f'sub-{row.participant}: {find.file}: {find.reason}')
        filled.append(filler.fill(find))
        if filler.complaint:
            cohort.warnings.append(f'sub-{row.participant}: {find.file}: {filler.complaint}')
    return Block(
        columns=tuple(columns)
        or tuple(
            name_columns(source, layout.keys, filler.text, set() if taken is None else taken)
        ),
        values=tuple(row.values for row in filled),
        reasons=tuple(row.reasons for row in filled),
        numbers=np.array([row.numbers for row in filled]).reshape(len(filled), len(layout.keys)),
    )


def _find(source: Source, cohort: Cohort, row: Row, out_dir: Path, layouts: Layouts) -> _Find:
    reason = cohort.faults.get(row.participant)
    unit = cohort.units.get((source.measure.name, source.variant), {}).get(row)
    if unit is None:
        return _Find(None, '', reason or _explain_absence(source, row))
    if unit.status != 'done':
        return _Find(None, '', explain(unit.status, unit.reason))
    file = find_file(source, unit.outputs) or ''
    try:
        if not file:
            raise SheetError('the record lists no such table: run the participant again')
        return _Find(read_sheet(out_dir / file, source, layouts), file)
    except SheetError as error:
        cohort.warnings.append(f'sub-{row.participant}: {file or source.measure.name}: {error}')
        return _Find(None, file, f'{file}: {error}' if file else str(error))


def _explain_absence(source: Source, row: Row) -> str:
    if source.measure.source == 'T1w':
        return 'not run for this participant'
    scope = source.measure.scope
    if scope.tasks or scope.is_multi_echo or scope.collections:
        return f'{"this" if row.image else "there"} is no {scope.describe()}'
    if row.image:
        return 'not run for this image'
    return f'there is no {source.measure.source} image'


class _Filler:
    """Turns what was found for a row into cells below the columns of a layout."""

    def __init__(
        self, source: Source, layout: Layout, sheets: Sequence[Sheet | None], out_dir: Path
    ) -> None:
        self._source = source
        self._keys = layout.keys
        self._out_dir = out_dir
        self._places: dict[int, list[int]] = {}
        self._complete = '\t'.join([MISSING] * len(self._keys))
        self._no_numbers = np.full(len(self._keys), np.nan)
        self._shared: dict[str, str] = {}
        #: Places of the columns that hold words.
        self.text = set() if source.has_regions else self._find_text(sheets)
        #: What was wrong with the cells of the last row.
        self.complaint = ''

    def fill(self, find: _Find) -> _Filled:
        """Return the cells of one row."""
        self.complaint = ''
        if find.sheet is None:
            return _Filled(self._complete, self._repeat(find.reason), self._no_numbers)
        cells = self._pick(find.sheet)
        try:
            numbers = np.fromiter(map(float, cells), float, len(cells))
        except ValueError:
            return self._fill_by_cell(cells, find.file)
        if np.isfinite(numbers).all():
            is_whole = find.sheet.keys == self._keys
            values = find.sheet.cells if is_whole else '\t'.join(cells)
            return _Filled(values, self._complete, numbers)
        return self._fill_by_cell(cells, find.file)

    def _pick(self, sheet: Sheet) -> list[str]:
        """Return the cells in the order of the columns; empty where the sheet lacks one."""
        cells = sheet.cells.split('\t') if sheet.keys else []
        if sheet.keys == self._keys:
            return cells
        if id(sheet.keys) not in self._places:
            place = {key: number for number, key in enumerate(sheet.keys)}
            self._places[id(sheet.keys)] = [place.get(key, -1) for key in self._keys]
        cells.append(LACKING)
        return [cells[place] for place in self._places[id(sheet.keys)]]

    def _fill_by_cell(self, cells: list[str], file: str) -> _Filled:
        sidecar = read_sidecar(self._out_dir / file).get('MissingReasons')
        values, reasons, numbers = [], [], self._no_numbers.copy()
        for place, (cell, key) in enumerate(zip(cells, self._keys, strict=True)):
            number = _to_number(cell)
            if number is not None:
                numbers[place] = number
            reason = '' if number is not None else self._judge(cell, place, key, sidecar)
            values.append(MISSING if reason else cell)
            reasons.append(reason or MISSING)
        return _Filled('\t'.join(values), '\t'.join(reasons), numbers)

    def _judge(self, cell: str, place: int, key: Key, sidecar: object) -> str:
        """Say why a cell has no number; nothing where a text is right."""
        if cell == LACKING:
            what = f'region {key.region}' if key.region else f'column {key.column}'
            self.complaint = f'the table lacks the {what}'
            return self.complaint
        if cell in NO_VALUE:
            return find_missing_reason(sidecar, key) or 'no value in the table of the participant'
        if place in self.text:
            return ''
        self.complaint = f'{cell[:20]!r} in column {key.column} is not a finite number'
        return find_missing_reason(sidecar, key) or self.complaint

    def _find_text(self, sheets: Sequence[Sheet | None]) -> set[int]:
        """Return the columns of words: declared as such, or some has a word and none a number."""
        words = {
            place
            for place, key in enumerate(self._keys)
            if not self._source.describe(key.column).unit
        }
        numbers: set[int] = set()
        for sheet in sheets:
            for place, cell in enumerate(self._pick(sheet) if sheet else ()):
                if cell not in (*NO_VALUE, LACKING):
                    (words if _to_number(cell) is None else numbers).add(place)
        return words - numbers

    def _repeat(self, reason: str) -> str:
        reason = ' '.join(reason.split()) or 'no reason given'
        if reason not in self._shared:
            self._shared[reason] = '\t'.join([reason] * len(self._keys))
        return self._shared[reason]


def _to_number(cell: str) -> float | None:
    try:
        number = float(cell)
    except ValueError:
        return None
    return number if np.isfinite(number) else None
