"""Fit one model to every region: effects, their tests, and p-values corrected over families."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mriderived.core.joint_test import JointTest, test_jointly
from mriderived.core.linear_model import (
    ContrastTest,
    DesignError,
    LinearFit,
    check_design,
    fit_linear,
    test_contrast,
)
from mriderived.core.multiple_tests import CORRECTIONS
from mriderived.group.mixed_model import MixedError, fit_mixed
from mriderived.group.model_design import (
    LEAST_DOF,
    Design,
    build_design,
    contrast_weights,
    joint_weights,
)
from mriderived.group.model_files import Model, ModelError
from mriderived.group.variables import Variable, Variables

Matrix = NDArray[np.float64]
Test = ContrastTest | JointTest
#: Why a variable has neither.
SAME = 'it does not vary between these participants'
#: Why a variable that varies has an estimate and no test.
EXACT = 'the model fits it exactly: is it among the terms itself?'
ALONE = 'one participant alone determines it, and then robust errors do not exist'
#: The columns of the table of a model.
COLUMNS = ('variable', 'measure', 'variant', 'region', 'index', 'column', 'unit', 'contrast', 'n',
           'dof', 'estimate', 'se', 'ci_low', 'ci_high', 't', 'f', 'dof_tested', 'p',
           'p_bonferroni', 'p_holm', 'p_fdr', 'partial_r2', 'cohens_d', 'reason')  # fmt: skip
_NUMBERS = ('estimate', 'se', 'ci_low', 'ci_high', 't', 'f', 'p', 'partial_r2', 'cohens_d')


class RegionModel(NamedTuple):
    """A fitted model: one row of ``table`` per variable and contrast (see ``COLUMNS``).

    ``weights`` (p,) are of contrasts, (q, p) of those that are tested at once.
    """

    model: Model
    design: Design
    table: pd.DataFrame
    weights: dict[str, Matrix]
    outcomes: tuple[int, ...]


def fit_regions(model: Model, variables: Variables, covariates: pd.DataFrame) -> RegionModel:
    """Fit a model to all variables of its outcome.

    Parameters
    ----------
    covariates : DataFrame (n rows)
        In the order of the rows of ``variables``.

    Raises
    ------
    ModelError
        The model does not fit to what is known; see :func:`build_design`. Or no variable has a
        result: then the message holds the reason of most.
    """
    chosen = variables.choose(model.outcome)
    design = build_design(model, covariates)
    weights = {**contrast_weights(model, design.names), **joint_weights(model, design)}
    people = [variables.rows[row].participant for row in design.rows]
    if len(set(people)) < len(people) and model.errors != 'mixed':
        raise ModelError(
            f'{model.formula}: {len(people) - len(set(people))} rows are further sessions of the '
            'same participants: choose one with --session-label, or write errors: mixed in a file '
            'of models'
        )
    if model.errors == 'mixed' and len(set(people)) == len(people):
        raise ModelError(
            f'{model.formula}: errors: mixed needs participants with more than one session'
        )
    values = variables.values[design.rows][:, chosen]
    named = [variables.variables[place] for place in chosen]
    rows = list(
        _fit_mixed(design, weights, values, named, people)
        if model.errors == 'mixed'
        else _fit_patterns(model, design, weights, values, named)
    )
    table = pd.DataFrame(rows).sort_values(['order', 'contrast_order'], kind='stable')
    _require_result(table, model)
    return RegionModel(
        model, design, _correct(table, model)[list(COLUMNS)].reset_index(drop=True), weights,
        tuple(chosen),
    )  # fmt: skip


def _fit_patterns(
    model: Model,
    design: Design,
    weights: dict[str, Matrix],
    values: Matrix,
    variables: Sequence[Variable],
) -> Iterator[dict[str, object]]:
    """Fit together the variables that the same participants have."""
    known = np.isfinite(values)
    patterns, which = np.unique(known, axis=1, return_inverse=True)
    for number in range(patterns.shape[1]):
        rows = patterns[:, number]
        places = np.flatnonzero(which.ravel() == number)
        matrix = design.matrix[rows]
        try:
            if not rows.all():
                _require_rows(rows, design)
            fit = fit_linear(values[np.ix_(rows, places)], matrix)
        except DesignError as error:
            for place in places:
                yield from _without(place, variables[place], weights, int(rows.sum()), str(error))
            continue
        reasons = _tell_why(values[np.ix_(rows, places)], fit)
        for order, (title, weight) in enumerate(weights.items()):
            test = _test(fit, weight, is_robust=model.errors == 'robust')
            for at, place in enumerate(places):
                yield _row(place, order, variables[place], title, int(rows.sum()), test, at,
                           reasons[at])  # fmt: skip


def _require_rows(rows: NDArray[np.bool_], design: Design) -> None:
    """Refuse a region that too few have for the design of all."""
    if not rows.any():
        raise DesignError('nobody of this model has it')
    check_design(design.matrix[rows], design.names, LEAST_DOF)


def _require_result(table: pd.DataFrame, model: Model) -> None:
    """Refuse a model that tells nothing of any variable."""
    if (table['estimate'].isna() & table['p'].isna() | (table['reason'] == EXACT)).all():
        reason = table['reason'].mode()[0]
        raise ModelError(f'{model.formula}: none of {table["variable"].nunique()} variables has a '
                         f'result: {reason}')  # fmt: skip


def _tell_why(values: Matrix, fit: LinearFit) -> list[str]:
    """Return why each variable would have no p-value."""
    same = np.ptp(values, axis=0) == 0
    exact = fit.variance == 0
    return [
        SAME if still
        else EXACT if fitted
        else ALONE
        for still, fitted in zip(same, exact, strict=True)
    ]  # fmt: skip


def _test(fit: LinearFit, weight: Matrix, *, is_robust: bool) -> Test:
    if weight.ndim == 2:
        return test_jointly(fit, weight, is_robust=is_robust)
    return test_contrast(fit, weight, is_robust=is_robust)


def _fit_mixed(
    design: Design,
    weights: dict[str, Matrix],
    values: Matrix,
    variables: Sequence[Variable],
    people: Sequence[str],
) -> Iterator[dict[str, object]]:
    """Fit each variable with a random intercept per participant."""
    groups = np.array(people)
    for place, variable in enumerate(variables):
        rows = np.isfinite(values[:, place])
        matrix = design.matrix[rows]
        try:
            _require_rows(rows, design)
            fit = fit_linear(values[rows][:, [place]], matrix)
            (reason,) = _tell_why(values[rows][:, [place]], fit)
            # One session of each is no mixed model: what is left of it is least squares.
            is_single = len(np.unique(groups[rows])) == rows.sum()
            tests = (
                [_test(fit, weight, is_robust=False) for weight in weights.values()]
                if is_single or reason != ALONE
                else fit_mixed(values[rows, place], matrix, groups[rows], weights.values())
            )
        except (DesignError, MixedError, np.linalg.LinAlgError) as error:
            yield from _without(place, variable, weights, int(rows.sum()), str(error))
            continue
        for order, (title, test) in enumerate(zip(weights, tests, strict=True)):
            yield _row(place, order, variable, title, int(rows.sum()), test, 0, reason)


def _about(place: int, order: int, variable: Variable, title: str, n: int) -> dict[str, object]:
    return {
        'order': place, 'contrast_order': order, 'variable': variable.name,
        'measure': variable.measure, 'variant': variable.variant, 'region': variable.region,
        'index': variable.number, 'column': variable.column, 'unit': variable.unit,
        'contrast': title, 'n': n,
    }  # fmt: skip


def _row(
    place: int,
    order: int,
    variable: Variable,
    title: str,
    n: int,
    test: Test,
    at: int,
    why: str,
) -> dict[str, object]:
    if isinstance(test, JointTest):
        none = np.full(len(test.f), np.nan)
        found = (none, none, none, none, none, test.f, test.p, test.partial_r2, none)
    else:
        found = (test.effect, test.standard_error, test.lower, test.upper, test.t, test.t**2,
                 test.p, test.partial_r2, test.d)  # fmt: skip
    numbers = {name: float(values[at]) for name, values in zip(_NUMBERS, found, strict=True)}
    if why == SAME:
        numbers = dict.fromkeys(_NUMBERS, np.nan)
    return {
        **_about(place, order, variable, title, n),
        'dof': test.dof or np.nan,
        'dof_tested': test.tested if isinstance(test, JointTest) else 1,
        **numbers,
        'reason': '' if np.isfinite(numbers['p']) else why,
    }


def _without(
    place: int, variable: Variable, weights: dict[str, Matrix], n: int, reason: str
) -> Iterator[dict[str, object]]:
    for order, (title, weight) in enumerate(weights.items()):
        nothing = dict.fromkeys(('dof', *_NUMBERS), np.nan)
        tested = len(np.atleast_2d(weight))
        yield {**_about(place, order, variable, title, n), **nothing, 'dof_tested': tested,
               'reason': reason}  # fmt: skip


def _correct(table: pd.DataFrame, model: Model) -> pd.DataFrame:
    """Add corrected p-values; a family is a contrast over the regions of a table, or of all."""
    keys = (
        ['contrast'] if model.family == 'model' else ['contrast', 'measure', 'variant', 'column']
    )
    table = table.assign(**{f'p_{name}': np.nan for name in CORRECTIONS})
    for _, family in table.groupby(keys, sort=False):
        p = family['p'].dropna()
        for name, correct in CORRECTIONS.items():
            table.loc[p.index, f'p_{name}'] = correct(p.to_numpy(float))
    return table
