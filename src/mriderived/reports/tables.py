"""Tables of the output folder, with their dictionaries, as the report shows them."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mriderived.reports.units import choose_unit, write_unit

#: Columns that name a row instead of measuring it.
NAMING = frozenset({'index', 'name', 'hemisphere', 'tissue', 'abbreviation', 'participant_id'})
#: Endings of tables that describe labels or hold series, not measures.
OTHER = ('_dseg.tsv', '_timeseries.tsv', '_relmat.tsv', '_probseg.tsv')


@dataclass(frozen=True)
class Value:
    """One number: of a region or, where ``region`` is empty, of the whole image.

    ``raw`` and ``raw_unit`` are those of the file, ``text`` and ``unit`` are for readers.
    """

    region: str
    column: str
    raw: str
    raw_unit: str
    title: str
    text: str
    unit: str
    description: str
    reason: str = ''


@dataclass(frozen=True)
class Table:
    """The values of one file."""

    title: str
    file: str
    kind: Literal['quality', 'measures']
    values: tuple[Value, ...]

    @property
    def is_regional(self) -> bool:
        """Whether rows are regions."""
        return any(value.region for value in self.values)


def read_table(out_dir: Path, path: Path, title: str, problems: list[str]) -> Table | None:
    """Read a table of regions or of one row; ``None`` if the file is neither.

    What cannot be read is told in ``problems``, so that the rest of the report is still made.
    """
    if path.name.endswith(OTHER):
        return None
    try:
        rows = _read_rows(path)
    except (OSError, ValueError, csv.Error) as error:
        problems.append(f'{path} cannot be read: {error}. Run this participant again.')
        return None
    if not rows or ('index' not in rows[0] and len(rows) > 1):
        return None
    dictionary = read_mapping(path.with_suffix('.json'), problems)
    values = tuple(
        _value(row, column, dictionary)
        for row in rows
        for column in row
        if column and column not in NAMING and _is_measure(rows, column)
    )
    kind: Literal['quality', 'measures'] = 'quality' if path.stem.endswith('_qc') else 'measures'
    return Table(title, path.relative_to(out_dir).as_posix(), kind, values)


def _is_measure(rows: list[dict[str, str]], column: str) -> bool:
    """Whether every cell is a number or missing; text describes, it does not measure."""
    return all(row[column] in ('n/a', '') or _number(row[column]) is not None for row in rows)


def _value(row: Mapping[str, str], column: str, dictionary: Mapping[str, Any]) -> Value:
    raw = row[column] or 'n/a'
    about = dictionary.get(column)
    about = about if isinstance(about, dict) else {}
    unit = str(about.get('Units', ''))
    region = row.get('name', '') if 'index' in row else ''
    shown = choose_unit(unit, is_region='index' in row)
    keys = (column, region, row.get('index', ''))
    reason = find_reason(dictionary.get('MissingReasons'), keys) if raw == 'n/a' else ''
    return Value(
        region=region or (f'label {row["index"]}' if 'index' in row else ''),
        column=column,
        raw=raw,
        raw_unit=write_unit(unit),
        title=str(about.get('LongName', column)),
        text=format_number(raw, shown.factor),
        unit=shown.unit,
        description=str(about.get('Description', '')),
        reason=reason,
    )


def find_reason(reasons: object, keys: tuple[str, ...]) -> str:
    """Look up why a value is missing: by column, region or index, or by two of them in turn."""
    for _ in range(2):
        if not isinstance(reasons, Mapping):
            break
        reasons = next((reasons[key] for key in keys if key and reasons.get(key)), '')
    return reasons if isinstance(reasons, str) else ''


def _read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding='utf-8', newline='') as stream:
        table = csv.DictReader(stream, delimiter='\t', quoting=csv.QUOTE_NONE, restval='n/a')
        names: list[str] = list(table.fieldnames or ())
        return [{name: row[name] for name in names} for row in table]


def read_mapping(path: Path, problems: list[str]) -> dict[str, Any]:
    """Read a JSON object; empty, with a line in ``problems``, if the file does not hold one."""
    content = read_json(path, problems)
    return content if isinstance(content, dict) else {}


def read_json(path: Path, problems: list[str]) -> Any:
    """Read a JSON file; ``None`` if there is none, or if it is broken."""
    if not path.exists():
        return None
    try:
        return json.loads(path.read_text(encoding='utf-8'))
    except (OSError, ValueError) as error:
        problems.append(f'{path} is not valid JSON: {error}. Run this participant again.')
        return None


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def format_number(text: str, factor: float = 1.0) -> str:
    """Write a number, times ``factor``, for reading: thin spaces in thousands, about four digits.

    >>> format_number('0.123456'), format_number('2.5'), format_number('n/a')
    ('0.1235', '2.5', 'n/a')
    >>> format_number('1234567.8') == '1\u202f234\u202f568'
    True
    """
    number = _number(text)
    if number is None:
        return text
    number *= factor
    size = abs(number)
    if number == int(number) or size >= 1000:
        written = f'{number:,.0f}' if size < 1e15 else f'{number:.4g}'
    elif size >= 1:
        written = f'{number:.{1 if size >= 100 else 2 if size >= 10 else 3}f}'.rstrip('0')
        written = written.rstrip('.')
    else:
        written = f'{number:.4g}'
    return written.replace(',', '\u202f').replace('-', '\u2212')
