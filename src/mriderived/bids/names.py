"""File names, built and taken apart: the only module that joins strings into BIDS names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import PurePath, PurePosixPath
from typing import NamedTuple

from mriderived.bids.schema import (
    Rule,
    bidsignore,
    merged_schema,
    rules,
    write_schema,
)
from mriderived.bids.schema import (
    entities as known_entities,
)

__all__ = [
    'InvalidNameError',
    'Name',
    'bidsignore',
    'build_path',
    'check_raw_name',
    'figure_path',
    'merged_schema',
    'parse_entities',
    'phenotype_path',
    'raw_path',
    'report_path',
    'split_name',
    'write_schema',
]


class InvalidNameError(ValueError):
    """A name that the merged schema does not allow; the message tells which part is wrong."""


class Name(NamedTuple):
    """The parts of a BIDS file name; the keys of ``entities`` are short, such as ``acq``."""

    entities: dict[str, str]
    suffix: str
    extension: str


def build_path(
    entities: Mapping[str, str], *, datatype: str | None, suffix: str, extension: str
) -> PurePosixPath:
    """Return the path of an output below its dataset's root, checked against the schema."""
    ordered = _order(entities)
    name = _join(ordered, suffix, extension)
    _check_rules(name, ordered, datatype, suffix, extension)
    return _folder(ordered, datatype) / name


def raw_path(
    entities: Mapping[str, str], *, datatype: str, suffix: str, extension: str = '.nii.gz'
) -> PurePosixPath:
    """Return the path of a raw file below its dataset's root, checked against the schema."""
    ordered = _order(entities)
    path = _folder(ordered, datatype) / _join(ordered, suffix, extension)
    check_raw_name(path, datatype)
    return path


def figure_path(entities: Mapping[str, str], *, desc: str, suffix: str) -> PurePosixPath:
    """Return the path of a picture of the participant report; reports are not part of BIDS."""
    ordered = _order({**entities, 'desc': desc})
    if 'sub' not in ordered:
        raise InvalidNameError('a figure needs the entity sub')
    return PurePosixPath(f'sub-{ordered["sub"]}', 'figures', _join(ordered, suffix, '.svg'))


def report_path(participant: str | None = None) -> PurePosixPath:
    """Return the path of a participant's report, or of the group's without one."""
    if participant is None:
        return PurePosixPath('group.html')
    return PurePosixPath(_join(_order({'sub': participant}), '', '.html'))


def phenotype_path(
    measure: str, atlas: str | None = None, session: str | None = None
) -> PurePosixPath:
    """Return the path of a cohort table, one row per participant (and session, if given)."""
    if not re.fullmatch(r'[A-Za-z][A-Za-z0-9_]*', measure):
        raise InvalidNameError(f'{measure!r} cannot name a table: use letters, digits and _')
    entities = {'atlas': atlas, 'ses': session}
    parts = [f'{key}-{_checked(key, value)}' for key, value in entities.items() if value]
    return PurePosixPath('phenotype', '_'.join([measure, *parts]) + '.tsv')


def split_name(path: PurePath | str) -> Name:
    """Take a file name apart.

    Raises
    ------
    InvalidNameError
        If the name is not made of ``key-value`` pairs and a suffix, joined by ``_``.
    """
    stem, dot, extension = PurePath(path).name.partition('.')
    parts = stem.split('_')
    suffix = '' if '-' in parts[-1] else parts.pop()
    pairs = [part.partition('-') for part in parts]
    entities = {key: value for key, _, value in pairs}
    if not all(key and value for key, _, value in pairs) or len(entities) < len(pairs):
        raise InvalidNameError(f'{path} is not made of key-value pairs and a suffix')
    return Name(entities, suffix, dot + extension)


def parse_entities(path: PurePath | str) -> dict[str, str]:
    """Return the entities in a file's name, by short key."""
    return split_name(path).entities


def check_raw_name(path: PurePath, datatype: str) -> None:
    """Raise if the name is not one of a raw file: outputs could not be named after it."""
    entities, suffix, extension = split_name(path)
    _order(entities)
    found = [r for r in _with_suffix('raw', suffix) if _fits(r, datatype, extension)]
    complaints = [_complaints(rule, entities) for rule in found]
    fewest = min(complaints, key=len, default=[f'{suffix}{extension} is not for {datatype}'])
    if fewest:
        raise InvalidNameError(f'{path.name} is not a BIDS name: {"; ".join(fewest)}')


def _join(ordered: Mapping[str, str], suffix: str, extension: str) -> str:
    pairs = [f'{key}-{value}' for key, value in ordered.items()]
    return '_'.join([*pairs, suffix] if suffix else pairs) + extension


def _order(entities: Mapping[str, str]) -> dict[str, str]:
    known = known_entities()
    unknown = sorted(set(entities) - set(known))
    if unknown:
        raise InvalidNameError(f'unknown entity {", ".join(unknown)}; known: {", ".join(known)}')
    return {key: _checked(key, entities[key]) for key in known if key in entities}


def _checked(key: str, value: str) -> str:
    entity = known_entities()[key]
    if entity.values and value not in entity.values:
        raise InvalidNameError(f'{key}-{value}: {key} takes {" or ".join(entity.values)}')
    if not re.fullmatch(entity.pattern, value):
        raise InvalidNameError(f'{key}-{value}: the value does not match {entity.pattern}')
    return value


def _folder(ordered: Mapping[str, str], datatype: str | None) -> PurePosixPath:
    if 'sub' in ordered and 'tpl' in ordered:
        raise InvalidNameError('a name has sub or tpl, not both')
    parts = [f'{key}-{ordered[key]}' for key in ('sub', 'tpl', 'ses', 'cohort') if key in ordered]
    if datatype is not None and not {'sub', 'tpl'} & set(ordered):
        raise InvalidNameError(f'a file in {datatype}/ needs the entity sub or tpl')
    return PurePosixPath(*parts, *([datatype] if datatype else []))


def _check_rules(
    name: str, entities: Mapping[str, str], datatype: str | None, suffix: str, extension: str
) -> None:
    fitting = _narrow(name, datatype, suffix, extension)
    complaints = [_complaints(rule, entities) for rule in fitting]
    fewest = min(complaints, key=len)
    if fewest:
        raise InvalidNameError(f'{name}: {"; ".join(fewest)}')
    raw = [rule for rule in _with_suffix('raw', suffix) if _fits(rule, datatype, extension)]
    if not all(_complaints(rule, entities) for rule in raw):
        raise InvalidNameError(f'{name} is the name of a raw file: add space or desc')


def _narrow(name: str, datatype: str | None, suffix: str, extension: str) -> list[Rule]:
    """Return the rules that all but the entities fit, or tell which part fits none."""
    found = _with_suffix('deriv', suffix)
    if not found:
        raise InvalidNameError(f'{name}: no rule has the suffix {suffix}')
    here = [rule for rule in found if _fits(rule, datatype, None)]
    if not here:
        allowed = _listed(rule.datatypes for rule in found)
        raise InvalidNameError(f'{name}: {suffix} belongs in {allowed}, not in {datatype}')
    fitting = [rule for rule in here if extension in rule.extensions]
    if not fitting:
        allowed = _listed(rule.extensions for rule in here)
        raise InvalidNameError(f'{name}: {suffix} in {datatype} has {allowed}, not {extension}')
    return fitting


@lru_cache
def _with_suffix(kind: str, suffix: str) -> tuple[Rule, ...]:
    return tuple(rule for rule in rules(kind) if suffix in rule.suffixes)


def _fits(rule: Rule, datatype: str | None, extension: str | None) -> bool:
    in_place = datatype in rule.datatypes if datatype else not rule.datatypes
    return in_place and (extension is None or extension in rule.extensions)


def _complaints(rule: Rule, entities: Mapping[str, str]) -> list[str]:
    missing = [key for key, required in rule.entities.items() if required and key not in entities]
    surplus = [key for key in entities if key not in rule.entities]
    return [f'{key} is missing' for key in missing] + [f'{key} is not allowed' for key in surplus]


def _listed(sets: Iterable[frozenset[str]]) -> str:
    return ', '.join(sorted(frozenset().union(*sets))) or 'the root'
