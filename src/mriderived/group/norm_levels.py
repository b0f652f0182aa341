"""Levels of the categories of norms, and which variables too few people of one have."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.group.model_design import Design

#: The mean and the spread of a level come from its own people alone: fewer draw no curve. One of
#: them may be judged by the others.
FEWEST_OF_LEVEL = 5


class Level(NamedTuple):
    """A level of a category of a formula, and who (n,) is of it."""

    name: str
    members: NDArray[np.bool_]


def find_levels(design: Design) -> list[Level]:
    """Return the levels of all categories, and the cells of those that interact.

    A level that has no column of its own is one, too.
    """
    factors = {term: frozenset(term.split(':')) for term in design.terms}
    found = []
    for term, own in factors.items():
        # Without main effects, columns of the interaction alone tell the cells.
        columns = [
            name
            for other, names in design.terms.items()
            if factors[other] <= own
            for name in names
        ]
        found += _find_cells(design, term, columns, is_single=len(own) == 1)
    return found


def _find_cells(design: Design, term: str, columns: list[str], *, is_single: bool) -> list[Level]:
    matrix = design.matrix[:, [design.names.index(name) for name in columns]]
    rows, which = np.unique(matrix, axis=0, return_inverse=True)
    # More kinds of rows than a category of so many columns has levels: a term of numbers.
    is_category = len(rows) <= len(columns) + 1 if is_single else np.isin(rows, (-1, 0, 1)).all()
    if not is_category or len(rows) < 2:
        return []
    is_number = len(columns) == 1 and not np.isin(rows, (0, 1)).all()
    found = []
    for number, row in enumerate(rows):
        there = [columns[place] for place in np.flatnonzero(row) if ':' not in columns[place]]
        name = ' and '.join(there) or f'the first level of {term}'
        name += '' if is_single or not there else f' in {term}'
        name = f'{columns[0]} = {row[0]:g}' if is_number else name
        found.append(Level(name, which.ravel() == number))
    return found


def find_rare_levels(
    design: Design, known: NDArray[np.bool_], draws: NDArray[np.bool_], fold: NDArray[np.intp]
) -> dict[int, str]:
    """Return which of m variables too few of a level have, and why they get no norms.

    Parameters
    ----------
    known : array (n, m)
        Who has which variable.
    draws : array (n,)
        Who draws the curves.
    fold : array (n,)
        Who is judged together, by the others.
    """
    without = {}
    for level in find_levels(design):
        mine = draws & level.members
        whole = known[mine].sum(axis=0)
        left = np.min([known[mine & (fold != one)].sum(axis=0) for one in np.unique(fold)], axis=0)
        for place in np.flatnonzero((whole < FEWEST_OF_LEVEL) | (left < FEWEST_OF_LEVEL - 1)):
            without[int(place)] = (
                f'{whole[place]} of those who draw the curve and are {level.name} have a value '
                f'({left[place]} outside of one fold), and {FEWEST_OF_LEVEL} '
                f'({FEWEST_OF_LEVEL - 1}) are needed'
            )
    return without
