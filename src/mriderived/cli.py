"""The command line: settings, environment, dispatch, exit code.

Only the standard library is imported until the arguments have been understood: ``--version``
needs nothing to be writable, and libraries that write at import time find where they may.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from types import FrameType
from typing import NoReturn

from mriderived import __version__
from mriderived.app.arguments import build_parser, read_command_line
from mriderived.app.checks import check_settings
from mriderived.app.environment import prepare_environment, scratch_environment
from mriderived.app.exit_codes import (
    ExitCode,
    Problem,
    Terminated,
    UsageError,
    combine_codes,
    exit_code,
)
from mriderived.app.run_log import show_log, stop_log
from mriderived.app.settings import build_config
from mriderived.config import Config

LOGGER = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line and return the exit code."""
    config = None
    try:
        with _heeding_sigterm():
            config = _read_settings(sys.argv[1:] if argv is None else argv)
            return int(_dispatch(config)) if config else ExitCode.OK
    except UsageError as error:
        for problem in error.problems:
            _say(str(problem))
        return combine_codes(error.problems)
    except KeyboardInterrupt:
        return _tell_stopped(ExitCode.INTERRUPTED)
    except Terminated:
        return _tell_stopped(ExitCode.TERMINATED)
    except Exception as error:  # whatever it is, a run ends with one clear line and its code
        return _tell_error(error, config)
    finally:
        stop_log()


def _read_settings(argv: Sequence[str]) -> Config | None:
    """Return the settings of a run; ``None`` where help or the version was asked for."""
    texts, problems = read_command_line(argv)
    if 'help' in texts:
        print(build_parser().format_help(), end='')
        return None
    if 'version' in texts:
        print(f'mriderived {__version__}')
        return None
    config, more = build_config(texts)
    problems += more
    if config is None:
        raise UsageError(problems)
    problems += check_settings(config)
    if problems:
        # Without a temporary folder the problems that are known already must do.
        with contextlib.suppress(OSError), scratch_environment(config.omp_nthreads):
            problems += _check_late(config)
        raise UsageError(problems)
    return config


def _dispatch(config: Config) -> ExitCode:
    """Check everything before anything is written, then run."""
    show_log(config.verbose)
    with contextlib.ExitStack() as stack:
        try:
            # Kept to the end: what the checks import goes on using it.
            user = stack.enter_context(scratch_environment(config.omp_nthreads))
        except OSError:
            if config.dry_run:
                raise
            user = dict(os.environ)  # no temporary folder: the work folder must do from the start
            _make_folders(config, user)
        _check(config)
        if not config.dry_run:
            _make_folders(config, user)
        return _run(config)


def _check(config: Config) -> None:
    problems = _check_late(config)
    if problems:
        raise UsageError(problems)
    from mriderived.app.input_checks import check_input

    check_input(config)


def _make_folders(config: Config, user: Mapping[str, str]) -> None:
    """Make the first folders; some file systems refuse only now, as if a parent were missing."""
    for name, path in (('out_dir', config.out_dir), ('--work-dir', config.work_dir)):
        try:
            path.mkdir(parents=True, exist_ok=True)
        except FileNotFoundError as error:
            message = f'{name} {path} cannot be made: {error.strerror}.'
            problem = Problem(message, 'Give another path.', ExitCode.CANNOT_WRITE)
            raise UsageError([problem]) from error
    prepare_environment(config.work_dir, config.omp_nthreads, user)


def _run(config: Config) -> ExitCode:
    from mriderived.app import stages

    if config.dry_run:
        return stages.preview(config)
    if config.reports_only:
        return stages.rewrite_reports(config)
    if config.level == 'group':
        return stages.process_group(config)
    return stages.process_participants(config)


def _check_late(config: Config) -> list[Problem]:
    """Judge what only heavy imports can judge, if any of it was chosen; defaults are right."""
    chosen = (
        config.measures,
        config.skip_measures,
        config.bids_filter_file,
        config.task_model,
        config.models,
        config.map_models,
        config.harmonise,
        config.predict,
        config.norms,
        config.norms_reference,
        config.exclude,
        config.ratings,
    )
    if (
        any(chosen)
        or config.device == 'cuda'
        or config.atlases != Config.atlases
        or config.output_spaces != Config.output_spaces
    ):
        from mriderived.app.late_checks import check_names

        return check_names(config)
    return []


def _tell_stopped(code: ExitCode) -> ExitCode:
    cause = 'interrupted' if code is ExitCode.INTERRUPTED else 'asked to end (SIGTERM)'
    _say(f'{cause}. What is done is kept; the same command goes on from there.')
    return code


def _tell_error(error: Exception, config: Config | None) -> ExitCode:
    code = exit_code(error, config.bids_dir if config else None)
    details = ''.join(traceback.format_exception(error))
    if code is ExitCode.INTERNAL:
        LOGGER.error('Unexpected error. Please report it with this text:\n%s', details)
    else:
        LOGGER.debug('%s', details)
    _say(_describe(error))
    return code


def _describe(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f'{error.filename or "input or output"}: {error.strerror}.'
    if isinstance(error, MemoryError):
        return 'out of memory. Give it more, or fewer --nprocs.'
    return (str(error) or type(error).__name__).rstrip('.') + '.'


def _say(text: str) -> None:
    print(f'mriderived: {text}', file=sys.stderr)


@contextlib.contextmanager
def _heeding_sigterm() -> Iterator[None]:
    """End in order when a scheduler or a container asks for it."""

    def end(number: int, frame: FrameType | None) -> NoReturn:
        raise Terminated

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
