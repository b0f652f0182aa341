"""Write the cohort tables: whole or not at all, the same bytes for the same outputs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any
from uuid import uuid4

from mriderived.bids.names import phenotype_path
from mriderived.bids.sidecar import sidecar_path, write_sidecar
from mriderived.bids.status import write_text
from mriderived.group.blocks import Block
from mriderived.group.columns import Source, snake
from mriderived.group.dictionary import (
    describe_measure,
    describe_reasons,
    describe_wide,
    mark_sloppy,
)
from mriderived.group.records import Row

WIDE = 'mriderived'
REASONS = 'mriderived_reasons'
#: Files that the group level writes beside tables, and none of the participant level.
_OF_COHORT = r'tpl-|models/|figures/group_|sub-.*_(stat-tangent|desc-dualregression)_'


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write a text file line by line so that no reader ever sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f'.{path.name}.{uuid4().hex}.partial')
    try:
        with partial.open('w', encoding='utf-8', newline='\n') as stream:
            stream.writelines(f'{line}\n' for line in lines)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def measure_path(source: Source, session: str) -> PurePosixPath:
    """Return where the table of a measure (and atlas or space) goes."""
    measure, variant = source.measure, source.variant or ''
    if measure.over == 'space':
        return phenotype_path(f'{measure.name}_{snake(variant)}', None, session or None)
    atlas = re.sub('[^A-Za-z0-9]', '', variant)
    return phenotype_path(measure.name, atlas or None, session or None)


def write_tables(
    out_dir: Path,
    session: str,
    rows: Sequence[Row],
    first: int,
    blocks: Sequence[Block],
    is_sloppy: bool = False,
) -> list[PurePosixPath]:
    """Write the tables of one session, whose rows begin at ``first`` in the blocks.

    ``is_sloppy`` marks the dictionaries of all of them.
    """
    span = range(first, first + len(rows))
    mark = mark_sloppy if is_sloppy else dict
    written = []
    for path, mine in _by_file(blocks, session).items():
        columns = [column for block in mine for column in block.columns]
        _write(out_dir / path, rows, mine, [block.values for block in mine], span,
               mark(describe_measure(mine[0].columns[0].source.measure, columns)))  # fmt: skip
        written.append(path)
    columns = [column for block in blocks for column in block.columns]
    wide, reasons = (phenotype_path(name, None, session or None) for name in (WIDE, REASONS))
    _write(out_dir / wide, rows, blocks, [block.values for block in blocks], span,
           mark(describe_wide(columns)))  # fmt: skip
    _write(out_dir / reasons, rows, blocks, [block.reasons for block in blocks], span,
           mark(describe_reasons(columns)))  # fmt: skip
    return [*written, wide, reasons]


def _by_file(blocks: Sequence[Block], session: str) -> dict[PurePosixPath, list[Block]]:
    files: dict[PurePosixPath, list[Block]] = {}
    for block in blocks:
        files.setdefault(measure_path(block.columns[0].source, session), []).append(block)
    return files


def _write(
    path: Path,
    rows: Sequence[Row],
    blocks: Sequence[Block],
    cells: Sequence[Sequence[str]],
    span: Iterable[int],
    dictionary: Mapping[str, Any],
) -> None:
    write_lines(path, _lines(rows, blocks, cells, span))
    write_sidecar(path, dictionary)


def _lines(
    rows: Sequence[Row],
    blocks: Sequence[Block],
    cells: Sequence[Sequence[str]],
    span: Iterable[int],
) -> Iterator[str]:
    names = (column.name for block in blocks for column in block.columns)
    yield '\t'.join(('participant_id', *names))
    for row, place in zip(rows, span, strict=True):
        yield '\t'.join((f'sub-{row.participant}', *(part[place] for part in cells)))


def replace_listing(path: Path, content: Mapping[str, Any]) -> None:
    """Write the list of tables, and remove those of a former run that are not in it.

    Exports are of one cohort and must not stay beside the tables of another.
    """
    out_dir = path.parents[1]
    try:
        former = json.loads(path.read_text(encoding='utf-8'))
    except (FileNotFoundError, ValueError):
        former = {}
    for table in _outdated(former, content, 'tables', 'phenotype/|group_'):
        (out_dir / table).unlink(missing_ok=True)
        if table.suffix == '.tsv':
            (out_dir / table).with_suffix('.json').unlink(missing_ok=True)
    for export in _outdated(former, content, 'exports', 'exports/'):
        (out_dir / export).unlink(missing_ok=True)
    for file in _outdated(former, content, 'files', _OF_COHORT):
        (out_dir / file).unlink(missing_ok=True)
        if file.suffix != '.svg':
            sidecar_path(out_dir / file).unlink(missing_ok=True)
    write_text(path, json.dumps(content, indent=1, ensure_ascii=False) + '\n')


def _outdated(
    former: Mapping[str, Any], content: Mapping[str, Any], kind: str, pattern: str
) -> list[PurePosixPath]:
    """Return what only the former run wrote, and nothing that the pattern does not fit."""
    paths = map(PurePosixPath, sorted({*former.get(kind, ())} - {*content.get(kind, ())}))
    return [path for path in paths if re.match(pattern, str(path)) and '..' not in path.parts]
