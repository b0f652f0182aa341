"""What is known of the participants beside their images: participants, sessions and phenotype."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import pandas as pd

#: How tables say that there is no value.
NO_VALUE = ('n/a', 'N/A', 'NA', 'na', 'nan', 'NaN', 'NULL', '', '-')
PARTICIPANT, SESSION = 'participant_id', 'session_id'
#: The name of all tables of sessions together.
SESSIONS = 'sub-*_sessions.tsv'


class CovariateError(ValueError):
    """A table of participants that cannot be used; the message names the file and the remedy."""


@dataclass
class Covariates:
    """One row per participant (and session), indexed by their labels without prefixes.

    The session is empty in rows that hold for all sessions of somebody; ``frame`` has both as
    its index. ``origin`` names the file of each column; ``notes`` say what was not taken.
    ``untold`` are sessions whose row says of a column that there is no value.
    """

    frame: pd.DataFrame
    origin: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    untold: dict[str, set[tuple[str, str]]] = field(default_factory=dict)

    def of(self, rows: Sequence[tuple[str, str]]) -> pd.DataFrame:
        """Return the columns for rows (participant, session): of the session, or of all."""
        own = self.frame.reindex(pd.MultiIndex.from_tuples(rows, names=self.frame.index.names))
        general = [(participant, '') for participant, _ in rows]
        shared = self.frame.reindex(pd.MultiIndex.from_tuples(general))
        shared.index = own.index
        known = own.notna()
        for column, sessions in self.untold.items():
            # The age of another time is not that of this session.
            if sessions:
                known[column] |= own.index.isin(list(sessions))
        return own.where(known, shared).infer_objects()


class Table(NamedTuple):
    """Columns of one or several files, and the sessions whose row has none of a column."""

    frame: pd.DataFrame
    untold: dict[str, set[tuple[str, str]]]


def read_covariates(bids_dir: Path, *, as_text: bool = False) -> Covariates:
    """Read ``participants.tsv``, ``sub-*/*_sessions.tsv`` and ``phenotype/*.tsv`` of a dataset.

    A column of which two tables tell the same participant's (and session's) value is taken from
    the first of these, and a note says so; a session's own value counts before that of all
    sessions. Columns of ``phenotype/`` are also there as ``<table>_<column>``, and only so where
    an earlier table has a column of that name. Columns of numbers alone are numbers, unless
    ``as_text`` asks for all as it was written.

    Raises
    ------
    CovariateError
        A table cannot be read, has no column of participants, or names somebody twice.
    """
    found = Covariates(
        pd.DataFrame(index=pd.MultiIndex.from_arrays([[], []], names=[PARTICIPANT, SESSION]))
    )
    for name, table in _read_tables(bids_dir):
        _join(found, table, name)
    if not as_text:
        found.frame = found.frame.apply(_with_type)
    return found


def _read_tables(bids_dir: Path) -> Iterator[tuple[str, Table]]:
    """Yield each table under its name; those of sessions are one."""
    name = 'participants.tsv'
    # A link without content is told of.
    if (bids_dir / name).is_file() or (bids_dir / name).is_symlink():
        yield name, _tidy(_read_rows(bids_dir, name), name)
    sessions = [
        row
        for path in sorted(bids_dir.glob('sub-*/sub-*_sessions.tsv'))
        for row in _read_rows(bids_dir, path.relative_to(bids_dir).as_posix())
    ]
    if sessions:
        yield SESSIONS, _tidy(sessions, SESSIONS)
    for path in sorted((bids_dir / 'phenotype').glob('*.tsv')):
        name = path.relative_to(bids_dir).as_posix()
        table = _tidy(_read_rows(bids_dir, name), name)
        named = {f'{path.stem}_{column}': keys for column, keys in table.untold.items()}
        frame = pd.concat([table.frame, table.frame.add_prefix(f'{path.stem}_')], axis=1)
        yield name, Table(frame, table.untold | named)


def _read_rows(bids_dir: Path, name: str) -> list[dict[str, str]]:
    """Return the rows of a file as they are written, with participant and session."""
    path = bids_dir / name
    try:
        lines = path.read_text(encoding='utf-8-sig').splitlines()
    except UnicodeDecodeError as error:
        raise CovariateError(
            f'{name} is no text in UTF-8 ({error.reason} at byte {error.start}): save it as such'
        ) from error
    except OSError as error:
        raise CovariateError(
            f'{name} cannot be read ({error.strerror}): where it is a link, get its content '
            '(datalad get), and let it be readable'
        ) from error
    cells = [[cell.strip() for cell in line.split('\t')] for line in lines if line.strip()]
    if not cells:
        raise CovariateError(f'{name} is empty: write a line with the names of its columns')
    columns = cells[0]
    for number, row in enumerate(cells[1:], start=2):
        if len(row) != len(columns):
            raise CovariateError(
                f'{name}: row {number} has {len(row)} cells, for {len(columns)} columns: '
                'write as many cells in each row, with tabs between them'
            )
    _refuse_twins(columns, name)
    owner = path.parent.name
    if PARTICIPANT not in columns and not owner.startswith('sub-'):
        raise CovariateError(
            f'{name} has no column {PARTICIPANT}: its columns are '
            f'{", ".join(columns[:8])}. Call that of the participants {PARTICIPANT}'
        )
    shared = {PARTICIPANT: owner, SESSION: ''}
    return [shared | dict(zip(columns, row, strict=True)) for row in cells[1:]] or [
        dict.fromkeys([PARTICIPANT, SESSION, *columns], '')
    ]


def _refuse_twins(columns: Sequence[str], name: str) -> None:
    for column in columns:
        if columns.count(column) > 1:
            raise CovariateError(f'{name} has two columns {column!r}: rename one of them')


def _tidy(rows: Sequence[Mapping[str, str]], name: str) -> Table:
    """Put rows of one or several files together; a file need not have all columns."""
    table = pd.DataFrame(rows, dtype=object)
    table[PARTICIPANT] = table[PARTICIPANT].str.removeprefix('sub-')
    table[SESSION] = table[SESSION].str.removeprefix('ses-').replace(dict.fromkeys(NO_VALUE, ''))
    table = pd.DataFrame(table[table[PARTICIPANT] != ''])
    twice = table[table.duplicated([PARTICIPANT, SESSION])]
    if len(twice):
        first = twice.iloc[0]
        who = f'sub-{first[PARTICIPANT]}' + (f' ses-{first[SESSION]}' if first[SESSION] else '')
        more = f', and {len(twice) - 1} more' * (len(twice) > 1)
        raise CovariateError(f'{name} has more than one row for {who}{more}: leave one of each')
    indexed: pd.DataFrame = table.set_index([PARTICIPANT, SESSION])
    empty = indexed.isin(NO_VALUE)
    of_session = indexed.index.get_level_values(SESSION) != ''
    untold = {str(column): set(indexed.index[empty[column] & of_session]) for column in indexed}
    return Table(indexed.mask(empty | indexed.isna(), pd.NA), untold)


def _join(found: Covariates, whole: Table, name: str) -> None:
    """Add the columns of a table; rows of participants that were not there are added, too."""
    table = whole.frame
    _refuse_twins(list(map(str, table.columns)), name)
    taken = [
        column
        for column in map(str, table.columns)
        if found.origin.get(column, name) != name
        and (_is_instrument(name) or _share_cells(found.frame, table, column))
    ]
    for origin in dict.fromkeys(found.origin[column] for column in taken):
        found.notes.append(
            _tell_taken([c for c in taken if found.origin[c] == origin], origin, name)
        )
    table = table.drop(columns=taken)
    found.frame = found.frame.combine_first(table) if len(found.frame) else table
    for column in map(str, table.columns):
        found.origin.setdefault(column, name)
        found.untold.setdefault(column, set()).update(whole.untold.get(column, ()))


def _is_instrument(name: str) -> bool:
    """Tell whether columns of a table mean nothing outside it, as a ``score`` does."""
    return name.startswith('phenotype/')


def _share_cells(frame: pd.DataFrame, table: pd.DataFrame, column: str) -> bool:
    """Tell whether both tables have a value of the same participant and session."""
    shared = frame.index.intersection(table.index)
    return bool((frame.loc[shared, column].notna() & table.loc[shared, column].notna()).any())


def _tell_taken(columns: Sequence[str], origin: str, name: str) -> str:
    told = (
        f'{name}: {", ".join(map(repr, columns))} {"is" if len(columns) == 1 else "are"} taken '
        f'from {origin} instead'
    )
    if not _is_instrument(name):
        return told
    own = [f'{PurePosixPath(name).stem}_{column}' for column in columns]
    return f'{told}; its own {"is" if len(own) == 1 else "are"} {", ".join(map(repr, own))}'


def _with_type(column: pd.Series) -> pd.Series:
    """Return a column as numbers where all of its values are."""
    known = column.dropna()
    numbers = pd.to_numeric(known, errors='coerce')
    if len(known) and numbers.notna().all():
        return pd.to_numeric(column, errors='coerce').astype(float)
    return column.astype(object).where(column.notna(), None)
