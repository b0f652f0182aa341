"""What learns to predict: a pipeline that knows training participants alone."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold, StratifiedGroupKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR

from mriderived.config import Learner
from mriderived.core.combat import Combat, apply_combat, fit_combat

Matrix = NDArray[np.float64]
#: Of the training participants, to choose the strength of a model.
INNER_FOLDS = 4


class Harmoniser(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """ComBat of the training participants, applied to others; the last column is the site."""

    _found: Combat | None = None

    def fit(self, features: Matrix, target: object = None) -> Harmoniser:
        """Estimate the sites from training participants."""
        del target
        sites = features[:, -1].astype(int).astype(str)
        self._found = None if len(set(sites)) < 2 else fit_combat(features[:, :-1], sites)
        return self

    def transform(self, features: Matrix) -> Matrix:
        """Take off what the sites of the training participants add."""
        values, sites = features[:, :-1], features[:, -1].astype(int).astype(str)
        return values if self._found is None else apply_combat(self._found, values, sites)


def build_learner(learner: Learner, has_classes: bool, has_sites: bool, seed: int) -> Any:
    """Return a pipeline whose settings an inner cross-validation chooses."""
    weights = np.logspace(-4, 4, 9)
    kinds: dict[tuple[str, bool], tuple[Any, dict[str, Any]]] = {
        ('linear', False): (Ridge(), {'last__alpha': np.logspace(-2, 6, 9)}),
        ('linear', True): (LogisticRegression(max_iter=2000), {'last__C': weights}),
        ('svm', False): (SVR(), {'last__C': np.logspace(-1, 3, 5)}),
        ('svm', True): (SVC(random_state=seed), {'last__C': np.logspace(-2, 2, 5)}),
        ('boosting', False): (
            HistGradientBoostingRegressor(random_state=seed), {'last__learning_rate': [0.03, 0.1]}
        ),
        ('boosting', True): (
            HistGradientBoostingClassifier(random_state=seed), {'last__learning_rate': [0.03, 0.1]}
        ),
    }  # fmt: skip
    last, grid = kinds[learner, has_classes]
    steps = [
        ('fill', SimpleImputer()),
        *([('sites', Harmoniser())] * has_sites),
        ('scale', StandardScaler()),
        ('last', last),
    ]
    score = 'roc_auc' if has_classes else 'neg_mean_squared_error'
    folds = make_folds(has_classes, INNER_FOLDS, seed)
    return GridSearchCV(Pipeline(steps), grid, scoring=score, cv=folds)


def make_folds(has_classes: bool, count: int, seed: int) -> Any:
    """Return folds that keep a participant together, and the share of classes where there are."""
    kind = StratifiedGroupKFold if has_classes else GroupKFold
    return kind(n_splits=count, shuffle=True, random_state=seed)
