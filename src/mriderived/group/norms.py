"""Norms of regions by covariates, and where each participant stands: z and centile."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mriderived.core.linear_model import DesignError, check_design
from mriderived.core.normative import Norms, fit_norms, judge, spline_basis
from mriderived.group.model_design import INTERCEPT, Design, build_design
from mriderived.group.model_files import Model, ModelError
from mriderived.group.norm_levels import FEWEST_OF_LEVEL, find_levels, find_rare_levels
from mriderived.group.rules import Rule
from mriderived.group.variables import Variables

Matrix = NDArray[np.float64]

#: Fewer people than these draw no curve, and so many are needed for each coefficient.
FEWEST = 50
PER_COEFFICIENT = 5
FOLDS = 10
#: A covariate of more values than this has a curve, one of fewer a line.
CURVED = 10
#: Where the curve of the mean bends, as shares of the people.
BENDS = (0.0, 0.5, 1.0)


class Axis(NamedTuple):
    """The covariate along which curves run: its place in the design, and the knots."""

    name: str
    place: int
    knots: Matrix


class NormTask(NamedTuple):
    """Whom to judge, by what.

    ``reference`` (n,) are all rows of those who draw the curves, ``draws`` (n,) those that do:
    the first of each.
    """

    model: Model
    design: Design
    axis: Axis | None
    variables: tuple[int, ...]
    values: Matrix
    people: NDArray[np.str_]
    reference: NDArray[np.bool_]
    draws: NDArray[np.bool_]


class NormResult(NamedTuple):
    """Arrays (n, m) of z, centile and expected mean; the norms of all the reference for curves.

    ``reasons`` (n,) say why somebody is not judged; ``without`` names variables without norms.
    """

    task: NormTask
    z: Matrix
    centile: Matrix
    expected: Matrix
    norms: Norms
    reasons: NDArray[np.object_]
    without: dict[int, str]


def pose_norms(
    model: Model, variables: Variables, covariates: pd.DataFrame, reference: Rule | None = None
) -> NormTask:
    """Gather what norms are of.

    Raises
    ------
    ModelError
        The formula does not fit to what is known, or too few people draw the curves.
    """
    chosen = tuple(variables.choose(model.outcome))
    if reference is None:
        design = build_design(model, covariates)
        among = np.ones(len(design.rows), bool)
    else:
        member = reference.applies(covariates)
        if not member.any():
            raise ModelError(f'{model.formula}: {reference} is true of nobody')
        design = build_design(model, covariates)
        among = member[design.rows]
    if INTERCEPT not in design.names:
        raise ModelError(f'{model.formula}: norms have a level of their own: leave - 1 or 0 out')
    people = np.array([variables.rows[row].participant for row in design.rows])
    draws = _first_of_each(people, among)
    axis = find_axis(design, covariates, draws)
    task = NormTask(
        model, design, axis, chosen, variables.values[design.rows][:, chosen], people, among,
        draws,
    )  # fmt: skip
    _require_enough(task, reference)
    return task


def find_axis(design: Design, covariates: pd.DataFrame, draws: NDArray[np.bool_]) -> Axis | None:
    """Return the first covariate of numbers that is a term of its own, with knots by ``draws``."""
    for place, name in enumerate(design.names):
        column = design.matrix[:, place]
        if name in covariates and len(np.unique(column)) > CURVED:
            return Axis(name, place, find_knots(column[draws]))
    return None


def find_knots(column: Matrix) -> Matrix:
    """Return where the curve bends: at shares of the people, of the values where many are alike.

    >>> find_knots(np.array([20.0, 20.0, 20.0, 40.0, 60.0])).tolist()
    [20.0, 40.0, 60.0]
    """
    knots = np.quantile(column, BENDS)
    alike = len(np.unique(knots)) < len(knots)
    return np.asarray(np.quantile(np.unique(column), BENDS) if alike else knots, float)


def build_designs(
    matrix: Matrix, names: Sequence[str], axis: Axis | None
) -> tuple[Matrix, Matrix]:
    """Return the designs of mean and log-variance: splines of the axis, all else as it is."""
    own = [name == INTERCEPT for name in names]
    kept = np.array([not is_one and (axis is None or place != axis.place)
                     for place, is_one in enumerate(own)], bool)  # fmt: skip
    rest = np.column_stack([np.ones(len(matrix)), matrix[:, kept]])
    if axis is None:
        return rest, rest
    at = matrix[:, axis.place]
    ends = axis.knots[[0, -1]]
    return (
        np.column_stack([rest, spline_basis(at, axis.knots)]),
        np.column_stack([rest, spline_basis(at, ends, degree=2)]),
    )


def _require_enough(task: NormTask, reference: Rule | None) -> None:
    model, design = task.model, task.design
    mean, _ = build_designs(design.matrix[task.draws], design.names, task.axis)
    needed = max(FEWEST, PER_COEFFICIENT * mean.shape[1])
    count = int(task.draws.sum())
    if count < needed:
        of = f' of whom {reference} is true' if reference else ''
        raise ModelError(
            f'{model.formula}: norms need {needed} participants with all covariates{of}, and '
            f'there are {count}'
        )
    for place, name in enumerate(design.names):
        column = design.matrix[task.draws, place]
        if np.ptp(column) == 0 and name != INTERCEPT:
            raise ModelError(
                f'{model.formula}: {name} is the same for all who draw the curves: leave it out'
            )
    try:
        check_design(design.matrix[task.draws], design.names)
    except DesignError as error:
        raise ModelError(f'{model.formula}: of those who draw the curves, {error}') from error
    size = np.linalg.norm(mean, axis=0)
    if task.axis and np.linalg.matrix_rank(mean / np.where(size > 0, size, 1)) < mean.shape[1]:
        raise ModelError(
            f'{model.formula}: {task.axis.name} has a curve of its own, from which another term '
            'follows: leave its powers and splines out'
        )
    for level in find_levels(design):
        count = int((task.draws & level.members).sum())
        if count < FEWEST_OF_LEVEL:
            raise ModelError(
                f'{model.formula}: {count} of those who draw the curves are {level.name}, and '
                f'norms need {FEWEST_OF_LEVEL} of each: leave them out, or the term'
            )


def find_norms(task: NormTask, seed: int = 42) -> NormResult:
    """Judge everybody by curves that they did not help to draw.

    Those who draw curves are judged in ten folds, each by the other nine; all others by all of
    them. Of several sessions of a participant, the first draws and all are judged.
    """
    inside = _is_inside(task)
    reasons = np.full(len(task.people), '', object)
    reasons[~inside] = _beyond(task)
    mean, spread = _designs_inside(task, inside)
    draws = task.draws
    counts = np.isfinite(task.values[draws]).sum(axis=0)
    needed = max(FEWEST, PER_COEFFICIENT * mean.shape[1])
    fold = _deal(task, seed)
    rare = find_rare_levels(task.design, np.isfinite(task.values), draws, fold)
    without = {task.variables[place]: reason for place, reason in rare.items()} | {
        task.variables[place]: f'{counts[place]} of those who draw the curve have a value, and '
        f'{needed} are needed'
        for place in np.flatnonzero(counts < needed)
    }
    few = np.isin(task.variables, list(without))
    values = np.where(few, np.nan, task.values)
    shape = task.values.shape
    z, centile, expected = (np.full(shape, np.nan) for _ in range(3))
    for number in range(-1, FOLDS):
        judged = inside & (fold == number)
        drawing = draws & (fold != number)
        if not judged.any() and number >= 0:
            continue
        found = fit_norms(values[drawing], mean[drawing], spread[drawing])
        if number < 0:
            whole = found
        said = judge(found, values[judged], mean[judged], spread[judged])
        z[judged], centile[judged], expected[judged] = said.z, said.centile, said.expected
    varies = [len(np.unique(one[np.isfinite(one)])) > 1 for one in values[draws].T]
    for place in np.flatnonzero(~few & ~np.isfinite(whole.mean[0])):
        without[task.variables[place]] = (
            'the covariates of those who have a value do not determine a curve'
            if varies[place]
            else 'it does not vary between those who draw the curve'
        )
    return NormResult(task, z, centile, expected, whole, reasons, without)


def _designs_inside(task: NormTask, inside: NDArray[np.bool_]) -> tuple[Matrix, Matrix]:
    """Return both designs; splines are of those only who are within their range."""
    designs = build_designs(task.design.matrix[inside], task.design.names, task.axis)
    whole = [np.full((len(inside), one.shape[1]), np.nan) for one in designs]
    for one, part in zip(whole, designs, strict=True):
        one[inside] = part
    return whole[0], whole[1]


def _is_inside(task: NormTask) -> NDArray[np.bool_]:
    if task.axis is None:
        return np.ones(len(task.people), bool)
    column = task.design.matrix[:, task.axis.place]
    known = column[task.draws]
    inside: NDArray[np.bool_] = (column >= known.min()) & (column <= known.max())
    return inside


def _beyond(task: NormTask) -> str:
    if task.axis is None:
        return ''
    low, high = task.axis.knots[[0, -1]]
    return f'{task.axis.name} is beyond that of those who draw the curves ({low:g} to {high:g})'


def _first_of_each(people: NDArray[np.str_], among: NDArray[np.bool_]) -> NDArray[np.bool_]:
    first = np.zeros(len(people), bool)
    places = np.flatnonzero(among)
    first[places[np.unique(people[places], return_index=True)[1]]] = True
    return first


def _deal(task: NormTask, seed: int) -> NDArray[np.intp]:
    """Return the fold of each row: -1 outside of the reference; every category in every fold."""
    rng = np.random.default_rng(seed)
    names = np.unique(task.people[task.reference])
    where = {str(name): np.flatnonzero(task.people == name)[0] for name in names}
    two = [column for column in task.design.matrix.T if len(np.unique(column)) == 2]
    chance = rng.permutation(len(names))
    kinds = {name: tuple(column[where[str(name)]] for column in two) for name in map(str, names)}
    order = sorted(range(len(names)), key=lambda place: (kinds[str(names[place])], chance[place]))
    folds = {str(names[place]): number % FOLDS for number, place in enumerate(order)}
    return np.array([folds.get(str(name), -1) for name in task.people])


def draw_curve(result: NormResult, place: int, at: Matrix) -> tuple[Matrix, Matrix]:
    """Return mean and SD (k,) of a variable along the axis, the rest as it is on average."""
    task = result.task
    assert task.axis is not None  # curves are drawn along one
    usual = task.design.matrix[task.draws].mean(axis=0)
    matrix = np.tile(usual, (len(at), 1))
    matrix[:, task.axis.place] = at
    designs = build_designs(matrix, task.design.names, task.axis)
    one = Norms(*(part[:, [place]] for part in result.norms[:2]),
                *(part[[place]] for part in result.norms[2:]))  # fmt: skip
    said = judge(one, np.zeros((len(at), 1)), *designs)
    return said.expected[:, 0], said.deviation[:, 0]
