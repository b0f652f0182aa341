"""Which columns a source has: the same ones in the same order, whoever is in the cohort.

The regions of an atlas are those of its label table, so their columns are there even when nobody
has a value.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from mriderived.group.columns import Key, Source
from mriderived.group.records import Cohort
from mriderived.group.sheets import Sheet, SheetError, read_grid
from mriderived.spaces import UnavailableError, get_label_table
from mriderived.spaces.labels import read_table
from mriderived.spaces.structures import ATLAS as STRUCTURES_ATLAS
from mriderived.spaces.structures import read_structures

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


def fit_layout(source: Source, keys: Sequence[Key], sheets: Sequence[Sheet | None]) -> Layout:
    """Return the given columns, and why the tables of some do not fit them."""
    if not source.has_regions:
        return Layout(tuple(keys), {})
    regions = dict.fromkeys((key.number, key.region) for key in keys)
    layouts = {id(sheet.keys): sheet.keys for sheet in sheets if sheet is not None}
    return _lay_out_regions(source, layouts, {each: n for n, each in enumerate(regions)})


def _lay_out_regions(
    source: Source, layouts: Mapping[int, tuple[Key, ...]], regions: Regions
) -> Layout:
    misfits = {}
    for number, keys in layouts.items():
        strange = [key for key in keys if (key.number, key.region) not in regions]
        if strange:
            misfits[number] = (
                f'the table has other regions than the label table of {source.variant} that most '
                f'participants have, such as {strange[0].region} ({strange[0].number})'
            )
    names = source.cohort_columns
    keys = tuple(Key(*region, name) for region in sorted(regions, key=regions.__getitem__)
                 for name in names)  # fmt: skip
    return Layout(keys, misfits)


def _find_regions(
    source: Source, winner: tuple[Key, ...], cohort: Cohort, out_dir: Path
) -> Regions:
    """Return the regions of the first label table that has all of ``winner``, in its order.

    Those in the outputs are asked first; where nobody has one, that of the atlas.
    """
    wanted = dict.fromkeys((key.number, key.region) for key in winner)
    for path in _label_tables(cohort, out_dir, source.variant):
        try:
            labels = _read_labels(path, _tissues(source))
        except SheetError:
            continue  # Another participant's is as good.
        if wanted.keys() <= labels.keys():
            return labels
    if wanted:
        return {region: place for place, region in enumerate(wanted)}
    return _read_atlas(source, cohort)


def _read_atlas(source: Source, cohort: Cohort) -> Regions:
    try:
        if source.output.has_structures:
            table = read_structures(get_label_table(STRUCTURES_ATLAS))
        elif source.measure.over == 'atlas' and source.variant is not None:
            table = read_table(get_label_table(source.variant))
        else:
            return {}
    except UnavailableError as error:
        cohort.warnings.append(
            f'{source.measure.name} has no columns for {source.variant}: nobody has a value, and '
            f'the regions of the atlas cannot be looked up ({error})'
        )
        return {}
    if _tissues(source):
        table = table[table['tissue'].isin(_tissues(source))]
    rows = zip(table['index'], table['name'], strict=True)
    return {(str(index), str(name)): place for place, (index, name) in enumerate(rows)}


def _label_tables(cohort: Cohort, out_dir: Path, variant: str | None) -> Iterator[Path]:
    for (_, name), units in cohort.units.items():
        if name == variant:
            for row in sorted(units):
                for file in units[row].outputs:
                    if file.endswith(LABEL_TABLE):
                        yield out_dir / file


def _tissues(source: Source) -> tuple[str, ...]:
    """Return the tissues of the regions that a source has a value for; empty: all."""
    return source.output.tissues


def _read_labels(path: Path, tissues: tuple[str, ...]) -> dict[tuple[str, str], int]:
    grid = read_grid(path)
    if not {'index', 'name', 'tissue'} <= set(grid.header):
        raise SheetError('a label table needs the columns index, name and tissue')
    rows = zip(grid.column('index'), grid.column('name'), grid.column('tissue'), strict=True)
    labels = ((index, name) for index, name, tissue in rows if not tissues or tissue in tissues)
    return {label: place for place, label in enumerate(dict.fromkeys(labels))}
