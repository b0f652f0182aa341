"""Covariances of participants as features: what a fold brings to the tangent space of training."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.config import Config
from mriderived.group.connectivity_files import MEASURE, find_runs, label
from mriderived.group.model_files import Model, ModelError
from mriderived.group.records import Cohort
from mriderived.group.tangent import read_series
from mriderived.interfaces.tangent import find_covariance

Matrix = NDArray[np.float64]
#: How a formula names them: alone, or with the atlas behind a dot.
WORDS = ('tangent', 'connectivity.tangent')


class Covariances(NamedTuple):
    """Upper halves (n, p (p + 1) / 2) of the covariances of rows, NaN for those who have none.

    ``names`` are those of the pairs of regions, in the order of the columns.
    """

    values: Matrix
    names: tuple[str, ...]
    regions: int
    notes: list[str]


def split_terms(model: Model) -> tuple[list[str], str | None]:
    """Return the features of a formula without tangent space, and its atlas if it is there.

    The atlas is empty where the formula names none.

    >>> split_terms(Model('x', 'age', 'thickness + tangent.Schaefer100'))
    (['thickness'], 'Schaefer100')
    """
    terms = [part.strip() for part in model.terms.split('+')]
    asked = [term for term in terms if term in WORDS or term.startswith(tuple(f'{word}.' for word in WORDS))]  # noqa: E501  # fmt: skip
    if len(asked) > 1:
        raise ModelError(
            f'{model.formula}: name one atlas for the tangent space, not {len(asked)}'
        )
    atlas = None
    if asked:
        atlas = asked[0].removeprefix('connectivity.').removeprefix('tangent').removeprefix('.')
    return [term for term in terms if term not in asked], atlas


def gather_covariances(config: Config, cohort: Cohort, model: Model, atlas: str) -> Covariances:
    """Read the series of everybody and return their covariances, in the order of the rows.

    Raises
    ------
    ModelError
        Nobody has connectivity of the atlas, or the formula does not say which of several.
    """
    known = [str(one) for one in dict.fromkeys(cohort.variants(MEASURE)) if one]
    if not known:
        raise ModelError(
            f'{model.formula}: nobody has connectivity: run the participants with --measures '
            'default connectivity'
        )
    if atlas not in known and (atlas or len(known) > 1):
        raise ModelError(
            f'{model.formula}: write whose tangent space, as in tangent.{known[0]}; there are: '
            f'{", ".join(known)}'
        )
    found = find_runs(cohort, atlas or known[0], cohort.rows, config.out_dir)
    series = read_series(found.runs, found.names, config)
    regions = int(series.kept.sum())
    if not series.runs or regions < 2:
        told = '; '.join([*series.reasons.values(), *found.reasons.values()][:3])
        raise ModelError(f'{model.formula}: no two regions have a series in every run ({told})')
    upper = np.triu_indices(regions)
    place = {row: number for number, row in enumerate(cohort.rows)}
    values = np.full((len(cohort.rows), len(upper[0])), np.nan)
    for run, courses in zip(series.runs, series.courses, strict=True):
        values[place[run.row]] = find_covariance(courses[:, series.kept])[upper]
    names = [name for name, keep in zip(found.names, series.kept, strict=True) if keep]
    pairs = tuple(
        f'tangent {names[one]} {names[other]}' for one, other in zip(*upper, strict=True)
    )
    reasons = {**series.reasons, **{label(row): why for row, why in found.reasons.items()}}
    notes = [f'{name} has no place in the tangent space: {why}' for name, why in sorted(reasons.items())]  # noqa: E501  # fmt: skip
    if regions < len(found.names):
        notes.append(f'{len(found.names) - regions} regions have no series in some run, and are left out')  # noqa: E501  # fmt: skip
    return Covariances(values, pairs, regions, notes)
