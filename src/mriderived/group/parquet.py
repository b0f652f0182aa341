"""The wide and the long table as Parquet: typed, compressed, and with units in the file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from mriderived import __version__
from mriderived.config import SLOPPY_TEXT
from mriderived.group.blocks import MISSING, Block
from mriderived.group.columns import CohortColumn
from mriderived.group.long_table import WHAT, About, nothing_lacks, session_label
from mriderived.group.records import Row

WIDE_PARQUET, LONG_PARQUET = (
    PurePosixPath('group_wide.parquet'),
    PurePosixPath('group_long.parquet'),
)
#: Participants of one row group of the wide table.
_ROWS = 2048
#: Values of one row group of the long one.
_VALUES = 1_000_000
_CATEGORY = pa.dictionary(pa.int32(), pa.string())
#: Cells of the row at a place of a block.
_Cells = Callable[[int], list[str] | None]


def write_wide_parquet(
    out_dir: Path, rows: Sequence[Row], blocks: Sequence[Block], is_sloppy: bool = False
) -> PurePosixPath:
    """Write one row per participant and session, with the columns of ``mriderived.tsv``."""
    columns = [column for block in blocks for column in block.columns]
    schema = _schema(
        [_id_field('participant_id'), _id_field('session_id'), *map(_field, columns)], is_sloppy
    )
    with _open(out_dir / WIDE_PARQUET, schema, categories=_names(schema)) as writer:
        for start in range(0, len(rows), _ROWS):
            span = slice(start, start + _ROWS)
            arrays = [_participants(rows[span]), _sessions(rows[span])]
            for block in blocks:
                arrays += _columns(block, span)
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
    return WIDE_PARQUET


def write_long_parquet(
    out_dir: Path,
    rows: Sequence[Row],
    blocks: Sequence[Block],
    about: Sequence[Sequence[About]],
    is_sloppy: bool = False,
) -> PurePosixPath:
    """Write one row per value; ``value`` has numbers, ``text`` words, and null is missing."""
    told = [one for of_block in about for one in of_block]
    texts = [pa.field(name, _CATEGORY) for name in ('text', 'reason')]
    schema = _schema(
        [
            pa.field('participant_id', _CATEGORY),
            pa.field('session_id', _CATEGORY),
            *(pa.field(column.name, _CATEGORY) for column in WHAT),
            pa.field('value', pa.float64()),
            *texts,
        ],
        is_sloppy,
    )
    codes = [_encode([one[place] for one in told]) for place in range(len(WHAT))]
    at_a_time = max(1, _VALUES // max(1, len(told)))
    with _open(out_dir / LONG_PARQUET, schema, categories=_names(schema)) as writer:
        for start in range(0, len(rows), at_a_time):
            span = slice(start, start + at_a_time)
            writer.write_table(_long_part(rows[span], blocks, span, codes, schema))
    return LONG_PARQUET


def _long_part(
    rows: Sequence[Row],
    blocks: Sequence[Block],
    span: slice,
    codes: Sequence[tuple[NDArray[np.int32], list[str]]],
    schema: pa.Schema,
) -> pa.Table:
    width = sum(len(block.columns) for block in blocks)
    numbers = np.concatenate([block.numbers[span] for block in blocks], axis=1)
    arrays = [
        _repeat(_participants(rows), width),
        _repeat(_sessions(rows), width),
        *(_category(np.tile(code, len(rows)), words) for code, words in codes),
        pa.array(numbers.ravel(), from_pandas=True),
        _words(rows, blocks, span, _texts_of),
        _words(rows, blocks, span, _reasons_of),
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def _texts_of(block: Block) -> _Cells:
    """Return a function of rows to their words, with n/a for numbers, or nothing."""
    is_text = [column.is_text for column in block.columns]
    if not any(is_text):
        return _nothing

    def find(place: int) -> list[str]:
        cells = block.values[place].split('\t')
        return [cell if flag else MISSING for cell, flag in zip(cells, is_text, strict=True)]

    return find


def _reasons_of(block: Block) -> _Cells:
    """Return a function of rows to their reasons, or nothing where no value lacks."""
    whole = nothing_lacks(block)

    def find(place: int) -> list[str] | None:
        reasons = block.reasons[place]
        return None if reasons == whole else reasons.split('\t')

    return find


def _nothing(place: int) -> None:
    del place


def _words(
    rows: Sequence[Row], blocks: Sequence[Block], span: slice, kind: Callable[[Block], _Cells]
) -> pa.Array:
    """Return the words of a part of the long table; n/a is null."""
    known: dict[str, int] = {}
    width = sum(len(block.columns) for block in blocks)
    codes = np.full((len(rows), width), -1, np.int32)
    first = 0
    for block in blocks:
        last, find = first + len(block.columns), kind(block)
        for number in range(len(rows)):
            cells = find(span.start + number)
            if cells is not None:
                codes[number, first:last] = [
                    -1 if cell == MISSING else known.setdefault(cell, len(known)) for cell in cells
                ]
        first = last
    return _category(codes.ravel(), list(known))


def _columns(block: Block, span: slice) -> list[pa.Array]:
    numbers = np.ascontiguousarray(block.numbers[span].T)
    texts = {place for place, column in enumerate(block.columns) if column.is_text}
    cells = [row.split('\t') for row in block.values[span]] if texts else []
    return [
        _category(*_encode([row[place] for row in cells]))
        if place in texts
        else pa.array(numbers[place], from_pandas=True)
        for place in range(len(block.columns))
    ]


def _participants(rows: Sequence[Row]) -> pa.Array:
    return _category(*_encode([f'sub-{row.participant}' for row in rows]))


def _sessions(rows: Sequence[Row]) -> pa.Array:
    return _category(*_encode([session_label(row) for row in rows]))


def _encode(words: Sequence[str]) -> tuple[NDArray[np.int32], list[str]]:
    """Return the number of each word, and the words in the order of their numbers; n/a is -1."""
    known: dict[str, int] = {}
    codes = [-1 if word == MISSING else known.setdefault(word, len(known)) for word in words]
    return np.array(codes, np.int32), list(known)


def _category(codes: NDArray[np.int32], words: list[str]) -> pa.Array:
    indices = pa.array(codes, mask=codes < 0)
    return pa.DictionaryArray.from_arrays(indices, pa.array(words, pa.string()))


def _repeat(array: pa.DictionaryArray, times: int) -> pa.Array:
    codes = np.repeat(array.indices.fill_null(-1).to_numpy(), times)
    return _category(codes.astype(np.int32), array.dictionary.to_pylist())


def _id_field(name: str) -> pa.Field:
    return pa.field(name, _CATEGORY)


def _field(column: CohortColumn) -> pa.Field:
    declared = column.source.describe(column.key.column)
    told = {'description': declared.description, 'measure': column.source.measure.name}
    if not column.is_text:
        told['unit'] = declared.unit
    return pa.field(column.name, _CATEGORY if column.is_text else pa.float64(), metadata=told)


def _names(schema: pa.Schema) -> list[str]:
    """Return the columns that hold words: only they are worth a dictionary in the file."""
    return [field.name for field in schema if field.type == _CATEGORY]


def _schema(fields: list[pa.Field], is_sloppy: bool) -> pa.Schema:
    told = {'mriderived': __version__, **({'sloppy': SLOPPY_TEXT} if is_sloppy else {})}
    return pa.schema(fields, metadata=told)


@contextmanager
def _open(path: Path, schema: pa.Schema, categories: list[str]) -> Iterator[pq.ParquetWriter]:
    """Open a Parquet file that appears whole or not at all."""
    partial = path.with_name(f'.{path.name}.{uuid4().hex}.partial')
    try:
        with pq.ParquetWriter(
            partial, schema, compression='zstd', use_dictionary=categories
        ) as writer:
            yield writer
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
