"""What is known of the participants beside their images: participants, sessions and phenotype."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import pandas as pd

#: How tables say that there is no value.
NO_VALUE = ('n/a', 'N/A', 'NA', 'na', 'nan', 'NaN', 'NULL', '', '-')
PARTICIPANT, SESSION = 'participant_id', 'session_id'


class CovariateError(ValueError):
    """A table of participants that cannot be used; the message names the file and the remedy."""


@dataclass
class Covariates:
    """One row per participant (and session), indexed by their labels without prefixes.

    The session is empty in rows that hold for all sessions of somebody; ``frame`` has both as
    its index. ``origin`` names the file of each column; ``notes`` say what was not taken.
    ``untold`` is true of sessions whose row says of a column that there is no value.
    """

    frame: pd.DataFrame
    origin: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    untold: pd.DataFrame = field(default_factory=lambda: _no_rows(bool))

    def of(self, rows: Sequence[tuple[str, str]]) -> pd.DataFrame:
        """Return the columns for rows (participant, session): of the session, or of all."""
        own = self.frame.reindex(pd.MultiIndex.from_tuples(rows, names=self.frame.index.names))
        general = [(participant, '') for participant, _ in rows]
        shared = self.frame.reindex(pd.MultiIndex.from_tuples(general))
        shared.index = own.index
        # The age of another time is not that of a session of which none is told.
        untold = _spread(self.untold, own.index, own.columns)
        return own.where(own.notna() | untold, shared).infer_objects()


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
    found = Covariates(_no_rows())
    for paths, prefix in _find_tables(bids_dir):
        tables = [_read_table(path, path.relative_to(bids_dir).as_posix()) for path in paths]
        frame, untold = _to_frame(tables)
        # of the same column in several files of sessions, one is named
        origins = {column: table.name for table in reversed(tables) for column in table.header}
        if prefix:
            frame, untold = _add_prefixed(frame, prefix), _add_prefixed(untold, prefix)
            origins |= {f'{prefix}_{column}': origin for column, origin in origins.items()}
        _join(found, frame, untold, origins, tables[0].name)
    found.notes += _tell_untold(found)
    if not as_text:
        found.frame = found.frame.apply(_with_type)
    return found


def _no_rows(kind: type = object) -> pd.DataFrame:
    index = pd.MultiIndex.from_arrays([[], []], names=[PARTICIPANT, SESSION])
    return pd.DataFrame(index=index, dtype=kind)


def _spread(marks: pd.DataFrame, rows: pd.Index, columns: pd.Index) -> pd.DataFrame:
    """Return marks for these rows and columns, false where there are none."""
    return marks.reindex(index=rows, fill_value=False).reindex(columns=columns, fill_value=False)


def _add_prefixed(frame: pd.DataFrame, prefix: str) -> pd.DataFrame:
    """Add all columns again under the name of their file, but where it has a column so called."""
    more = frame.add_prefix(f'{prefix}_')
    return pd.concat([frame, more.drop(columns=frame.columns, errors='ignore')], axis=1)


class _Table(NamedTuple):
    """A file: its name, columns, and rows by column, with labels without prefixes."""

    name: str
    header: list[str]
    rows: list[dict[str, str]]


def _find_tables(bids_dir: Path) -> Iterator[tuple[list[Path], str]]:
    """Yield files that are one table, and what its columns are called after beside their names."""
    people = bids_dir / 'participants.tsv'
    if people.is_file() or people.is_symlink():  # a link without content is told of
        yield [people], ''
    sessions = sorted(bids_dir.glob('sub-*/sub-*_sessions.tsv'))
    if sessions:
        yield sessions, ''
    for path in sorted((bids_dir / 'phenotype').glob('*.tsv')):
        yield [path], path.stem


def _read_table(path: Path, name: str) -> _Table:
    header, cells = _read_cells(path, name)
    owner = path.parent.name
    if PARTICIPANT not in header and not owner.startswith('sub-'):
        raise CovariateError(
            f'{name} has no column {PARTICIPANT}: its columns are '
            f'{", ".join(header[:8])}. Call that of the participants {PARTICIPANT}'
        )
    rows = [_identify({PARTICIPANT: owner, **dict(zip(header, row, strict=True))})
            for row in cells]  # fmt: skip
    rows = [row for row in rows if row[PARTICIPANT]]
    seen: set[tuple[str, str]] = set()
    twice = []
    for row in rows:
        key = row[PARTICIPANT], row[SESSION]
        if key in seen:
            twice.append(key)
        seen.add(key)
    if twice:
        who = f'sub-{twice[0][0]}' + (f' ses-{twice[0][1]}' if twice[0][1] else '')
        more = f', and {len(twice) - 1} more' * (len(twice) > 1)
        raise CovariateError(f'{name} has more than one row for {who}{more}: leave one of each')
    return _Table(name, [one for one in header if one not in (PARTICIPANT, SESSION)], rows)


def _read_cells(path: Path, name: str) -> tuple[list[str], list[list[str]]]:
    """Return header and rows of a table in which all rows have as many cells."""
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
    for number, row in enumerate(cells[1:], start=2):
        if len(row) != len(cells[0]):
            raise CovariateError(
                f'{name}: row {number} has {len(row)} cells, for {len(cells[0])} columns: '
                'write as many cells in each row, with tabs between them'
            )
    for column, count in Counter(cells[0]).items():
        if count > 1:
            raise CovariateError(f'{name} has two columns {column!r}: rename one of them')
    return cells[0], cells[1:]


def _identify(row: dict[str, str]) -> dict[str, str]:
    """Take the prefixes from the labels of a row."""
    session = row.get(SESSION, '').removeprefix('ses-')
    row[PARTICIPANT] = row[PARTICIPANT].removeprefix('sub-')
    row[SESSION] = '' if session in NO_VALUE else session
    return row


def _to_frame(tables: Sequence[_Table]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows of files one below the other, and which cells of sessions have no value.

    Of the same row in two, the first counts. A file need not have all columns.
    """
    columns = dict.fromkeys(column for table in tables for column in table.header)
    rows = [row for table in tables for row in table.rows]
    frame = pd.DataFrame(rows, columns=[PARTICIPANT, SESSION, *columns], dtype=object)
    frame = frame.set_index([PARTICIPANT, SESSION])
    frame = pd.DataFrame(frame[~frame.index.duplicated()])
    empty = frame.isin(NO_VALUE)
    of_session = empty.index.get_level_values(SESSION) != ''
    return frame.mask(empty | frame.isna(), pd.NA), pd.DataFrame(empty[of_session])


def _join(
    found: Covariates,
    table: pd.DataFrame,
    untold: pd.DataFrame,
    origins: Mapping[str, str],
    name: str,
) -> None:
    """Add the columns of a table; rows of participants that were not there are added, too."""
    taken = [
        column
        for column in map(str, table.columns)
        if column in found.origin
        and (_is_instrument(name) or _share_cells(found.frame, table, column))
    ]
    table, untold = table.drop(columns=taken), untold.drop(columns=taken)
    for origin in dict.fromkeys(found.origin[column] for column in taken):
        theirs = [column for column in taken if found.origin[column] == origin]
        found.notes.append(_tell_taken(theirs, origin, name, set(table.columns)))
    found.frame = found.frame.combine_first(table) if found.frame.shape[1] else table
    rows = found.untold.index.union(untold.index)
    columns = found.untold.columns.union(untold.columns, sort=False)
    found.untold = _spread(found.untold, rows, columns) | _spread(untold, rows, columns)
    for column in map(str, table.columns):
        found.origin.setdefault(column, origins[column])


def _tell_untold(found: Covariates) -> list[str]:
    """Note columns whose value of the participant is not taken for a session that has none."""
    shared = found.frame[found.frame.index.get_level_values(SESSION) == ''].droplevel(SESSION)
    people = found.untold.index.get_level_values(PARTICIPANT)
    there = shared.notna().reindex(people, fill_value=False)
    there = there.reindex(columns=found.untold.columns, fill_value=False)
    counts = (found.untold.to_numpy(bool) & there.to_numpy(bool)).sum(axis=0)
    return [
        f'{column}: {count} sessions say that there is no value, and that of the participant '
        f'({found.origin[column]}) is not taken for them'
        for column, count in zip(found.untold.columns, counts, strict=True)
        if count
    ]


def _is_instrument(name: str) -> bool:
    """Tell whether columns of a table mean nothing outside it, as a ``score`` does."""
    return name.startswith('phenotype/')


def _share_cells(frame: pd.DataFrame, table: pd.DataFrame, column: str) -> bool:
    """Tell whether both tables have a value of the same participant and session."""
    shared = frame.index.intersection(table.index)
    return bool((frame.loc[shared, column].notna() & table.loc[shared, column].notna()).any())


def _tell_taken(columns: Sequence[str], origin: str, name: str, there: Collection[str]) -> str:
    """Say which columns of a table are not taken; ``there`` are those that are."""
    told = (
        f'{name}: {", ".join(map(repr, columns))} {"is" if len(columns) == 1 else "are"} taken '
        f'from {origin} instead'
    )
    stem = PurePosixPath(name).stem
    own = [one for one in (f'{stem}_{column}' for column in columns) if one in there]
    if not own:
        return told
    return f'{told}; its own {"is" if len(own) == 1 else "are"} {", ".join(map(repr, own))}'


def _with_type(column: pd.Series) -> pd.Series:
    """Return a column as numbers where all of its values are."""
    known = column.dropna()
    numbers = pd.to_numeric(known, errors='coerce')
    if len(known) and numbers.notna().all():
        return pd.to_numeric(column, errors='coerce').astype(float)
    return column.astype(object).where(column.notna(), None)
