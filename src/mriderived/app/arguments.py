"""The command line as texts. Standard library only.

Every option takes its value as text and argparse is never asked to judge it, so that all bad
arguments are found and reported together, and its exit code 2 cannot occur.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, NoReturn

from mriderived.app.exit_codes import Problem, UsageError
from mriderived.app.misspelt import unknown_option
from mriderived.app.options import (
    add_processing,
    add_resources,
    add_running,
    add_selection,
)

POSITIONALS = ('bids_dir', 'out_dir', 'level')

USAGE = 'mriderived bids_dir out_dir {participant,group} [options]'
_DESCRIPTION = """\
Turns raw MRI in BIDS into one table of MRI-derived measures, with units, reasons and reports.

  bids_dir            folder of the raw dataset (it is only read)
  out_dir             folder of the results
  level               participant: measure images; group: gather the results of all participants
"""
_EPILOGUE = """\
Lists may be repeated, or separated by spaces or commas. Write the folders and the level first:
a list takes every word that follows it, up to the next option.
Exit codes: 0 all is done; 1 a unit of work failed (see status.tsv); 16 the dataset is not valid
BIDS; 17 unknown level; 18 labels or filters match nothing; 64 wrong usage; 65 wrong content of
a file; 66 missing input; 70 a bug (see the log); 73 cannot write; 74 I/O error; 75 try again;
130 interrupted (Ctrl-C); 143 asked to end (SIGTERM): the same command goes on from there.
"""


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Shows ``-w, --work-dir DIR``: no brackets, and the value once."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=30, width=98)

    def _format_action_invocation(self, action: argparse.Action) -> str:
        value = f' {action.metavar}' if action.metavar else ''
        more = ' ...' if action.nargs == '*' else ''
        return ', '.join(action.option_strings) + value + more


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError([Problem(f'{message[:1].upper()}{message[1:]}.', 'See --help.')])


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all options; the three positional arguments are what it leaves."""
    parser = _Parser(
        prog='mriderived',
        usage=USAGE,
        description=_DESCRIPTION,
        epilog=_EPILOGUE,
        formatter_class=_Formatter,
        allow_abbrev=False,
        add_help=False,
        argument_default=argparse.SUPPRESS,
    )
    add_selection(parser.add_argument_group('what to work on'))
    add_processing(parser.add_argument_group('what to compute, and how'))
    add_resources(parser.add_argument_group('machine'))
    add_running(parser.add_argument_group('running'))
    return parser


def read_command_line(argv: Sequence[str]) -> tuple[dict[str, Any], list[Problem]]:
    """Split a command line into texts by setting, and say what in it cannot be understood."""
    parser = build_parser()
    flags = list(parser._option_string_actions)
    given, rest = parser.parse_known_args([_with_dashes(word) for word in argv])
    texts = vars(given)
    unknown = [word for word in rest if word.startswith('-') and word != '--']
    words = [word for word in rest if not word.startswith('-')]
    problems = [unknown_option(word, flags) for word in unknown]
    texts |= dict(zip(POSITIONALS, words, strict=False))
    if not unknown:  # else the surplus is most likely the value of the unknown option
        problems += [
            Problem(f'Unexpected argument {word!r}.', f'The usage is: {USAGE}.')
            for word in words[len(POSITIONALS) :]
        ]
    return texts, problems


def _with_dashes(word: str) -> str:
    """Turn ``--participant_label`` into ``--participant-label``, but not the value after =."""
    if not word.startswith('--'):
        return word
    name, equals, value = word.partition('=')
    return name.replace('_', '-') + equals + value
