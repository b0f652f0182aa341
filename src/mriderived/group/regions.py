"""Which columns a source has, in an order that does not depend on who is in the cohort."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
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


def read_regions(cohort: Cohort, out_dir: Path, variant: str | None) -> Regions:
    """Return the regions of an atlas by the label table that most participants have."""
    votes: Counter[tuple[tuple[str, str], ...]] = Counter()
    known: dict[bytes, tuple[tuple[str, str], ...]] = {}
    for path in _label_tables(cohort, out_dir, variant):
        try:
            content = path.read_bytes()
            if content not in known:
                known[content] = _read_labels(path)
        except (OSError, SheetError):
            continue  # The region tables of this participant tell their regions themselves.
        votes[known[content]] += 1
    return _most_common(votes)


def _label_tables(cohort: Cohort, out_dir: Path, variant: str | None) -> Iterable[Path]:
    for (_, name), units in cohort.units.items():
        if name == variant and name is not None:
            for unit in units.values():
                for file in unit.outputs:
                    if file.endswith(LABEL_TABLE):
                        yield out_dir / file


def _read_labels(path: Path) -> tuple[tuple[str, str], ...]:
    grid = read_grid(path)
    if not {'index', 'name'} <= set(grid.header):
        raise SheetError('a label table needs the columns index and name')
    return tuple(zip(grid.column('index'), grid.column('name'), strict=True))


def _most_common(votes: Counter[tuple[tuple[str, str], ...]]) -> Regions:
    """Return the layout with most votes; a tie goes to the longer, then the first by content."""
    if not votes:
        return {}
    best = min(votes, key=lambda regions: (-votes[regions], -len(regions), regions))
    return {region: place for place, region in enumerate(dict.fromkeys(best))}


def lay_out(source: Source, sheets: Sequence[Sheet | None], regions: Regions) -> Layout:
    """Choose the columns of ``source`` and find the tables that do not fit them."""
    found = [sheet.keys for sheet in sheets if sheet is not None]
    if not source.has_regions:
        return Layout(_choose_columns(source, found), {})
    votes = Counter(tuple(dict.fromkeys((key.number, key.region) for key in keys))
                    for keys in _distinct(found))  # fmt: skip
    regions = regions or _most_common(votes)
    misfits = {}
    present: set[Key] = set()
    for keys in _distinct(found):
        strange = [key for key in keys if (key.number, key.region) not in regions]
        if strange:
            misfits[id(keys)] = (
                f'the table has other regions than the label table of {source.variant}, '
                f'such as {strange[0].region} ({strange[0].number})'
            )
        else:
            present.update(keys)
    rank = {name: place for place, name in enumerate(source.cohort_columns)}
    order = sorted(present, key=lambda key: (regions[key.number, key.region], rank[key.column]))
    return Layout(tuple(order), misfits)


def _choose_columns(source: Source, found: Sequence[tuple[Key, ...]]) -> tuple[Key, ...]:
    if source.cohort_columns:
        return tuple(Key('', '', name) for name in source.cohort_columns)
    votes = Counter(found)
    return min(votes, key=lambda keys: (-votes[keys], -len(keys), keys), default=())


def _distinct(found: Iterable[tuple[Key, ...]]) -> list[tuple[Key, ...]]:
    return list({id(keys): keys for keys in found}.values())
