"""What ``--dry-run`` prints: the plan of each participant, and what it will take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import groupby

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mriderived.bids.status import find_record, recorded_participants
from mriderived.bids.wording import count
from mriderived.config import DEFAULT_MEASURES, Config
from mriderived.group.preview_models import preview_models
from mriderived.group.readers import read_derivatives
from mriderived.workflows.plan import PlannedUnit

_COLOURS = {'to run': 'bold', 'done': 'green', 'not available': 'yellow', 'bad input': 'red'}
#: Width of what is not a terminal: wide enough for a reason to stay on one line.
_WIDE = 160


def print_preview(
    units: Sequence[PlannedUnit], workers: int, each_gb: float, unasked: Sequence[str] = ()
) -> None:
    """Print one table per participant, then the sums, and what would run only if it were named.

    ``each_gb`` is the memory that a run sets aside for a participant.
    """
    console = _console()
    for participant, own in groupby(units, key=lambda unit: unit.participant):
        _print_participant(console, participant, list(own))
    counts = Counter(unit.state for unit in units)
    participants = {unit.participant for unit in units}
    told = ', '.join(f'{number} {state}' for state, number in counts.items())
    total = f'{count(len(participants), "participant")}, {count(len(units), "unit")}'
    console.print(f'[bold]{total}[/]: {told}')
    minutes, side_by_side = estimate(units, workers)
    if minutes:
        console.print(
            f'Estimate: {format_minutes(minutes)} and {side_by_side * each_gb:g} GiB with '
            f'{count(side_by_side, "participant")} at a time'
        )
    unread = {unit.image for unit in units if unit.is_unread}
    if unread:
        console.print(
            f'Of {count(len(unread), "image")} only header and length were looked at; a run reads '
            'all of an image, and refuses it where its values cannot be used.'
        )
    if unasked:
        console.print(f'Only where named: --measures {DEFAULT_MEASURES} {" ".join(unasked)}')
    console.print('Nothing was written.')


def print_group_preview(config: Config) -> None:
    """Print what the group level would gather, of ours and of others, and model."""
    console = _console()
    out_dir = config.out_dir
    labels = recorded_participants(out_dir)
    counts = Counter(unit.status for label in labels for unit in find_record(out_dir, label))
    told = ', '.join(f'{number} {status}' for status, number in counts.items())
    total = count(len(labels), 'participant')
    console.print(f'{total} with results in {out_dir}: {told or "none"}')
    if config.derivatives:
        others = read_derivatives(config)
        people = {row.participant for row in others.rows}
        alone = len(people - set(labels))
        console.print(f'{count(len(people), "participant")} with results of others: {alone} of them have none of ours')  # noqa: E501  # fmt: skip
        for warning in (*others.warnings, *others.refused):
            console.print(warning, markup=False)
    for line in preview_models(config):
        console.print(line, markup=False)
    console.print('Nothing was written.')


def estimate(units: Sequence[PlannedUnit], workers: int) -> tuple[float, int]:
    """Return the minutes that a run takes, and how many participants it has side by side."""
    minutes: Counter[str] = Counter()
    for unit in units:
        if unit.state == 'to run':
            minutes[unit.participant] += unit.minutes  # type: ignore[assignment]
    if not minutes:
        return 0.0, 0
    # The longest participant cannot be shared.
    total = max(sum(minutes.values()) / workers, *minutes.values(), 0.0)
    return total, min(workers, len(minutes))


def format_minutes(minutes: float) -> str:
    """Return a duration in words.

    >>> format_minutes(0.2), format_minutes(12.4), format_minutes(605)
    ('less than a minute', 'about 12 min', 'about 10 h 5 min')
    """
    if minutes < 1:
        return 'less than a minute'
    hours, rest = divmod(round(minutes), 60)
    return f'about {hours} h {rest} min' if hours else f'about {rest} min'


def _print_participant(console: Console, participant: str, units: Sequence[PlannedUnit]) -> None:
    table = Table(
        title=f'sub-{participant}', title_justify='left', title_style='bold', box=None,
        header_style='bright_black', pad_edge=False,
    )  # fmt: skip
    for name in ('image', 'measure', 'variant', 'state'):
        table.add_column(name, no_wrap=True)
    table.add_column('minutes', justify='right')
    table.add_column('reason', overflow='fold')
    blamed: set[str] = set()
    for unit in units:
        is_new = unit.state == 'to run'
        # What is wrong with an image is said once, not beside each of its measures.
        reason = '' if unit.image in blamed and unit.state == 'bad input' else unit.reason
        if unit.state == 'bad input':
            blamed.add(unit.image)
        table.add_row(
            'none' if unit.image == 'n/a' else unit.image.rpartition('/')[2],
            unit.measure, unit.variant or '',
            Text(unit.state, style=_COLOURS[unit.state]),
            f'{unit.minutes:.1f}' if is_new else '', Text(reason),
        )  # fmt: skip
    console.print(table)
    console.print()


def _console() -> Console:
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_WIDE)
