from __future__ import annotations

from pathlib import Path

import pytest

from mriderived import shipped


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of an installed package that ships nothing yet."""
    folder = tmp_path / 'site-packages' / 'mriderived'
    folder.mkdir(parents=True)
    monkeypatch.setattr(shipped, '__file__', str(folder / 'shipped.py'))
    return folder


def test_a_checkout_holds_the_folders_at_its_root() -> None:
    folder = shipped.shipped_folder('bids_validator_config')
    assert {'raw.json', 'derivatives.json', 'schema.yaml'} <= {p.name for p in folder.iterdir()}


def test_a_wheel_holds_them_in_the_package(package: Path) -> None:
    (package / '_templates').mkdir()
    assert shipped.shipped_folder('templates') == package / '_templates'


def test_nothing_there_is_an_error_with_the_remedy(package: Path) -> None:
    with pytest.raises(FileNotFoundError, match='install mriderived again'):
        shipped.shipped_folder('templates')
