"""What became of every unit of work: one record per participant, one ``status.tsv`` for all.

The records are the only source of the exit code, the report's banner and the reasons for
missing values, so the three cannot disagree.
"""

from __future__ import annotations

import dataclasses
import fcntl
import json
import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from uuid import uuid4

LOGGER = logging.getLogger(__name__)


class NoInputError(Exception):
    """The output folder lacks what an earlier level should have put there."""


Status = Literal['done', 'skipped', 'failed', 'not_available']


@dataclass(frozen=True)
class UnitRecord:
    """The fate of one image × measure (× atlas or space, its ``variant``).

    ``image`` is the source's path below the raw dataset, ``outputs`` are paths below the output
    folder, ``fingerprint`` tells the input and the settings that made them.
    """

    participant: str
    session: str | None
    image: str
    measure: str
    variant: str | None
    status: Status
    reason: str = ''
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
    fingerprint: str = ''
    outputs: tuple[str, ...] = ()
    traceback: str = ''
    #: True on the image that stands for its session in the cohort table.
    is_reference: bool = True


COLUMNS = ('participant_id', 'session_id', 'image', 'measure', 'variant', 'status', 'reason')


def record_file(out_dir: Path, participant: str) -> Path:
    """Return where the record of ``participant`` (without ``sub-``) is kept."""
    return out_dir / 'logs' / f'sub-{participant}' / 'units.json'


class RecordError(ValueError):
    """A record that cannot be used; the message names the file and the remedy."""


def read_record(out_dir: Path, participant: str) -> tuple[UnitRecord, ...]:
    """Read the units of one participant; none if there is no record yet.

    Raises
    ------
    RecordError
        If the file cannot be read, or holds anything else.
    """
    path = record_file(out_dir, participant)
    try:
        return tuple(
            UnitRecord(**{**row, 'notes': tuple(row['notes']), 'outputs': tuple(row['outputs'])})
            for row in json.loads(path.read_text())
        )
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise RecordError(
            f'{path} is not a record of units ({error}): run sub-{participant} again'
        ) from error


def find_record(out_dir: Path, participant: str) -> tuple[UnitRecord, ...]:
    """Read the units of one participant; a record that cannot be used is none, with a warning."""
    try:
        return read_record(out_dir, participant)
    except RecordError as error:
        LOGGER.warning('Taken as no record: %s', error)
        return ()


def write_record(out_dir: Path, participant: str, units: Iterable[UnitRecord]) -> None:
    """Write the units of one participant, whole or not at all."""
    rows = [dataclasses.asdict(unit) for unit in units]
    write_text(record_file(out_dir, participant), json.dumps(rows, indent=1) + '\n')


def recorded_participants(out_dir: Path) -> tuple[str, ...]:
    """Return the labels of the participants that have a record, sorted."""
    files = out_dir.glob('logs/sub-*/units.json')
    return tuple(sorted(path.parent.name.removeprefix('sub-') for path in files))


def write_status_table(out_dir: Path) -> None:
    """Gather all records into ``status.tsv``; safe beside other processes on the same folder."""
    with (out_dir / 'logs' / '.status.lock').open('w') as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        rows = ['\t'.join(COLUMNS)]
        for participant in recorded_participants(out_dir):
            rows += [_row(unit) for unit in find_record(out_dir, participant)]
        write_text(out_dir / 'status.tsv', '\n'.join(rows) + '\n')


def _row(unit: UnitRecord) -> str:
    cells = (
        f'sub-{unit.participant}',
        f'ses-{unit.session}' if unit.session else None,
        unit.image,
        unit.measure,
        unit.variant,
        unit.status,
        ' '.join(unit.reason.split()),
    )
    return '\t'.join(cell or 'n/a' for cell in cells)


def shorten_paths(text: str, *folders: Path) -> str:
    """Return ``text`` with paths below the folders relative to them.

    Reasons are read elsewhere than where they arose, and a folder of results is passed on.

    >>> shorten_paths('/data/sub-01/x.nii: see /out/a, /mnt/data/b', Path('/data'), Path('/out'))
    'sub-01/x.nii: see a, /mnt/data/b'
    """
    known = {str(path) for folder in folders for path in (folder.absolute(), folder.resolve())}
    for name in sorted(known - {'/'}, key=len, reverse=True):
        text = re.sub(rf'(?<![\w./~-]){re.escape(name)}/', '', text)
    return text


def write_text(path: Path, text: str) -> None:
    """Write a text file so that no reader ever sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f'.{path.name}.{uuid4().hex}.partial')
    partial.write_text(text)
    partial.replace(path)
