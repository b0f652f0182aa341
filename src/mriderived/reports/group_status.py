"""What became of every unit of work, arranged as a grid for ``group.html``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from mriderived.bids.status import RecordError, UnitRecord, read_record, recorded_participants

#: Codes of the states, from the best to the worst; a cell shows the worst of its images.
CODES = {'done': 'd', 'skipped': 's', 'not_available': 'n', 'failed': 'f'}
_RANK = {code: rank for rank, code in enumerate(' dsnf')}
UNREADABLE = 'the record of this participant cannot be read: run the participant again'


class Grid(NamedTuple):
    """Units by participants (and sessions)."""

    #: Measure and atlas or space of each unit.
    units: tuple[tuple[str, str], ...]
    #: Participant and session of each row.
    rows: tuple[tuple[str, str], ...]
    #: One string per row: a code per unit, a blank where there is none.
    codes: tuple[str, ...]
    reasons: tuple[str, ...]
    #: Per row: unit → place in ``reasons``.
    notes: tuple[Mapping[int, int], ...]


class _Builder:
    def __init__(self) -> None:
        self.units: dict[tuple[str, str], int] = {}
        self.rows: dict[tuple[str, str], dict[int, tuple[str, int]]] = {}
        self.reasons: dict[str, int] = {}

    def add(self, unit: UnitRecord) -> None:
        place = self.units.setdefault((unit.measure, unit.variant or ''), len(self.units))
        row = self.rows.setdefault((unit.participant, unit.session or ''), {})
        code = CODES.get(unit.status, 'f')
        reason = self.reasons.setdefault(' '.join(unit.reason.split()), len(self.reasons))
        if place not in row or _RANK[code] > _RANK[row[place][0]]:
            row[place] = (code, reason)

    def fail(self, participant: str) -> None:
        """Mark every unit of a participant whose record cannot be read."""
        reason = self.reasons.setdefault(UNREADABLE, len(self.reasons))
        self.rows[participant, ''] = dict.fromkeys(range(len(self.units)), ('f', reason))

    def build(self) -> Grid:
        blank = self.reasons.get('')
        cells = list(self.rows.values())
        return Grid(
            units=tuple(self.units),
            rows=tuple(self.rows),
            codes=tuple(
                ''.join(row.get(place, ' ')[0] for place in range(len(self.units)))
                for row in cells
            ),
            reasons=tuple(self.reasons),
            notes=tuple(
                {place: reason for place, (_, reason) in row.items() if reason != blank}
                for row in cells
            ),
        )


def read_grid(out_dir: Path) -> Grid:
    """Read the records of all participants."""
    builder = _Builder()
    unreadable = []
    for participant in recorded_participants(out_dir):
        try:
            units: Iterable[UnitRecord] = read_record(out_dir, participant)
        except RecordError:
            unreadable.append(participant)
            continue
        for unit in units:
            builder.add(unit)
    for participant in unreadable:
        builder.fail(participant)
    return builder.build()


def count_states(grid: Grid) -> dict[str, int]:
    """Count the cells of each state."""
    text = ''.join(grid.codes)
    return {state: text.count(code) for state, code in CODES.items()}


def grid_json(grid: Grid) -> dict[str, Any]:
    """Return the grid as the page wants it."""
    return {
        'units': grid.units,
        'rows': grid.rows,
        'codes': grid.codes,
        'reasons': grid.reasons,
        'notes': grid.notes,
    }
