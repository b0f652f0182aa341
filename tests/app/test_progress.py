"""The display of a run: lines for a log, and what the live display shows."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from mriderived.app.progress import (
    LineProgress,
    LiveProgress,
    Progress,
    Tally,
    choose_progress,
    format_seconds,
)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def play(progress: Progress, clock: Clock) -> None:
    """Two participants of two units; the second one's second unit fails."""
    progress.start(2, 0)
    progress.start(0, 2)
    progress.start(0, 2)
    for participant in ('01', '02'):
        progress.unit_started(participant, 'T1w brain')
    clock.now += 60
    progress.unit_finished('01', 'T1w brain', 'done', 58.04, '')
    progress.unit_finished('02', 'T1w brain', 'done', 59.0, '')
    progress.unit_started('01', 'T1w tissue')
    progress.unit_started('02', 'T1w tissue')
    clock.now += 30
    progress.unit_finished('02', 'T1w tissue', 'failed', 30.0, 'no\n  voxel [left]')


def test_lines() -> None:
    stream = io.StringIO()
    progress = LineProgress(stream)
    play(progress, Clock())
    progress.participant_finished('02')
    progress.stop()
    lines = [line.split('\t') for line in stream.getvalue().splitlines()]
    assert all(re.fullmatch(r'\d{4}-\d\d-\d\d \d\d:\d\d:\d\d', line[0]) for line in lines)
    assert [line[1:] for line in lines] == [
        ['participants', '2'],
        ['sub-01', 'T1w brain', 'done', '58.0 s'],
        ['sub-02', 'T1w brain', 'done', '59.0 s'],
        ['sub-02', 'T1w tissue', 'failed', '30.0 s', 'no voxel [left]'],
        ['sub-02', 'finished, 1 of 2'],
    ]


def build_live() -> tuple[LiveProgress, Clock, Console]:
    clock = Clock()
    console = Console(file=io.StringIO(), width=80, force_terminal=True, color_system=None)
    return LiveProgress(console, clock), clock, console


def show(progress: LiveProgress) -> str:
    console = Console(file=io.StringIO(), width=80)
    console.print(progress.render())
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert isinstance(text, str)
    return text


def test_live_display_while_running() -> None:
    progress, clock, _ = build_live()
    try:
        play(progress, clock)
        clock.now += 5
        bar, counts, *rows = show(progress).splitlines()
    finally:
        progress.stop()
    assert '0/2 participants' in bar
    assert '1:35' in bar
    assert counts.strip() == '3/4 units: 2 done, 1 failed'
    assert re.fullmatch(r'running\s+sub-01\s+T1w tissue\s+0:35\s*', rows[0])
    assert re.fullmatch(r'failed\s+sub-02\s+T1w tissue: no voxel \[left\]\s*', rows[1])


def test_live_display_leaves_its_last_state() -> None:
    progress, clock, console = build_live()
    play(progress, clock)
    progress.unit_finished('01', 'T1w tissue', 'done', 30.0, '')
    for participant in ('01', '02'):
        progress.participant_finished(participant)
    progress.stop()
    progress.stop()
    last = console.file.getvalue().splitlines()[-4:]  # type: ignore[attr-defined]
    assert '2/2 participants' in '\n'.join(last)
    assert 'running' not in '\n'.join(last)
    assert 'left' not in show(progress).splitlines()[0]


def test_many_running_participants_are_counted() -> None:
    progress, _, _ = build_live()
    for number in range(20):
        progress.tally.unit_started(f'{number:02}', 'T1w brain')
    text = show(progress)
    assert text.count('T1w brain') == 8
    assert 'and 12 more' in text


def test_estimate() -> None:
    clock = Clock()
    tally = Tally(clock)
    assert tally.remaining is None
    tally.start(4, 0)
    tally.start(0, 10)
    tally.unit_started('01', 'x')
    assert tally.remaining is None
    for _ in range(10):
        tally.unit_finished('01', 'x', 'done', '')
    tally.participant_finished('01')
    clock.now += 100
    assert tally.fraction == pytest.approx(0.25)
    assert tally.remaining == pytest.approx(300)
    tally.start(0, 10)
    for _ in range(5):
        tally.unit_finished('02', 'x', 'done', '')
    assert tally.fraction == pytest.approx(0.375)


def test_a_unit_of_a_dead_process_is_forgotten() -> None:
    tally = Tally(Clock())
    tally.start(1, 3)
    tally.unit_started('01', 'x')
    tally.unit_started('01', 'y')
    assert [name for name, _ in tally.running.values()] == ['y']
    tally.participant_finished('01')
    assert tally.running == {}
    assert tally.fraction == 1.0


def test_no_terminal_gets_lines() -> None:
    assert isinstance(choose_progress(io.StringIO()), LineProgress)


def test_terminal_gets_the_display(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('TERM', 'xterm')
    stream = io.StringIO()
    monkeypatch.setattr(stream, 'isatty', lambda: True)
    assert isinstance(choose_progress(stream), LiveProgress)
    assert isinstance(choose_progress(stream, verbose=1), LineProgress)


@pytest.mark.parametrize(('seconds', 'text'), [(0.4, '0:00'), (59.6, '1:00'), (7325, '2:02:05')])
def test_times(seconds: float, text: str) -> None:
    assert format_seconds(seconds) == text
