"""The columns of the cohort tables: where each comes from, what it is called and what it means.

A column is called ``<measure>[_<atlas or space>][_<region>]_<column>``, in lower case, with
every run of other characters than letters and digits turned into one ``_``. A number has the same
name in the table of its measure and in the wide one.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from mriderived.bids.names import InvalidNameError, split_name
from mriderived.measures.base import COLLECTION, Column, Measure, Output

#: Tables whose rows are time points, pairs or labels: nothing to put into a row per participant.
NOT_COHORT = frozenset({'dseg', 'timeseries', 'mixing', 'design'})


class Key(NamedTuple):
    """One cell of a participant's table; number and region are empty in a table of one row."""

    number: str
    region: str
    column: str


@dataclass(frozen=True)
class Source:
    """A table of which every participant may have one: output of a measure, atlas or space."""

    measure: Measure
    output: Output
    variant: str | None

    @property
    def has_regions(self) -> bool:
        """True where rows are regions."""
        return bool(self.output.cohort_columns)

    @property
    def cohort_columns(self) -> tuple[str, ...]:
        """Columns of the participant's table that go to the cohort; empty: whatever it has."""
        if self.has_regions:
            return self.output.cohort_columns
        return tuple(column.name for column in self.output.columns)

    def describe(self, name: str) -> Column:
        """Return what is declared about a column."""
        for column in self.output.columns:
            if column.name == name:
                return column
        return Column(name, self.output.description, self.output.unit or '')


@dataclass(frozen=True)
class CohortColumn:
    """A column of a cohort table."""

    name: str
    source: Source
    key: Key
    is_text: bool = False


def snake(text: str) -> str:
    """Return ``text`` in lower case letters, digits and single underscores.

    >>> snake('ctx-lh-bankssts'), snake('7Networks_LH_Vis_1'), snake('Área 1 (left)')
    ('ctx_lh_bankssts', '7networks_lh_vis_1', 'area_1_left')
    """
    plain = unicodedata.normalize('NFKD', text).encode('ascii', 'ignore').decode()
    return re.sub('[^a-z0-9]+', '_', plain.lower()).strip('_')


def is_cohort_output(output: Output) -> bool:
    """Tell whether an output is a table that has a place in the cohort's."""
    if output.extension != '.tsv' or output.suffix in NOT_COHORT:
        return False
    has_regions = any(column.name == 'index' for column in output.columns)
    return output.in_cohort and (bool(output.cohort_columns) or not has_regions)


def find_file(source: Source, files: Iterable[str]) -> str | None:
    """Return which of a unit's files is the table that ``source`` stands for."""
    tables = (file for file in files if file.endswith('.tsv'))
    fitting = (file for file in tables if _match_output(source.measure, file) is source.output)
    return next(fitting, None)


def _match_output(measure: Measure, file: str) -> Output | None:
    try:
        name = split_name(file)
    except InvalidNameError:
        return None
    fitting = [
        output
        for output in measure.outputs
        if (output.suffix, output.extension) == (name.suffix, name.extension)
        and all(_fits(value, name.entities.get(key)) for key, value in output.entities.items())
    ]
    return max(fitting, key=lambda output: len(output.entities), default=None)


def _fits(declared: str, found: str | None) -> bool:
    """Tell whether an entity is the declared one, in which any collection may stand."""
    if COLLECTION not in declared or found is None:
        return declared == found
    begin, _, end = declared.partition(COLLECTION)
    return len(found) > len(begin + end) and found.startswith(begin) and found.endswith(end)


def name_columns(
    source: Source, keys: Sequence[Key], text: Container[int], taken: set[str]
) -> list[CohortColumn]:
    """Name the columns of one source; ``taken`` holds the names in use and grows.

    ``text`` holds the places of the columns that are not numbers.

    Several tables of one measure that both have regions, or both have none, are told apart by
    their fields. Regions of the same name get their index appended; any other clash, a count.
    """
    prefix = [source.measure.name, source.variant or '']
    tables = [
        output
        for output in source.measure.outputs
        if is_cohort_output(output) and bool(output.cohort_columns) == source.has_regions
    ]
    if len(tables) > 1:
        prefix.insert(1, source.output.field)
    clashes = Counter((snake(key.region), key.column) for key in keys)
    columns = []
    for place, key in enumerate(keys):
        is_unique = clashes[snake(key.region), key.column] == 1
        region = key.region if is_unique else f'{key.region}_{key.number}'
        wanted = '_'.join(filter(None, map(snake, (*prefix, region, key.column))))
        name, count = wanted, 1
        while name in taken:
            count += 1
            name = f'{wanted}_{count}'
        taken.add(name)
        columns.append(CohortColumn(name, source, key, place in text))
    return columns


def order_variants(seen: Iterable[str | None], wanted: Sequence[str]) -> list[str | None]:
    """Put atlases or spaces into the order of the settings, unknown ones behind by name."""
    rank: Mapping[str | None, int] = {name: place for place, name in enumerate(wanted)}
    return sorted(set(seen), key=lambda name: (rank.get(name, len(rank)), name or ''))
