"""The released BIDS schema plus the drafts of ``bids_validator_config/schema.yaml``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from bidsschematools.schema import load_schema

from mriderived.bids.status import write_text
from mriderived.shipped import shipped_folder

_DERIVATIVE = "dataset.dataset_description.DatasetType == 'derivative'"


class Entity(NamedTuple):
    """How an entity is written: its short key, the pattern of its values, or all of them."""

    key: str
    pattern: str
    values: tuple[str, ...]


class Rule(NamedTuple):
    """Which names one rule of the schema allows; ``entities`` tell required from optional."""

    suffixes: frozenset[str]
    extensions: frozenset[str]
    datatypes: frozenset[str]
    entities: Mapping[str, bool]


@lru_cache
def overlay() -> dict[str, Any]:
    """Return our additions to the schema."""
    text = (shipped_folder('bids_validator_config') / 'schema.yaml').read_text()
    additions: dict[str, Any] = yaml.safe_load(text)
    return additions


@lru_cache
def merged_schema() -> dict[str, Any]:
    """Return the released schema with our additions; do not change what you get."""
    schema: dict[str, Any] = load_schema().to_dict()
    objects, additions = schema['objects'], overlay()
    for name, entity in additions['entities'].items():
        order = schema['rules']['entities']
        order.insert(order.index(entity['after']) + 1, name)
        fields = {key: value for key, value in entity.items() if key != 'after'}
        objects['entities'][name] = _described(name, type='string', **fields) | {'name': name}
    for name, meaning in additions['suffixes'].items():
        objects['suffixes'].setdefault(name, _described(meaning) | {'value': name})
    for extension in additions['extensions']:
        key = extension.strip('.').replace('.', '')
        objects['extensions'].setdefault(key, _described(extension) | {'value': extension})
    schema['rules']['files']['deriv']['drafts'] = {
        name: {key: value for key, value in rule.items() if key not in ('draft', 'hide')}
        | {'selectors': [_DERIVATIVE]}
        for name, rule in additions['files'].items()
    }
    return schema


def _described(title: str, **fields: Any) -> dict[str, Any]:
    return {'display_name': title, 'description': f'{title}\n', **fields}


def write_schema(path: Path) -> None:
    """Write the merged schema as JSON, for the official validator's option ``--schema``."""
    write_text(path, json.dumps(merged_schema()))


@lru_cache
def entities() -> dict[str, Entity]:
    """Return the entities by short key, in the order in which names hold them."""
    schema = merged_schema()
    found = [schema['objects']['entities'][name] for name in schema['rules']['entities']]
    formats = schema['objects']['formats']
    return {
        entity['name']: Entity(
            entity['name'], formats[entity['format']]['pattern'], tuple(entity.get('enum', ()))
        )
        for entity in found
    }


@lru_cache
def long_names() -> dict[str, str]:
    """Return the schema's (and pybids') long name of every entity by its short key."""
    found = merged_schema()['objects']['entities']
    return {entity['name']: name for name, entity in found.items()}


@lru_cache
def rules(kind: str) -> tuple[Rule, ...]:
    """Return the file rules of ``raw`` or of derivative (``deriv``) datasets."""
    groups = merged_schema()['rules']['files'][kind].values()
    return tuple(_rule(rule) for group in groups for rule in group.values() if 'suffixes' in rule)


def _rule(rule: Mapping[str, Any]) -> Rule:
    keys = {name: key for key, name in long_names().items()}
    levels = {
        keys[name]: (level['level'] if isinstance(level, Mapping) else level) == 'required'
        for name, level in rule.get('entities', {}).items()
    }
    return Rule(
        frozenset(rule['suffixes']),
        frozenset(rule['extensions']),
        frozenset(rule.get('datatypes', ())),
        levels,
    )


def bidsignore() -> str:
    """Return the ``.bidsignore`` that hides drafts and reports from the released schema."""
    additions = overlay()
    drafts: dict[str, list[str]] = {}
    for rule in additions['files'].values():
        by_suffix = [f'*_{suffix}.*' for suffix in rule['suffixes']]
        drafts.setdefault(rule['draft'], []).extend(rule.get('hide', by_suffix))
    lines = ['# Reports, and names that no release of BIDS defines yet, by draft.']
    lines += additions['ignored']
    for draft, patterns in drafts.items():
        fresh = [pattern for pattern in dict.fromkeys(patterns) if pattern not in lines]
        lines += [f'# {draft}', *fresh] if fresh else []
    return '\n'.join(lines) + '\n'
