"""Regions without the differences between scanners: ComBat, one table at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mriderived.core.combat import apply_combat, fit_combat
from mriderived.core.linear_model import DesignError
from mriderived.group.model_design import INTERCEPT, build_design, suggest_column
from mriderived.group.model_files import Model, ModelError
from mriderived.group.untidy import refuse_untidy
from mriderived.group.variables import Variables

Matrix = NDArray[np.float64]

#: A covariate of which the sites explain more than this share cannot be told from them.
MOST_CONFOUNDED = 0.8
#: The same of a weighted sum of covariates, of which chance explains more: its inflation is ten.
MOST_CONFOUNDED_SUM = 0.9
#: A covariate of which they explain more than this share is harmonised with a note.
NOTABLE = 0.5
#: A region that more than this share of the participants lack is left as it is, and one that more
#: than this share of a site lack, lest a few of a small site take the table from all.
MOST_MISSING = 0.2
MOST_MISSING_OF_SITE = 0.5
#: A table of fewer regions says too little on the laws that ComBat draws them towards.
FEWEST_REGIONS = 5
#: Between the name of a table and why it was not harmonised, in a note.
LEFT = ' is left as it is: '


class HarmonisedTable(NamedTuple):
    """One table: places of its variables and of the rows, values (n, m) before and after.

    ``share_before`` and ``share_after`` (m,): the share of the variance that the sites explain
    beside what is kept.
    """

    table: tuple[str, str, str]
    variables: NDArray[np.intp]
    rows: NDArray[np.intp]
    before: Matrix
    after: Matrix
    share_before: Matrix
    share_after: Matrix


class Harmonised(NamedTuple):
    """What was harmonised: tables, the site of each row, and notes on what was not.

    ``counts`` are of missing covariates, as of a design.
    """

    model: Model
    tables: list[HarmonisedTable]
    sites: NDArray[np.str_]
    rows: NDArray[np.intp]
    notes: list[str]
    counts: dict[str, dict[str, int]]


def harmonise(model: Model, variables: Variables, covariates: pd.DataFrame) -> Harmonised:
    """Take the differences between sites off all tables of regions.

    Parameters
    ----------
    model
        Its left side is the column of the sites, its right side what is to be kept; ``1`` for
        nothing.

    Raises
    ------
    ModelError
        The column is not known, sites are too few or too small, or a covariate cannot be told
        from them.
    """
    column = model.outcome
    if column not in covariates:
        hint = suggest_column(column, covariates)
        raise ModelError(f'{model.formula}: there is no column {column} for the sites. {hint}')
    refuse_untidy(model.formula, covariates[[column]])
    known = covariates[column].notna().to_numpy()
    kept, rows, notes, counts = _design(model, covariates, known)
    sites = covariates[column].iloc[rows].astype(str).to_numpy().astype(str)
    _refuse_sessions(model, [variables.rows[row].participant for row in rows])
    notes += refuse_confounded(model, kept, sites)
    tables: list[HarmonisedTable] = []
    for table, places in _tables(variables):
        try:
            tables.append(_harmonise(table, places, rows, sites, kept, variables.values))
        except DesignError as error:
            notes.append(f'{" ".join(filter(None, table))}{LEFT}{error}')
    if not tables:
        # Most often all tables are refused for one reason, which is told once.
        reasons = dict.fromkeys(note.partition(LEFT)[2] or note for note in notes)
        raise ModelError(
            f'{model.formula}: no table could be harmonised: {"; ".join(list(reasons)[:3])}'
        )
    return Harmonised(model, tables, sites, rows, notes, counts)


def _design(
    model: Model, covariates: pd.DataFrame, known: NDArray[np.bool_]
) -> tuple[pd.DataFrame, NDArray[np.intp], list[str], dict[str, dict[str, int]]]:
    """Return the columns to keep, the rows that have them all, notes, and counts of who lacks."""
    there = np.flatnonzero(known)
    notes = [f'{int((~known).sum())} left out for want of {model.outcome}'] * bool((~known).any())
    if model.terms.strip() == '1':
        return pd.DataFrame(index=range(len(there))), there, notes, {}
    design = build_design(model, covariates.iloc[there])
    notes += design.notes
    table = pd.DataFrame(design.matrix, columns=list(design.names))
    kept = table.drop(columns=INTERCEPT, errors='ignore')
    return kept, there[design.rows], notes, design.counts


def _refuse_sessions(model: Model, people: Sequence[str]) -> None:
    further = len(people) - len(set(people))
    if further:
        raise ModelError(
            f'{model.formula}: {further} rows are further sessions of the same participants, and '
            'ComBat takes rows for independent: choose one session with --session-label'
        )


def refuse_confounded(model: Model, kept: pd.DataFrame, sites: NDArray[np.str_]) -> list[str]:
    """Raise :class:`ModelError` where sites explain nearly all of a covariate, or of a sum.

    What they explain of it would be taken off with them, or kept with them, by chance. Returns a
    note for each of which they explain much.
    """
    notes = []
    for name in kept:
        share = explained_by(kept[name].to_numpy(float)[:, None], sites)[0]
        if share > MOST_CONFOUNDED:
            raise ModelError(
                f'{model.formula}: the sites explain {100 * share:.0f} % of {name}, so that what '
                'is of the scanner cannot be told from it: leave it out, or the sites where all '
                'are alike'
            )
        if share > NOTABLE:
            notes.append(
                f'the sites explain {100 * share:.0f} % of {name}: what is of the scanner and '
                'what is of it are told apart by the rest alone'
            )
    share = explained_together(kept.to_numpy(float), sites)
    if share > MOST_CONFOUNDED_SUM:
        raise ModelError(
            f'{model.formula}: the sites explain {100 * share:.0f} % of a weighted sum of '
            f'{", ".join(map(str, kept))}, so that what is of the scanner cannot be told from it: '
            'leave one out'
        )
    return notes


def explained_together(values: Matrix, sites: NDArray[np.str_]) -> float:
    """Return the largest share of the variance of a sum of columns (n, m) that is between sites.

    This is the square of the first canonical correlation of columns and sites.

    >>> site = np.array(['a', 'a', 'b', 'b'])
    >>> round(explained_together(np.array([[1.0, 1], [3, 3], [3, 1], [4, 2]]), site), 6)
    1.0
    """
    own = values - values.mean(axis=0)
    own = own[:, own.any(axis=0)]
    if not own.size:
        return 0.0
    left, size, _ = np.linalg.svd(own / np.linalg.norm(own, axis=0), full_matrices=False)
    basis = left[:, size > 1e-10 * size[0]]
    means = np.array([basis[sites == site].mean(axis=0) for site in np.unique(sites)])
    counts = np.array([(sites == site).sum() for site in np.unique(sites)])
    return float(np.linalg.svd(means * np.sqrt(counts)[:, None], compute_uv=False)[0] ** 2)


def explained_by(values: Matrix, sites: NDArray[np.str_]) -> Matrix:
    """Return the share (m,) of the variance of columns (n, m) that is between sites.

    >>> explained_by(np.array([[1.0], [1.0], [3.0], [3.0]]), np.array(['a', 'a', 'b', 'b'])).tolist()
    [1.0]
    """  # noqa: E501
    total = values.var(axis=0)
    within = np.zeros(values.shape[1])
    for site in np.unique(sites):
        mine = values[sites == site]
        within += mine.var(axis=0) * len(mine) / len(values)
    share: Matrix = 1 - within / np.where(total > 0, total, 1)
    return np.where(total > 0, share, 0.0)


def _tables(variables: Variables) -> Iterator[tuple[tuple[str, str, str], NDArray[np.intp]]]:
    """Yield the tables of regions, and the places of their variables."""
    places: dict[tuple[str, str, str], list[int]] = {}
    for place, variable in enumerate(variables.variables):
        if variable.region:
            places.setdefault(variable.table, []).append(place)
    for table, found in places.items():
        yield table, np.array(found)


def _harmonise(
    table: tuple[str, str, str],
    places: NDArray[np.intp],
    rows: NDArray[np.intp],
    sites: NDArray[np.str_],
    kept: pd.DataFrame,
    values: Matrix,
) -> HarmonisedTable:
    data = values[np.ix_(rows, places)]
    known = np.isfinite(data)
    present = known.mean(axis=0) >= 1 - MOST_MISSING
    for site in np.unique(sites):
        present &= known[sites == site].mean(axis=0) >= 1 - MOST_MISSING_OF_SITE
    shown = np.where(known, data, np.nan)
    varies = np.nanstd(shown, axis=0) > 0 if len(data) else present
    chosen = _leave_enough(known, present & varies, sites)
    if chosen.sum() < FEWEST_REGIONS:
        raise DesignError(
            f'{int(chosen.sum())} of its regions have values, {FEWEST_REGIONS} are needed'
        )
    whole = np.isfinite(data[:, chosen]).all(axis=1)
    if not whole.any():
        raise DesignError('nobody has all of its regions')
    before = data[whole][:, chosen]
    matrix = kept.to_numpy(float)[whole]
    found = fit_combat(before, sites[whole], matrix)
    after = apply_combat(found, before, sites[whole], matrix)
    return HarmonisedTable(
        table, places[chosen], rows[whole], before, after,
        explained_by(_residuals(before, matrix), sites[whole]),
        explained_by(_residuals(after, matrix), sites[whole]),
    )  # fmt: skip


def _leave_enough(
    known: NDArray[np.bool_], chosen: NDArray[np.bool_], sites: NDArray[np.str_]
) -> NDArray[np.bool_]:
    """Leave regions out that a site lacks most, until two people of it have all that are left."""
    chosen = chosen.copy()
    for site in np.unique(sites):
        mine = known[sites == site]
        while len(mine) > 1 and chosen.any() and mine[:, chosen].all(axis=1).sum() < 2:
            counts = np.where(chosen, mine.sum(axis=0), len(mine) + 1)
            chosen[int(counts.argmin())] = False
    return chosen


def _residuals(values: Matrix, kept: Matrix) -> Matrix:
    design = np.column_stack([np.ones(len(values)), kept])
    left: Matrix = values - design @ np.linalg.lstsq(design, values, rcond=None)[0]
    return left


def describe(tables: Sequence[HarmonisedTable]) -> Iterator[tuple[str, ...]]:
    """Yield table, participants, regions and the median share of the sites before and after."""
    for one in tables:
        yield (' '.join(filter(None, one.table)), str(len(one.rows)), str(len(one.variables)),
               f'{100 * np.median(one.share_before):.1f} %',
               f'{100 * np.median(one.share_after):.1f} %')  # fmt: skip
