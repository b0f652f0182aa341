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


class Given(BaseEstimator):  # type: ignore[misc]
    """Stands for an estimator of covariances where these are already there."""

    def fit(self, matrix: Matrix, target: object = None) -> Given:
        """Take a covariance as it is."""
        del target
        self.covariance_ = matrix
        return self


class TangentSpace(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Brings covariances to the tangent space of the mean of training participants, by nilearn.

    Their upper halves are the columns from ``first`` on, of ``regions``; all else stays.
    """

    def __init__(self, first: int = 0, regions: int = 2) -> None:
        self.first = first
        self.regions = regions

    def fit(self, features: Matrix, target: object = None) -> TangentSpace:
        """Find the geometric mean of the training participants."""
        from nilearn.connectome import ConnectivityMeasure  # takes seconds, and few runs need it

        del target
        self.measure_ = ConnectivityMeasure(cov_estimator=Given(), kind='tangent')
        self.measure_.fit(self._unfold(features))
        return self

    def transform(self, features: Matrix) -> Matrix:
        """Return departures from that mean in place of covariances."""
        found = np.array(features, np.float64)
        upper = np.triu_indices(self.regions)
        departures = np.asarray(self.measure_.transform(self._unfold(features)))
        found[:, self._columns()] = departures[:, upper[0], upper[1]]
        return found

    def _columns(self) -> slice:
        return slice(self.first, self.first + self.regions * (self.regions + 1) // 2)

    def _unfold(self, features: Matrix) -> Matrix:
        upper = np.triu_indices(self.regions)
        whole = np.empty((len(features), self.regions, self.regions))
        whole[:, upper[0], upper[1]] = features[:, self._columns()]
        whole[:, upper[1], upper[0]] = features[:, self._columns()]
        return whole


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


def build_learner(
    learner: Learner,
    has_classes: bool,
    has_sites: bool,
    folds: Any,
    tangent: TangentSpace | None = None,
    memory: str | None = None,
) -> Any:
    """Return a pipeline whose settings an inner cross-validation of these folds chooses.

    ``memory`` is a folder that keeps what its steps made of a fold while strengths are tried.
    """
    seed = folds.random_state
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
        *([('tangent', tangent)] if tangent else []),
        ('fill', SimpleImputer()),
        *([('sites', Harmoniser())] * has_sites),
        ('scale', StandardScaler()),
        ('last', last),
    ]
    # Of probabilities their truth is wanted, not their order alone.
    of_classes = 'roc_auc' if learner == 'svm' else 'neg_log_loss'
    score = of_classes if has_classes else 'neg_mean_squared_error'
    return GridSearchCV(Pipeline(steps, memory=memory), grid, scoring=score, cv=folds)


def make_folds(is_stratified: bool, count: int, seed: int) -> Any:
    """Return folds that keep a group together, and the share of classes where asked."""
    kind = StratifiedGroupKFold if is_stratified else GroupKFold
    return kind(n_splits=count, shuffle=True, random_state=seed)
