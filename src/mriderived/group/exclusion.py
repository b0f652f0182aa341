"""Whom statistics leave out, and why: by rules, and by ratings of people."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mriderived.config import Config
from mriderived.group.ratings import Rating, read_ratings
from mriderived.group.records import Cohort, Row
from mriderived.group.rules import Rule, read_rule
from mriderived.group.variables import Variables


class Exclusion(NamedTuple):
    """Reasons by row of those who are left out, and notes on rules that found nobody.

    ``warnings`` are of what was meant to leave somebody out and cannot.
    """

    reasons: dict[Row, list[str]]
    notes: list[str]
    warnings: list[str]

    def keep(self, rows: Sequence[Row]) -> NDArray[np.bool_]:
        """Return which rows stay."""
        return np.array([row not in self.reasons for row in rows], bool)


def find_excluded(config: Config, variables: Variables, covariates: pd.DataFrame) -> Exclusion:
    """Return whom the settings leave out.

    Raises
    ------
    ModelError
        A rule names a column that is not there, or ratings cannot be read.
    """
    found = Exclusion({}, [], [])
    for text in config.exclude:
        _apply_rule(found, read_rule(text), variables.rows, covariates)
    if config.ratings is not None:
        _apply_ratings(found, read_ratings(config.ratings), variables.rows)
    return found


def _apply_rule(
    found: Exclusion, rule: Rule, rows: Sequence[Row], covariates: pd.DataFrame
) -> None:
    places = np.flatnonzero(rule.applies(covariates))
    for place in places:
        value = covariates[rule.column].iloc[place]
        told = f'{value:.4g}' if isinstance(value, float) else str(value)
        found.reasons.setdefault(rows[place], []).append(f'{rule} (it is {told})')
    if not len(places):
        found.notes.append(f'{rule} is true of nobody')
    lacking = int(covariates[rule.column].isna().sum())
    if lacking:
        found.notes.append(f'{rule}: {lacking} lack a value, and stay')


def _apply_ratings(found: Exclusion, ratings: Sequence[Rating], rows: Sequence[Row]) -> None:
    known = {row.participant for row in rows}
    people, sessions = set(), set()
    for rating in ratings:
        mine = [row for row in rows if row.participant == rating.participant
                and (not rating.session or row.session in ('', rating.session))]  # fmt: skip
        if rating.participant not in known:
            people.add(rating.participant)
        elif not mine:
            sessions.add(f'{rating.participant} of session {rating.session}')
        for row in mine if rating.rating == 'exclude' else ():
            found.reasons.setdefault(row, []).append(rating.reason)
    counts = {kind: sum(one.rating == kind for one in ratings) for kind in ('accept', 'uncertain')}
    found.notes.append(
        f'ratings: {counts["accept"]} accept, {counts["uncertain"]} uncertain (who stay)'
    )
    _tell_unused(found, 'who are not in the tables', people)
    _tell_unused(found, 'of whom other sessions are in the tables', sessions)


def _tell_unused(found: Exclusion, who: str, names: Collection[str]) -> None:
    """Say whose ratings change nothing, and why."""
    if names:
        told = f'ratings of {len(names)} {who}: {", ".join(sorted(names)[:8])}'
        found.notes.append(told)
        found.warnings.append(f'{told}; they change nothing')


def select(variables: Variables, keep: NDArray[np.bool_]) -> Variables:
    """Return the rows that stay."""
    rows = tuple(row for row, stays in zip(variables.rows, keep, strict=True) if stays)
    return replace(variables, rows=rows, values=variables.values[keep])


def select_cohort(cohort: Cohort, keep: NDArray[np.bool_]) -> Cohort:
    """Return the cohort with the rows that stay; warnings are shared."""
    rows = tuple(row for row, stays in zip(cohort.rows, keep, strict=True) if stays)
    return replace(cohort, rows=rows)
