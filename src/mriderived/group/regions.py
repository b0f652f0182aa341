"""Which columns a source has, in an order that does not depend on who is in the cohort."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from mriderived.group.columns import Key, Source
from mriderived.group.records import Cohort
from mriderived.group.sheets import Sheet, SheetError, read_grid

#: Index and name of every region → its place.
Regions = Mapping[tuple[str, str], int]
LABEL_TABLE = '_dseg.tsv'


class Layout(NamedTuple):
    """The columns of a source, and why the tables of some (by ``id`` of keys) do not fit."""

    keys: tuple[Key, ...]
    misfits: Mapping[int, str]


def lay_out(
    source: Source, sheets: Sequence[Sheet | None], cohort: Cohort, out_dir: Path
) -> Layout:
    """Choose the columns of ``source`` and find the tables that do not fit them.

    The regions that most tables have decide which version of the atlas it is; its label table,
    which is the same for everyone, decides their order.
    """
    votes = Counter(id(sheet.keys) for sheet in sheets if sheet is not None)
    layouts = {id(sheet.keys): sheet.keys for sheet in sheets if sheet is not None}
    winner = min(
        layouts.values(), key=lambda keys: (-votes[id(keys)], -len(keys), keys), default=()
    )
    if not source.has_regions:
        declared = tuple(Key('', '', name) for name in source.cohort_columns)
        return Layout(declared or winner, {})
    return _lay_out_regions(source, layouts, _find_regions(source, winner, cohort, out_dir))


def _lay_out_regions(
    source: Source, layouts: Mapping[int, tuple[Key, ...]], regions: Regions
) -> Layout:
    misfits = {}
    present: set[Key] = set()
    for number, keys in layouts.items():
        strange = [key for key in keys if (key.number, key.region) not in regions]
        if strange:
            misfits[number] = (
                f'the table has other regions than the label table of {source.variant} that most '
                f'participants have, such as {strange[0].region} ({strange[0].number})'
            )
        else:
            present.update(keys)
    rank = {name: place for place, name in enumerate(source.cohort_columns)}
    order = sorted(present, key=lambda key: (regions[key.number, key.region], rank[key.column]))
    return Layout(tuple(order), misfits)


def _find_regions(
    source: Source, winner: tuple[Key, ...], cohort: Cohort, out_dir: Path
) -> Regions:
    """Return the regions of the first label table that has all of ``winner``, in its order."""
    wanted = dict.fromkeys((key.number, key.region) for key in winner)
    for path in _label_tables(cohort, out_dir, source.variant):
        try:
            labels = _read_labels(path)
        except SheetError:
            continue  # Another participant's is as good.
        if wanted.keys() <= labels.keys():
            return labels
    return {region: place for place, region in enumerate(wanted)}


def _label_tables(cohort: Cohort, out_dir: Path, variant: str | None) -> Iterator[Path]:
    for (_, name), units in cohort.units.items():
        if name == variant:
            for row in sorted(units):
                for file in units[row].outputs:
                    if file.endswith(LABEL_TABLE):
                        yield out_dir / file


def _read_labels(path: Path) -> dict[tuple[str, str], int]:
    grid = read_grid(path)
    if not {'index', 'name'} <= set(grid.header):
        raise SheetError('a label table needs the columns index and name')
    labels = zip(grid.column('index'), grid.column('name'), strict=True)
    return {label: place for place, label in enumerate(dict.fromkeys(labels))}
