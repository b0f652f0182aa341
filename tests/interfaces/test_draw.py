"""Figures of a measure: what is saved, and what must not stay."""

from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure

from mriderived.interfaces.draw import Draw


def run(draw: Any, folder: Path) -> list[str]:
    """Draw into two files that an earlier run has left, and return the names of what is there."""
    files = [folder / 'figures' / name for name in ('one.svg', 'two.svg')]
    files[0].parent.mkdir(exist_ok=True)
    for file in files:
        file.write_text('stale')
    node = Draw(draw, (), [str(file) for file in files])
    try:
        outputs = node.run().outputs.out_files
    finally:
        there = sorted(file.name for file in files if file.exists())
        assert not any(file.read_text() == 'stale' for file in files if file.exists())
    assert [Path(name).name for name in outputs] == there
    return there


@pytest.mark.parametrize(('number', 'expected'), [
    (0, []), (1, ['one.svg']), (2, ['one.svg', 'two.svg']),
])  # fmt: skip
def test_only_what_was_drawn_is_there(number: int, expected: list[str], tmp_path: Path) -> None:
    assert run(lambda: [Figure() for _ in range(number)], tmp_path) == expected


def test_more_figures_than_files_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match='shorter'):
        run(lambda: [Figure()] * 3, tmp_path)
    assert list((tmp_path / 'figures').iterdir()) == []


def test_after_an_error_no_picture_of_an_earlier_run_stays(tmp_path: Path) -> None:
    def fail() -> list[Figure]:
        raise RuntimeError('no ink')

    with pytest.raises(RuntimeError, match='no ink'):
        run(fail, tmp_path)
    assert list((tmp_path / 'figures').iterdir()) == []


def test_half_of_a_pair_does_not_stay(tmp_path: Path) -> None:
    with pytest.raises(AttributeError):
        run(lambda: [Figure(), 'no figure'], tmp_path)
    assert list((tmp_path / 'figures').iterdir()) == []
