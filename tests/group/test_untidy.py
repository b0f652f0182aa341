"""Columns of participants as people type them: refused with the remedy, or taken as they are."""

from __future__ import annotations

import pandas as pd
import pytest

from mriderived.group.model_files import ModelError
from mriderived.group.untidy import refuse_untidy


@pytest.mark.parametrize(
    ('cells', 'message'),
    [
        ([100.0, 110.0, -9999.0, None],
         'y ~ x: x is -9999 for 1 participant, and between 100 and 110 for the others: if it '
         'stands for a missing value, write n/a'),
        (['R', 'L', '-9999', '-9999', None],
         'y ~ x: x is -9999 for 2 participants, and has words for others: if it stands for a '
         'missing value, write n/a'),
        (['0', '1'] * 20 + ['`'],
         "y ~ x: x is '`' for 1 participants, and a number for the other 40: correct it, or "
         'write n/a'),
        (['Male', 'male', 'Male', 'female'],
         "y ~ x: x is spelt in more than one way: 'Male' (2), 'male' (1). Choose one of them"),
        (['UM_1', 'UM 1', 'um-1', 'NYU'], 'x is spelt in more than one way'),
    ],
)  # fmt: skip
def test_what_is_meant_otherwise_is_refused(cells: list[object], message: str) -> None:
    with pytest.raises(ModelError) as caught:
        refuse_untidy('y ~ x', pd.DataFrame({'x': cells}))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    'cells',
    [
        [1.0, 2.0, 9.0],
        [-9.0, -8.5, 3.0],
        ['R', 'L', 'Ambi', 'L->R', 'Mixed', None],
        ['1', '2', '3a', '3b', '1', '2'],
        ['UM_1', 'UM_2', 'um-3'],
        [None, None],
    ],
)
def test_what_is_tidy_passes(cells: list[object]) -> None:
    refuse_untidy('y ~ x', pd.DataFrame({'x': cells}))
