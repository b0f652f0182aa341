"""``dataset_description.json`` of the outputs, and whether a folder may take them."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from typing import Any

from mriderived import __version__
from mriderived.bids.names import bidsignore, build_path
from mriderived.bids.sidecar import JSONFileError, read_json, write_json
from mriderived.bids.stats_model import read_stats_model, recorded_model
from mriderived.bids.status import write_text
from mriderived.config import Config

NAME = 'mriderived'
#: The newest release that the official validator knows by name.
BIDS_VERSION = '1.11.1'
_FILE = 'dataset_description.json'


class OutputMismatchError(Exception):
    """The output folder must not be written to; the message gives the choices."""


def check_output_folder(out_dir: Path, config: Config) -> None:
    """Refuse a folder that holds anything else than outputs of this version and settings.

    A run that only reads results need not repeat the settings that made them; what it does say
    must not contradict them.

    Raises
    ------
    OutputMismatchError
        If ``out_dir`` is the raw dataset, holds unrelated files, or holds results of another
        version or other settings; the message names what differs and what to do.
    """
    if out_dir.resolve() == config.bids_dir.resolve():
        raise OutputMismatchError(
            f'{out_dir} is the raw dataset itself; choose another folder for the outputs, '
            f'for example {config.bids_dir / "derivatives" / NAME}'
        )
    if not (out_dir / _FILE).exists():
        _check_is_empty(out_dir, config)
        return
    generator = _read_generator(out_dir)
    differences = _differences(generator, config)
    is_other = not config.reads_results and generator.get('ConfigurationHash') != config.hash
    if differences or is_other:
        raise OutputMismatchError(
            f'{out_dir} holds results of {", ".join(differences) or "other settings"}. '
            'Results of both must not mix: choose another output folder, '
            'or run with the former version and settings, or remove that folder'
        )
    _check_model(out_dir, config)


def _check_model(out_dir: Path, config: Config) -> None:
    """Refuse a second model of tasks: participants of both would stand in one table."""
    former = recorded_model(out_dir)
    if config.task_model is None or not former.exists():
        return
    if read_stats_model(former) != read_stats_model(config.task_model):
        raise OutputMismatchError(
            f'{out_dir} holds results of another --task-model, which is kept in {former}. '
            'Results of both must not mix: choose another output folder, or give that model'
        )


def write_description(out_dir: Path, bids_dir: Path, config: Config) -> None:
    """Write ``dataset_description.json`` and ``.bidsignore``; safe beside a second process.

    The folder is checked once more under a lock, so of two first runs with different settings
    only one goes on.
    """
    logs = out_dir / 'logs'
    logs.mkdir(parents=True, exist_ok=True)
    with (logs / '.description.lock').open('w') as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        check_output_folder(out_dir, config)
        write_json(out_dir / _FILE, build_description(out_dir, bids_dir, config))
        write_text(out_dir / '.bidsignore', bidsignore())
        if config.task_model:
            write_text(recorded_model(out_dir), config.task_model.read_text('utf-8'))


def read_settings(out_dir: Path) -> Mapping[str, Any]:
    """Return the settings that decided the numbers in ``out_dir``; none if it tells none.

    Raises
    ------
    JSONFileError
        If ``dataset_description.json`` is there but cannot be read.
    """
    path = out_dir / _FILE
    generators = read_json(path).get('GeneratedBy') if path.exists() else None
    first = generators[0] if isinstance(generators, list) and generators else None
    settings = first.get('Configuration') if isinstance(first, dict) else None
    return settings if isinstance(settings, dict) else {}


def build_description(out_dir: Path, bids_dir: Path, config: Config) -> dict[str, Any]:
    """Return the content of ``dataset_description.json``."""
    raw = read_json(bids_dir / _FILE)
    content = {
        'Name': f'MRIderived: measures of {raw.get("Name", bids_dir.name)}',
        'BIDSVersion': BIDS_VERSION,
        'HEDVersion': '8.3.0',
        'DatasetType': 'derivative',
        'License': raw.get('License'),
        'GeneratedBy': [_generator(config)],
        'SourceDatasets': _source_datasets(raw),
        # Relative, so that a study folder can move.
        'DatasetLinks': {'raw': Path(os.path.relpath(bids_dir, out_dir)).as_posix()},
    }
    return {key: value for key, value in content.items() if value}


def write_atlas_description(
    out_dir: Path,
    label: str,
    *,
    name: str,
    licence: str,
    description: str,
    references: Sequence[str] = (),
) -> Path:
    """Write ``atlas-<label>_description.json``, which BIDS wants of every atlas in use."""
    relative = build_path({'atlas': label}, datatype=None, suffix='description', extension='.json')
    content = {
        'AtlasName': name,
        'License': licence,
        'Description': description,
        'ReferencesAndLinks': list(references),
    }
    write_json(out_dir / relative, {key: value for key, value in content.items() if value})
    return out_dir / relative


def _generator(config: Config) -> dict[str, Any]:
    content = {
        'Name': NAME,
        'Version': __version__,
        'CodeURL': _code_url(),
        'Container': _container(os.environ),
        'ConfigurationHash': config.hash,
        'Configuration': config.decisive,
    }
    return {key: value for key, value in content.items() if value}


def _code_url() -> str | None:
    """Return the first address in the package's metadata; a checkout may have none."""
    try:
        addresses = metadata(NAME).get_all('Project-URL') or []
    except PackageNotFoundError:
        return None
    return addresses[0].rpartition(', ')[2] if addresses else None


def _container(environment: Mapping[str, str]) -> dict[str, str]:
    """Tell the container we run in: Apptainer says so itself, our Dockerfile sets the tag."""
    for variable in ('APPTAINER_CONTAINER', 'SINGULARITY_CONTAINER'):
        if environment.get(variable):
            # The file's name only: the rest of the path is the user's own.
            return {'Type': 'apptainer', 'Tag': Path(environment[variable]).name}
    tag = environment.get('MRIDERIVED_DOCKER_TAG')
    return {'Type': 'docker', 'Tag': tag} if tag else {}


def _source_datasets(raw: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return where the raw dataset is published; a local path would help nobody else."""
    doi = re.search(r'10\.\d{4,}/\S+', str(raw.get('DatasetDOI') or ''))
    if not doi:
        return []
    # OpenNeuro ends its DOIs with the version of the dataset.
    version = re.search(r'\.v(\d+(?:\.\d+)*)$', doi[0])
    return [{'DOI': f'doi:{doi[0]}'} | ({'Version': version[1]} if version else {})]


def _check_is_empty(out_dir: Path, config: Config) -> None:
    ours = {'logs', 'work'}
    if config.work_dir.absolute().is_relative_to(out_dir.absolute()):
        ours.update(config.work_dir.absolute().relative_to(out_dir.absolute()).parts[:1])
    if not out_dir.exists():
        return
    if not out_dir.is_dir():
        raise OutputMismatchError(f'{out_dir} is a file; choose a folder for the outputs')
    strangers = sorted(
        path.name
        for path in out_dir.iterdir()
        if path.name not in ours and not path.name.startswith('.')
    )
    if strangers:
        raise OutputMismatchError(
            f'{out_dir} holds other files ({", ".join(strangers[:3])}) and no {_FILE}; '
            'choose a new or an empty folder for the outputs'
        )


def _read_generator(out_dir: Path) -> Mapping[str, Any]:
    advice = 'choose another folder for the outputs'
    try:
        generators = read_json(out_dir / _FILE).get('GeneratedBy')
    except JSONFileError as error:
        raise OutputMismatchError(f'{error}; {advice}') from error
    first = generators[0] if isinstance(generators, list) and generators else None
    name = first.get('Name') if isinstance(first, dict) else None
    if not isinstance(first, dict) or name != NAME:
        maker = f'made by {name}' if name else 'not made by mriderived'
        raise OutputMismatchError(f'{out_dir} holds a dataset {maker}; {advice}')
    return first


def _differences(generator: Mapping[str, Any], config: Config) -> list[str]:
    """Name what differs between the run that made the folder and this one."""
    found = []
    if generator.get('Version') != __version__:
        found.append(f'version {generator.get("Version")} (now {__version__})')
    former = generator.get('Configuration', {})
    for name, value in config.decisive.items():
        is_left_out = config.reads_results and value == getattr(Config, name)
        if former.get(name) != value and not is_left_out:
            found.append(f'{name} = {former.get(name)!r} (now {value!r})')
    return found
