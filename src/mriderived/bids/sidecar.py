"""JSON beside the data: what a file holds, what it was made from, what its columns mean."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any, Literal, Protocol, TypeVar

from mriderived.bids.status import write_text

AnyPath = TypeVar('AnyPath', bound=PurePath)


class Described(Protocol):
    """A column of a table, as measures declare them."""

    @property
    def name(self) -> str:
        """The column's heading."""

    @property
    def description(self) -> str:
        """What the column holds."""

    @property
    def unit(self) -> str:
        """The unit, ``1`` for pure numbers; empty where a unit makes no sense."""

    @property
    def title(self) -> str:
        """What readers call the column; empty where its name says it."""


def sidecar_path(data_path: AnyPath) -> AnyPath:
    """Return where the sidecar of a data file is."""
    return data_path.with_name(data_path.name.partition('.')[0] + '.json')


def bids_uri(dataset: Literal['raw', ''], relative: PurePath | str) -> str:
    """Return the BIDS URI of a file of the raw dataset or, with ``''``, of the outputs."""
    return f'bids:{dataset}:{PurePath(relative).as_posix()}'


def build_sidecar(
    *,
    description: str,
    sources: Sequence[str],
    unit: str | None = None,
    skull_stripped: bool | None = None,
    extra: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the content of a sidecar; ``sources`` are BIDS URIs, ``extra`` comes last."""
    known = {
        'Description': description,
        'Sources': list(sources),
        'SkullStripped': skull_stripped,
        'Units': unit,
    }
    content = {key: value for key, value in known.items() if value is not None}
    return content | dict(extra or {})


def table_dictionary(
    columns: Iterable[Described], *, is_derivative: bool = False
) -> dict[str, dict[str, Any]]:
    """Return the JSON dictionary of a table; cohort tables mark their columns as derived."""
    dictionary: dict[str, dict[str, Any]] = {}
    for column in columns:
        entry: dict[str, Any] = {'LongName': column.title} if column.title else {}
        entry['Description'] = column.description
        if column.unit:
            entry['Units'] = column.unit
        dictionary[column.name] = entry | ({'Derivative': True} if is_derivative else {})
    return dictionary


class JSONFileError(ValueError):
    """A file that does not hold a JSON object; the message names it and the remedy."""


def read_json(path: Path) -> dict[str, Any]:
    """Read a file that must hold one JSON object."""
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except FileNotFoundError as error:
        if not path.is_symlink():
            raise JSONFileError(f'{path} does not exist') from error
        raise JSONFileError(f'{path} has no content; get it with: datalad get {path}') from error
    except OSError as error:
        raise JSONFileError(f'{path} cannot be read: {error.strerror}') from error
    except ValueError as error:
        raise JSONFileError(
            f'{path} is not valid JSON: {error}; correct it there, or convert it again'
        ) from error
    if not isinstance(content, dict):
        raise JSONFileError(
            f'{path} holds a {type(content).__name__}, not a JSON object; correct it, or convert '
            'it again'
        )
    return content


def description_faults(bids_dir: Path) -> list[str]:
    """Return what is wrong with the ``dataset_description.json`` of a raw dataset."""
    path = bids_dir / 'dataset_description.json'
    if not path.exists() and not path.is_symlink():
        return [f'{path} is missing; a BIDS dataset must have it']
    try:
        content = read_json(path)
    except JSONFileError as error:
        return [str(error)]
    faults = [f'{path} has no {key}' for key in ('Name', 'BIDSVersion') if not content.get(key)]
    if content.get('DatasetType', 'raw') != 'raw':
        faults.append(f'{path}: DatasetType is {content["DatasetType"]}, not raw')
    return faults


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON whole or not at all, keys in the order given, NaN and infinity as null."""
    text = json.dumps(_plain(content), indent=2, ensure_ascii=False, allow_nan=False)
    write_text(path, text + '\n')


def write_sidecar(data_path: Path, content: Mapping[str, Any]) -> Path:
    """Write the sidecar of ``data_path`` and return where it is."""
    path = sidecar_path(data_path)
    write_json(path, content)
    return path


def _plain(value: Any) -> Any:
    """Turn numpy numbers, arrays and paths into what JSON knows."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, PurePath):
        return value.as_posix()
    if hasattr(value, 'tolist'):
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
