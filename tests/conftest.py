"""Fixtures for all tests: datasets without information, and the folder of real scans."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from skeleton_datasets import SKELETONS, build_skeleton

#: Doctests are looked for in modules; two of one name cannot both be one.
collect_ignore = ['conftest.py', 'app/conftest.py']


@pytest.fixture
def skeleton(tmp_path: Path) -> Callable[[str], Path]:
    """Return a function that writes the dataset of ``skeletons/<name>.yaml``."""

    def build(name: str) -> Path:
        files = yaml.safe_load((SKELETONS / f'{name}.yaml').read_text())
        return build_skeleton(tmp_path / name, files)

    return build


@pytest.fixture(scope='session')
def test_data() -> Path:
    """Return the folder of real scans, or skip."""
    beside = Path(__file__).resolve().parents[2] / 'shared' / 'data'
    folder = Path(os.environ.get('MRIDERIVED_TEST_DATA') or beside)
    if not folder.is_dir():
        pytest.skip('no real scans: set MRIDERIVED_TEST_DATA')
    return folder


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With several workers, begin with the files that take longest: else one ends alone."""
    if hasattr(config, 'workerinput'):
        slow = {item.path for item in items if item.get_closest_marker('slow')}
        items.sort(key=lambda item: item.path not in slow)
