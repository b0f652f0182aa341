"""Who should not be in one table, or lacks in it: mixed processing, and runs that never ended."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from mriderived.bids.status import RecordError, read_record, recorded_participants
from mriderived.config import Config
from mriderived.group.processing import check_processing

#: People that a warning names.
_MOST_NAMED = 5
#: A warning of one participant.
_OF_ONE = re.compile(r'sub-([0-9a-zA-Z]+): (.*)', re.DOTALL)


def check_participants(config: Config) -> Iterator[str]:
    """Yield a warning for each thing that is wrong with participants as a whole."""
    wanted = {label.removeprefix('sub-') for label in config.participant_labels}
    recorded = recorded_participants(config.out_dir)
    there = [label for label in recorded if not wanted or label in wanted]
    for people, told in check_processing(config.out_dir, there):
        yield f'{name_people(people)}: {told}'
    folders = (path for path in config.out_dir.glob('sub-*') if path.is_dir())
    labels = {path.name.removeprefix('sub-') for path in folders} - set(recorded)
    left = sorted(label for label in labels if not wanted or label in wanted)
    if left:
        yield (
            f'{name_people(left)}: there are outputs but no record (logs/sub-*/units.json), so '
            'the run did not get far or the folder was copied without logs; not in the tables. '
            'Run the participant level again'
        )
    yield from _check_sessions(config, there)


def _check_sessions(config: Config, labels: Iterable[str]) -> Iterator[str]:
    """Yield whose record knows nothing of a session of which there are outputs.

    So it is where sessions were run into folders of their own that were then put together: the
    record of one of them was written over that of the other.
    """
    wanted = {label.removeprefix('ses-') for label in config.session_labels}
    for label in labels:
        folders = (config.out_dir / f'sub-{label}').glob('ses-*')
        sessions = {path.name.removeprefix('ses-') for path in folders if path.is_dir()}
        if not sessions:
            continue
        try:
            known = {unit.session for unit in read_record(config.out_dir, label)}
        except RecordError:
            continue  # Reading the cohort says so, and more.
        lost = sorted(one for one in sessions - known if not wanted or one in wanted)
        if lost:
            named = ', '.join(f'ses-{one}' for one in lost)
            yield (
                f'sub-{label}: there are outputs of {named} but the record '
                f'(logs/sub-{label}/units.json) does not know of it; not in the tables. Run the '
                'participant again with all of its sessions in one output folder'
            )


def name_people(labels: Sequence[str]) -> str:
    """Return the names of a few people, and how many more there are.

    >>> name_people(['01', '02'])
    'sub-01, sub-02'
    """
    rest = len(labels) - _MOST_NAMED
    named = ', '.join(f'sub-{label}' for label in labels[:_MOST_NAMED])
    return named + (f' and {rest} more' if rest > 0 else '')


def gather_alike(warnings: Iterable[str]) -> list[str]:
    """Say once what is said of more people than a warning names, each of them once.

    >>> gather_alike(['sub-01: sub-01/a.tsv: cut off', 'other', 'other'])
    ['sub-01: sub-01/a.tsv: cut off', 'other']
    >>> gather_alike([f'sub-{n}: sub-{n}/sub-{n}_a.tsv: cut off' for n in range(1, 9)])
    ['sub-1, sub-2, sub-3, sub-4, sub-5 and 3 more: sub-*/sub-*_a.tsv: cut off']
    """
    people: dict[str, dict[str, str]] = {}
    for warning in warnings:
        match = _OF_ONE.fullmatch(warning)
        label, text = match.groups() if match else ('', warning)
        general = (
            re.sub(rf'\bsub-{re.escape(label)}(?![0-9a-zA-Z])', 'sub-*', text) if label else text
        )
        people.setdefault(general, {}).setdefault(label, warning)
    found: list[str] = []
    for general, told in people.items():
        if len(told) > _MOST_NAMED:
            found.append(f'{name_people(list(told))}: {general}')
        else:
            found += told.values()
    return found
