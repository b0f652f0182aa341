"""Read the tables of the cohort for ``group.html``; nothing is computed from them here."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mriderived.bids.names import phenotype_path
from mriderived.bids.status import NoInputError

#: More values than these are not put into one page; see :func:`_thin_out`.
MOST_VALUES = 900_000
#: How many reasons for missing values are told per column.
MOST_REASONS = 3


@dataclass(frozen=True)
class SessionTable:
    """What the page shows of one session."""

    label: str
    participants: tuple[str, ...]
    #: Per column: everything of its row of the summary and of its entry in the dictionary.
    columns: tuple[Mapping[str, Any], ...]
    #: Row, column and score of each outlier.
    outliers: tuple[tuple[int, int, float], ...]
    #: Per column a JSON list of values, or an object with their rows where only some are shown.
    values: tuple[str, ...]
    is_thinned: bool
    reasons: tuple[str, ...]
    #: Per column with missing values: places in ``reasons`` and how often each.
    missing: Mapping[int, tuple[tuple[int, int], ...]]
    #: Per reason: number of cells, and of participants.
    totals: tuple[tuple[int, int], ...]


def read_listing(out_dir: Path) -> Mapping[str, Any]:
    """Read what the group level says about its tables."""
    path = out_dir / 'logs' / 'group.json'
    try:
        listing: Mapping[str, Any] = json.loads(path.read_text(encoding='utf-8'))
    except FileNotFoundError:
        raise NoInputError(f'{path} is missing: run the group level first') from None
    return listing


def read_sessions(out_dir: Path, listing: Mapping[str, Any]) -> list[SessionTable]:
    """Read the tables of every session."""
    summary = _group_by_session(out_dir / 'logs' / 'group_summary.tsv')
    outliers = _group_by_session(out_dir / 'logs' / 'group_outliers.tsv')
    sessions = listing['sessions']
    return [
        _read_session(
            out_dir,
            session,
            summary.get(_session_id(session), []),
            outliers.get(_session_id(session), []),
            MOST_VALUES // len(sessions),
        )
        for session in sessions
    ]


def _session_id(label: str) -> str:
    return f'ses-{label}' if label else 'n/a'


def _group_by_session(path: Path) -> dict[str, list[dict[str, str]]]:
    rows: dict[str, list[dict[str, str]]] = {}
    with path.open(encoding='utf-8', newline='') as stream:
        for row in csv.DictReader(stream, delimiter='\t', quoting=csv.QUOTE_NONE):
            rows.setdefault(row['session_id'], []).append(row)
    return rows


def _read_session(
    out_dir: Path,
    session: str,
    summary: list[dict[str, str]],
    outliers: list[dict[str, str]],
    most_values: int,
) -> SessionTable:
    wide = phenotype_path('mriderived', None, session or None)
    names = [row['column'] for row in summary]
    participants, numbers = _read_numbers(out_dir / wide, names)
    dictionary = json.loads((out_dir / wide.with_suffix('.json')).read_text(encoding='utf-8'))
    rows = {label: place for place, label in enumerate(participants)}
    places = {name: place for place, name in enumerate(names)}
    apart = tuple(
        (rows[row['participant_id']], places[row['column']], float(row['score']))
        for row in outliers
    )
    is_thinned = numbers.size > most_values
    reasons, missing, totals = _read_reasons(out_dir / _reasons_path(session), names)
    return SessionTable(
        label=session,
        participants=tuple(label.removeprefix('sub-') for label in participants),
        columns=tuple({**dictionary[row['column']], **row} for row in summary),
        outliers=apart,
        values=tuple(
            _thin_out(numbers, apart, most_values) if is_thinned else map(_to_json, numbers.T)
        ),
        is_thinned=is_thinned,
        reasons=reasons,
        missing=missing,
        totals=totals,
    )


def _reasons_path(session: str) -> PurePosixPath:
    return phenotype_path('mriderived_reasons', None, session or None)


def _picker(header: str, names: list[str]) -> Iterable[int]:
    place = {name: number for number, name in enumerate(header.rstrip('\n').split('\t'))}
    return [place[name] for name in names]


def _read_numbers(path: Path, names: list[str]) -> tuple[list[str], NDArray[np.float64]]:
    participants, rows = [], []
    with path.open(encoding='utf-8') as stream:
        # One place more than there are columns: itemgetter of one gives no tuple.
        pick = itemgetter(0, 0, *_picker(next(stream), names))
        for line in stream:
            cells = line.rstrip('\n').replace('\tn/a', '\tnan').split('\t')
            participants.append(cells[0])
            rows.append(np.fromiter(map(float, pick(cells)[2:]), float, len(names)))
    return participants, np.array(rows).reshape(len(rows), len(names))


def _read_reasons(
    path: Path, names: list[str]
) -> tuple[tuple[str, ...], dict[int, tuple[tuple[int, int], ...]], tuple[tuple[int, int], ...]]:
    places: dict[str, int] = {}
    columns: list[Counter[int]] = [Counter() for _ in names]
    participants: Counter[int] = Counter()
    with path.open(encoding='utf-8') as stream:
        header = next(stream)
        pick = itemgetter(0, 0, *_picker(header, names))
        for line in stream:
            if line.count('\tn/a') == header.count('\t'):
                continue
            cells = pick(line.rstrip('\n').split('\t'))[2:]
            found = set()
            for counter, cell in zip(columns, cells, strict=True):
                if cell != 'n/a':
                    place = places.setdefault(cell, len(places))
                    counter[place] += 1
                    found.add(place)
            participants.update(found)
    cells_of: Counter[int] = Counter()
    for counter in columns:
        cells_of.update(counter)
    missing = {
        column: tuple(counter.most_common(MOST_REASONS))
        for column, counter in enumerate(columns)
        if counter
    }
    totals = tuple((cells_of[place], participants[place]) for place in range(len(places)))
    return tuple(places), missing, totals


def _to_json(values: NDArray[np.float64]) -> str:
    """Return a JSON list of numbers of five digits; five are more than a screen shows."""
    cells = ('null' if value != value else f'{value:.5g}' for value in values.tolist())
    return f'[{",".join(cells)}]'


def _thin_out(
    numbers: NDArray[np.float64], outliers: Iterable[tuple[int, int, float]], most: int
) -> Iterator[str]:
    """Keep every outlier and, of the others, values evenly spaced in rank."""
    apart: dict[int, list[int]] = {}
    for row, column, _ in outliers:
        apart.setdefault(column, []).append(row)
    per_column = max(most // numbers.shape[1], 20)
    for column, values in enumerate(numbers.T):
        order = np.argsort(values, kind='stable')[: int(np.isfinite(values).sum())]
        spaced = np.linspace(0, max(len(order) - 1, 0), min(per_column, len(order)))
        kept = sorted(
            set(chain(order[spaced.round().astype(int)].tolist(), apart.get(column, [])))
        )
        rows = ','.join(map(str, kept))
        yield f'{{"i":[{rows}],"v":{_to_json(values[kept])}}}'
