"""The command line: options, and their conversion to settings. Standard library only.

Every option takes its value as text and argparse is never asked to judge it, so that all bad
arguments are found and reported together, and its exit code 2 cannot occur.
"""

from __future__ import annotations

import argparse
import dataclasses
import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, get_args

from mriderived import __version__
from mriderived.config import Config, Device, Level, SkullStrip, read_config
from mriderived.exit_codes import ExitCode, Problem, UsageError
from mriderived.machine import available_cpus, available_memory

LEVELS: tuple[str, ...] = get_args(Level)
POSITIONALS = ('bids_dir', 'out_dir', 'level')
_UNITS = {'K': 2**-20, 'M': 2**-10, 'G': 1.0, 'T': 2.0**10}
#: Stands for an option without its value; no shell can pass it.
_NOTHING = '\0'

_USAGE = 'mriderived bids_dir out_dir {participant,group} [options]'
_DESCRIPTION = """\
Turns raw MRI in BIDS into one table of MRI-derived measures, with units, reasons and reports.

  bids_dir            folder of the raw dataset (it is only read)
  out_dir             folder of the results
  level               participant: measure images; group: gather the results of all participants
"""
_EPILOGUE = """\
Lists may be repeated, or separated by spaces or commas. Write the three folders and the level
first: a list takes every word that follows it, up to the next option.
Exit codes: 0 all is done; 1 a unit of work failed (see status.tsv); 16 the dataset is not valid
BIDS; 17 unknown level; 18 labels or filters match nothing; 64 wrong usage; 65 wrong content of
a file; 66 missing input; 73 cannot write; 74 I/O error; 75 try again.
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError([Problem(f'{message[:1].upper()}{message[1:]}.', 'See --help.')])


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all options; the three positional arguments are what it leaves."""
    parser = _Parser(
        prog='mriderived',
        usage=_USAGE,
        description=_DESCRIPTION,
        epilog=_EPILOGUE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        add_help=False,
        argument_default=argparse.SUPPRESS,
    )
    _add_selection(parser.add_argument_group('what to work on'))
    _add_processing(parser.add_argument_group('what to compute, and how'))
    _add_resources(parser.add_argument_group('machine'))
    _add_running(parser.add_argument_group('running'))
    return parser


def _list(group: argparse._ArgumentGroup, *flags: str, **details: Any) -> None:
    group.add_argument(*flags, nargs='*', action='extend', **details)


def _value(group: argparse._ArgumentGroup, *flags: str, **details: Any) -> None:
    group.add_argument(*flags, nargs='?', const=_NOTHING, **details)


def _add_selection(group: argparse._ArgumentGroup) -> None:
    _list(group, '--participant-label', '-p', metavar='LABEL', dest='participant_labels',
          help='participants, with or without sub-, or a file with one label per line')  # fmt: skip
    _list(group, '--session-label', metavar='LABEL', dest='session_labels',
          help='sessions, with or without ses-, or a file with one label per line')  # fmt: skip
    _value(group, '--bids-filter-file', metavar='JSON',
           help='entities that the images of a query must have: {"t1w": {"acquisition": "mprage"}}')  # fmt: skip
    group.add_argument('--skip-bids-validation', action='store_true',
                       help='do not run the BIDS validator on bids_dir')  # fmt: skip


def _add_processing(group: argparse._ArgumentGroup) -> None:
    _list(group, '--measures', metavar='NAME', help='only these measures (default: all)')
    _list(group, '--skip-measures', metavar='NAME', help='all measures but these')
    _list(group, '--atlases', metavar='NAME',
          help=f'atlases of regional measures (default: {" ".join(Config.atlases)})')  # fmt: skip
    _list(group, '--output-spaces', metavar='NAME',
          help=f'spaces of warped maps (default: {" ".join(Config.output_spaces)})')  # fmt: skip
    _value(group, '--skull-strip', metavar='|'.join(get_args(SkullStrip)),
           help='auto: unless the image has been stripped already (default)')  # fmt: skip
    _value(group, '--random-seed', metavar='N', help=f'default: {Config.random_seed}')
    group.add_argument('--sloppy', action='store_true',
                       help='coarse and quick; for tests only, marked in every output')  # fmt: skip


def _add_resources(group: argparse._ArgumentGroup) -> None:
    _value(group, '--nprocs', metavar='N',
           help='processors in all (default: those this process may use)')  # fmt: skip
    _value(group, '--omp-nthreads', metavar='N',
           help='threads of one computation (default: nprocs, at most 8)')  # fmt: skip
    _value(group, '--mem', metavar='SIZE', dest='mem_gb',
           help='memory in all, with its unit: 8G, 8000M (default: 90 %% of what there is)')  # fmt: skip
    _value(group, '--device', metavar='|'.join(get_args(Device)),
           help='where networks run (default: auto)')  # fmt: skip
    _value(group, '--work-dir', '-w', metavar='DIR',
           help='intermediate files, caches, temporary files (default: out_dir/work)')  # fmt: skip
    group.add_argument('--clean-workdir', action='store_true',
                       help='remove the intermediate files of participants that are done')  # fmt: skip


def _add_running(group: argparse._ArgumentGroup) -> None:
    _value(group, '--config-file', metavar='TOML',
           help='settings, as written to out_dir/logs; the command line wins')  # fmt: skip
    for flag, text in {
        '--dry-run': 'show what would run, what is missing and why; write nothing',
        '--reports-only': 'write the reports again from what is in out_dir',
        '--write-graph': 'write the graph of every workflow to the work folder',
        '--stop-on-first-failure': 'do not go on after a unit of work has failed',
    }.items():
        group.add_argument(flag, action='store_true', help=text)
    group.add_argument('-v', '--verbose', action='count',
                       help='say more; -vv says all, also what libraries say')  # fmt: skip
    group.add_argument('--version', action='store_true', help='print the version and end')
    group.add_argument('-h', '--help', action='store_true', help='print this text and end')


def read_command_line(argv: Sequence[str]) -> tuple[dict[str, Any], list[Problem]]:
    """Split a command line into texts by setting, and say what in it cannot be understood."""
    given, rest = build_parser().parse_known_args([_with_dashes(word) for word in argv])
    texts = vars(given)
    unknown = [word for word in rest if word.startswith('-') and word != '--']
    words = [word for word in rest if not word.startswith('-')]
    problems = [_unknown_option(word) for word in unknown]
    texts |= dict(zip(POSITIONALS, words, strict=False))
    if not unknown:  # else the surplus is most likely the value of the unknown option
        problems += [
            Problem(f'Unexpected argument {word!r}.', f'The usage is: {_USAGE}.')
            for word in words[len(POSITIONALS) :]
        ]
    return texts, problems


def _with_dashes(word: str) -> str:
    """Turn ``--participant_label`` into ``--participant-label``, but not the value after =."""
    if not word.startswith('--'):
        return word
    name, equals, value = word.partition('=')
    return name.replace('_', '-') + equals + value


def _unknown_option(word: str) -> Problem:
    name = word.partition('=')[0]
    flags = build_parser()._option_string_actions
    close = difflib.get_close_matches(name, flags, n=1)
    return Problem(f'Unknown option {name}.', f'Did you mean {close[0]}?' if close else 'See --help.')


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
        return read_config(_path('config_file', text))
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


def _missing_positionals(settings: Mapping[str, Any], texts: Mapping[str, Any]) -> list[Problem]:
    missing = [name for name in POSITIONALS if name not in settings and name not in texts]
    if not missing:
        return []
    swallowed = any(
        isinstance(words, list) and set(words) & set(LEVELS) for words in texts.values()
    )
    hint = ' A list took them: write them first.' if swallowed else ''
    return [Problem(f'Missing: {", ".join(missing)}.', f'The usage is: {_USAGE}.{hint}')]


def _complete(settings: dict[str, Any]) -> Config:
    """Add the defaults that depend on the machine and on the folders."""
    known = {field.name for field in dataclasses.fields(Config)}
    settings = {name: value for name, value in settings.items() if name in known}
    nprocs = settings.setdefault('nprocs', available_cpus())
    settings.setdefault('omp_nthreads', min(nprocs, 8))
    settings.setdefault('mem_gb', round(0.9 * available_memory(), 1))
    settings.setdefault('work_dir', settings['out_dir'] / 'work')
    return Config(**settings)


def _refuse(name: str, text: object, remedy: str, code: ExitCode = ExitCode.USAGE) -> NoReturn:
    shown = 'has no value' if text in (_NOTHING, []) else f'cannot be {text!r}'
    raise UsageError([Problem(f'{_flag(name)} {shown}.', remedy, code)])


def _flag(name: str) -> str:
    if name in POSITIONALS:
        return name
    special = {'participant_labels': 'participant_label', 'session_labels': 'session_label',
               'mem_gb': 'mem'}  # fmt: skip
    return '--' + special.get(name, name).replace('_', '-')


def _as_it_is(name: str, value: Any) -> Any:
    return value


def _path(name: str, text: str) -> Path:
    if text in ('', _NOTHING):
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


def _whole_number(least: int, most: int) -> Callable[[str, str], int]:
    def convert(name: str, text: str) -> int:
        if not re.fullmatch(r'-?\d{1,12}', text) or not least <= int(text) <= most:
            _refuse(name, text, f'Give a whole number from {least} to {most}.')
        return int(text)

    return convert


def _memory(name: str, text: str) -> float:
    match = re.fullmatch(r'(\d+(?:\.\d+)?) ?([KMGT])(?:i?B)?', text, flags=re.IGNORECASE)
    if match is None:
        if re.fullmatch(r'\d+(\.\d+)?', text):
            raise UsageError([Problem(f'--mem {text} has no unit.', f'Write --mem {text}G for GiB.')])
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
        Problem(f'{_flag(name)}: {label!r} is not a BIDS label.', 'Labels hold letters and digits.')
        for label in bare
        if not re.fullmatch(r'[0-9A-Za-z+]+', label)
    ]
    return bare


_CONVERSIONS: Mapping[str, Callable[[str, Any], Any]] = {
    'bids_dir': _path,
    'out_dir': _path,
    'work_dir': _path,
    'bids_filter_file': _path,
    'level': _level,
    'participant_labels': read_labels,
    'session_labels': read_labels,
    **dict.fromkeys(('measures', 'skip_measures', 'atlases', 'output_spaces'), split_list),
    'skull_strip': _one_of(*get_args(SkullStrip)),
    'device': _one_of(*get_args(Device)),
    'random_seed': _whole_number(0, 2**32 - 1),
    'nprocs': _whole_number(1, 4096),
    'omp_nthreads': _whole_number(1, 4096),
    'mem_gb': _memory,
}

VERSION_TEXT = f'mriderived {__version__}'
