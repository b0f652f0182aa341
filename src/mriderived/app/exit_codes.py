"""Exit codes, and the one table that gives every error its code. Standard library only."""

from __future__ import annotations

import errno
from collections.abc import Iterable
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple


class ExitCode(IntEnum):
    """What the process returns; the numbers are those of the BIDS execution specification."""

    OK = 0
    UNIT_FAILED = 1
    INVALID_BIDS = 16
    LEVEL = 17
    NO_MATCH = 18
    USAGE = 64
    BAD_DATA = 65
    NO_INPUT = 66
    INTERNAL = 70
    CANNOT_WRITE = 73
    IO_ERROR = 74
    TEMPORARY = 75
    INTERRUPTED = 130
    TERMINATED = 143


class Problem(NamedTuple):
    """Something that keeps a run from starting, and what to do about it."""

    message: str
    remedy: str
    code: ExitCode = ExitCode.USAGE

    def __str__(self) -> str:
        return f'{self.message} {self.remedy}'.rstrip()


class UsageError(Exception):
    """The command line or the settings cannot be used; holds every problem found."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__('\n'.join(str(problem) for problem in self.problems))


class Terminated(BaseException):
    """The process was asked to end; not an ``Exception``, so that no unit can catch it."""


def combine_codes(problems: Iterable[Problem]) -> ExitCode:
    """Return the code of several problems: their common one, else ``USAGE``.

    Without a level nothing else of a command line has a meaning, so ``LEVEL`` comes first.
    """
    codes = {problem.code for problem in problems}
    if ExitCode.LEVEL in codes:
        return ExitCode.LEVEL
    return codes.pop() if len(codes) == 1 else ExitCode.USAGE


#: Class name → code. Names, because the classes live in modules that must not be imported before
#: the arguments are parsed; a test checks that each exists.
ERROR_CODES = {
    'InvalidDatasetError': ExitCode.INVALID_BIDS,
    'FilterError': ExitCode.NO_MATCH,
    'FilterFileError': ExitCode.BAD_DATA,
    'SheetError': ExitCode.BAD_DATA,
    'BadImageError': ExitCode.BAD_DATA,
    'RecordError': ExitCode.BAD_DATA,
    'OutputMismatchError': ExitCode.CANNOT_WRITE,
    'NoParticipantsError': ExitCode.NO_INPUT,
    'NoInputError': ExitCode.NO_INPUT,
    'UnavailableError': ExitCode.NO_INPUT,
    'MemoryError': ExitCode.TEMPORARY,
    'BrokenProcessPool': ExitCode.TEMPORARY,
}

_CANNOT_WRITE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT,
                 errno.EFBIG, errno.EEXIST, errno.ENOTDIR, errno.EISDIR}  # fmt: skip
_TEMPORARY = {errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.EBUSY, errno.ESTALE,
              errno.ETIMEDOUT, errno.EINTR, errno.ENOLCK, errno.EDEADLK}  # fmt: skip


def exit_code(error: BaseException, bids_dir: Path | None = None) -> ExitCode:
    """Return the code of an error that ended the run; ``INTERNAL`` for one nobody foresaw."""
    if isinstance(error, UsageError):
        return combine_codes(error.problems)
    for kind in type(error).__mro__:
        if kind.__name__ in ERROR_CODES:
            return ERROR_CODES[kind.__name__]
    if isinstance(error, OSError):
        return _code_of_os_error(error, bids_dir)
    return ExitCode.INTERNAL


def _code_of_os_error(error: OSError, bids_dir: Path | None) -> ExitCode:
    if error.errno in _TEMPORARY:
        return ExitCode.TEMPORARY
    is_input = bids_dir is not None and Path(str(error.filename or '')).is_relative_to(bids_dir)
    if is_input and error.errno in {errno.ENOENT, errno.EACCES, errno.EPERM}:
        return ExitCode.NO_INPUT
    return ExitCode.CANNOT_WRITE if error.errno in _CANNOT_WRITE else ExitCode.IO_ERROR
