"""Contrasts of a BIDS Stats Model, and how their maps are called."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from fractions import Fraction
from typing import Any

from mriderived.bids.stats_model_parts import (
    StatsModelError,
    as_mapping,
    as_names,
    check_keys,
    list_items,
)


@dataclass(frozen=True)
class Contrast:
    """A weighted sum of conditions; ``label`` is its name as an entity of BIDS."""

    name: str
    label: str
    conditions: tuple[str, ...]
    weights: tuple[float, ...]


def label_contrast(name: str) -> str:
    """Return the letters and digits of a name, with capitals where words began.

    >>> label_contrast('trial_type.face'), label_contrast('IvC'), label_contrast('a > b')
    ('trialTypeFace', 'IvC', 'aB')
    """
    first, *rest = [word for word in re.split('[^0-9A-Za-z]+', name) if word] or ['']
    return first + ''.join(word[0].upper() + word[1:] for word in rest)


def read_contrasts(
    node: Mapping[str, Any], where: str, conditions: Sequence[str]
) -> tuple[Contrast, ...]:
    """Return the contrasts of a node."""
    found: list[Contrast] = []
    if 'DummyContrasts' in node:
        found += _read_dummies(node['DummyContrasts'], f'{where}.DummyContrasts', conditions)
    if 'Contrasts' in node:
        for number, item in enumerate(list_items(node, 'Contrasts', where)):
            found.append(_read_contrast(item, f'{where}.Contrasts[{number}]', conditions))
    if not found:
        raise StatsModelError(f'{where}.Contrasts and DummyContrasts name no contrast')
    taken: dict[str, str] = {}
    for contrast in found:
        if not contrast.label:
            raise StatsModelError(
                f'{where}.Contrasts: {contrast.name!r} has neither letters nor digits'
            )
        other = taken.setdefault(contrast.label.lower(), contrast.name)
        if other is not contrast.name:
            raise StatsModelError(
                f'{where}.Contrasts: {other!r} and {contrast.name!r} are the same contrast in '
                f'the names of files ({contrast.label})'
            )
    return tuple(found)


def _check_test(item: Mapping[str, Any], where: str) -> None:
    if item.get('Test', 't') != 't':
        raise StatsModelError(f'{where}.Test {item["Test"]!r} is not supported, only t')


def _read_dummies(content: Any, where: str, conditions: Sequence[str]) -> list[Contrast]:
    """Return one contrast for each condition that is named, or for all."""
    check_keys(as_mapping(content, where), where, ('Test', 'Contrasts', 'Description'))
    _check_test(content, where)
    names = as_names(content.get('Contrasts', list(conditions)), f'{where}.Contrasts')
    for name in names:
        _check_condition(name, f'{where}.Contrasts', conditions)
    return [Contrast(name, label_contrast(name), (name,), (1.0,)) for name in names]


def _read_contrast(item: Mapping[str, Any], where: str, conditions: Sequence[str]) -> Contrast:
    check_keys(item, where, ('Name', 'ConditionList', 'Weights', 'Test', 'Description'))
    _check_test(item, where)
    name = item.get('Name')
    if not isinstance(name, str) or not name:
        raise StatsModelError(f'{where}.Name is missing')
    named = as_names(item.get('ConditionList'), f'{where}.ConditionList')
    for condition in named:
        _check_condition(condition, f'{where}.ConditionList', conditions)
    weights = item.get('Weights')
    if not isinstance(weights, list) or len(weights) != len(named) or not named:
        raise StatsModelError(f'{where}.Weights must hold one number for each of ConditionList')
    numbers = tuple(_read_weight(weight, f'{where}.Weights') for weight in weights)
    if not any(numbers) or len(set(named)) != len(named):
        raise StatsModelError(f'{where}: every condition needs one weight, and one that is not 0')
    return Contrast(name, label_contrast(name), tuple(named), numbers)


def _read_weight(value: Any, where: str) -> float:
    try:
        if isinstance(value, int | float | str) and not isinstance(value, bool):
            return float(Fraction(value))
    except (ValueError, ZeroDivisionError, OverflowError):
        pass
    raise StatsModelError(f'{where}: {value!r} is not a number or a fraction such as "1/3"')


def _check_condition(name: str, where: str, conditions: Sequence[str]) -> None:
    if any(sign in name for sign in '*?['):
        raise StatsModelError(f'{where}: {name!r} has wildcards; name every condition')
    if not any(fnmatchcase(name, condition) for condition in conditions):
        raise StatsModelError(
            f'{where}: {name!r} is not a variable of Model.X that is convolved '
            f'({", ".join(conditions)})'
        )
