"""The long table: one row per number, with all that its column's name says in columns of its own.

It lies at the root and not in ``phenotype/``, where BIDS wants one row per participant.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from mriderived.bids.sidecar import write_sidecar
from mriderived.group.blocks import MISSING, Block
from mriderived.group.columns import CohortColumn
from mriderived.group.dictionary import describe_long, mark_sloppy
from mriderived.group.records import Cohort, Row
from mriderived.group.sheets import SheetError, read_grid
from mriderived.group.writing import write_lines
from mriderived.measures.base import Column
from mriderived.spaces.labels import find_hemisphere

LONG = PurePosixPath('group_long.tsv')
WHO = (
    Column('participant_id', 'Participant, as in the raw dataset.', ''),
    Column('session_id', 'Session, as in the raw dataset.', ''),
)
WHAT = (
    Column('column', 'Column of mriderived.tsv that has the same value.', ''),
    Column('measure', 'Measure, or table of another tool.', ''),
    Column('atlas', 'Atlas of the region.', ''),
    Column('space', 'Space of the measure.', ''),
    Column('region', 'Region, as in the label table of the atlas.', ''),
    Column('hemisphere', 'Side of the region: L, R or both.', ''),
    Column('quantity', 'What was measured, as in the table of the participant.', ''),
    Column('unit', 'Unit of the value.', ''),
)
VALUE = (
    Column('value', 'A number, or a word where mriderived.tsv has one.', ''),
    Column('reason', 'Why there is no value.', ''),
)
#: Stands for participant and session in a form; no name has it.
_WHO = '\0'
#: Sides of regions by atlas, then by index and name.
Sides = dict[str, dict[tuple[str, str], str]]


class About(NamedTuple):
    """What the long table says of a column; the fields are :data:`WHAT`."""

    column: str
    measure: str
    atlas: str
    space: str
    region: str
    hemisphere: str
    quantity: str
    unit: str


def describe_columns(
    blocks: Sequence[Block], cohort: Cohort, out_dir: Path
) -> list[tuple[About, ...]]:
    """Return what is known of every column of every block."""
    sides: Sides = {}
    told = []
    for block in blocks:
        variant = block.columns[0].source.variant or ''
        if variant not in sides:
            sides[variant] = _read_sides(cohort, variant, out_dir)
        told.append(tuple(_describe(column, sides[variant]) for column in block.columns))
    return told


def write_long(
    out_dir: Path,
    rows: Sequence[Row],
    blocks: Sequence[Block],
    about: Sequence[Sequence[About]],
    is_sloppy: bool = False,
) -> PurePosixPath:
    """Write the long table row after row, so that it is never in memory as a whole."""
    write_lines(out_dir / LONG, _lines(rows, blocks, about))
    mark = mark_sloppy if is_sloppy else dict
    write_sidecar(out_dir / LONG, mark(describe_long((*WHO, *WHAT, *VALUE))))
    return LONG


def session_label(row: Row) -> str:
    """Return the session of a row as a table says it."""
    return f'ses-{row.session}' if row.session else MISSING


def _describe(column: CohortColumn, sides: dict[tuple[str, str], str]) -> About:
    source, key = column.source, column.key
    variant, is_atlas = source.variant or '', source.measure.over == 'atlas'
    side = sides.get((key.number, key.region)) or _guess_side(key.region)
    fields = (
        column.name,
        source.measure.name,
        variant if is_atlas else '',
        '' if is_atlas else variant,
        key.region,
        side,
        key.column,
        '' if column.is_text else source.describe(key.column).unit,
    )
    return About(*(field or MISSING for field in fields))


def _guess_side(region: str) -> str:
    """Return the side that a name tells; one that tells none may be on either."""
    side = find_hemisphere(region)
    return '' if side == 'both' else side


def _read_sides(cohort: Cohort, variant: str, out_dir: Path) -> dict[tuple[str, str], str]:
    """Return the sides in the first label table of an atlas that has them."""
    files = (
        file
        for (_, name), units in cohort.units.items()
        if variant and name == variant
        for row in sorted(units)
        for file in units[row].outputs
        if file.endswith('_dseg.tsv')
    )
    for file in files:
        try:
            grid = read_grid(out_dir / file)
        except SheetError:
            continue  # Another participant's is as good.
        if {'index', 'name', 'hemisphere'} <= set(grid.header):
            keys = zip(grid.column('index'), grid.column('name'), strict=True)
            return {
                key: side
                for key, side in zip(keys, grid.column('hemisphere'), strict=True)
                if side != MISSING
            }
    return {}


def nothing_lacks(block: Block) -> str:
    """Return the reasons of a row that has all values."""
    return '\t'.join([MISSING] * len(block.columns))


def _lines(
    rows: Sequence[Row], blocks: Sequence[Block], about: Sequence[Sequence[About]]
) -> Iterator[str]:
    """Yield all lines of one participant at a time, joined."""
    yield '\t'.join(column.name for column in (*WHO, *WHAT, *VALUE))
    forms = [_Form(block, told) for block, told in zip(blocks, about, strict=True)]
    for place, row in enumerate(rows):
        who = f'sub-{row.participant}\t{session_label(row)}'
        for form in forms:
            yield form.fill(who, place)


class _Form:
    """The lines of one block, of which most people differ in who they are and in values alone."""

    def __init__(self, block: Block, told: Sequence[About]) -> None:
        self._block = block
        self._middles = ['\t'.join(one) for one in told]
        self._whole = nothing_lacks(block)
        lines = (f'{_WHO}\t{middle.replace("%", "%%")}\t%s\t{MISSING}' for middle in self._middles)
        self._text = '\n'.join(lines)

    def fill(self, who: str, place: int) -> str:
        """Return the lines of one row."""
        values, reasons = self._block.values[place].split('\t'), self._block.reasons[place]
        if reasons == self._whole:
            return self._text.replace(_WHO, who.replace('%', '%%')) % tuple(values)
        cells = zip(self._middles, values, reasons.split('\t'), strict=True)
        return '\n'.join([f'{who}\t{what}\t{value}\t{reason}' for what, value, reason in cells])
