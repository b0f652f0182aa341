"""Events of a task run: where they are, and whether they can be used."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from mriderived.bids.names import InvalidNameError, parse_entities

#: As many rows are named in a message.
_MOST_LISTED = 5


class EventsError(ValueError):
    """Events that cannot be used; the message names the file and what is wrong."""


def find_events(image: Path, entities: Mapping[str, str], bids_dir: Path) -> Path | None:
    """Return the events of a run: the nearest file that all of whose entities the run has.

    Files further up in the dataset hold for all runs below (the principle of inheritance). A link
    to content that is not here counts as no file.
    """
    folder = image.parent
    while True:
        found = sorted(folder.glob('*_events.tsv'))
        fitting = [path for path in found if path.is_file() and _fits(path, entities)]
        if fitting:
            return max(fitting, key=lambda path: len(parse_entities(path)))
        if folder.resolve() == bids_dir.resolve() or folder == folder.parent:
            return None
        folder = folder.parent


def _fits(path: Path, entities: Mapping[str, str]) -> bool:
    try:
        return parse_entities(path).items() <= dict(entities).items()
    except InvalidNameError:
        return False


def read_events(path: Path, duration: float) -> pd.DataFrame:
    """Read the events of a run that lasts ``duration`` (s): text, but for onset and duration.

    Raises
    ------
    EventsError
        If there is no table, a column is missing, or an event begins after the end of the run.
    """
    try:
        table = pd.read_csv(path, sep='\t', dtype=str, keep_default_na=False, encoding='utf-8-sig')
    except (OSError, UnicodeDecodeError, pd.errors.ParserError) as error:
        raise EventsError(f'{path.name} cannot be read: {error}') from error
    except pd.errors.EmptyDataError as error:
        raise EventsError(f'{path.name} is empty') from error
    missing = [name for name in ('onset', 'duration') if name not in table]
    if missing:
        raise EventsError(f'{path.name} has no column {" and ".join(missing)}')
    if table.empty:
        raise EventsError(f'{path.name} holds no events')
    for name in ('onset', 'duration'):
        table[name] = as_numbers(table[name])
    unknown = table['onset'].isna()
    if unknown.any():
        raise EventsError(f'{path.name}: no onset in {list_rows(unknown)}')
    late = table['onset'] >= duration
    if late.any():
        raise EventsError(
            f'{path.name}: {int(late.sum())} of {len(table)} events begin after the end of the '
            f'run ({duration:g} s): {list_rows(late)}; onsets are in seconds from its start'
        )
    return table


def as_numbers(column: pd.Series) -> pd.Series:
    """Return text as finite numbers, NaN where there is none."""
    numbers = pd.to_numeric(column, errors='coerce').astype(float)
    return numbers.where(np.isfinite(numbers))


def list_rows(marked: pd.Series) -> str:
    """Name rows as an editor counts them: the header is line 1."""
    lines = [str(2 + place) for place in np.flatnonzero(marked)]
    more = ', …' if len(lines) > _MOST_LISTED else ''
    return f'line{"s" if len(lines) > 1 else ""} {", ".join(lines[:_MOST_LISTED])}{more}'
