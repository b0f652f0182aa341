"""Who should not be in one table, or lacks in it: other versions, and runs that never ended."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from mriderived import __version__
from mriderived.bids.status import recorded_participants
from mriderived.config import Config

#: People that a warning names.
_MOST_NAMED = 5


def check_participants(config: Config) -> Iterator[str]:
    """Yield a warning for each thing that is wrong with participants as a whole."""
    wanted = {label.removeprefix('sub-') for label in config.participant_labels}
    recorded = recorded_participants(config.out_dir)
    there = [label for label in recorded if not wanted or label in wanted]
    yield from _check_versions(config.out_dir, there)
    folders = (path for path in config.out_dir.glob('sub-*') if path.is_dir())
    labels = {path.name.removeprefix('sub-') for path in folders} - set(recorded)
    left = sorted(label for label in labels if not wanted or label in wanted)
    if left:
        yield (
            f'{_name(left)}: there are outputs but no record (logs/sub-*/units.json), so the run '
            'did not get far or the folder was copied without logs; not in the tables. Run the '
            'participant level again'
        )


def _check_versions(out_dir: Path, labels: Sequence[str]) -> Iterator[str]:
    """Yield who was processed by another version than this one."""
    found: dict[str, list[str]] = {}
    for label in labels:
        version = _read_version(out_dir / 'logs' / f'sub-{label}' / 'provenance.json')
        if version not in ('', __version__):
            found.setdefault(version, []).append(label)
    for version, people in sorted(found.items()):
        yield (
            f'{_name(people)}: processed by version {version}, and this is {__version__}: numbers '
            'of both stand in one table. Run all participants with one version'
        )


def _read_version(path: Path) -> str:
    """Return the version of the last run that computed anything; nothing where it is not told."""
    try:
        told = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return ''
    return str(told.get('version', '')) if isinstance(told, dict) else ''


def _name(labels: Sequence[str]) -> str:
    rest = len(labels) - _MOST_NAMED
    named = ', '.join(f'sub-{label}' for label in labels[:_MOST_NAMED])
    return named + (f' and {rest} more' if rest > 0 else '')
