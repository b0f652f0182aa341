"""Permutation of residuals for one contrast in many voxels, with nuisance covariates."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mriderived.core.cluster_enhancement import Neighbours, enhance
from mriderived.core.linear_model import DesignError

Values = NDArray[np.float32]

#: Permutations of which statistics are computed at once: one product of matrices.
AT_ONCE = 8
#: A column of residuals whose norm is below this share of that of the values is constant.
CONSTANT = 1e-6
#: What differs by less than rounding is equal.
ALIKE = 1 - 1e-5
#: What is left of a constant of norm 1 above this is not in a design.
LEVEL = 1e-6


class Problem(NamedTuple):
    """What every permutation starts from.

    ``residuals`` (n, V) of the nuisance, each column of norm 1, or 0 where a voxel does not vary;
    ``rows`` (1 + q, n): the tested regressor without the nuisance, of norm 1, and an orthonormal
    basis of the nuisance; ``dof`` of the full model. ``blocks`` (n,): only observations of the
    same number change places. ``is_flipped``: signs change, not places (one-sample tests).
    """

    residuals: Values
    rows: Values
    dof: int
    blocks: NDArray[np.int64]
    is_flipped: bool


class Shuffles(NamedTuple):
    """What some of the permutations gave.

    ``maxima`` and ``enhanced_maxima`` (k,): largest absolute statistic of each; the latter is
    empty without enhancement. ``exceeded`` (V,): how many were at least as large as what was
    observed there.
    """

    maxima: NDArray[np.float64]
    enhanced_maxima: NDArray[np.float64]
    exceeded: NDArray[np.int32]


def pose_problem(
    values: ArrayLike,
    tested: ArrayLike,
    nuisance: ArrayLike,
    blocks: ArrayLike | None = None,
) -> Problem:
    """Prepare the test of one regressor in V voxels.

    Parameters
    ----------
    values : array (n, V)
    tested : array (n,)
        The regressor of interest. Where a constant is in the design and not in the nuisance, such
        as of a mean at some age, signs are flipped, for errors that are symmetric.
    nuisance : array (n, q)
        What is adjusted for, with the intercept; q may be 0.
    blocks : array (n,), optional
        Exchangeability blocks.

    Raises
    ------
    DesignError
        Where the regressor follows from the nuisance or no degrees of freedom are left.

    References
    ----------
    Freedman and Lane 1983, doi:10.2307/1391660; Winkler et al. 2014,
    doi:10.1016/j.neuroimage.2014.01.060.
    """
    regressor, others = np.asarray(tested, float), np.asarray(nuisance, float)
    data = np.asarray(values, np.float32)
    count = len(regressor)
    others = others.reshape(count, -1)
    scale = np.linalg.norm(others, axis=0)
    left, size, _ = np.linalg.svd(others / np.where(scale > 0, scale, 1), full_matrices=False)
    basis = left[:, size > 1e-10]
    own = regressor - basis @ (basis.T @ regressor)
    if np.linalg.norm(own) <= 1e-8 * float(np.linalg.norm(regressor)):
        raise DesignError('the tested column follows from the nuisance columns')
    dof = count - basis.shape[1] - 1
    if dof < 1:
        raise DesignError(f'{count} observations leave no degrees of freedom: leave terms out')
    small = basis.astype(np.float32)
    residuals = data - small @ (small.T @ data)
    norm = np.linalg.norm(residuals, axis=0)
    varies = norm > CONSTANT * np.linalg.norm(data, axis=0)
    residuals *= np.where(varies, 1 / np.where(varies, norm, 1), 0).astype(np.float32)
    own /= np.linalg.norm(own)
    return Problem(
        residuals,
        np.vstack([own, basis.T]).astype(np.float32),
        dof,
        _number(blocks, count),
        _is_of_level(own, basis),
    )


def _is_of_level(own: NDArray[np.float64], basis: NDArray[np.float64]) -> bool:
    """Tell whether a constant belongs to what is tested: then changing places changes nothing."""
    ones = np.full(len(own), len(own) ** -0.5)
    beside = ones - basis @ (basis.T @ ones)
    within = beside - own * (own @ beside)
    return bool(np.linalg.norm(beside) > LEVEL and np.linalg.norm(within) < LEVEL)


def _number(blocks: ArrayLike | None, count: int) -> NDArray[np.int64]:
    if blocks is None:
        return np.zeros(count, np.int64)
    numbers: NDArray[np.int64] = np.unique(np.asarray(blocks), return_inverse=True)[1]
    return numbers


def observe(problem: Problem) -> Values:
    """Return t (V,) without any permutation, 0 where a voxel does not vary."""
    t: Values = _statistics(problem, problem.rows[None])[0]
    return t


def shuffle(
    problem: Problem,
    numbers: Iterable[int],
    seed: int,
    neighbours: Neighbours | None = None,
) -> Shuffles:
    """Run the permutations with these numbers; number 0 leaves everything in its place.

    A permutation depends on its number and the seed alone, so it does not matter (but for
    rounding) who runs which.

    Parameters
    ----------
    neighbours : array (V, k), optional
        Of :func:`~mriderived.core.cluster_enhancement.list_neighbours`: enhance statistics too.
    """
    wanted = list(numbers)
    observed = np.abs(observe(problem))
    maxima, enhanced = [], []
    exceeded = np.zeros(len(observed), np.int32)
    for start in range(0, len(wanted), AT_ONCE):
        rows = np.stack(
            [_rearranged(problem, number, seed) for number in wanted[start : start + AT_ONCE]]
        )
        for statistic in _statistics(problem, rows):
            size = np.abs(statistic)
            maxima.append(float(size.max(initial=0.0)))
            exceeded += size >= observed * np.float32(ALIKE)
            if neighbours is not None:
                found = enhance(statistic, neighbours)
                enhanced.append(float(np.abs(found).max(initial=0.0)))
    return Shuffles(np.array(maxima), np.array(enhanced), exceeded)


def count_arrangements(problem: Problem) -> float:
    """Return how many different largest statistics there can be: no p is below its inverse.

    Observations that are alike in the whole model may change places without a change, and
    statistics that differ in sign alone are one.

    Examples
    --------
    Four against four, 8 over 4 ways that are alike in pairs, and the signs of six observations:

    >>> values = np.random.default_rng(0).normal(size=(8, 2))
    >>> count_arrangements(pose_problem(values, [0, 0, 0, 0, 1, 1, 1, 1], np.ones(8)))
    35.0
    >>> count_arrangements(pose_problem(values[:6], np.ones(6), np.empty((6, 0))))
    32.0
    """
    rows = np.round(problem.rows.T.astype(float), 5) + 0.0
    mirrored = rows * np.r_[-1.0, np.ones(rows.shape[1] - 1)] + 0.0
    log, is_mirrored = 0.0, True
    if problem.is_flipped:
        flips = len(np.unique(problem.blocks)) if problem.blocks.any() else len(rows)
        log = flips * math.log(2)
    else:
        for block in np.unique(problem.blocks):
            mine = problem.blocks == block
            kinds, counts = np.unique(rows[mine], axis=0, return_counts=True)
            others, their = np.unique(mirrored[mine], axis=0, return_counts=True)
            log += math.lgamma(mine.sum() + 1) - sum(math.lgamma(one + 1) for one in counts)
            is_mirrored &= np.array_equal(kinds, others) and np.array_equal(counts, their)
    log -= math.log(2) * is_mirrored
    return float(round(math.exp(log))) if log < 30 else math.inf


def _rearranged(problem: Problem, number: int, seed: int) -> Values:
    """Return the rows (1 + q, n) of the model as they meet residuals that change places."""
    if number == 0:
        return problem.rows
    random = np.random.default_rng([seed, number])
    if problem.is_flipped:
        # With blocks, each flips as a whole.
        blocks = problem.blocks if problem.blocks.any() else np.arange(problem.rows.shape[1])
        signs = random.integers(0, 2, blocks.max() + 1)[blocks]
        flipped: Values = problem.rows * (2 * signs - 1).astype(np.float32)
        return flipped
    order = np.arange(problem.rows.shape[1])
    for block in np.unique(problem.blocks):
        mine = np.flatnonzero(problem.blocks == block)
        order[mine] = random.permutation(mine)
    return problem.rows[:, order]


def _statistics(problem: Problem, rows: Values) -> Values:
    """Return t (k, V) for k rearrangements of the rows (k, 1 + q, n).

    Residuals have norm 1, so what the model leaves of them is 1 less what it explains.
    """
    count, height, _ = rows.shape
    fitted = (rows.reshape(count * height, -1) @ problem.residuals).reshape(count, height, -1)
    effect = fitted[:, 0]
    left = 1 - (fitted**2).sum(axis=1)
    known = left > np.float32(1e-7)
    scale = np.where(known, np.sqrt(problem.dof / np.where(known, left, 1)), 0)
    t: Values = np.asarray(effect * scale, np.float32)
    return t


def corrected_p(statistic: ArrayLike, maxima: ArrayLike) -> NDArray[np.float64]:
    """Return the share of permutations whose maximum is at least as large.

    The unpermuted one is among ``maxima``, so that no p is 0.

    Examples
    --------
    >>> corrected_p([3.0, 1.0], [3.0, 0.5, 2.0, 1.5]).tolist()
    [0.25, 0.75]
    """
    ordered = np.sort(np.asarray(maxima, float))
    size = np.abs(np.asarray(statistic, float)) * ALIKE
    share: NDArray[np.float64] = (len(ordered) - np.searchsorted(ordered, size)) / len(ordered)
    return share
