"""The table of all units is renewed in proportion to what that takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from mriderived.app import status_table
from mriderived.app.status_table import StatusTable


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_renewed_as_often_as_it_is_cheap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, written = Clock(), []

    def write(out_dir: Path) -> None:
        written.append(clock.now)
        clock.now += 2

    monkeypatch.setattr(status_table, 'write_status_table', write)
    table = StatusTable(tmp_path, clock)
    for _ in range(300):
        table.renew()
        clock.now += 1
    assert written == [100.0, 202.0, 304.0]
    table.write()
    assert len(written) == 4
