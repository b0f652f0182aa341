"""The numbers of the cohort as models see them: which variables a name stands for."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mriderived.group.blocks import Block
from mriderived.group.columns import CohortColumn
from mriderived.group.model_files import ModelError
from mriderived.group.records import Row
from mriderived.measures.registry import find_measures

#: Short names of columns that models adjust for.
ALIASES = {
    'tiv': 'tissue_volume_tiv_volume',
    'etiv': 'freesurfer_brain_etiv',
    'gm_volume': 'tissue_volume_gm_volume',
    'wm_volume': 'tissue_volume_wm_volume',
}


@dataclass(frozen=True)
class Variable:
    """One column of numbers. ``table`` names those that are corrected together."""

    name: str
    measure: str
    column: str
    unit: str
    title: str
    variant: str = ''
    region: str = ''
    number: str = ''

    @property
    def table(self) -> tuple[str, str, str]:
        """Measure, atlas or space, and column: all regions of one kind of number."""
        return self.measure, self.variant, self.column


@dataclass(frozen=True)
class Variables:
    """Values (n, m) of rows and variables; NaN is missing."""

    rows: tuple[Row, ...]
    variables: tuple[Variable, ...]
    values: NDArray[np.float64]

    def frame(self) -> pd.DataFrame:
        """Return all variables as columns, and again under their short names."""
        frame = pd.DataFrame(self.values, columns=[one.name for one in self.variables])
        short = {name: frame[column] for name, column in ALIASES.items() if column in frame}
        return frame.assign(**short)

    def choose(self, outcome: str) -> list[int]:
        """Return the places of the variables that the left side of a formula stands for.

        A name stands for one column; or for one kind of number in all regions (``thickness``);
        or for all columns of a measure, or one kind of them (``surface_regions.thickness``);
        ``*`` and ``?`` stand for other letters of the names of columns.

        Raises
        ------
        ModelError
            It stands for nothing, or nobody has a value.
        """
        found = self._match(outcome)
        if not found:
            names = {
                name for one in self.variables for name in (one.measure, one.column, one.name)
            }
            close = difflib.get_close_matches(outcome, sorted(names), n=3, cutoff=0.5)
            measures = sorted({one.measure for one in self.variables})
            hint = f'Did you mean {", ".join(close)}?' if close else f'There are the measures {", ".join(measures)}.'  # noqa: E501  # fmt: skip
            if outcome.partition('.')[0] in {measure.name for measure in find_measures()}:
                hint = 'Run it for the participants first, with --measures if it is not a default.'
            raise ModelError(f'{outcome} ~ …: there is no {outcome} in the cohort table. {hint}')
        if not np.isfinite(self.values[:, found]).any():
            raise ModelError(
                f'{outcome} ~ …: nobody has a value; phenotype/mriderived_reasons.tsv says why'
            )
        return found

    def _match(self, outcome: str) -> list[int]:
        variables = list(enumerate(self.variables))
        alias = ALIASES.get(outcome, outcome)
        tests = (
            lambda one: one.name == alias,
            lambda one: f'{one.measure}.{one.column}' == outcome,
            lambda one: bool(one.region) and outcome == one.column,
            lambda one: outcome == one.measure,
            lambda one: outcome == one.column,
            lambda one: fnmatchcase(one.name, outcome),
        )
        for test in tests:
            found = [place for place, one in variables if test(one)]
            if found:
                return found
        return []


def gather_variables(rows: Sequence[Row], blocks: Sequence[Block]) -> Variables:
    """Return all columns of numbers of the cohort table."""
    variables, values = [], []
    for block in blocks:
        for place, column in enumerate(block.columns):
            if not column.is_text:
                variables.append(_describe(column))
                values.append(block.numbers[:, place])
    table = np.array(values).T if values else np.empty((len(rows), 0))
    return Variables(tuple(rows), tuple(variables), table)


def _describe(column: CohortColumn) -> Variable:
    source, key = column.source, column.key
    declared = source.describe(key.column)
    return Variable(
        column.name,
        source.measure.name,
        key.column,
        declared.unit,
        declared.title or declared.description.rstrip('.'),
        source.variant or '',
        key.region,
        key.number,
    )
