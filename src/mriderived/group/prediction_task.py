"""What is to be predicted from what, of whom, and who must stay together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import is_numeric_dtype
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from mriderived.group.missing_codes import refuse_codes
from mriderived.group.model_design import suggest_column
from mriderived.group.model_files import Model, ModelError
from mriderived.group.tangent_features import Covariances, split_terms
from mriderived.group.variables import ALIASES, Variables

Matrix = NDArray[np.float64]

#: Fewer participants cannot be split twice.
FEWEST = 20
#: Fewer participants of one class cannot be split.
FEWEST_OF_CLASS = 6
#: Fewer sites cannot be split twice.
FEWEST_SITES = 3
#: Fewer participants of a site may all be in one fold, and then training knows nothing of it.
FEWEST_OF_SITE = 10
#: A column of whole numbers with no more values than these is a class.
MOST_CLASSES = 2
#: A feature that more than this share of the participants lack is left out.
MOST_MISSING = 0.2
#: A feature whose correlation with the target is above this is a copy of it.
COPY = 1 - 1e-9


@dataclass(frozen=True)
class Task:
    """What is predicted from what: values (n, m), a target (n,) of numbers or classes.

    ``groups`` are never split between training and test: participants, or sites with all of
    their participants. ``sites``, where given, are harmonised within training. ``regions``: so
    many have a covariance, whose upper half is the last columns of the features.
    """

    features: Matrix
    names: tuple[str, ...]
    target: NDArray[Any]
    rows: NDArray[np.intp]
    groups: NDArray[Any]
    classes: tuple[str, ...] = ()
    sites: NDArray[np.int64] | None = None
    people: NDArray[Any] | None = None
    regions: int = 0

    @property
    def is_by_site(self) -> bool:
        """Tell whether folds hold whole sites, and not only whole participants."""
        return self.people is not None

    @property
    def persons(self) -> NDArray[Any]:
        """Who each row is of."""
        return self.groups if self.people is None else self.people


def pose_task(
    model: Model,
    variables: Variables,
    covariates: pd.DataFrame,
    sites: str = '',
    *,
    is_by_site: bool = False,
    covariances: Covariances | None = None,
) -> Task:
    """Gather features and target: left of the formula the column, right the features.

    ``is_by_site``: folds hold whole sites, which are not harmonised then, for training knows
    nothing of those of the test. ``covariances`` are of the rows of ``variables``.

    Raises
    ------
    ModelError
        A column or a feature is not known, or there are too few participants or classes.
    """
    terms, atlas = split_terms(model)
    if atlas is not None and covariances is None:
        raise ModelError(f'{model.formula}: there is no tangent space without its covariances')
    places = list(dict.fromkeys(place for term in terms for place in variables.choose(term)))
    target = ALIASES.get(model.outcome, model.outcome)
    if target in (variables.variables[place].name for place in places):
        raise ModelError(f'{model.formula}: {model.outcome} is among what it is predicted from')
    known = _have_target(model, covariates, sites)
    values = variables.values[:, places]
    if places:
        known &= np.isfinite(values).any(axis=1)
    if covariances is not None:
        known &= np.isfinite(covariances.values).all(axis=1)
    rows = np.flatnonzero(known)
    people = np.array([variables.rows[row].participant for row in rows])
    if len(set(people)) < FEWEST:
        raise ModelError(
            f'{model.formula}: {len(set(people))} participants have {model.outcome} and features, '
            f'{FEWEST} are needed'
        )
    data, names = _choose(model, variables, places, values[rows], covariances, rows)
    wanted, classes = _read_target(model, covariates[model.outcome].iloc[rows], people)
    if not classes:
        _refuse_copies(model, data, names, wanted)
    regions = covariances.regions if covariances else 0
    task = Task(data, names, wanted, rows, people, classes, regions=regions)
    if not sites:
        return task
    column = covariates[sites].iloc[rows]
    if is_by_site:
        return replace(task, groups=group_by_site(model, task, column), people=people)
    return replace(task, sites=_number_sites(model, column, people))


def _have_target(model: Model, covariates: pd.DataFrame, sites: str) -> NDArray[np.bool_]:
    """Return which rows have what is predicted, and a site where sites are asked for."""
    if model.outcome not in covariates:
        hint = suggest_column(model.outcome, covariates)
        raise ModelError(f'{model.formula}: there is no column {model.outcome} to predict. {hint}')
    refuse_codes(model.formula, covariates[[model.outcome]])
    target = covariates[model.outcome]
    known = target.notna().to_numpy(copy=True)
    if is_numeric_dtype(target):
        known &= np.isfinite(target.to_numpy(float))
    if sites:
        if sites not in covariates:
            hint = suggest_column(sites, covariates)
            raise ModelError(f'{model.formula}: there is no column {sites} for the sites. {hint}')
        known &= covariates[sites].notna().to_numpy()
    return known


def _choose(
    model: Model,
    variables: Variables,
    places: list[int],
    data: Matrix,
    covariances: Covariances | None,
    rows: NDArray[np.intp],
) -> tuple[Matrix, tuple[str, ...]]:
    """Return the features that most have, and their names; covariances are behind them."""
    chosen = np.isfinite(data).mean(axis=0) >= 1 - MOST_MISSING
    chosen[chosen] &= np.nanstd(data[:, chosen], axis=0) > 0
    names = tuple(variables.variables[place].name for place, one in zip(places, chosen, strict=True) if one)  # noqa: E501  # fmt: skip
    if covariances is not None:
        whole = np.column_stack([data[:, chosen], covariances.values[rows]])
        return whole, (*names, *covariances.names)
    if not chosen.any():
        raise ModelError(f'{model.formula}: no feature has values in most participants')
    return data[:, chosen], names


def _refuse_copies(model: Model, data: Matrix, names: Sequence[str], target: Matrix) -> None:
    """Refuse features that are the target itself, in whatever unit."""
    for values, name in zip(data.T, names, strict=False):
        known = np.isfinite(values)
        if abs(np.corrcoef(values[known], target[known])[0, 1]) > COPY:
            raise ModelError(
                f'{model.formula}: {name} is {model.outcome} itself, in its own unit or another: '
                'leave it out'
            )


def _number_sites(model: Model, column: pd.Series, people: NDArray[np.str_]) -> NDArray[np.int64]:
    numbers, names = pd.factorize(column.astype(str))
    counts = _count_people(numbers, people)
    if counts.min() < FEWEST_OF_SITE:
        least = names[int(counts.argmin())]
        raise ModelError(
            f'{model.formula}: site {least} has {counts.min()} participants, '
            f'{FEWEST_OF_SITE} are needed to harmonise within training: leave it out'
        )
    return np.asarray(numbers, np.int64)


def _count_people(kinds: NDArray[np.intp], people: NDArray[np.str_]) -> NDArray[np.intp]:
    """Return how many participants are of each kind; sessions of one count once."""
    return np.array([len(set(people[kinds == kind])) for kind in range(kinds.max() + 1)])


def _read_target(
    model: Model, column: pd.Series, people: NDArray[np.str_]
) -> tuple[NDArray[Any], tuple[str, ...]]:
    levels = column.unique()
    if is_numeric_dtype(column) and len(levels) > MOST_CLASSES:
        return column.to_numpy(float), ()
    classes = tuple(sorted(map(str, levels)))
    if len(classes) != MOST_CLASSES:
        raise ModelError(
            f'{model.formula}: {model.outcome} has {len(classes)} classes ({", ".join(classes[:5])}); '  # noqa: E501
            'numbers or two classes can be predicted'
        )  # fmt: skip
    number: NDArray[np.intp] = np.asarray(column.astype(str) == classes[1], np.intp)
    counts = _count_people(number, people)
    if counts.min() < FEWEST_OF_CLASS:
        raise ModelError(
            f'{model.formula}: {counts.min()} participants are {classes[int(counts.argmin())]}, '
            f'{FEWEST_OF_CLASS} are needed'
        )
    return number, classes


def group_by_site(model: Model, task: Task, column: pd.Series) -> NDArray[np.intp]:
    """Return a number for each row: the same for a site, and for all sites of a participant.

    Raises
    ------
    ModelError
        There are fewer than :data:`FEWEST_SITES`, or a site has one class only.
    """
    sites, names = pd.factorize(column.astype(str))
    people = pd.factorize(task.groups)[0]
    # Who was at two sites ties them: neither may be in training while the other is tested.
    ties = coo_array(
        (np.ones(len(sites)), (sites, len(names) + people)),
        shape=(len(names) + people.max() + 1,) * 2,
    )
    _, tied = connected_components(ties, directed=False)
    groups: NDArray[np.intp] = np.asarray(tied[sites], np.intp)
    count = len(np.unique(groups))
    if count < FEWEST_SITES:
        shared = ' that share no participant' if count < len(names) else ''
        raise ModelError(
            f'{model.formula}: there are {count} sites{shared}, and {FEWEST_SITES} are needed for '
            'folds of whole sites: leave --folds-by-site out'
        )
    for number in np.unique(groups) if task.classes else ():
        mine = groups == number
        if len(np.unique(task.target[mine])) < 2:
            lone, only = names[sites[mine][0]], task.classes[int(task.target[mine][0])]
            raise ModelError(
                f'{model.formula}: at site {lone} all are {only}, '
                'so that folds of whole sites cannot be scored: leave the site out'
            )
    return groups
