"""What a run says while it works: a live display on a terminal, else one line per unit."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from mriderived.bids.status import Status
from mriderived.bids.wording import count

Clock = Callable[[], float]
_COLOURS: dict[Status, str] = {
    'done': 'green',
    'failed': 'bold red',
    'skipped': 'yellow',
    'not_available': 'bright_black',
}
#: More lines would push the display out of a small terminal.
_MOST_RUNNING = 8
_MOST_FAILED = 5


class Progress(Protocol):
    """Told of every event of a run; ``start`` adds to what is to be done, any number of times."""

    def start(self, total_participants: int, total_units: int) -> None:
        """Add to the participants and to the units that are to run."""

    def unit_started(self, participant: str, unit_name: str) -> None:
        """A unit begins; a participant has one running unit at a time."""

    def unit_finished(
        self, participant: str, unit_name: str, status: Status, seconds: float, reason: str
    ) -> None:
        """A unit has ended."""

    def participant_finished(self, participant: str) -> None:
        """Nothing more will run for this participant."""

    def stop(self) -> None:
        """The run has ended; may be called twice."""


def choose_progress(stream: TextIO, *, verbose: int = 0) -> Progress:
    """Return the live display for a terminal; lines for a log, and beside other messages."""
    if not verbose and stream.isatty() and Console(file=stream).is_terminal:
        return LiveProgress(Console(file=stream))
    return LineProgress(stream)


class LineProgress:
    """One line per unit, with tabs between the columns."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._tally = Tally()

    def start(self, total_participants: int, total_units: int) -> None:
        """Say how many participants there are."""
        self._tally.start(total_participants, total_units)
        if total_participants:
            self._write('participants', str(total_participants))

    def unit_started(self, participant: str, unit_name: str) -> None:
        """Say nothing: a line comes at the end of the unit."""

    def unit_finished(
        self, participant: str, unit_name: str, status: Status, seconds: float, reason: str
    ) -> None:
        """Write the line of one unit."""
        cells = [f'sub-{participant}', unit_name, status, f'{seconds:.1f} s']
        self._write(*cells, *([' '.join(reason.split())] if reason else []))

    def participant_finished(self, participant: str) -> None:
        """Say how many participants are done."""
        self._tally.participant_finished(participant)
        self._write(
            f'sub-{participant}',
            f'finished, {self._tally.participants_done} of {self._tally.participants}',
        )

    def stop(self) -> None:
        """Leave everything written."""
        self._stream.flush()

    def _write(self, *cells: str) -> None:
        now = datetime.now().strftime('%Y-%m-%d %H:%M:%S')
        self._stream.write('\t'.join((now, *cells)) + '\n')
        self._stream.flush()


@dataclass
class Tally:
    """The counts behind a display, and the estimate of the time that is left."""

    clock: Clock = time.monotonic
    participants: int = 0
    participants_done: int = 0
    units: int = 0
    begun: float = 0.0
    #: Participant → its units that have ended, while it runs.
    ended: dict[str, int] = field(default_factory=dict)
    #: Participant → what it runs, since when.
    running: dict[str, tuple[str, float]] = field(default_factory=dict)
    counts: dict[Status, int] = field(default_factory=dict)
    failures: list[tuple[str, str, str]] = field(default_factory=list)

    def start(self, participants: int, units: int) -> None:
        """Add to what is to be done."""
        self.begun = self.begun or self.clock()
        self.participants += participants
        self.units += units

    def unit_started(self, participant: str, name: str) -> None:
        """Note what a participant does now."""
        self.running[participant] = (name, self.clock())

    def unit_finished(self, participant: str, name: str, status: Status, reason: str) -> None:
        """Count a unit."""
        self.running.pop(participant, None)
        self.ended[participant] = self.ended.get(participant, 0) + 1
        self.counts[status] = self.counts.get(status, 0) + 1
        if status == 'failed':
            self.failures.append((participant, name, ' '.join(reason.split())))

    def participant_finished(self, participant: str) -> None:
        """Count a participant."""
        self.participants_done += 1
        self.running.pop(participant, None)
        self.ended.pop(participant, None)

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return self.clock() - self.begun if self.begun else 0.0

    @property
    def fraction(self) -> float:
        """The part of the work that is done, with what running participants have done of theirs.

        Participants are the measure, because those that have not begun are not planned yet.
        """
        if not self.participants:
            return 0.0
        known = self.participants_done + len(self.ended.keys() | self.running.keys())
        share = known / self.units if self.units else 0.0
        partial = sum(min(0.99, count * share) for count in self.ended.values())
        return min(1.0, (self.participants_done + partial) / self.participants)

    @property
    def remaining(self) -> float | None:
        """Estimated seconds that are left; unknown until a participant or a tenth is done."""
        if not self.participants_done and self.fraction < 0.1:
            return None
        return self.elapsed * (1 - self.fraction) / self.fraction


class LiveProgress:
    """A display that is redrawn in place."""

    def __init__(self, console: Console, clock: Clock = time.monotonic) -> None:
        self.tally = Tally(clock)
        self._live = Live(console=console, get_renderable=self.render, refresh_per_second=4)

    def start(self, total_participants: int, total_units: int) -> None:
        """Open the display at the first call."""
        self.tally.start(total_participants, total_units)
        if not self._live.is_started:
            self._live.start()

    def unit_started(self, participant: str, unit_name: str) -> None:
        """Show a unit as running."""
        self.tally.unit_started(participant, unit_name)

    def unit_finished(
        self, participant: str, unit_name: str, status: Status, seconds: float, reason: str
    ) -> None:
        """Count a unit; failures stay on the display."""
        self.tally.unit_finished(participant, unit_name, status, reason)

    def participant_finished(self, participant: str) -> None:
        """Count a participant."""
        self.tally.participant_finished(participant)

    def stop(self) -> None:
        """Leave the last state on the terminal."""
        self.tally.running.clear()
        self._live.stop()

    def render(self) -> RenderableType:
        """Return the display as it is now."""
        # The refreshing thread reads what the run changes: take copies.
        running = list(self.tally.running.items())[:_MOST_RUNNING]
        failures = list(self.tally.failures)[-_MOST_FAILED:]
        labels = [*(item[0] for item in running), *(item[0] for item in failures)]
        rows = Table.grid(padding=(0, 2), expand=True)
        rows.add_column(width=7)
        rows.add_column(width=max((len(label) + 4 for label in labels), default=4))
        rows.add_column(ratio=1, overflow='ellipsis', no_wrap=True)
        rows.add_column(justify='right', width=8)
        self._add_running(rows, running)
        _add_failures(rows, failures)
        return Group(self._bar(), self._counts(), rows)

    def _bar(self) -> RenderableType:
        tally = self.tally
        participants = count(tally.participants, 'participant')
        bar = Table.grid(padding=(0, 2))
        bar.add_column(width=32)
        bar.add_row(
            ProgressBar(total=1.0, completed=tally.fraction),
            Text(f'{tally.participants_done}/{participants}', style='bold'),
            Text(self._times(), style='cyan'),
        )
        return bar

    def _counts(self) -> Text:
        counts = self.tally.counts
        parts = [
            Text(f'{counts[status]} {status.replace("_", " ")}', style=colour)
            for status, colour in _COLOURS.items()
            if counts.get(status)
        ]
        total = Text(f'{sum(counts.values())}/{count(self.tally.units, "unit")}')
        return Text.assemble(total, ': ', Text(', ').join(parts)) if parts else total

    def _times(self) -> str:
        elapsed, left = format_seconds(self.tally.elapsed), self.tally.remaining
        is_over = left is None or self.tally.fraction >= 1
        return elapsed if is_over else f'{elapsed}, about {format_seconds(left or 0.0)} left'

    def _add_running(self, rows: Table, running: Sequence[tuple[str, tuple[str, float]]]) -> None:
        now = self.tally.clock()
        for row, (participant, (name, since)) in enumerate(running):
            label = Text('running' if row == 0 else '', style='bright_black')
            seconds = Text(format_seconds(now - since), style='cyan')
            rows.add_row(label, f'sub-{participant}', Text(name), seconds)
        more = len(self.tally.running) - len(running)
        if more > 0:
            rows.add_row('', '', f'and {more} more', '')


def _add_failures(rows: Table, failures: Sequence[tuple[str, str, str]]) -> None:
    for row, (participant, name, reason) in enumerate(failures):
        label = Text('failed' if row == 0 else '', style=_COLOURS['failed'])
        rows.add_row(label, f'sub-{participant}', Text.assemble(name, (f': {reason}', 'red')), '')


def format_seconds(seconds: float) -> str:
    """Return a time as ``m:ss`` or ``h:mm:ss``.

    >>> format_seconds(75), format_seconds(3700)
    ('1:15', '1:01:40')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f'{hours}:{minutes:02}:{rest:02}' if hours else f'{minutes}:{rest:02}'
