"""The options of the command line. Standard library only.

Every option takes its value as text and argparse is never asked to judge it, so that all bad
arguments are found and reported together, and its exit code 2 cannot occur.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, NoReturn, get_args

from mriderived.app.exit_codes import Problem, UsageError
from mriderived.app.misspelt import unknown_option
from mriderived.config import (
    DEFAULT_MEASURES,
    AlffDefinition,
    AnatBackend,
    Config,
    Denoising,
    Device,
    Export,
    Lesions,
    RehoNeighbours,
    SkullStrip,
)

POSITIONALS = ('bids_dir', 'out_dir', 'level')
#: Stands for an option without its value; no shell can pass it.
NOTHING = '\0'
#: Denoising strategies without censoring.
_PLAIN = [name for name in get_args(Denoising) if not name.endswith('+scrub')]

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
    _add_selection(parser.add_argument_group('what to work on'))
    _add_processing(parser.add_argument_group('what to compute, and how'))
    _add_resources(parser.add_argument_group('machine'))
    _add_running(parser.add_argument_group('running'))
    return parser


def _list(group: argparse._ArgumentGroup, *flags: str, **details: Any) -> None:
    group.add_argument(*flags, nargs='*', action='extend', **details)


def _value(group: argparse._ArgumentGroup, *flags: str, **details: Any) -> None:
    group.add_argument(*flags, nargs='?', const=NOTHING, **details)


def _add_selection(group: argparse._ArgumentGroup) -> None:
    _list(
        group,
        '-p',
        '--participant-label',
        metavar='LABEL',
        dest='participant_labels',
        help='participants, with or without sub-, or a file with one label per line',
    )
    _list(
        group,
        '--session-label',
        metavar='LABEL',
        dest='session_labels',
        help='sessions, with or without ses-, or a file with one label per line',
    )
    _value(
        group,
        '--bids-filter-file',
        metavar='JSON',
        help='entities that the images must have, by query (see docs/usage.md)',
    )
    group.add_argument(
        '--skip-bids-validation',
        action='store_true',
        help='do not run the BIDS validator on bids_dir',
    )


def _add_processing(group: argparse._ArgumentGroup) -> None:
    _list(
        group,
        '--measures',
        metavar='NAME',
        help=f'only these measures; {DEFAULT_MEASURES} stands for all but those that run only '
        f'where named, as in: {DEFAULT_MEASURES} thickness_laplace (default: {DEFAULT_MEASURES})',
    )
    _list(group, '--skip-measures', metavar='NAME', help='not these measures')
    _list(
        group,
        '--atlases',
        metavar='NAME',
        help=f'atlases of regional measures (default: {" ".join(Config.atlases)})',
    )
    _list(
        group,
        '--output-spaces',
        metavar='NAME',
        help=f'spaces of warped maps (default: {" ".join(Config.output_spaces)})',
    )
    _value(
        group,
        '--skull-strip',
        metavar='|'.join(get_args(SkullStrip)),
        help='auto: unless the image has been stripped already (default)',
    )
    _value(
        group,
        '--anat-backend',
        metavar='|'.join(get_args(AnatBackend)),
        help='what finds tissues and spaces; deepmriprep needs its weights (default: builtin)',
    )
    _value(
        group,
        '--lesions',
        metavar='|'.join(get_args(Lesions)),
        help='what leaves regions without numbers; auto: suspected large lesions and given masks '
        '(default); mask: given masks alone; ignore: nothing',
    )
    _value(
        group,
        '--denoising',
        metavar='NAME',
        help=f'what is taken off BOLD: {", ".join(_PLAIN)}, each also with +scrub '
        f'(default: {Config.denoising}: 36P, or 24P+GSR where a run has no tissues)',
    )
    _value(
        group,
        '--frequency-band',
        metavar='LOW-HIGH',
        help=f'of BOLD, in Hz (default: {Config.frequency_band})',
    )
    group.add_argument(
        '--use-syn-sdc',
        action='store_true',
        help='BOLD and diffusion without a field map: tell distortion from the T1w (a guess)',
    )
    group.add_argument(
        '--fix-gradients',
        action='store_true',
        help='diffusion whose gradient table has wrong axes or signs: take the likely right one',
    )
    _value(
        group,
        '--alff-definition',
        metavar='|'.join(get_args(AlffDefinition)),
        help='ALFF as mean amplitude (Zang, Zou; default) or as standard deviation (C-PAC)',
    )
    _value(
        group,
        '--reho-neighbours',
        metavar='|'.join(get_args(RehoNeighbours)),
        help=f'voxels that ReHo is of, itself included (default: {Config.reho_neighbours})',
    )
    _value(
        group,
        '--task-model',
        metavar='JSON',
        help='BIDS Stats Model of runs with events: adds maps of its contrasts',
    )
    _value(
        group,
        '--export',
        metavar='|'.join(get_args(Export)),
        help='group only: its tables also in the form of the ENIGMA protocols (default: none)',
    )
    _value(
        group,
        '--ica-components',
        metavar='N',
        help='group only: find so many components of denoised_in_space, by CanICA and dual '
        'regression (default: none)',
    )
    group.add_argument(
        '--tangent',
        action='store_true',
        help='group only: connectivity in tangent space too',
    )
    _value(group, '--random-seed', metavar='N', help=f'default: {Config.random_seed}')
    group.add_argument(
        '--sloppy',
        action='store_true',
        help='coarse and quick; for tests only, marked in every output',
    )


def _add_resources(group: argparse._ArgumentGroup) -> None:
    _value(
        group,
        '--nprocs',
        metavar='N',
        help='processors in all (default: those this process may use)',
    )
    _value(
        group,
        '--omp-nthreads',
        metavar='N',
        help='threads of one computation (default: shared among the participants that run)',
    )
    _value(
        group,
        '--mem',
        metavar='SIZE',
        dest='mem_gb',
        help='memory in all, with its unit: 8G, 8000M (default: 90 %% of what there is)',
    )
    _value(
        group,
        '--device',
        metavar='|'.join(get_args(Device)),
        help='where networks run (default: auto)',
    )
    _value(
        group,
        '-w',
        '--work-dir',
        metavar='DIR',
        help='intermediate files, caches, temporary files (default: out_dir/work)',
    )
    group.add_argument(
        '--clean-workdir',
        action='store_true',
        help='remove the intermediate files of participants that are done',
    )


def _add_running(group: argparse._ArgumentGroup) -> None:
    _value(
        group,
        '--config-file',
        metavar='TOML',
        help='settings, as written to out_dir/logs; the command line wins',
    )
    for flag, text in {
        '--dry-run': 'show what would run, what is missing and why; write nothing',
        '--reports-only': 'write the reports again from what is in out_dir',
        '--write-graph': 'write the graph of every workflow to out_dir/logs',
        '--stop-on-first-failure': 'end all participants after a unit of work has failed',
    }.items():
        group.add_argument(flag, action='store_true', help=text)
    group.add_argument(
        '-v', '--verbose', action='count', help='say more; -vv says all, also what libraries say'
    )
    group.add_argument('--version', action='store_true', help='print the version and end')
    group.add_argument('-h', '--help', action='store_true', help='print this text and end')


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
