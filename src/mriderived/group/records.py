"""Who is in the cohort, and which unit of work stands for each row and measure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from mriderived.bids.status import (
    NoInputError,
    RecordError,
    UnitRecord,
    read_record,
    recorded_participants,
    shorten_paths,
)
from mriderived.config import Config

NO_IMAGE = ('', 'n/a')
IS_BOLD = re.compile(r'_bold\.nii(\.gz)?$')


class Row(NamedTuple):
    """A row of a cohort table; labels without their prefixes. Rows of runs have an image."""

    session: str
    participant: str
    image: str = ''


class Unit(NamedTuple):
    """What the cohort table needs to know of a unit of work."""

    status: str
    reason: str
    outputs: tuple[str, ...]
    image: str
    is_reference: bool = True


@dataclass
class Cohort:
    """Rows in order, the reference unit of each row, measure and variant, and what went wrong."""

    rows: tuple[Row, ...] = ()
    units: dict[tuple[str, str | None], dict[Row, Unit]] = field(default_factory=dict)
    #: The same of every run of BOLD, reference or not.
    runs: dict[tuple[str, str | None], dict[Row, Unit]] = field(default_factory=dict)
    #: What befell a participant as a whole, if not all has a record of its own.
    faults: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def variants(self, measure: str) -> list[str | None]:
        """Return the atlases or spaces with which a measure was run by anyone."""
        return [variant for name, variant in self.units if name == measure]


def read_cohort(
    config: Config,
    planned: Iterable[tuple[str, str | None]] = (),
    others: Iterable[Row] = (),
) -> Cohort:
    """Read the records of the participants (and sessions) that ``config`` asks for, or of all.

    ``planned`` are measures, each with its atlas or space, that are part of the cohort anyway;
    ``others`` are rows of whom there are results of others.
    """
    recorded = recorded_participants(config.out_dir)
    wanted = [label.removeprefix('sub-') for label in config.participant_labels]
    participants = [label for label in recorded if not wanted or label in set(wanted)]
    added = set(others)
    if not participants and not added:
        raise NoInputError(
            f'{config.out_dir} holds no participant output (logs/sub-*/units.json): '
            'run the participant level first'
        )
    cohort = Cohort()
    known = {*recorded, *(row.participant for row in added)}
    for label in sorted(set(wanted) - known):
        cohort.warnings.append(f'sub-{label} has no output and is not in the tables')
    sessions = {label.removeprefix('ses-') for label in config.session_labels}
    rows: set[Row] = set()
    for participant in participants:
        units = [
            unit
            for unit in _read_units(config.out_dir, participant, cohort)
            if not sessions or unit.session in sessions
        ]
        rows |= _add_units(cohort, participant, units)
    for key in planned:
        cohort.units.setdefault(key, {})
    cohort.warnings += _tell_apart(rows, added)
    cohort.rows = _sort_rows(_join_rows(rows, added), cohort.faults)
    if not cohort.rows:
        raise NoInputError(f'no output in {config.out_dir} is of the sessions asked for')
    return cohort


def _read_units(out_dir: Path, participant: str, cohort: Cohort) -> Sequence[UnitRecord]:
    try:
        units = read_record(out_dir, participant)
    except RecordError as error:
        reason = 'the record of this participant cannot be read: run the participant again'
        cohort.faults[participant] = reason
        told = shorten_paths(str(error), out_dir)
        cohort.warnings.append(f'sub-{participant}: {reason} ({told})')
        return ()
    # Units of no image tell what befell the participant as a whole.
    without = [unit for unit in units if unit.image in NO_IMAGE]
    for unit in without:
        cohort.units.setdefault((unit.measure, unit.variant), {})
    if without or not units:
        reasons = [explain(unit.status, unit.reason) for unit in without]
        cohort.faults[participant] = reasons[0] if reasons else 'no image was found'
    return [unit for unit in units if unit.image not in NO_IMAGE]


def explain(status: str, reason: str) -> str:
    """Say in one line why a unit has no values."""
    status = status.replace('_', ' ')
    return f'{status}: {reason}' if reason else status


def _add_units(cohort: Cohort, participant: str, units: Iterable[UnitRecord]) -> set[Row]:
    rows = set()
    for unit in sorted(units, key=lambda unit: unit.image):
        row = Row(unit.session or '', participant)
        rows.add(row)
        found = Unit(unit.status, unit.reason, unit.outputs, unit.image, unit.is_reference)
        if IS_BOLD.search(unit.image):
            runs = cohort.runs.setdefault((unit.measure, unit.variant), {})
            runs[row._replace(image=unit.image)] = found
        if not unit.is_reference:
            continue
        chosen = cohort.units.setdefault((unit.measure, unit.variant), {})
        if row in chosen:
            # Collections of several kinds are ordinary; what they share is told of the first one.
            if _suffix(chosen[row].image) == _suffix(unit.image):
                cohort.warnings.append(
                    f'sub-{participant}: {unit.measure} has two reference images; '
                    f'{chosen[row].image} is used, {unit.image} is not'
                )
            continue
        chosen[row] = found
    return rows


def _suffix(image: str) -> str:
    return image.rpartition('_')[2].partition('.')[0]


def _join_rows(rows: set[Row], others: set[Row]) -> set[Row]:
    """Add rows of others; one without a session adds nothing to somebody who has sessions."""
    sole = _find_sole(rows, others)
    added = {Row('', row.participant) if row.participant in sole else row for row in others}
    known = {row.participant for row in rows | added if row.session}
    return rows | {row for row in added if row.session or row.participant not in known}


def _find_sole(rows: set[Row], others: set[Row]) -> set[str]:
    """Return of whom others have one session, and that is the row without session of ours.

    Who has no row of ours is taken likewise where nobody has a session in ours.
    """
    ours, theirs = _sessions(rows), _sessions(others)
    is_plain = bool(rows) and not any(row.session for row in rows)
    return {
        participant
        for participant, sessions in theirs.items()
        if len(sessions) == 1 and '' not in sessions
        and ours.get(participant, {''} if is_plain else set()) == {''}
    }  # fmt: skip


def _sessions(rows: Iterable[Row]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for row in rows:
        found.setdefault(row.participant, set()).add(row.session)
    return found


def _tell_apart(rows: set[Row], others: set[Row]) -> Iterator[str]:
    """Yield warnings on those whose rows of ours and of others cannot be joined."""
    sole = _find_sole(rows, others)
    sessions = sorted({row.session for row in others if row.participant in sole})
    if len(sessions) > 1:
        yield (
            f'the sole session of others is taken for that of our results, and it is not the same '
            f'of all: {", ".join(f"ses-{session}" for session in sessions[:5])}. Where these are '
            'different visits, choose one with --session-label'
        )
    ours = {row.participant for row in rows if not row.session}
    for participant in sorted({row.participant for row in others if row.session} & ours - sole):
        yield (
            f'sub-{participant}: our results have no session, and those of others have several: '
            'they stand in rows of their own, and no model joins them'
        )


def _sort_rows(rows: set[Row], faults: Mapping[str, str]) -> tuple[Row, ...]:
    """Sort; a participant without any unit stands in the table of every session."""
    sessions = {row.session for row in rows} or {''}
    known = {row.participant for row in rows}
    everywhere = {Row(session, label) for session in sessions for label in set(faults) - known}
    return tuple(sorted(rows | everywhere))
