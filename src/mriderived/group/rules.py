"""One comparison on a column, such as ``t1w_quality_cjv > 0.8``, and whom it is true of."""

from __future__ import annotations

import difflib
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import is_numeric_dtype

from mriderived.group.missing_codes import refuse_codes
from mriderived.group.model_files import ModelError

_OPERATORS: Mapping[str, Callable[[Any, Any], Any]] = {
    '>=': operator.ge, '<=': operator.le, '==': operator.eq, '!=': operator.ne,
    '>': operator.gt, '<': operator.lt,
}  # fmt: skip
_PATTERN = re.compile(r'\s*`?([^`<>=!]*?)`?\s*(>=|<=|==|!=|>|<)\s*(.+?)\s*')
#: Comparisons that words have, too.
_OF_WORDS = ('==', '!=')


class Rule(NamedTuple):
    """A comparison; the value is a number, or a word."""

    column: str
    comparison: str
    value: float | str

    def __str__(self) -> str:
        value = f'{self.value:g}' if isinstance(self.value, float) else f'"{self.value}"'
        return f'{self.column} {self.comparison} {value}'

    def applies(self, table: pd.DataFrame) -> NDArray[np.bool_]:
        """Return of which rows it is true; of a missing value nothing is.

        Raises
        ------
        ModelError
            There is no such column, or it cannot be compared with the value.
        """
        if self.column not in table:
            columns = list(map(str, table.columns))
            close = difflib.get_close_matches(self.column, columns, n=3, cutoff=0.5)
            hint = f' Did you mean {", ".join(close)}?' if close else ''
            raise ModelError(f'{self}: there is no column {self.column}.{hint}')
        cells = table[self.column]
        refuse_codes(str(self), table[[self.column]])
        known = cells.notna().to_numpy()
        if isinstance(self.value, float) and not is_numeric_dtype(cells):
            cells = pd.to_numeric(cells, errors='coerce')
            if (cells.isna().to_numpy() & known).any():
                raise ModelError(f'{self}: {self.column} has words: {self._remedy()}')
        if isinstance(self.value, str) and is_numeric_dtype(cells):
            raise ModelError(f'{self}: {self.column} has numbers: write the value without quotes')
        found = _OPERATORS[self.comparison](cells, self.value)
        result: NDArray[np.bool_] = np.asarray(found, bool) & known
        return result

    def _remedy(self) -> str:
        """Say how the rule is written for a column of words."""
        if self.comparison in _OF_WORDS:
            return 'write the value in double quotes'
        return f'compare it by {" or ".join(_OF_WORDS)} with a word in double quotes'


def read_rule(text: str) -> Rule:
    """Read one comparison.

    Raises
    ------
    ModelError
        It is none, or it asks which of two words is more.

    Examples
    --------
    >>> read_rule('t1w_quality_cjv > 0.8')
    Rule(column='t1w_quality_cjv', comparison='>', value=0.8)
    >>> read_rule('group == "control"').value
    'control'
    """
    match = _PATTERN.fullmatch(text)
    if not match or not match[1]:
        raise ModelError(
            f'{text!r} is no rule: write a column, one of {" ".join(_OPERATORS)} and a value, as '
            "in 'age > 60' or 'group == \"control\"'"
        )
    column, comparison, value = match.groups()
    try:
        number: float | str = float(value)
    except ValueError:
        number = value.strip('"\'')
    if isinstance(number, str) and comparison not in _OF_WORDS:
        raise ModelError(f'{text!r}: words have {" and ".join(_OF_WORDS)} only')
    return Rule(column, comparison, number)
