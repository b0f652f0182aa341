"""Fixtures for tests of command lines."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator

import pytest
from command_lines import Stages

import mriderived.app


@pytest.fixture(autouse=True)
def same_environment() -> Iterator[None]:
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)
    tempfile.tempdir = None


@pytest.fixture
def stages(monkeypatch: pytest.MonkeyPatch) -> Stages:
    stub = Stages()
    monkeypatch.setattr(mriderived.app, 'stages', stub, raising=False)
    monkeypatch.setitem(sys.modules, 'mriderived.app.stages', stub)
    return stub
