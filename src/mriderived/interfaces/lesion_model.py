"""What a network for hyperintensities takes and gives (``--wmh-model``). Standard library only.

A network is one TorchScript file. What cannot be read from it stands in a JSON file of the same
name beside it; without one, the defaults hold.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from mriderived.interfaces.network_weights import WeightsError

#: Channels; how intensities are scaled within the brain; what the network gives.
Inputs = Literal['FLAIR', 'FLAIR+T1w']
Intensity = Literal['standard', 'range']
Result = Literal['probability', 'evidence', 'two classes']

KEYS = ('Name', 'ReferencesAndLinks', 'Inputs', 'VoxelSize', 'PatchSize', 'Multiple', 'Intensity',
        'Result')  # fmt: skip
#: Voxels finer than this, in mm, would not fit into memory; coarser ones hold no lesion.
VOXEL_MM = (0.4, 6.0)
#: Of patches, in voxels along an edge.
PATCH = (16, 512)


@dataclass(frozen=True)
class LesionModel:
    """A file, and how to use it; see ``docs/measures/wmh.md`` for each field."""

    path: Path
    sha256: str
    name: str
    references: tuple[str, ...] = ()
    inputs: Inputs = 'FLAIR'
    voxel_mm: tuple[float, float, float] = (1.0, 1.0, 1.0)
    #: Edges of patches in voxels; without, the network sees the whole brain at once.
    patch: tuple[int, int, int] | None = None
    #: The grid's edges are multiples of this.
    multiple: int = 16
    intensity: Intensity = 'standard'
    result: Result = 'probability'

    def to_json(self) -> dict[str, Any]:
        """Return what sidecars say of it."""
        said: dict[str, Any] = {'Name': self.name, 'File': self.path.name, 'SHA256': self.sha256}
        if self.references:
            said['ReferencesAndLinks'] = list(self.references)
        return said


def read_lesion_model(path: Path) -> LesionModel:
    """Read what is said of a network; the network itself is not loaded.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    WeightsError
        If it is no TorchScript archive, or its description holds something else.
    """
    if not path.is_file():
        raise FileNotFoundError(f'{path} is not there')
    if not zipfile.is_zipfile(path):
        kind = 'a network of another format' if path.suffix == '.onnx' else 'cut off or no network'
        raise WeightsError(f'{path} is {kind}: a TorchScript archive is needed')
    said = _read_description(path.with_suffix('.json'))
    return LesionModel(path, digest_model(path), **_convert(said, path))


def digest_model(path: Path) -> str:
    """Return the SHA-256 of a file of weights."""
    with path.open('rb') as stream:
        return hashlib.file_digest(stream, 'sha256').hexdigest()


def _read_description(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        said = json.loads(path.read_text(encoding='utf-8'))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise WeightsError(f'{path} is no JSON: {error}') from error
    if not isinstance(said, dict):
        raise WeightsError(f'{path} holds no object of JSON')
    unknown = sorted(set(said) - {*KEYS})
    if unknown:
        raise WeightsError(
            f'{path} has {", ".join(unknown)}, which is unknown; keys are {", ".join(KEYS)}'
        )
    return {**said, 'path': path}


def _convert(said: dict[str, Any], model: Path) -> dict[str, Any]:
    """Return the fields of :class:`LesionModel` that a description gives."""
    path = said.pop('path', None)
    found: dict[str, Any] = {'name': said.get('Name', model.stem)}
    faults = [] if isinstance(found['name'], str) else ['Name is no text']
    if 'ReferencesAndLinks' in said:
        links = said['ReferencesAndLinks']
        is_list = isinstance(links, list) and all(isinstance(link, str) for link in links)
        found['references'] = tuple(links) if is_list else ()
        faults += [] if is_list else ['ReferencesAndLinks is no list of texts']
    for key, field, choices in (
        ('Inputs', 'inputs', get_args(Inputs)),
        ('Intensity', 'intensity', get_args(Intensity)),
        ('Result', 'result', get_args(Result)),
    ):
        found |= {field: said[key]} if key in said else {}
        if key in said and said[key] not in choices:
            faults.append(f'{key} is {said[key]!r}, not one of {", ".join(choices)}')
    for key, field, kind, (low, high) in (
        ('VoxelSize', 'voxel_mm', float, VOXEL_MM),
        ('PatchSize', 'patch', int, PATCH),
    ):
        if key not in said:
            continue
        if _is_triple(said[key], kind, low, high):
            found[field] = tuple(kind(value) for value in said[key])
        else:
            faults.append(f'{key} is {said[key]!r}, not three numbers from {low} to {high}')
    if 'Multiple' in said:
        found['multiple'] = said['Multiple']
        if not _is_number(said['Multiple'], int, 1, 128):
            faults.append(f'Multiple is {said["Multiple"]!r}, not a whole number from 1 to 128')
    if faults:
        raise WeightsError(f'{path}: {"; ".join(faults)}')
    return found


def _is_triple(value: object, kind: type, low: float, high: float) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 3
        and all(_is_number(each, kind, low, high) for each in value)
    )


def _is_number(value: object, kind: type, low: float, high: float) -> bool:
    kinds = (int,) if kind is int else (int, float)
    return isinstance(value, kinds) and not isinstance(value, bool) and low <= value <= high
