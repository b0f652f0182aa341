"""Numbers that stand for a missing value, such as -999: found before they are taken for values."""

from __future__ import annotations

import pandas as pd
from pandas.api.types import is_numeric_dtype

from mriderived.group.model_files import ModelError

#: Repeated digits, of either sign, that questionnaires and statistics programs use as codes.
CODES = tuple(
    sign * float(digit * length)
    for digit in '789'
    for length in range(1, 6)
    for sign in (-1, 1)
    if length > 1 or sign < 0
)
#: A positive number may well be the largest one: it is a code this many ranges above the others.
FAR = 3.0


def find_code(column: pd.Series) -> str:
    """Return what is odd about a number that looks like a code; nothing where none does.

    A code is negative where nothing else is, or far from all other values.

    >>> find_code(pd.Series([21.0, 30.0, -9.0]))
    'is -9 for 1 participant, and between 21 and 30 for the others'
    >>> find_code(pd.Series([71.0, 77.0, 80.0, 99.0]))
    ''
    """
    if not is_numeric_dtype(column):
        return ''
    known = column.dropna()
    rest = known[~known.isin(CODES)]
    if not len(rest):
        return ''
    low, high = float(rest.min()), float(rest.max())
    span = max(high - low, 1.0)
    for code in CODES:
        count = int((known == code).sum())
        is_odd = code > high + FAR * span or code < min(0.0, low) - span * (low < 0)
        if count and is_odd:
            people = 'participant' if count == 1 else 'participants'
            return (
                f'is {code:g} for {count} {people}, and between {low:g} and {high:g} for the '
                'others'
            )
    return ''


def refuse_codes(what: str, table: pd.DataFrame) -> None:
    """Raise :class:`ModelError` where a column of a table holds a code; ``what`` needs it."""
    for name in table:
        odd = find_code(table[name])
        if odd:
            raise ModelError(f'{what}: {name} {odd}: if it stands for a missing value, write n/a')
