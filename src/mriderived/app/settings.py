"""Texts of the command line and of a file to settings; every problem is found, none raised."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mriderived.app.arguments import POSITIONALS, USAGE
from mriderived.app.conversions import (
    CONVERSIONS,
    LEVELS,
    as_it_is,
    flag,
    read_memory,
    read_path,
    spell_measures,
)
from mriderived.app.exit_codes import ExitCode, Problem, UsageError
from mriderived.app.machine import available_cpus, available_memory
from mriderived.config import PARTICIPANT_GB, Config, participant_gb, read_config

#: Registration gains little from more.
_MOST_THREADS = 8


def build_config(texts: Mapping[str, Any]) -> tuple[Config | None, list[Problem]]:
    """Turn the texts of a command line into settings; they win over those of a file.

    The settings are ``None`` where a positional argument is missing.
    """
    problems: list[Problem] = []
    settings = _settings_of_file(texts.get('config_file'), problems)
    for name, text in texts.items():
        if name not in {'config_file', 'version', 'help'}:
            convert = CONVERSIONS.get(name, as_it_is)
            try:
                settings[name] = convert(name, text)
            except UsageError as error:
                problems += error.problems
    for name in ('participant_labels', 'session_labels'):
        settings[name] = _bare_labels(settings.get(name, ()), name, problems)
    problems += _missing_positionals(settings, texts)
    if not {'bids_dir', 'out_dir'} <= settings.keys():
        return None, problems
    return _complete(settings), problems


def _settings_of_file(text: str | None, problems: list[Problem]) -> dict[str, Any]:
    if text is None:
        return {}
    try:
        settings = read_config(read_path('config_file', text))
        return {name: _check_range(name, value) for name, value in settings.items()}
    except UsageError as error:
        problems += error.problems
    except ValueError as error:
        problems.append(Problem(f'{error}.', 'Correct the file.', ExitCode.BAD_DATA))
    except OSError as error:
        problems.append(
            Problem(
                f'--config-file {text} cannot be read: {error.strerror}.',
                'Give the path of a TOML file.',
                ExitCode.NO_INPUT,
            )
        )
    return {}


def _check_range(name: str, value: Any) -> Any:
    """Hold a value of a file to the same limits as one of the command line."""
    if isinstance(value, Path):
        return value.absolute()
    if name in ('nprocs', 'omp_nthreads', 'random_seed', 'ica_components', 'tracking_seeds'):
        return CONVERSIONS[name](name, str(value))
    if name in ('measures', 'skip_measures'):
        return spell_measures(value)
    return read_memory(name, f'{value}G') if name == 'mem_gb' else value


def _missing_positionals(settings: Mapping[str, Any], texts: Mapping[str, Any]) -> list[Problem]:
    missing = [name for name in POSITIONALS if name not in settings and name not in texts]
    if not missing:
        return []
    swallowed = any(
        isinstance(words, list) and set(words) & set(LEVELS) for words in texts.values()
    )
    hint = ' A list took them: write them first.' if swallowed else ''
    return [Problem(f'Missing: {", ".join(missing)}.', f'The usage is: {USAGE}.{hint}')]


def _complete(settings: dict[str, Any]) -> Config:
    """Add the defaults that depend on the machine and on the folders."""
    known = {field.name for field in dataclasses.fields(Config)}
    settings = {name: value for name, value in settings.items() if name in known}
    settings.setdefault('nprocs', available_cpus())
    settings.setdefault('mem_gb', round(0.9 * available_memory(), 1))
    settings.setdefault('work_dir', settings['out_dir'] / 'work')
    participants = len(settings['participant_labels']) or sum(
        1 for _ in settings['bids_dir'].glob('sub-*')
    )
    settings.setdefault(
        'omp_nthreads',
        share_threads(
            settings['nprocs'],
            settings['mem_gb'],
            participants,
            participant_gb(
                settings.get('anat_backend', Config.anat_backend),
                has_network=settings.get('wmh_model') is not None,
            ),
        ),
    )
    return Config(**settings)


def share_threads(
    nprocs: int, mem_gb: float, participants: int, each_gb: float = PARTICIPANT_GB
) -> int:
    """Return the threads of one computation, so that participants side by side use ``nprocs``.

    Participants share processors better than threads do, so as many run as memory allows.

    >>> share_threads(16, 64.0, 100), share_threads(16, 21.0, 100), share_threads(16, 64.0, 1)
    (1, 4, 8)
    """
    side_by_side = max(1, min(participants, nprocs, int(mem_gb // each_gb)))
    return min(_MOST_THREADS, nprocs // side_by_side)


def _bare_labels(labels: Iterable[str], name: str, problems: list[Problem]) -> tuple[str, ...]:
    prefix = 'sub-' if name == 'participant_labels' else 'ses-'
    bare = tuple(dict.fromkeys(label.removeprefix(prefix) for label in labels))
    problems += [
        Problem(f'{flag(name)}: {label!r} is not a BIDS label.', 'Labels hold letters and digits.')
        for label in bare
        if not re.fullmatch(r'[0-9A-Za-z+]+', label)
    ]
    return bare
