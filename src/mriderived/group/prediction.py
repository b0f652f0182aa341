"""Predict a column of the participants from regions, each by a model that never saw them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed, parallel_config
from numpy.typing import NDArray
from pandas.api.types import is_numeric_dtype
from sklearn.base import clone

from mriderived.config import Learner
from mriderived.core.prediction_scores import error_line, pattern, score_classes, score_numbers
from mriderived.group.learners import INNER_FOLDS, build_learner, make_folds
from mriderived.group.missing_codes import refuse_codes
from mriderived.group.model_design import suggest_column
from mriderived.group.model_files import Model, ModelError
from mriderived.group.variables import Variables

Matrix = NDArray[np.float64]

#: Fewer participants cannot be split twice.
FEWEST = 20
#: Fewer participants of one class cannot be split.
FEWEST_OF_CLASS = 6
FOLDS = 5
#: Fewer participants of a site may all be in one fold, and then training knows nothing of it.
FEWEST_OF_SITE = 10
#: A column of whole numbers with no more values than these is a class.
MOST_CLASSES = 2
#: A feature that more than this share of the participants lack is left out.
MOST_MISSING = 0.2


@dataclass(frozen=True)
class Task:
    """What is predicted from what: values (n, m), a target (n,) of numbers or classes.

    ``groups`` are never split between training and test. ``sites``, where given, are harmonised
    within training.
    """

    features: Matrix
    names: tuple[str, ...]
    target: NDArray[Any]
    rows: NDArray[np.intp]
    groups: NDArray[Any]
    classes: tuple[str, ...] = ()
    sites: NDArray[np.int64] | None = None


@dataclass(frozen=True)
class Prediction:
    """What was predicted of everybody (n,), by models that had not seen them.

    For numbers ``predicted`` is the number, ``corrected`` the same without its bias towards the
    mean; for classes the probability of the second one. ``scores`` judge it, ``by_chance`` holds
    the main score after permutations of the target, ``p`` its share. ``importance`` (m,) is the
    covariance of each feature with the prediction, in standard deviations of both.
    """

    task: Task
    predicted: Matrix
    corrected: Matrix
    scores: Mapping[str, float]
    by_chance: Matrix
    p: float
    importance: Matrix


def pose_task(
    model: Model, variables: Variables, covariates: pd.DataFrame, sites: str = ''
) -> Task:
    """Gather features and target: left of the formula the column, right the features.

    Raises
    ------
    ModelError
        A column or a feature is not known, or there are too few participants or classes.
    """
    if model.outcome not in covariates:
        hint = suggest_column(model.outcome, covariates)
        raise ModelError(f'{model.formula}: there is no column {model.outcome} to predict. {hint}')
    places: list[int] = []
    for term in (part.strip() for part in model.terms.split('+')):
        places += [place for place in variables.choose(term) if place not in places]
    refuse_codes(model.formula, covariates[[model.outcome]])
    target = covariates[model.outcome]
    known = target.notna().to_numpy(copy=True)
    if model.outcome in (variables.variables[place].name for place in places):
        raise ModelError(f'{model.formula}: {model.outcome} is among what it is predicted from')
    if is_numeric_dtype(target):
        known &= np.isfinite(target.to_numpy(float))
    if sites:
        if sites not in covariates:
            hint = suggest_column(sites, covariates)
            raise ModelError(f'{model.formula}: there is no column {sites} for the sites. {hint}')
        known &= covariates[sites].notna().to_numpy()
    values = variables.values[:, places]
    known &= np.isfinite(values).any(axis=1)
    rows = np.flatnonzero(known)
    people = np.array([variables.rows[row].participant for row in rows])
    if len(set(people)) < FEWEST:
        raise ModelError(
            f'{model.formula}: {len(set(people))} participants have {model.outcome} and features, '
            f'{FEWEST} are needed'
        )
    data = values[rows]
    chosen = (np.isfinite(data).mean(axis=0) >= 1 - MOST_MISSING) & (np.nanstd(data, axis=0) > 0)
    if not chosen.any():
        raise ModelError(f'{model.formula}: no feature has values in most participants')
    wanted, classes = _read_target(model, target.iloc[rows], people)
    number = _number_sites(model, covariates[sites].iloc[rows], people) if sites else None
    names = tuple(variables.variables[place].name for place, one in zip(places, chosen, strict=True) if one)  # noqa: E501  # fmt: skip
    return Task(data[:, chosen], names, wanted, rows, people, classes, number)


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


def predict(
    task: Task,
    learner: Learner = 'linear',
    permutations: int = 0,
    seed: int = 42,
    processors: int = 1,
) -> Prediction:
    """Predict everybody by nested cross-validation.

    Everything that is learned, filling of missing values and scaling and harmonisation
    included, is learned from the training participants of each fold alone.
    """
    model = build_learner(learner, bool(task.classes), task.sites is not None, seed)
    predicted, corrected, importance = _cross_validate(model, task, task.target, seed)
    scores = _score(task, task.target, predicted, corrected)
    main = scores['auc'] if task.classes else scores['r2']
    calls = (delayed(_by_chance)(model, task, seed, number) for number in range(1, permutations))
    with parallel_config('loky', n_jobs=processors):
        chance = np.array([main, *Parallel()(calls)]) if permutations else np.array([])
    p = float((chance >= main - 1e-12).mean()) if permutations else float('nan')
    return Prediction(task, predicted, corrected, scores, chance[1:], p, importance)


def _columns(task: Task) -> Matrix:
    """Return features, and the number of the site behind them where there are sites."""
    return task.features if task.sites is None else np.column_stack([task.features, task.sites])


def _cross_validate(
    model: Any, task: Task, target: NDArray[Any], seed: int
) -> tuple[Matrix, Matrix, Matrix]:
    data = _columns(task)
    predicted, corrected = np.full(len(data), np.nan), np.full(len(data), np.nan)
    importance = []
    for train, test in make_folds(bool(task.classes), FOLDS, seed).split(
        data, target, task.groups
    ):
        fitted = clone(model).fit(data[train], target[train], groups=task.groups[train])
        predicted[test] = _answer(fitted, data[test], bool(task.classes))
        if task.classes:
            corrected[test] = predicted[test]
        else:
            slope, level = _bias(fitted, data[train], target[train], task.groups[train], seed)
            corrected[test] = predicted[test] - (slope * target[test] + level)
        importance.append(pattern(task.features[test], predicted[test]))
    return predicted, corrected, np.mean(importance, axis=0)


def _answer(fitted: Any, data: Matrix, has_classes: bool) -> Matrix:
    if not has_classes:
        return np.asarray(fitted.predict(data), float)
    if hasattr(fitted, 'predict_proba'):
        return np.asarray(fitted.predict_proba(data)[:, 1], float)
    # A support vector machine gives distances; their logistic keeps the order.
    return np.asarray(1 / (1 + np.exp(-fitted.decision_function(data))), float)


def _bias(
    fitted: Any, data: Matrix, target: NDArray[Any], groups: NDArray[Any], seed: int
) -> tuple[float, float]:
    """Return how the error goes with the target, among training participants held out in turn."""
    best = fitted.best_estimator_
    held = np.empty(len(data))
    for train, test in make_folds(False, INNER_FOLDS, seed).split(data, target, groups):
        held[test] = clone(best).fit(data[train], target[train]).predict(data[test])
    return error_line(np.asarray(target, float), held)


def _score(
    task: Task, target: NDArray[Any], predicted: Matrix, corrected: Matrix
) -> dict[str, float]:
    if task.classes:
        return score_classes(target, predicted)
    return score_numbers(target, predicted, corrected)


def _by_chance(model: Any, task: Task, seed: int, number: int) -> float:
    """Return the main score after the target was dealt out anew, to whole participants."""
    random = np.random.default_rng([seed, number])
    people, place = np.unique(task.groups, return_inverse=True)
    first = np.array([np.flatnonzero(place == one)[0] for one in range(len(people))])
    dealt = task.target[first][random.permutation(len(people))][place]
    predicted, corrected, _ = _cross_validate(model, task, dealt, seed)
    scores = _score(task, dealt, predicted, corrected)
    return scores['auc'] if task.classes else scores['r2']
