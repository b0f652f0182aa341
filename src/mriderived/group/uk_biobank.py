"""Which field of UK Biobank is the counterpart of a column.

A counterpart is the same quantity of the same region, found by another pipeline: names and
definitions can be compared, numbers not without care.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

TABLE = Path(__file__).with_name('uk_biobank.tsv')


class Field(NamedTuple):
    """Number and title of a field in the showcase of UK Biobank."""

    field: int
    title: str


def find_field(measure: str, atlas: str, region: str, column: str) -> Field | None:
    """Return the counterpart of a column, or nothing where none is known.

    >>> find_field('structure_volume', '', 'Left-Hippocampus', 'volume')
    Field(field=25019, title='Volume of hippocampus (left)')
    >>> find_field('structure_volume', '', 'Brain-Stem', 'volume')
    """
    return _read().get((measure, atlas, region, column))


@cache
def _read() -> Mapping[tuple[str, ...], Field]:
    rows = [line.split('\t') for line in TABLE.read_text(encoding='utf-8').splitlines()[1:]]
    return {
        tuple('' if cell == 'n/a' else cell for cell in row[:4]): Field(int(row[4]), row[5])
        for row in rows
    }
