"""Columns of participants that a computer reads otherwise than people meant them."""

from __future__ import annotations

import re

import pandas as pd
from pandas.api.types import is_numeric_dtype

from mriderived.group.missing_codes import CODES, refuse_codes
from mriderived.group.model_files import ModelError

#: Words for fewer than this share of the participants, among numbers, are slips of the pen.
FEW_WORDS = 0.05
#: Spellings that a message shows.
_MOST_SHOWN = 4


def refuse_untidy(formula: str, table: pd.DataFrame) -> None:
    """Refuse columns in which a cell is not what it says.

    Raises
    ------
    ModelError
        A number or a word stands for a missing value, a level is spelt in more than one way, or
        a column of numbers has a few words.
    """
    for name in map(str, table):
        if is_numeric_dtype(table[name]):
            refuse_codes(formula, table[[name]])
        else:
            words = table[name].dropna().astype(str)
            numbers = pd.to_numeric(words, errors='coerce')
            _refuse_word_codes(formula, name, numbers)
            _refuse_slips(formula, name, words[numbers.isna()], numbers.dropna())
            _refuse_spellings(formula, name, words)


def _refuse_word_codes(formula: str, name: str, numbers: pd.Series) -> None:
    """Refuse a code among words, which would be a level of its own."""
    for code in (code for code in CODES if code < 0):
        count = int((numbers == code).sum())
        if count:
            raise ModelError(
                f'{formula}: {name} is {code:g} for {count} participants, and has words for '
                'others: if it stands for a missing value, write n/a'
            )


def _refuse_slips(formula: str, name: str, words: pd.Series, numbers: pd.Series) -> None:
    if 0 < len(words) < FEW_WORDS * (len(words) + len(numbers)):
        shown = ', '.join(repr(word) for word in sorted(set(words))[:_MOST_SHOWN])
        raise ModelError(
            f'{formula}: {name} is {shown} for {len(words)} participants, and a number for the '
            f'other {len(numbers)}: correct it, or write n/a'
        )


def _refuse_spellings(formula: str, name: str, words: pd.Series) -> None:
    """Refuse levels that differ in case, spaces, hyphens or underscores alone."""
    counts = words.value_counts()
    alike: dict[str, list[str]] = {}
    for word in map(str, counts.index):
        alike.setdefault(re.sub(r'[\s_-]+', ' ', word).strip().casefold(), []).append(word)
    for spellings in alike.values():
        if len(spellings) > 1:
            shown = ', '.join(f'{word!r} ({counts[word]})' for word in spellings[:_MOST_SHOWN])
            raise ModelError(
                f'{formula}: {name} is spelt in more than one way: {shown}. Choose one of them'
            )
