"""Texts of the command line and of a file to settings; every problem is found, none raised."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NoReturn, get_args

from mriderived.app.arguments import NOTHING, POSITIONALS, USAGE
from mriderived.app.exit_codes import ExitCode, Problem, UsageError
from mriderived.app.machine import available_cpus, available_memory
from mriderived.config import (
    PARTICIPANT_GB,
    AlffDefinition,
    AnatBackend,
    Config,
    Denoising,
    Device,
    Export,
    Lesions,
    Level,
    RehoNeighbours,
    SkullStrip,
    participant_gb,
    read_config,
)

LEVELS: tuple[str, ...] = get_args(Level)
#: GiB per unit, as job schedulers count.
_UNITS = {'K': 2**-20, 'M': 2**-10, 'G': 1.0, 'T': 2.0**10}
#: Registration gains little from more.
_MOST_THREADS = 8
#: More components than these want runs of thousands of volumes.
_MOST_COMPONENTS = 200


def build_config(texts: Mapping[str, Any]) -> tuple[Config | None, list[Problem]]:
    """Turn the texts of a command line into settings; they win over those of a file.

    The settings are ``None`` where a positional argument is missing.
    """
    problems: list[Problem] = []
    settings = _settings_of_file(texts.get('config_file'), problems)
    for name, text in texts.items():
        if name not in {'config_file', 'version', 'help'}:
            convert = _CONVERSIONS.get(name, _as_it_is)
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
        settings = read_config(_path('config_file', text))
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
    if name in ('nprocs', 'omp_nthreads', 'random_seed', 'ica_components'):
        return _CONVERSIONS[name](name, str(value))
    if name in ('measures', 'skip_measures'):
        return spell_measures(value)
    return _memory(name, f'{value}G') if name == 'mem_gb' else value


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
            participant_gb(settings.get('anat_backend', Config.anat_backend)),
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


def _refuse(name: str, text: object, remedy: str, code: ExitCode = ExitCode.USAGE) -> NoReturn:
    shown = 'has no value' if text in (NOTHING, []) else f'cannot be {text!r}'
    raise UsageError([Problem(f'{_flag(name)} {shown}.', remedy, code)])


def _flag(name: str) -> str:
    if name in POSITIONALS:
        return name
    special = {
        'participant_labels': 'participant_label',
        'session_labels': 'session_label',
        'mem_gb': 'mem',
    }
    return '--' + special.get(name, name).replace('_', '-')


def _as_it_is(name: str, value: Any) -> Any:
    return value


def _path(name: str, text: str) -> Path:
    if text in ('', NOTHING):
        _refuse(name, text, 'Give a path.')
    return Path(text).absolute()


def _level(name: str, text: str) -> str:
    if text not in LEVELS:
        _refuse(name, text, f'Choose one of: {", ".join(LEVELS)}.', ExitCode.LEVEL)
    return text


def _one_of(*choices: str) -> Callable[[str, str], str]:
    def convert(name: str, text: str) -> str:
        if text not in choices:
            _refuse(name, text, f'Choose one of: {", ".join(choices)}.')
        return text

    return convert


def _band(name: str, text: str) -> str:
    match = re.fullmatch(r'(\d*\.?\d+)-(\d*\.?\d+)', text)
    if match is None or not 0 <= float(match[1]) < float(match[2]) <= 10:
        _refuse(name, text, 'Give two frequencies in Hz, the lower first, such as 0.01-0.1.')
    return text


def _whole_number(least: int, most: int) -> Callable[[str, str], int]:
    def convert(name: str, text: str) -> int:
        if not re.fullmatch(r'-?\d{1,12}', text) or not least <= int(text) <= most:
            _refuse(name, text, f'Give a whole number from {least} to {most}.')
        return int(text)

    return convert


def _components(name: str, text: str) -> int:
    if not re.fullmatch(r'\d{1,3}', text) or int(text) == 1 or int(text) > _MOST_COMPONENTS:
        _refuse(name, text, f'Give a whole number from 2 to {_MOST_COMPONENTS}, or 0 for none.')
    return int(text)


def _memory(name: str, text: str) -> float:
    match = re.fullmatch(r'(\d+(?:\.\d+)?) ?([KMGT])(?:i?B)?', text, flags=re.IGNORECASE)
    if match is None:
        if re.fullmatch(r'\d+(\.\d+)?', text):
            raise UsageError(
                [Problem(f'--mem {text} has no unit.', f'Write --mem {text}G for GiB.')]
            )
        _refuse(name, text, 'Give a number with its unit, such as 8G or 8000M.')
    size = float(match[1]) * _UNITS[match[2].upper()]
    if size < 1:
        _refuse(name, text, 'At least 1G is needed; 8G is comfortable.')
    return size


def split_list(name: str, words: Iterable[str]) -> tuple[str, ...]:
    """Split at commas and spaces, and drop what is repeated."""
    items = [item for word in words for item in re.split(r'[,\s]+', word) if item]
    if not items:
        _refuse(name, [], 'Give at least one name.')
    return tuple(dict.fromkeys(items))


def spell_measures(names: Iterable[str]) -> tuple[str, ...]:
    """Spell names of measures as their declarations do, and drop what is repeated.

    >>> spell_measures(['thickness-laplace', 'vbm', 'thickness_laplace'])
    ('thickness_laplace', 'vbm')
    """
    return tuple(dict.fromkeys(name.replace('-', '_') for name in names))


def _measure_names(name: str, words: Iterable[str]) -> tuple[str, ...]:
    return spell_measures(split_list(name, words))


def read_labels(name: str, words: Iterable[str]) -> tuple[str, ...]:
    """Split a list of labels; a word that is a file stands for the labels in it."""
    items: list[str] = []
    for word in words:
        path = Path(word)
        if path.is_file():
            items += _labels_in(name, path)
        elif '/' in word or path.suffix in {'.txt', '.tsv', '.csv'}:
            _refuse(name, word, 'There is no such file of labels.', ExitCode.NO_INPUT)
        else:
            items.append(word)
    return split_list(name, items)


def _labels_in(name: str, path: Path) -> list[str]:
    """Return the first column of a file, without its header; ``participants.tsv`` will do."""
    try:
        lines = path.read_text(encoding='utf-8-sig').splitlines()
    except UnicodeDecodeError:
        _refuse(name, str(path), 'The file of labels is not text.', ExitCode.BAD_DATA)
    cells = [re.split(r'[\t,]', line.partition('#')[0])[0].strip() for line in lines]
    return [cell for cell in cells if cell and cell not in {'participant_id', 'session_id'}]


def _bare_labels(labels: Iterable[str], name: str, problems: list[Problem]) -> tuple[str, ...]:
    prefix = 'sub-' if name == 'participant_labels' else 'ses-'
    bare = tuple(dict.fromkeys(label.removeprefix(prefix) for label in labels))
    problems += [
        Problem(
            f'{_flag(name)}: {label!r} is not a BIDS label.', 'Labels hold letters and digits.'
        )
        for label in bare
        if not re.fullmatch(r'[0-9A-Za-z+]+', label)
    ]
    return bare


_CONVERSIONS: Mapping[str, Callable[[str, Any], Any]] = {
    'bids_dir': _path,
    'out_dir': _path,
    'work_dir': _path,
    'bids_filter_file': _path,
    'task_model': _path,
    'level': _level,
    'participant_labels': read_labels,
    'session_labels': read_labels,
    **dict.fromkeys(('measures', 'skip_measures'), _measure_names),
    **dict.fromkeys(('atlases', 'output_spaces'), split_list),
    'skull_strip': _one_of(*get_args(SkullStrip)),
    'anat_backend': _one_of(*get_args(AnatBackend)),
    'lesions': _one_of(*get_args(Lesions)),
    'denoising': _one_of(*get_args(Denoising)),
    'frequency_band': _band,
    'alff_definition': _one_of(*get_args(AlffDefinition)),
    'reho_neighbours': _one_of(*get_args(RehoNeighbours)),
    'device': _one_of(*get_args(Device)),
    'export': _one_of(*get_args(Export)),
    'ica_components': _components,
    'random_seed': _whole_number(0, 2**32 - 1),
    'nprocs': _whole_number(1, 4096),
    'omp_nthreads': _whole_number(1, 4096),
    'mem_gb': _memory,
}
