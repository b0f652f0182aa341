"""From a command line to an exit code, with stubs for what computes."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from command_lines import (
    Stages,
    run,
    run_python,
    stub_stages,
    write_dataset,
)

import mriderived
import mriderived.app
from mriderived import cli
from mriderived.app.environment import FOLDERS
from mriderived.app.exit_codes import ExitCode, Problem

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


#: Modules of the standard library that take long to import and that no option needs.
SLOW = {'asyncio', 'concurrent', 'ctypes', 'email', 'http', 'multiprocessing', 'sqlite3', 'ssl',
        'unittest', 'urllib.request', 'xml'}  # fmt: skip


def test_version_needs_no_folder_and_no_heavy_module() -> None:
    done = run_python("""
        import atexit, runpy, sys
        before = set(sys.modules)
        atexit.register(lambda: print(*(set(sys.modules) - before), file=sys.stderr))
        sys.argv = ['mriderived', '--version']
        runpy.run_module('mriderived', run_name='__main__', alter_sys=True)
    """, TMPDIR='/nowhere', HOME='/nowhere')  # fmt: skip
    assert (done.returncode, done.stdout) == (0, f'mriderived {mriderived.__version__}\n')
    imported = set(done.stderr.split())
    packages = {name.partition('.')[0] for name in imported}
    assert packages - set(sys.stdlib_module_names) == {'mriderived'}
    assert not SLOW & (imported | packages)
    # of our own nothing that computes, plans, draws or reports
    parts = {name.split('.')[1] for name in imported if name.startswith('mriderived.')}
    assert 'cli' in parts
    assert not parts & {'core', 'figures', 'group', 'measures', 'phantom', 'reports', 'spaces',
                        'workflows'}  # fmt: skip


def test_argparse_never_ends_the_process() -> None:
    for words in (['--sloppy=1'], ['-vx'], ['--', '-b'], ['a', 'b', 'c', 'd'], []):
        assert cli.main(words) in (ExitCode.USAGE, ExitCode.LEVEL)


# Dispatch -------------------------------------------------------------------------------------


@pytest.fixture
def stages(monkeypatch: pytest.MonkeyPatch) -> Stages:
    return stub_stages(monkeypatch)


@pytest.fixture
def bids_dir(tmp_path: Path) -> Path:
    return write_dataset(tmp_path / 'bids')


def test_participant_level(
    bids_dir: Path, stages: Stages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('HOME', str(bids_dir.parent))  # where matplotlib has not listed fonts
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
    scratch = Path(stages.environ['TMPDIR'])
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


def test_logging_is_left_as_it_was(bids_dir: Path, stages: Stages) -> None:
    before = list(logging.getLogger().handlers)
    run(bids_dir)
    assert logging.getLogger().handlers == before
