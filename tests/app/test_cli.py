"""From a command line to an exit code, with stubs for what computes."""

from __future__ import annotations

import errno
import importlib
import logging
import os
import resource
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import mriderived
import mriderived.app
from mriderived import cli
from mriderived.app.environment import FOLDERS, describe_environment, scratch_environment
from mriderived.app.exit_codes import ERROR_CODES, ExitCode, Problem, UsageError, exit_code
from mriderived.config import Config

SOURCE = Path(mriderived.__file__).parents[1]


def run_python(code: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run code in a process that knows nothing: no HOME, nowhere to write."""
    return subprocess.run(
        [sys.executable, '-B', '-c', textwrap.dedent(code)],
        env={'PYTHONPATH': str(SOURCE), **environ}, cwd='/', text=True, capture_output=True,
        check=False,
    )  # fmt: skip


# Before anything is imported ------------------------------------------------------------------


@pytest.mark.parametrize('flag', ['--version', '--help', '--mem', '--nonsense'])
def test_only_the_standard_library_until_parsed(flag: str) -> None:
    done = run_python(f"""
        import sys
        before = set(sys.modules)
        from mriderived.cli import main
        code = main([{flag!r}])
        foreign = {{name.partition('.')[0] for name in set(sys.modules) - before}}
        print('FOREIGN', sorted(foreign - set(sys.stdlib_module_names) - {{'mriderived'}}))
        sys.exit(code)
    """)
    assert 'FOREIGN []' in done.stdout, done.stderr
    assert done.returncode == (0 if flag in ('--version', '--help') else 64)


def test_version_needs_no_folder_and_no_time() -> None:
    command = [sys.executable, '-B', '-m', 'mriderived', '--version']
    environ = {'PYTHONPATH': str(SOURCE), 'TMPDIR': '/nowhere', 'HOME': '/nowhere'}
    seconds = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(command, env=environ, cwd='/', capture_output=True, check=False)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        assert done.returncode == 0
        assert done.stdout.decode() == f'mriderived {mriderived.__version__}\n'
    assert min(seconds) < 0.15  # of processor time, -B: without compiled files at first


def test_argparse_never_ends_the_process() -> None:
    for words in (['--sloppy=1'], ['-vx'], ['--', '-b'], ['a', 'b', 'c', 'd'], []):
        assert cli.main(words) in (ExitCode.USAGE, ExitCode.LEVEL)


# Dispatch -------------------------------------------------------------------------------------


@pytest.fixture
def bids_dir(tmp_path: Path) -> Path:
    return write_dataset(tmp_path / 'bids')


def write_dataset(folder: Path) -> Path:
    (folder / 'sub-01').mkdir(parents=True)
    description = '{"Name": "none", "BIDSVersion": "1.10.0"}'
    (folder / 'dataset_description.json').write_text(description)
    return folder


@pytest.fixture(autouse=True)
def same_environment() -> Iterator[None]:
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)
    tempfile.tempdir = None


class Stages:
    """Stands for the module that computes: notes what it was asked, answers as told."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Config]] = []
        self.environ: dict[str, str] = {}
        self.answer: Callable[[], ExitCode] = lambda: ExitCode.OK

    def __getattr__(self, name: str) -> Callable[[Config], ExitCode]:
        def stage(config: Config) -> ExitCode:
            self.calls.append((name, config))
            self.environ = dict(os.environ)
            return self.answer()

        return stage


@pytest.fixture
def stages(monkeypatch: pytest.MonkeyPatch) -> Stages:
    stub = Stages()
    monkeypatch.setattr(mriderived.app, 'stages', stub, raising=False)
    monkeypatch.setitem(sys.modules, 'mriderived.app.stages', stub)
    return stub


def run(bids_dir: Path, *options: str, level: str = 'participant') -> int:
    places = [str(bids_dir), str(bids_dir.parent / 'out'), level]
    return cli.main([*places, '--skip-bids-validation', *options])


def raising(error: BaseException) -> Callable[[], ExitCode]:
    def answer() -> ExitCode:
        raise error

    return answer


def test_participant_level(bids_dir: Path, stages: Stages) -> None:
    assert run(bids_dir, '--omp-nthreads', '1', '--nprocs', '2') == 0
    ((name, config),) = stages.calls
    assert name == 'process_participants'
    assert config.bids_dir == bids_dir
    work_dir = bids_dir.parent / 'out' / 'work'
    for variable, folder in FOLDERS.items():
        assert stages.environ[variable] == str(work_dir / 'cache' / folder)
        assert Path(stages.environ[variable]).is_dir()
    assert stages.environ['ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS'] == '1'
    assert stages.environ['OMP_NUM_THREADS'] == '1'


def test_other_stages(bids_dir: Path, stages: Stages) -> None:
    record = bids_dir.parent / 'out' / 'logs' / 'sub-01' / 'units.json'
    record.parent.mkdir(parents=True)
    record.write_text('[]')
    assert run(bids_dir, level='group') == 0
    assert run(bids_dir, '--reports-only') == 0
    assert run(bids_dir, '--dry-run') == 0
    assert run(bids_dir, '--dry-run', level='group') == 0
    assert [name for name, _ in stages.calls] == [
        'process_group', 'rewrite_reports', 'preview', 'preview',
    ]  # fmt: skip


def test_dry_run_leaves_no_trace(bids_dir: Path, stages: Stages) -> None:
    before = dict(os.environ)
    assert run(bids_dir, '--dry-run') == 0
    assert not (bids_dir.parent / 'out').exists()
    scratch = Path(stages.environ['MPLCONFIGDIR'])
    assert not scratch.exists()
    assert not scratch.is_relative_to(bids_dir.parent / 'out')
    assert dict(os.environ) == before


def test_code_of_a_failed_unit(bids_dir: Path, stages: Stages) -> None:
    stages.answer = lambda: ExitCode.UNIT_FAILED
    assert run(bids_dir) == 1


def test_all_bad_arguments_are_reported_together(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    late = SimpleNamespace(check_names=lambda config: [Problem('--measures x: none.', 'See y.')])
    monkeypatch.setitem(sys.modules, 'mriderived.app.late_checks', late)
    code = cli.main([
        str(tmp_path / 'absent'), str(tmp_path / 'out'), 'participant', '--mem', '8', '--foo',
        '--nprocs', '0', '--measures', 'x', '--device', 'gpu', '-w', str(tmp_path),
    ])  # fmt: skip
    assert code == ExitCode.USAGE
    lines = capsys.readouterr().err.splitlines()
    assert all(line.startswith('mriderived: ') for line in lines)
    for part in ('absent does not exist', '--mem 8', '--foo', '--nprocs', '--measures x',
                 '--device', '--work-dir'):  # fmt: skip
        assert sum(part in line for line in lines) == 1, part
    assert len(lines) == 7
    assert not (tmp_path / 'out').exists()


def test_common_code_of_problems(tmp_path: Path, bids_dir: Path) -> None:
    assert cli.main([str(tmp_path / 'absent'), str(tmp_path / 'o'), 'participant']) == 66
    assert run(bids_dir, '-p', '77') == 18
    assert run(bids_dir, '-p', '77', '--mem', '8') == 64
    assert run(bids_dir, level='session') == 17
    assert run(bids_dir, level='group') == 66


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


# Environment ----------------------------------------------------------------------------------


def test_environment_without_home_and_name() -> None:
    variables = describe_environment(Path('/w/cache'), 4, {})
    assert variables['HOME'] == '/w/cache'
    assert variables['USER'] == 'mriderived'
    assert variables['ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS'] == '1'
    assert variables['NO_ET'] == variables['NIPYPE_NO_ET'] == '1'
    assert 'TEMPLATEFLOW_HOME' not in variables


def test_environment_keeps_home_and_a_filled_templateflow(tmp_path: Path) -> None:
    current = {'HOME': str(tmp_path), 'USER': 'me'}
    assert 'TEMPLATEFLOW_HOME' not in describe_environment(Path('/w'), 1, current)
    (tmp_path / '.cache' / 'templateflow').mkdir(parents=True)
    variables = describe_environment(Path('/w'), 1, current)
    assert variables['TEMPLATEFLOW_HOME'] == str(tmp_path / '.cache' / 'templateflow')
    assert not {'HOME', 'USER'} & variables.keys()
    chosen = {**current, 'TEMPLATEFLOW_HOME': '/tf'}
    assert 'TEMPLATEFLOW_HOME' not in describe_environment(Path('/w'), 1, chosen)


def test_temporary_files_go_to_the_work_folder(tmp_path: Path) -> None:
    done = run_python(f"""
        import tempfile
        from pathlib import Path
        tempfile.gettempdir()
        from mriderived.app.environment import prepare_environment
        prepare_environment(Path({str(tmp_path)!r}), 1)
        print(tempfile.gettempdir())
    """)
    assert done.stdout.strip() == str(tmp_path / 'cache' / 'tmp'), done.stderr


def test_scratch_is_removed_after_an_error() -> None:
    with pytest.raises(ValueError, match='x'), scratch_environment(1):
        folder = Path(os.environ['TMPDIR'])
        assert folder.is_dir()
        raise ValueError('x')
    assert not folder.exists()
    assert tempfile.gettempdir() != str(folder)


def test_logging_is_left_as_it_was(bids_dir: Path, stages: Stages) -> None:
    before = list(logging.getLogger().handlers)
    run(bids_dir)
    assert logging.getLogger().handlers == before
