"""Whether the tables of participants speak of those who have results."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence

from mriderived.bids.covariates import Covariates
from mriderived.group.records import Row

#: In front of the files that are one table.
_OF_SESSIONS = re.compile(r'sub-[^/]+/sub-[^_]+(?=_sessions)')
#: Labels that a warning names.
_MOST_NAMED = 4


def check_labels(known: Covariates, rows: Sequence[Row]) -> Iterator[str]:
    """Yield warnings on participants of whom nothing is known, and on rows that are of nobody."""
    yield from _check_people(known, rows)
    yield from check_sessions(known, rows)


def _check_people(known: Covariates, rows: Sequence[Row]) -> Iterator[str]:
    people = {row.participant for row in rows}
    told = {str(label) for label, _ in known.frame.index}
    if not told:
        yield (
            'the dataset has neither participants.tsv nor phenotype/*.tsv with a row: statistics '
            'know nothing of the participants but the numbers of the cohort table'
        )
        return
    without, unused = people - told, told - people
    if not without:
        return
    text = (
        f'{len(without)} of {len(people)} participants have no row in participants.tsv or '
        f'phenotype/ and take no part in statistics that ask for a covariate ({_name(without)})'
    )
    if unused:
        text += f'; {len(unused)} rows there are of nobody who has results ({_name(unused)})'
    alike = {_plain(label) for label in without} & {_plain(label) for label in unused}
    if alike:
        text += ': labels differ in leading zeros or in case. Write them alike'
    yield text


def check_sessions(known: Covariates, rows: Sequence[Row]) -> Iterator[str]:
    """Yield which tables speak of other sessions of somebody than those that have results.

    Their columns have no value for any row, though both name the participant.
    """
    ours = _sessions((row.participant, row.session) for row in rows)
    tables: dict[str, list[str]] = {}
    for column, origin in known.origin.items():
        tables.setdefault(_OF_SESSIONS.sub('sub-*', origin), []).append(column)
    for origin, columns in tables.items():
        told = known.frame.index[known.frame[columns].notna().any(axis=1)]
        theirs = _sessions((str(label), str(session)) for label, session in told)
        apart = {
            label for label, sessions in theirs.items()
            if label in ours and '' not in sessions and not sessions & ours[label]
        }  # fmt: skip
        if apart:
            one = min(apart)
            yield (
                f'{origin} has other sessions of {len(apart)} participants than the results '
                f'({_name(apart)}; of {one} {_tell(theirs[one])}, and there are results of '
                f'{_tell(ours[one])}): its columns are n/a for them. Write session_id as in the '
                'results, or n/a for all sessions'
            )


def _sessions(rows: Iterable[tuple[str, str]]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for label, session in rows:
        found.setdefault(label, set()).add(session)
    return found


def _tell(sessions: Collection[str]) -> str:
    return _name([f'ses-{session}' if session else 'no session' for session in sessions])


def _name(labels: Collection[str]) -> str:
    shown = ', '.join(sorted(labels)[:_MOST_NAMED])
    return f'{shown}, …' if len(labels) > _MOST_NAMED else shown


def _plain(label: str) -> str:
    return label.lstrip('0').casefold()
