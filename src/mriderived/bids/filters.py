"""The file of ``--bids-filter-file``: which images to take, by entity, as fMRIPrep reads it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from bids.layout import Query

from mriderived.bids.schema import long_names, rules
from mriderived.bids.sidecar import JSONFileError, read_json

#: Query name to filter: ``{'t1w': {'acquisition': 'mprage', 'session': None, 'run': '*'}}``.
Filters = Mapping[str, Mapping[str, Any]]

#: Other apps' files may be given whole, so their queries are known too.
_OTHER_QUERIES = frozenset({'fmap', 'roi', 'perf', 'sbref'})


class FilterFileError(ValueError):
    """A filter file that cannot be used; the message names it and what is wrong."""


class FilterError(ValueError):
    """Labels or filters that select nothing; the message names them and what there is."""


def read_filters(path: Path) -> dict[str, dict[str, Any]]:
    """Read a filter file and check that its queries and entities exist."""
    try:
        filters = read_json(path)
    except JSONFileError as error:
        raise FilterFileError(str(error)) from error
    queries = {suffix.lower() for rule in rules('raw') for suffix in rule.suffixes}
    for name, wanted in filters.items():
        if name not in queries | _OTHER_QUERIES:
            raise FilterFileError(f'{path}: unknown query {name!r}; use a suffix, such as t1w')
        if not isinstance(wanted, dict):
            raise FilterFileError(f'{path}: {name} must be an object of entities and values')
        _check_entities(path, wanted)
    return filters


def queries(suffixes: Iterable[str], filters: Filters | None) -> Iterator[dict[str, Any]]:
    """Give the pybids queries for the images of some suffixes; ``None`` is none, ``*`` is any.

    Suffixes of the same datatypes that have no filter share a query, for each takes its time.
    """
    together: dict[tuple[str, ...], list[str]] = {}
    for suffix in suffixes:
        if suffix.lower() in (filters or {}):
            wanted = (filters or {})[suffix.lower()]
            chosen = {name: _value(value) for name, value in wanted.items()}
            yield _query([suffix], _datatypes(suffix)) | chosen
        else:
            together.setdefault(_datatypes(suffix), []).append(suffix)
    for datatypes, several in together.items():
        yield _query(several, datatypes)


def _query(suffixes: Sequence[str], datatypes: Sequence[str]) -> dict[str, Any]:
    return {
        'suffix': list(suffixes),
        'datatype': list(datatypes),
        'extension': ['.nii', '.nii.gz'],
    }


@lru_cache
def _datatypes(suffix: str) -> tuple[str, ...]:
    found = {name for rule in rules('raw') if suffix in rule.suffixes for name in rule.datatypes}
    return tuple(sorted(found))


def _value(value: Any) -> Any:
    if isinstance(value, list):
        return [_value(item) for item in value]
    return Query.NONE if value is None else Query.ANY if value == '*' else value


def _check_entities(path: Path, wanted: Mapping[str, Any]) -> None:
    long = long_names()
    for name in wanted:
        if name in long and long[name] != name:
            raise FilterFileError(f'{path}: write {long[name]} instead of {name}')
        # Names of metadata begin with a capital letter.
        is_known = name in {*long.values(), 'datatype', 'suffix', 'extension'}
        if not is_known and not name[:1].isupper():
            raise FilterFileError(f'{path}: unknown entity {name!r}')
