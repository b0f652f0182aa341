"""Texts of the command line to values, setting by setting."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, get_args

from mriderived.app.arguments import POSITIONALS
from mriderived.app.exit_codes import ExitCode, Problem, UsageError
from mriderived.app.option_kinds import NOTHING
from mriderived.config import (
    AlffDefinition,
    AnatBackend,
    Denoising,
    Device,
    Export,
    Learner,
    Lesions,
    Level,
    RatioCalibration,
    Readable,
    RehoNeighbours,
    SkullStrip,
    TableForm,
    TrackingAlgorithm,
)

LEVELS: tuple[str, ...] = get_args(Level)
#: GiB per unit, as job schedulers count.
_UNITS = {'K': 2**-20, 'M': 2**-10, 'G': 1.0, 'T': 2.0**10}
#: More components than these want runs of thousands of volumes.
_MOST_COMPONENTS = 200
#: Fewer permutations cannot tell p = 0.05 from chance.
LEAST_PERMUTATIONS = 100
#: Fewer seeds join no regions; the streamlines of more fill the memory of one participant.
LEAST_SEEDS, MOST_SEEDS = 1000, 2_000_000


def _refuse(name: str, text: object, remedy: str, code: ExitCode = ExitCode.USAGE) -> NoReturn:
    shown = 'has no value' if text in (NOTHING, []) else f'cannot be {text!r}'
    raise UsageError([Problem(f'{flag(name)} {shown}.', remedy, code)])


def flag(name: str) -> str:
    """Return how a setting is written on the command line."""
    if name in POSITIONALS:
        return name
    special = {
        'participant_labels': 'participant_label',
        'session_labels': 'session_label',
        'mem_gb': 'mem',
        'models': 'model',
        'map_models': 'map_model',
    }
    return '--' + special.get(name, name).replace('_', '-')


def as_it_is(name: str, value: Any) -> Any:
    """Return a value that needs no conversion."""
    return value


def read_path(name: str, text: str) -> Path:
    """Return a path in full."""
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


def read_memory(name: str, text: str) -> float:
    """Return a size such as ``8G`` in GiB."""
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


def _models(name: str, words: Iterable[str]) -> tuple[str, ...]:
    texts = [text for text in words if text.strip()]
    if not texts:
        _refuse(name, [], "Give a formula in quotes, such as 'thickness ~ age', or a YAML file.")
    if '~' in texts:
        _refuse(name, ' '.join(texts), 'Put quotes around the formula.')
    return tuple(text if '~' in text else str(Path(text).absolute()) for text in texts)


def _rule(name: str, text: str) -> str:
    if not re.search(r'[<>=!]', text):
        _refuse(name, text, "Give a comparison in quotes, such as 'age > 60'.")
    return text


def _rules(name: str, words: Iterable[str]) -> tuple[str, ...]:
    return tuple(_rule(name, word) for word in words) or (_rule(name, NOTHING),)


def _derivatives(name: str, words: Iterable[str]) -> tuple[str, ...]:
    found = []
    for word in split_list(name, words):
        tool, _, folder = word.partition('=')
        if tool not in get_args(Readable) or not folder:
            known = ', '.join(f'{one}=DIR' for one in get_args(Readable))
            _refuse(name, word, f'Give the name of the tool and its folder: {known}.')
        if not Path(folder).is_dir():
            _refuse(name, word, 'There is no such folder.', ExitCode.NO_INPUT)
        found.append(f'{tool}={Path(folder).absolute()}')
    return tuple(found)


def _forms(name: str, words: Iterable[str]) -> tuple[str, ...]:
    return tuple(map(partial(_one_of(*get_args(TableForm)), name), split_list(name, words)))


def _permutations(name: str, text: str) -> int:
    if not re.fullmatch(r'\d{1,7}', text) or 0 < int(text) < LEAST_PERMUTATIONS:
        _refuse(name, text, f'Give a whole number from {LEAST_PERMUTATIONS}, or 0 for none.')
    return int(text)


def _millimetres(name: str, text: str) -> float:
    if not re.fullmatch(r'\d{1,2}(\.\d+)?', text):
        _refuse(name, text, 'Give a width in mm, such as 6, or 0 for none.')
    return float(text)


def _column(name: str, text: str) -> str:
    if text in ('', NOTHING):
        _refuse(name, text, 'Give the name of a column of participants.tsv.')
    return text


def _address(name: str, text: str) -> str:
    if not re.fullmatch(r'[^\s\0]+', text):
        _refuse(name, text, 'Give the address of the scheduler, such as tcp://10.0.0.1:8786.')
    return text


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


#: How the text of each setting is read; those that are not here need no conversion.
CONVERSIONS: Mapping[str, Callable[[str, Any], Any]] = {
    'bids_dir': read_path,
    'out_dir': read_path,
    'work_dir': read_path,
    'bids_filter_file': read_path,
    'task_model': read_path,
    'level': _level,
    'participant_labels': read_labels,
    'session_labels': read_labels,
    **dict.fromkeys(('measures', 'skip_measures'), _measure_names),
    **dict.fromkeys(('atlases', 'output_spaces'), split_list),
    'skull_strip': _one_of(*get_args(SkullStrip)),
    'anat_backend': _one_of(*get_args(AnatBackend)),
    'lesions': _one_of(*get_args(Lesions)),
    'wmh_model': read_path,
    't1t2_calibration': _one_of(*get_args(RatioCalibration)),
    'denoising': _one_of(*get_args(Denoising)),
    'frequency_band': _band,
    'alff_definition': _one_of(*get_args(AlffDefinition)),
    'reho_neighbours': _one_of(*get_args(RehoNeighbours)),
    'device': _one_of(*get_args(Device)),
    'export': _one_of(*get_args(Export)),
    'ica_components': _components,
    **dict.fromkeys(('models', 'map_models', 'harmonise', 'predict', 'norms'), _models),
    'derivatives': _derivatives,
    'tables': _forms,
    'permutations': _permutations,
    'smoothing': _millimetres,
    'learner': _one_of(*get_args(Learner)),
    'sites': _column,
    'norms_reference': _rule,
    'exclude': _rules,
    'ratings': read_path,
    'dask_scheduler': _address,
    'tracking_algorithm': _one_of(*get_args(TrackingAlgorithm)),
    'tracking_seeds': _whole_number(LEAST_SEEDS, MOST_SEEDS),
    'random_seed': _whole_number(0, 2**32 - 1),
    'nprocs': _whole_number(1, 4096),
    'omp_nthreads': _whole_number(1, 4096),
    'mem_gb': read_memory,
}
