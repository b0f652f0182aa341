"""Connectivity in tangent space, by nilearn: where each participant departs from the group."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.core.connectivity import standardise

Matrix = NDArray[np.float64]


class Tangent(NamedTuple):
    """The mean of a group, and the departure of each participant from it.

    ``mean`` (regions, regions) is the geometric mean of the covariances, ``matrices``
    (participants, regions, regions) are symmetric. ``converged`` is false where the mean was
    still changing when the search for it ended.
    """

    mean: Matrix
    matrices: Matrix
    converged: bool


def find_covariance(courses: Matrix) -> Matrix:
    """Return the covariance (regions, regions) of standardised courses (frames, regions).

    It is that of Ledoit and Wolf, as :func:`find_tangent` takes it.
    """
    from sklearn.covariance import LedoitWolf

    scaled = standardise(courses)[0] * np.sqrt(len(courses))
    return np.asarray(LedoitWolf(store_precision=False).fit(scaled).covariance_, np.float64)


def find_tangent(courses: Sequence[Matrix]) -> Tangent:
    """Bring the covariances of participants to the tangent space of their mean.

    The courses (frames, regions) are standardised first, because the unit of BOLD is arbitrary;
    the covariance is that of Ledoit and Wolf. Raises :class:`ValueError` for fewer than two
    participants, and where a covariance is not positive definite.
    """
    from nilearn.connectome import ConnectivityMeasure  # takes seconds, and few runs need it

    scaled = [standardise(values)[0] * np.sqrt(len(values)) for values in courses]
    estimator = ConnectivityMeasure(kind='tangent')
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter('always')
        matrices = np.asarray(estimator.fit_transform(scaled), np.float64)
    converged = not any('without getting to' in str(warning.message) for warning in told)
    return Tangent(np.asarray(estimator.mean_, np.float64), matrices, converged)
