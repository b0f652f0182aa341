"""Whether the tables of participants speak of those who have results."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from mriderived.bids.covariates import Covariates
from mriderived.group.records import Row

#: Labels that a warning names.
_MOST_NAMED = 4


def check_labels(known: Covariates, rows: Iterable[Row]) -> Iterator[str]:
    """Yield warnings on participants of whom nothing is known, and on rows that are of nobody."""
    rows = list(rows)
    people = {row.participant for row in rows}
    told = {str(label) for label, _ in known.frame.index}
    if not told:
        yield (
            'the dataset has neither participants.tsv nor phenotype/*.tsv with a row: statistics '
            'know nothing of the participants but the numbers of the cohort table'
        )
        return
    yield from _check_sessions(known, set(rows))
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


def _check_sessions(known: Covariates, rows: Collection[Row]) -> Iterator[str]:
    """Warn of tables whose participants have results, but of no session that a row speaks of."""
    sessions = {(row.participant, row.session) for row in rows}
    people = {participant for participant, _ in sessions}
    for table in sorted(set(known.origin.values())):
        columns = [column for column, name in known.origin.items() if name == table]
        there = known.frame.index[known.frame[columns].notna().any(axis=1)]
        theirs = {key for key in there if key[0] in people}
        if not theirs or any(not session or (label, session) in sessions for label, session in theirs):  # noqa: E501  # fmt: skip
            continue
        told, ours = (
            ', '.join(sorted({f'ses-{session}' for _, session in keys if session})[:_MOST_NAMED])
            for keys in (theirs, sessions)
        )
        yield (
            f'{table} speaks of {told}, and results are of {ours or "no session"}: nobody has a '
            f'value of {_name(columns)}. Write session_id as the images have it, or leave it out'
        )


def _name(labels: Collection[str]) -> str:
    shown = ', '.join(sorted(labels)[:_MOST_NAMED])
    return f'{shown}, …' if len(labels) > _MOST_NAMED else shown


def _plain(label: str) -> str:
    return label.lstrip('0').casefold()
