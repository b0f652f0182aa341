"""Command lines for tests: read, run with a stub for what computes, or in a bare process."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import mriderived
import mriderived.app
from mriderived import cli
from mriderived.app.arguments import read_command_line
from mriderived.app.exit_codes import ExitCode, Problem
from mriderived.app.settings import build_config
from mriderived.bids.status import UnitRecord
from mriderived.config import Config


def parse(*words: object) -> tuple[Config | None, list[Problem]]:
    texts, problems = read_command_line([str(word) for word in words])
    config, more = build_config(texts)
    return config, problems + more


def accept(*words: object) -> Config:
    config, problems = parse(*words)
    assert problems == []
    assert config is not None
    return config


def complaints(*words: object) -> str:
    return '\n'.join(map(str, parse(*words)[1]))


PLACES = ('/b', '/o', 'participant')


def only(problems: list[Problem]) -> Problem:
    (problem,) = problems
    return problem


SOURCE = Path(mriderived.__file__).parents[1]


def run_python(code: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run code in a process that knows nothing: no HOME, nowhere to write."""
    return subprocess.run(
        [sys.executable, '-B', '-c', textwrap.dedent(code)],
        env={'PYTHONPATH': str(SOURCE), **environ}, cwd='/', text=True, capture_output=True,
        check=False,
    )  # fmt: skip


def write_dataset(folder: Path) -> Path:
    (folder / 'sub-01').mkdir(parents=True)
    description = '{"Name": "none", "BIDSVersion": "1.10.0"}'
    (folder / 'dataset_description.json').write_text(description)
    return folder


def record(status: Any = 'done', **changes: Any) -> UnitRecord:
    values = {'participant': '01', 'session': None, 'image': 'sub-01/anat/sub-01_T1w.nii.gz',
              'measure': 'brain', 'variant': None, 'status': status, **changes}  # fmt: skip
    return UnitRecord(**values)


@contextlib.contextmanager
def restored_environment() -> Iterator[None]:
    """Give variables and the temporary folder back as they were."""
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


def stub_stages(monkeypatch: pytest.MonkeyPatch) -> Stages:
    stub = Stages()
    monkeypatch.setattr(mriderived.app, 'stages', stub, raising=False)
    monkeypatch.setitem(sys.modules, 'mriderived.app.stages', stub)
    return stub


def run(bids_dir: Path, *options: str, level: str = 'participant') -> int:
    places = [str(bids_dir), str(bids_dir.parent / 'out'), level]
    return cli.main([*places, '--skip-bids-validation', *options])
