"""Parts of a BIDS Stats Model: what is convolved with which response."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

#: Responses of the vascular system that there are.
RESPONSES = ('spm', 'glover')
_TRANSFORMER = 'pybids-transforms-v1'


class StatsModelError(ValueError):
    """A model that is broken or asks for too much; the message names the key."""


def check_keys(content: Mapping[str, Any], where: str, known: Iterable[str]) -> None:
    """Refuse keys that are not known."""
    for key in content:
        if key not in known:
            name = f'{where}.{key}' if where else key
            raise StatsModelError(f'{name} is not supported; known are {", ".join(known)}')


def as_mapping(value: Any, where: str) -> Mapping[str, Any]:
    """Return what must be an object."""
    if not isinstance(value, Mapping):
        raise StatsModelError(f'{where} must be an object')
    return value


def as_names(value: Any, where: str) -> list[str]:
    """Return what must be a list of names."""
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        raise StatsModelError(f'{where} must be a list of names')
    return value


def list_items(content: Mapping[str, Any], key: str, where: str) -> list[Mapping[str, Any]]:
    """Return what must be a list of objects."""
    name = f'{where}.{key}' if where else key
    value = content.get(key)
    if not isinstance(value, list):
        raise StatsModelError(f'{name} must be a list')
    return [as_mapping(item, f'{name}[{number}]') for number, item in enumerate(value)]


def read_instructions(content: Any, where: str) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return the columns that are factors, and the response of what is convolved."""
    factors: list[str] = []
    responses: dict[str, str] = {}
    if content is None:
        return (), {}
    check_keys(as_mapping(content, where), where, ('Transformer', 'Instructions', 'Description'))
    if content.get('Transformer', _TRANSFORMER) != _TRANSFORMER:
        raise StatsModelError(
            f'{where}.Transformer {content["Transformer"]!r} is not supported, only {_TRANSFORMER}'
        )
    for number, item in enumerate(list_items(content, 'Instructions', where)):
        here = f'{where}.Instructions[{number}]'
        kind = item.get('Name')
        if kind == 'Factor':
            factors += _read_factor(item, here)
        elif kind == 'Convolve':
            responses |= _read_convolve(item, here)
        else:
            raise StatsModelError(
                f'{here}.Name {kind!r} is not supported, only Factor and Convolve'
            )
    return tuple(factors), responses


def _read_factor(item: Mapping[str, Any], where: str) -> list[str]:
    check_keys(item, where, ('Name', 'Input', 'Constraint', 'Sep', 'Description'))
    for key, only in (('Constraint', 'none'), ('Sep', '.')):
        if item.get(key, only) != only:
            raise StatsModelError(f'{where}.{key} {item[key]!r} is not supported, only {only!r}')
    return as_names(item.get('Input'), f'{where}.Input')


def _read_convolve(item: Mapping[str, Any], where: str) -> dict[str, str]:
    known = ('Name', 'Input', 'Model', 'Derivative', 'Dispersion', 'Description')
    check_keys(item, where, known)
    parts = [item.get('Model', 'spm')]
    for key, name in (('Derivative', 'derivative'), ('Dispersion', 'dispersion')):
        if not isinstance(item.get(key, False), bool):
            raise StatsModelError(f'{where}.{key} must be true or false')
        parts += [name] if item.get(key) else []
    response = _check_response(' + '.join(map(str, parts)), f'{where}.Model')
    return dict.fromkeys(as_names(item.get('Input'), f'{where}.Input'), response)


def read_response(content: Any, where: str) -> dict[str, str]:
    """Return what ``Model.HRF`` says: the other way to tell what is convolved."""
    if content is None:
        return {}
    check_keys(as_mapping(content, where), where, ('Variables', 'Model', 'Description'))
    response = _check_response(str(content.get('Model')), f'{where}.Model')
    return dict.fromkeys(as_names(content.get('Variables'), f'{where}.Variables'), response)


def _check_response(text: str, where: str) -> str:
    """Return the name that nilearn has for a response."""
    kind, *more = (part.strip().lower() for part in text.split('+'))
    if kind not in RESPONSES:
        raise StatsModelError(f'{where} {kind!r} is not supported, only {" and ".join(RESPONSES)}')
    if more not in ([], ['derivative'], ['derivative', 'dispersion']):
        raise StatsModelError(
            f'{where} {text!r} is not supported: dispersion needs the derivative, and there is '
            'no other part'
        )
    return ' + '.join([kind, *more])
