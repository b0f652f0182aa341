"""Predict a column of the participants from regions, each by a model that never saw them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from joblib import Parallel, delayed, parallel_config
from numpy.typing import NDArray
from sklearn.base import clone

from mriderived.config import Learner
from mriderived.core.prediction_scores import (
    error_line,
    pattern,
    platt,
    score_classes,
    score_numbers,
)
from mriderived.group.learners import INNER_FOLDS, TangentSpace, build_learner, make_folds
from mriderived.group.prediction_task import Task

Matrix = NDArray[np.float64]

FOLDS = 5


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
    tangent = _tangent(task)
    with ExitStack() as stack:
        folder = stack.enter_context(TemporaryDirectory()) if tangent else None
        has_sites = task.sites is not None
        folds = _folds(task, INNER_FOLDS, seed)
        model = build_learner(learner, bool(task.classes), has_sites, folds, tangent, folder)
        predicted, corrected, importance = _cross_validate(model, task, task.target, seed)
        scores = _score(task, task.target, predicted, corrected)
        main = scores['auc'] if task.classes else scores['r2']
        calls = (
            delayed(_by_chance)(model, task, seed, number) for number in range(1, permutations)
        )
        stack.enter_context(parallel_config('loky', n_jobs=processors))
        chance = np.array([main, *Parallel()(calls)]) if permutations else np.array([])
    p = float((chance >= main - 1e-12).mean()) if permutations else float('nan')
    return Prediction(task, predicted, corrected, scores, chance[1:], p, importance)


def _tangent(task: Task) -> TangentSpace | None:
    columns = task.regions * (task.regions + 1) // 2
    return TangentSpace(len(task.names) - columns, task.regions) if task.regions else None


def count_folds(task: Task) -> int:
    """Return how many parts the participants are split into."""
    return min(FOLDS, len(np.unique(task.groups)))


def _folds(task: Task, most: int, seed: int) -> Any:
    """Return the outer folds, or the inner ones, of which there are fewer where sites are few."""
    count = len(np.unique(task.groups))
    if most == INNER_FOLDS:
        count -= -(-count // count_folds(task))
    has_classes = bool(task.classes) and not task.is_by_site
    return make_folds(has_classes, min(most, count), seed)


def _columns(task: Task) -> Matrix:
    """Return features, and the number of the site behind them where there are sites."""
    return task.features if task.sites is None else np.column_stack([task.features, task.sites])


def _cross_validate(
    model: Any, task: Task, target: NDArray[Any], seed: int
) -> tuple[Matrix, Matrix, Matrix]:
    data = _columns(task)
    predicted, corrected = np.full(len(data), np.nan), np.full(len(data), np.nan)
    importance = []
    has_classes = bool(task.classes)
    for train, test in _folds(task, FOLDS, seed).split(data, target, task.groups):
        fitted = clone(model).fit(data[train], target[train], groups=task.groups[train])
        told = (fitted, data[train], target[train], task.groups[train], has_classes)
        predicted[test] = corrected[test] = _answer(fitted, data[test], has_classes)
        if not has_classes:
            slope, level = error_line(target[train].astype(float), _hold_out(*told))
            corrected[test] -= slope * target[test] + level
        elif not hasattr(fitted, 'predict_proba'):
            predicted[test] = platt(_hold_out(*told), target[train], predicted[test])
            corrected[test] = predicted[test]
        importance.append(pattern(_as_learned(fitted, task, data[test]), predicted[test]))
    return predicted, corrected, np.mean(importance, axis=0)


def _as_learned(fitted: Any, task: Task, data: Matrix) -> Matrix:
    """Return features as the last steps see them: covariances as departures in tangent space."""
    shown = fitted.best_estimator_['tangent'].transform(data) if task.regions else data
    return np.asarray(shown[:, : len(task.names)])


def _answer(fitted: Any, data: Matrix, has_classes: bool) -> Matrix:
    """Return numbers, probabilities of the second class, or distances where there are none."""
    if not has_classes:
        return np.asarray(fitted.predict(data), float)
    if hasattr(fitted, 'predict_proba'):
        return np.asarray(fitted.predict_proba(data)[:, 1], float)
    return np.asarray(fitted.decision_function(data), float)


def _hold_out(
    fitted: Any, data: Matrix, target: NDArray[Any], groups: NDArray[Any], has_classes: bool
) -> Matrix:
    """Return what is said of training participants (n,) who are held out in turn."""
    best = fitted.best_estimator_
    held = np.empty(len(data))
    for train, test in fitted.cv.split(data, target, groups):
        one = clone(best).fit(data[train], target[train])
        held[test] = _answer(one, data[test], has_classes)
    return held


def _score(
    task: Task, target: NDArray[Any], predicted: Matrix, corrected: Matrix
) -> dict[str, float]:
    if task.classes:
        return score_classes(target, predicted)
    return score_numbers(target, predicted, corrected)


def _by_chance(model: Any, task: Task, seed: int, number: int) -> float:
    """Return the main score after the target was dealt out anew, to whole participants.

    With folds of whole sites, it is dealt within what is never split, so that every site keeps
    what it has of each class.
    """
    random = np.random.default_rng([seed, number])
    people, place = np.unique(task.persons, return_inverse=True)
    first = np.array([np.flatnonzero(place == one)[0] for one in range(len(people))])
    order = np.arange(len(people))
    blocks = task.groups[first] if task.is_by_site else np.zeros(len(people), int)
    for block in np.unique(blocks):
        mine = np.flatnonzero(blocks == block)
        order[mine] = random.permutation(mine)
    dealt = task.target[first][order][place]
    predicted, corrected, _ = _cross_validate(model, task, dealt, seed)
    scores = _score(task, dealt, predicted, corrected)
    return scores['auc'] if task.classes else scores['r2']
