"""The quick paths on a machine that offers nothing: no HOME, no network, nowhere to write."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import mriderived

SOURCE = Path(mriderived.__file__).parents[1]
#: Loaded at the start of Python from PYTHONPATH: whoever asks for a connection is told no.
NO_NETWORK = """
import socket

def refuse(*arguments, **options):
    raise SystemExit('the network was asked for')

socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse
"""


@pytest.fixture
def cwd(tmp_path: Path) -> Path:
    folder = tmp_path / 'cwd'
    folder.mkdir()
    folder.chmod(0o555)
    return folder


def run(tmp_path: Path, cwd: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the app with nothing but a temporary folder."""
    site = tmp_path / 'site'
    site.mkdir(exist_ok=True)
    (site / 'sitecustomize.py').write_text(NO_NETWORK)
    scratch = tmp_path / 'scratch'
    scratch.mkdir(exist_ok=True)
    environ = {
        'PYTHONPATH': f'{site}:{SOURCE}',
        'TMPDIR': str(scratch),
        'PATH': os.environ['PATH'],
    }
    unshare = ['unshare', '--net', '--map-root-user'] if _may_unshare() else []
    return subprocess.run(
        [*unshare, sys.executable, '-B', '-m', 'mriderived', *words],
        env=environ, cwd=cwd, text=True, capture_output=True, check=False,
    )  # fmt: skip


def _may_unshare() -> bool:
    command = ['unshare', '--net', '--map-root-user', 'true']
    return bool(shutil.which('unshare')) and not subprocess.run(command, check=False).returncode


def contents(*folders: Path) -> list[tuple[Path, int]]:
    return sorted((p, p.lstat().st_mtime_ns) for folder in folders for p in folder.rglob('*'))


@pytest.mark.parametrize(('flag', 'expected'), [
    ('--version', f'mriderived {mriderived.__version__}\n'), ('--help', 'usage: mriderived '),
])  # fmt: skip
def test_version_and_help(flag: str, expected: str, tmp_path: Path, cwd: Path) -> None:
    done = run(tmp_path, cwd, flag)
    assert (done.returncode, done.stderr) == (0, '')
    assert done.stdout.startswith(expected)
    assert contents(cwd, tmp_path / 'scratch') == []


def test_dry_run(skeleton: Callable[[str], Path], tmp_path: Path, cwd: Path) -> None:
    bids_dir = skeleton('single')
    before = contents(bids_dir, cwd)
    done = run(tmp_path, cwd, str(bids_dir), str(cwd / 'out'), 'participant', '--dry-run',
               '--skip-bids-validation', '--measures', 'tissue_volume')  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ''
    assert 'tissue_volume' in done.stdout
    assert done.stdout.endswith('Nothing was written.\n')
    assert contents(bids_dir, cwd) == before
    assert contents(tmp_path / 'scratch') == []


def test_a_refused_run(skeleton: Callable[[str], Path], tmp_path: Path, cwd: Path) -> None:
    bids_dir = skeleton('no_description')
    done = run(tmp_path, cwd, str(bids_dir), str(tmp_path / 'out'), 'participant')
    assert done.returncode == 16
    (line,) = done.stderr.splitlines()
    assert line.startswith(f'mriderived: {bids_dir}/dataset_description.json is missing')
    assert not (tmp_path / 'out').exists()
    assert contents(cwd, tmp_path / 'scratch') == []
