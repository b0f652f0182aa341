"""The part of BIDS Stats Models that runs with events can be fitted with.

One node of level Run: ``Factor`` and ``Convolve``, predictors, and contrasts of type t. What a
model asks for beyond that is refused with the name of its key, never left out in silence. See
https://bids-standard.github.io/stats-models/.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from mriderived.bids.sidecar import JSONFileError, read_json
from mriderived.bids.stats_model_contrasts import Contrast, read_contrasts
from mriderived.bids.stats_model_parts import (
    StatsModelError,
    as_mapping,
    as_names,
    check_keys,
    list_items,
    read_instructions,
    read_response,
)

__all__ = ['Condition', 'Contrast', 'StatsModel', 'StatsModelError', 'read_stats_model',
           'recorded_model']  # fmt: skip

_KEYS = ('Name', 'BIDSModelVersion', 'Description', 'Input', 'Nodes', 'Edges')
_KEYS_OF_NODE = ('Level', 'Name', 'Description', 'GroupBy', 'Transformations', 'Model',
                 'Contrasts', 'DummyContrasts')  # fmt: skip


@dataclass(frozen=True)
class Condition:
    """A predictor made of events: ``column.level`` of a factor, or a column of numbers.

    ``name`` may hold wildcards; ``response`` is a name of nilearn, such as ``spm + derivative``.
    """

    name: str
    response: str


@dataclass(frozen=True)
class StatsModel:
    """What to fit to every run of some tasks.

    ``factors`` are columns of the events whose levels are conditions; ``confounds`` names of our
    table of confounds, which may hold wildcards; ``high_pass_hz`` is ``None`` for the usual one.
    """

    name: str
    tasks: tuple[str, ...]
    factors: tuple[str, ...]
    conditions: tuple[Condition, ...]
    confounds: tuple[str, ...]
    contrasts: tuple[Contrast, ...]
    high_pass_hz: float | None = None

    def to_json(self) -> str:
        """Return the model as text from which :meth:`from_json` makes it again."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> StatsModel:
        """Return the model that :meth:`to_json` has written."""
        content = json.loads(text)
        for name in ('tasks', 'factors', 'confounds'):
            content[name] = tuple(content[name])
        content['conditions'] = tuple(Condition(**item) for item in content['conditions'])
        content['contrasts'] = tuple(
            Contrast(item['name'], item['label'], tuple(item['conditions']),
                     tuple(item['weights']))
            for item in content['contrasts']
        )  # fmt: skip
        return cls(**content)


def recorded_model(out_dir: Path) -> Path:
    """Return where an output folder keeps the model that its results are of, if it has one."""
    return out_dir / 'logs' / 'task_model.json'


def read_stats_model(path: Path) -> StatsModel:
    """Read a model.

    Raises
    ------
    StatsModelError
        If the file is no model, or asks for what is not supported; the message names the key.
    """
    try:
        return _read(read_json(path))
    except JSONFileError as error:
        raise StatsModelError(str(error)) from error
    except StatsModelError as error:
        raise StatsModelError(f'{path}: {error}') from error


def _read(content: Mapping[str, Any]) -> StatsModel:
    check_keys(content, '', _KEYS)
    node, where = _find_run_node(list_items(content, 'Nodes', ''))
    check_keys(node, where, _KEYS_OF_NODE)
    if 'GroupBy' in node and 'run' not in as_names(node['GroupBy'], f'{where}.GroupBy'):
        raise StatsModelError(f'{where}.GroupBy must name "run": every run is fitted by itself')
    _check_edges(content)
    model = as_mapping(node.get('Model'), f'{where}.Model')
    factors, responses = read_instructions(node.get('Transformations'), f'{where}.Transformations')
    responses |= read_response(model.get('HRF'), f'{where}.Model.HRF')
    conditions, confounds = _split_predictors(model, f'{where}.Model', factors, responses)
    return StatsModel(
        name=str(content.get('Name', 'model')),
        tasks=_read_tasks(content),
        factors=factors,
        conditions=conditions,
        confounds=confounds,
        contrasts=read_contrasts(node, where, [condition.name for condition in conditions]),
        high_pass_hz=_read_high_pass(model, f'{where}.Model', confounds),
    )


def _read_tasks(content: Mapping[str, Any]) -> tuple[str, ...]:
    wanted = as_mapping(content.get('Input', {}), 'Input')
    for key in wanted:
        if key != 'task':
            raise StatsModelError(
                f'Input.{key} is not supported; choose images with the options of the command line'
            )
    if not wanted.get('task'):
        raise StatsModelError('Input.task is missing: name the tasks that the model is for')
    tasks = wanted['task']
    return tuple(as_names([tasks] if isinstance(tasks, str) else tasks, 'Input.task'))


def _find_run_node(nodes: list[Mapping[str, Any]]) -> tuple[Mapping[str, Any], str]:
    found = []
    for number, node in enumerate(nodes):
        where, level = f'Nodes[{number}]', str(node.get('Level', '')).lower()
        if level == 'run':
            found.append((node, where))
        elif level == 'dataset' and _is_mean(node):
            continue  # which the group level does anyway
        elif level == 'dataset':
            raise StatsModelError(f'{where}.Model.X can only be [1], the mean of participants')
        else:
            raise StatsModelError(
                f'{where}.Level {node.get("Level")!r} is not supported, only Run (and the mean '
                'of all participants, Dataset): runs are not combined'
            )
    if len(found) != 1:
        raise StatsModelError(f'Nodes must hold one node of Level Run, not {len(found)}')
    return found[0]


def _is_mean(node: Mapping[str, Any]) -> bool:
    model = node.get('Model')
    return isinstance(model, Mapping) and model.get('X') == [1]


def _check_edges(content: Mapping[str, Any]) -> None:
    for number, edge in enumerate(list_items(content, 'Edges', '') if 'Edges' in content else ()):
        check_keys(edge, f'Edges[{number}]', ('Source', 'Destination', 'Description'))


def _split_predictors(
    model: Mapping[str, Any], where: str, factors: Iterable[str], responses: Mapping[str, str]
) -> tuple[tuple[Condition, ...], tuple[str, ...]]:
    """Tell the conditions among the predictors, which are convolved, from the confounds."""
    check_keys(model, where, ('Type', 'X', 'HRF', 'Options', 'Description'))
    if str(model.get('Type', 'glm')).lower() != 'glm':
        raise StatsModelError(f'{where}.Type {model["Type"]!r} is not supported, only glm')
    predictors = [item for item in model.get('X', ()) if item != 1]
    conditions, confounds = [], []
    for name in as_names(predictors, f'{where}.X'):
        response = next((r for pattern, r in responses.items() if fnmatchcase(name, pattern)), '')
        if response:
            conditions.append(Condition(name, response))
        elif any(name.startswith(f'{factor}.') for factor in factors):
            raise StatsModelError(
                f'{where}.X: {name!r} is not convolved; name it in the Input of Convolve, or in '
                'Model.HRF.Variables'
            )
        else:
            confounds.append(name)
    if not conditions:
        raise StatsModelError(f'{where}.X names no variable that is convolved')
    return tuple(conditions), tuple(confounds)


def _read_high_pass(
    model: Mapping[str, Any], where: str, confounds: Iterable[str]
) -> float | None:
    options = as_mapping(model.get('Options', {}), f'{where}.Options')
    check_keys(options, f'{where}.Options', ('HighPassFilterCutoffHz', 'Description'))
    value = options.get('HighPassFilterCutoffHz')
    if value is None:
        return None
    key = f'{where}.Options.HighPassFilterCutoffHz'
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1:
        raise StatsModelError(f'{key} {value!r} is not a frequency in Hz')
    if any(name.startswith('cosine') for name in confounds):
        raise StatsModelError(f'{key} and {where}.X both take drifts off; leave one of them out')
    return float(value)
