"""What ends a run, and its exit code: errors, folders that take nothing, signals."""

from __future__ import annotations

import errno
import importlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_lines import SOURCE, Stages, run, stub_stages, write_dataset

from mriderived import cli
from mriderived.app.exit_codes import ERROR_CODES, ExitCode, Problem, UsageError, exit_code


@pytest.fixture
def stages(monkeypatch: pytest.MonkeyPatch) -> Stages:
    return stub_stages(monkeypatch)


@pytest.fixture
def bids_dir(tmp_path: Path) -> Path:
    return write_dataset(tmp_path / 'bids')


def raising(error: BaseException) -> Callable[[], ExitCode]:
    def answer() -> ExitCode:
        raise error

    return answer


def make(name: str, *bases: type[BaseException]) -> BaseException:
    error: BaseException = type(name, bases or (Exception,), {})('the text')
    return error


@pytest.mark.parametrize(('error', 'code'), [
    (make('InvalidDatasetError'), 16),
    (make('FilterError', ValueError), 18),
    (make('FilterFileError', ValueError), 65),
    (make('BadImageError', ValueError), 65),
    (make('NoParticipantsError'), 66),
    (make('NoInputError'), 66),
    (make('UnavailableError'), 66),
    (make('OutputMismatchError'), 73),
    (OSError(errno.ENOSPC, 'No space left on device', '/o/x'), 73),
    (PermissionError(errno.EACCES, 'Permission denied', '/o/x'), 73),
    (OSError(errno.EROFS, 'Read-only file system', '/o/x'), 73),
    (OSError(errno.EIO, 'Input/output error', '/o/x'), 74),
    (FileNotFoundError(errno.ENOENT, 'No such file or directory', '/o/x'), 74),
    (OSError(errno.ESTALE, 'Stale file handle', '/o/x'), 75),
    (OSError(errno.EMFILE, 'Too many open files'), 75),
    (MemoryError(), 75),
    (RuntimeError('a bug'), 70),
    (ZeroDivisionError(), 70),
    (UsageError([Problem('a', 'b', ExitCode.NO_INPUT)]), 66),
    (KeyboardInterrupt(), 130),
])  # fmt: skip
def test_errors_get_their_code_and_one_clear_line(
    error: BaseException, code: int, bids_dir: Path, stages: Stages,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    stages.answer = raising(error)
    assert run(bids_dir) == code
    text = capsys.readouterr().err
    last = text.splitlines()[-1]
    assert last.startswith('mriderived: ')
    assert len(last) > len('mriderived: .')
    assert ('Traceback' in text) == (code == ExitCode.INTERNAL)


def test_what_cannot_be_read_is_input(bids_dir: Path, stages: Stages) -> None:
    path = bids_dir / 'sub-01' / 'x.json'
    stages.answer = raising(PermissionError(errno.EACCES, 'Permission denied', str(path)))
    assert run(bids_dir) == ExitCode.NO_INPUT


@pytest.mark.parametrize(('module', 'names'), [
    ('mriderived.bids.dataset', ('InvalidDatasetError', 'FilterError', 'NoParticipantsError')),
    ('mriderived.bids.filters', ('FilterFileError',)),
    ('mriderived.bids.image_checks', ('BadImageError',)),
    ('mriderived.bids.description', ('OutputMismatchError',)),
    ('mriderived.bids.status', ('NoInputError', 'RecordError')),
    ('mriderived.group.sheets', ('SheetError',)),
    ('mriderived.spaces', ('UnavailableError',)),
])  # fmt: skip
def test_every_name_in_the_table_of_codes_exists(module: str, names: tuple[str, ...]) -> None:
    for name in names:
        assert name in ERROR_CODES
        kind = getattr(importlib.import_module(module), name)
        assert issubclass(kind, Exception)
        assert exit_code(kind.__new__(kind)) is ERROR_CODES[name]


def test_a_folder_that_cannot_take_caches(
    bids_dir: Path, stages: Stages, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(errno.EACCES, 'Permission denied', '/o/work')

    monkeypatch.setattr(cli, 'prepare_environment', refuse)
    assert run(bids_dir) == ExitCode.CANNOT_WRITE
    assert stages.calls == []


@pytest.mark.parametrize(('number', 'code'), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_signals(number: signal.Signals, code: int, bids_dir: Path) -> None:
    script = f"""
        import sys, time, types
        import mriderived.app
        def wait(config):
            print('ready', flush=True)
            try:
                time.sleep(60)
            except Exception:
                print('a unit caught the signal')
            finally:
                print('cleaned up')
        mriderived.app.stages = types.SimpleNamespace(process_participants=wait)
        from mriderived.cli import main
        sys.exit(main([{str(bids_dir)!r}, {str(bids_dir.parent / 'out')!r}, 'participant']))
    """
    process = subprocess.Popen(
        [sys.executable, '-c', textwrap.dedent(script)], text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, env={**os.environ, 'PYTHONPATH': str(SOURCE)},
        # a shell that starts tests in the background may have them ignore interruptions
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == 'ready\n'
    time.sleep(0.1)
    process.send_signal(number)
    output, errors = process.communicate(timeout=20)
    assert process.returncode == code
    assert output == 'cleaned up\n'
    assert errors.startswith('mriderived: ')
    assert 'goes on from there' in errors
    assert len(errors.splitlines()) == 1
