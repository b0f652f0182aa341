"""Whom statistics are of: rows, what is known of them, and the values that models see."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from mriderived.group.derivatives import Sheet, place_sheets
from mriderived.group.formulas import parse_terms, required_columns
from mriderived.group.harmonise import LEFT, Harmonised, harmonise
from mriderived.group.model_design import build_design
from mriderived.group.model_files import Model, ModelError
from mriderived.group.records import Cohort
from mriderived.group.variables import Variables, gather_variables

#: What a design leaves of a column, as a share of its size, that lies in it but for rounding.
SPANNED = 1e-6


@dataclass(frozen=True)
class Sample:
    """Rows of the cohort, their variables and covariates, all in one order.

    ``harmonised`` holds what each formula of ``--harmonise`` gave, or why it was refused.
    """

    cohort: Cohort
    variables: Variables
    covariates: pd.DataFrame
    harmonised: Mapping[str, Harmonised | str] = field(default_factory=dict)

    def harmonise(self, models: Sequence[Model]) -> Sample:
        """Return the same rows with what these formulas make of their regions."""
        found: dict[str, Harmonised | str] = {}
        for model in models:
            try:
                found[model.name] = harmonise(model, self.variables, self.covariates)
            except ModelError as error:
                found[model.name] = str(error)
        return replace(self, harmonised=found)

    def extend(self, sheets: Sequence[Sheet]) -> Sample:
        """Return the same rows with more columns, such as predictions."""
        old = self.variables
        blocks = place_sheets(sheets, old.rows, {one.name for one in old.variables})
        more = gather_variables(old.rows, blocks)
        variables = replace(
            old,
            variables=(*old.variables, *more.variables),
            values=np.column_stack([old.values, more.values]),
        )
        columns = pd.DataFrame(more.values, columns=[one.name for one in more.variables])
        # What was made in this run takes the place of a column of its name, as of an earlier one.
        kept = self.covariates.drop(columns=list(columns), errors='ignore').reset_index(drop=True)
        covariates = pd.concat([kept, columns], axis=1)
        return replace(self, variables=variables, covariates=covariates)

    def find_harmonised(self, model: Model) -> Harmonised | None:
        """Return the harmonisation that a model asks for; none where it asks for none.

        Raises
        ------
        ModelError
            There is none, there are several, or it was refused.
        """
        if not model.harmonised:
            return None
        names = list(self.harmonised)
        if not names:
            raise ModelError(
                f'{model.formula}: harmonised values need --harmonise, as in '
                "--harmonise 'site ~ age'"
            )
        name = names[0] if model.harmonised is True else model.harmonised
        if name not in self.harmonised:
            close = difflib.get_close_matches(name, names, n=1)
            hint = f'Did you mean {close[0]}?' if close else f'There are: {", ".join(names)}.'
            raise ModelError(f'{model.formula}: no harmonisation is called {name}. {hint}')
        if model.harmonised is True and len(names) > 1:
            raise ModelError(
                f'{model.formula}: there are {len(names)} harmonisations ({", ".join(names)}): '
                f'write which, as in harmonised: {names[0]}, in a file of models'
            )
        found = self.harmonised[name]
        if isinstance(found, str):
            raise ModelError(f'{model.formula}: its values were not harmonised: {found}')
        return found

    def values_for(self, model: Model) -> Variables:
        """Return the variables that a model is of: as they are, or harmonised.

        Raises
        ------
        ModelError
            See :meth:`find_harmonised`; or sites stand in the model, a covariate of it was not
            kept by the harmonisation, or nothing of the outcome was harmonised.
        """
        found = self.find_harmonised(model)
        if found is None:
            return self.variables
        _require_kept(model, found, self.covariates)
        return _only_harmonised(model, found, self.variables)


def _require_kept(model: Model, found: Harmonised, covariates: pd.DataFrame) -> None:
    """Refuse a model whose terms harmonisation took off, or may have.

    What it keeps is the span of its design: a line is not a factor, whatever they are called.
    """
    wanted, sites = set(required_columns(parse_terms(model))), found.model.outcome
    if sites in wanted:
        raise ModelError(
            f'{model.formula}: what goes with {sites} was taken off its values: leave {sites} out '
            'of the formula, or take values that are not harmonised'
        )
    design = build_design(model, covariates)
    kept, rows = np.ones((len(covariates), 1)), np.arange(len(covariates))
    if found.model.terms.strip() != '1':
        theirs = build_design(found.model, covariates)
        kept, rows = np.column_stack([np.ones(len(theirs.rows)), theirs.matrix]), theirs.rows
    _, mine, others = np.intersect1d(design.rows, rows, return_indices=True)
    matrix, basis = design.matrix[mine], kept[others]
    left = matrix - basis @ np.linalg.lstsq(basis, matrix, rcond=None)[0]
    size = np.linalg.norm(matrix - matrix.mean(axis=0), axis=0)
    # A constant has no size of its own but rounding.
    size = np.maximum(size, 1e-6 * np.linalg.norm(matrix, axis=0))
    beyond = np.linalg.norm(left, axis=0) > SPANNED * size
    lost = [name for name, one in zip(design.names, beyond, strict=True) if one]
    if lost:
        told, them = ', '.join(lost), 'it' if len(lost) == 1 else 'them'
        raise ModelError(
            f'{model.formula}: {found.model.formula} does not keep {told}, and takes what sites '
            f'and {told} share off with the sites: add {them} to --harmonise'
        )


def _only_harmonised(model: Model, found: Harmonised, variables: Variables) -> Variables:
    variables.choose(model.outcome)
    values = np.full_like(variables.values, np.nan)
    for one in found.tables:
        values[np.ix_(one.rows, one.variables)] = one.after
    places = np.sort(np.concatenate([one.variables for one in found.tables]))
    few = replace(
        variables,
        variables=tuple(variables.variables[place] for place in places),
        values=values[:, places],
    )
    try:
        few.choose(model.outcome)
    except ModelError:
        kept = [note for note in found.notes if LEFT in note]
        told = f' ({"; ".join(kept[:2])})' if kept else ''
        raise ModelError(
            f'{model.formula}: no column of {model.outcome} was harmonised; tables of regions '
            f'are, of 5 and more{told}'
        ) from None
    return few
