"""What all tests of the app share: an environment given back, and settings for a small dataset."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from command_lines import restored_environment

from mriderived.config import Config


@pytest.fixture(autouse=True)
def same_environment() -> Iterator[None]:
    with restored_environment():
        yield


@pytest.fixture
def config(skeleton: Callable[[str], Path], tmp_path: Path) -> Config:
    out_dir = tmp_path / 'out'
    return Config(skeleton('single'), out_dir, out_dir / 'work', skip_bids_validation=True)
