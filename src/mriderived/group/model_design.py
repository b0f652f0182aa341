"""From a formula and what is known of the participants to a matrix that can be fitted."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import is_numeric_dtype

from mriderived.core.linear_model import DesignError, check_design
from mriderived.group.formulas import (
    FORMULA_ERRORS,
    categorical_columns,
    parse_terms,
    plain_text,
    required_columns,
)
from mriderived.group.model_files import Missing, Model, ModelError
from mriderived.group.untidy import refuse_untidy

INTERCEPT = 'Intercept'
#: Fewer degrees of freedom of the residuals are too few for a test.
LEAST_DOF = 3
#: A text column with more levels than this share of the participants is no category.
MOST_LEVELS = 0.5


@dataclass(frozen=True)
class Design:
    """A matrix (n, p), the names of its columns, and which of the rows it is of.

    ``left_out`` counts rows by the covariate that they lack; ``filled`` counts values that were
    put in for missing ones. ``terms`` names the columns of each term of the formula.
    """

    matrix: NDArray[np.float64]
    names: tuple[str, ...]
    rows: NDArray[np.intp]
    left_out: Mapping[str, int]
    filled: Mapping[str, int]
    terms: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def notes(self) -> list[str]:
        """Whom the policy of missing covariates left out, and what it filled."""
        return [
            *(f'{count} left out for want of {name}' for name, count in self.left_out.items()),
            *(
                f'{name}: {count} missing values were filled'
                for name, count in self.filled.items()
            ),
        ]

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """The same for a sidecar."""
        return {'LeftOut': dict(self.left_out), 'Filled': dict(self.filled)}


def build_design(model: Model, covariates: pd.DataFrame) -> Design:
    """Build the design of a model from covariates, one row per observation.

    Raises
    ------
    ModelError
        A column is not known or not tidy, a factor has one level, the formula cannot be read,
        columns follow from each other, or too few observations are left.
    """
    formula = parse_terms(model)
    wanted = required_columns(formula)
    _require_known(model, wanted, covariates)
    table = covariates[wanted].reset_index(drop=True)
    refuse_untidy(model.formula, table)
    filled: dict[str, int] = {}
    if model.missing == 'mean':
        table, filled = fill_missing(table, categorical_columns(formula))
    lacking = {name: int(table[name].isna().sum()) for name in wanted}
    known = table.notna().all(axis=1)
    table = table[known].reset_index(drop=True)
    left_out = {name: count for name, count in lacking.items() if count}
    _require_varied(model, wanted, table, left_out)
    try:
        found = formula.get_model_matrix(table, na_action='raise', context={})
    except FORMULA_ERRORS as error:
        raise ModelError(f'{model.formula}: {plain_text(error)}') from error
    names = tuple(map(str, found.columns))
    matrix = np.asarray(found, float)
    try:
        check_design(matrix, names, LEAST_DOF)
    except DesignError as error:
        raise ModelError(f'{model.formula}: {error}{_tell(left_out)}') from error
    places = found.model_spec.term_indices
    terms = {str(term): tuple(names[place] for place in mine) for term, mine in places.items()}
    return Design(matrix, names, np.flatnonzero(known), left_out, filled, terms)


def _require_known(model: Model, wanted: Iterable[str], covariates: pd.DataFrame) -> None:
    for name in wanted:
        if name in covariates:
            continue
        raise ModelError(
            f'{model.formula}: {name} is no column of participants.tsv, of phenotype/ or of the '
            f'cohort table. {suggest_column(name, covariates)}'
        )


def suggest_column(name: str, covariates: pd.DataFrame) -> str:
    """Ask whether a column of a similar name was meant, or name the first ones.

    >>> suggest_column('agee', pd.DataFrame(columns=['age', 'sex']))
    'Did you mean age?'
    >>> suggest_column('ICD', pd.DataFrame(columns=['ICD-10']))
    'Did you mean `ICD-10`, with backticks?'
    """
    columns = list(map(str, covariates.columns))
    close = [column for column in columns if column.lower() == name.lower()] or (
        difflib.get_close_matches(name, columns, n=3, cutoff=0.6)
    )
    close = [one if one.isidentifier() else f'`{one}`, with backticks' for one in close]
    if close:
        return f'Did you mean {", ".join(close)}?'
    more = f', and {len(columns) - 8} more' if len(columns) > 8 else ''
    return f'There are: {", ".join(columns[:8]) or "none"}{more}.'


def _require_varied(
    model: Model, wanted: Iterable[str], table: pd.DataFrame, left_out: Mapping[str, int]
) -> None:
    if not len(table) and left_out:
        raise ModelError(f'{model.formula}: nobody has every covariate{_tell(left_out)}')
    if len(table) == 1:
        raise ModelError(
            f'{model.formula}: one participant makes no model{_tell(left_out)}: more are needed '
            'than it has coefficients'
        )
    for name in wanted:
        levels = table[name].unique()
        if len(levels) == 1:
            raise ModelError(
                f'{model.formula}: {name} is {levels[0]} for all {len(table)} participants'
                f'{_tell(left_out)}: leave it out'
            )
        if not is_numeric_dtype(table[name]) and len(levels) > max(MOST_LEVELS * len(table), 2):
            shown = ', '.join(map(str, levels[:4]))
            raise ModelError(
                f'{model.formula}: {name} has {len(levels)} different words for {len(table)} '
                f'participants ({shown}, …): correct those that should be numbers, or leave it out'
            )


def _tell(left_out: Mapping[str, int]) -> str:
    if not left_out:
        return ''
    told = ', '.join(f'{count} without {name}' for name, count in left_out.items())
    return f' (left out: {told})'


def fill_missing(
    table: pd.DataFrame, categorical: Collection[str] = ()
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Put the mean in for missing numbers, and the most frequent level for missing words.

    Numbers of a column that the formula declares to be categorical are levels, too.

    >>> table = pd.DataFrame({'age': [20.0, None, 40.0], 'sex': ['F', 'F', None]})
    >>> full, counts = fill_missing(table)
    >>> full['age'].tolist(), full['sex'].tolist(), counts
    ([20.0, 30.0, 40.0], ['F', 'F', 'F'], {'age': 1, 'sex': 1})
    """
    filled, counts = table.copy(), {}
    for name in table:
        lacking = table[name].isna()
        if not lacking.any() or lacking.all():
            continue
        is_number = is_numeric_dtype(table[name]) and name not in categorical
        usual = table[name].mean() if is_number else table[name].mode().iloc[0]
        filled.loc[lacking, name] = usual
        counts[str(name)] = int(lacking.sum())
    return filled, counts


def contrast_weights(model: Model, names: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    """Return the weights (p,) of each contrast; without any, of each coefficient but the first.

    Contrasts of several rows are those of :func:`joint_weights`.

    Raises
    ------
    ModelError
        A contrast names a coefficient that the model does not have.
    """
    if not (model.contrasts or model.joint):
        own = [name for name in names if name != INTERCEPT] or list(names)
        return {name: (np.array(names) == name).astype(float) for name in own}
    return {
        title: _weigh(model, title, weights, names) for title, weights in model.contrasts.items()
    }


def joint_weights(model: Model, design: Design) -> dict[str, NDArray[np.float64]]:
    """Return the weights (q, p) of what is tested at once.

    Without any contrast in the model, of each term of several columns, such as a factor of more
    than two levels, as long as there is an intercept that stands for the first level.

    Raises
    ------
    ModelError
        A contrast names a coefficient that the model does not have, or its rows follow from each
        other.
    """
    if not (model.contrasts or model.joint):
        if INTERCEPT not in design.names:
            return {}
        return {
            term: np.eye(len(design.names))[[design.names.index(name) for name in names]]
            for term, names in design.terms.items()
            if len(names) > 1
        }
    found = {}
    for title, rows in model.joint.items():
        weights = np.array([_weigh(model, title, row, design.names) for row in rows])
        if np.linalg.matrix_rank(weights) < len(weights):
            raise ModelError(
                f'{model.formula}: rows of the contrast {title} follow from each other: leave '
                'one out'
            )
        found[title] = weights
    return found


def _weigh(
    model: Model, title: str, weights: Mapping[str, float], names: Sequence[str]
) -> NDArray[np.float64]:
    unknown = [name for name in weights if name not in names]
    if unknown:
        raise ModelError(
            f'{model.formula}: contrast {title} weighs {", ".join(unknown)}, and the '
            f'coefficients are {", ".join(names)}'
        )
    found = np.array([weights.get(name, 0.0) for name in names])
    if not found.any():
        raise ModelError(
            f'{model.formula}: all weights of contrast {title} are 0: give one another'
        )
    return found


def impute_policy(missing: Missing) -> str:
    """Say what happens to participants who lack a covariate."""
    if missing == 'drop':
        return 'Participants who lack a covariate are left out.'
    return 'For missing covariates the mean of the others stands in, or their most frequent level.'
