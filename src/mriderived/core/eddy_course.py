"""The course of the head through a diffusion series, told from the noise of its positions.

Registration of weighted volumes is uncertain by tenths of a degree, more the higher b, and each
volume for itself: a head that lies still seems to tremble. But heads rest, drift and jump. So
positions are taken for the sum of a walk whose steps are small but for a few (Student's
distribution), of what contrast has feigned (as a tensor follows the directions), of shifts by eddy
currents along the phase axis (in proportion to the gradient, as in Andersson and Sotiropoulos
2016, doi:10.1016/j.neuroimage.2015.10.019), and of noise. How large each is, the series itself
tells, by expectation maximisation; the noise is bounded by what registration can be wrong by, so
that a head which never rests is not taken for noise.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]

#: Degrees of freedom of the steps: half of them tiny, some a hundred times larger.
FREEDOM = 1.0
#: Standard deviations to start with, in mm: of steps, of noise, of feigned and shifted positions.
START_STEP, START_NOISE, START_TERM = 0.05, 0.1, 0.2
#: Nothing is more precise than this, in mm.
LEAST_STEP, LEAST_NOISE, LEAST_TERM = 1e-3, 5e-3, 1e-4
#: Rounds, and the change of logarithms of all variances at which they end.
TIMES, SETTLED = 300, 1e-3


class Course(NamedTuple):
    """Where the head was, shape (n, 6), and how much of each of k terms there was, (k, 6)."""

    head: Matrix
    amounts: Matrix


def follow_course(
    seen: Matrix,
    terms: Matrix,
    kinds: NDArray[np.intp],
    largest: Matrix,
    groups: NDArray[np.intp],
    most: Matrix,
    believed: NDArray[np.bool_],
) -> Course:
    """Tell the course of the head from what is else in positions of volumes.

    Parameters
    ----------
    seen : array, shape (n, 6)
        Positions in the order of acquisition, all in mm (turns as arcs).
    terms : array, shape (n, k)
        What positions may follow other than the head.
    kinds : array of int, shape (k,)
        Terms of one kind are about of one size, a size for each of the six.
    largest : array, shape (k, 6)
        How large terms can be expected to be, in mm: 0 where they change nothing.
    groups : array of int, shape (n,)
        Volumes of one group have noise of one size, a size for each of the six.
    most : array, shape (n, 6)
        Largest standard deviation of the noise, in mm.
    believed : array of bool, shape (n,)
        Positions of others count for nothing.

    Returns
    -------
    Course

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> head = np.zeros((60, 6)); head[25:] = 1.0
    >>> seen = head + 0.1 * rng.standard_normal((60, 6))
    >>> none = np.zeros((60, 0)), np.zeros(0, int), np.zeros((0, 6)), np.zeros(60, int)
    >>> found = follow_course(seen, *none, np.full((60, 6), 0.3), np.ones(60, bool)).head
    >>> bool(np.abs(found - head).mean() < 0.05)
    True
    """
    count, terms = len(seen), np.asarray(terms, np.float64)
    members = [groups == group for group in np.unique(groups)]
    ceiling = np.maximum(most, LEAST_NOISE) ** 2
    noise = np.minimum(np.full((count, 6), START_NOISE**2), ceiling)
    step = np.full(6, START_STEP**2)
    bound = np.maximum(largest, LEAST_TERM) ** 2
    size = np.minimum(np.full(bound.shape, START_TERM**2), bound)
    tail = np.ones(count - 1)
    for _ in range(TIMES):
        sure = believed[:, None] / noise
        found = _solve(seen, terms, sure, tail[:, None] / step, 1 / size)
        moved = np.diff(found.head, axis=0) ** 2 + found.doubt_steps
        left = (seen - found.head - terms @ found.amounts) ** 2 + found.doubt
        new_step = np.maximum((tail[:, None] * moved).mean(axis=0), LEAST_STEP**2)
        tail = (FREEDOM + 6) / (FREEDOM + (moved / new_step).sum(axis=1))
        before = np.concatenate([step, noise.ravel()])
        step = new_step
        for chosen in members:
            ours = chosen & believed
            if ours.any():
                level = np.maximum(left[ours].mean(axis=0), LEAST_NOISE**2)
                noise[chosen] = np.minimum(level, ceiling[chosen])
        for kind in np.unique(kinds):
            chosen = kinds == kind
            usual = (found.amounts[chosen] ** 2 + found.doubt_terms[chosen]).mean(axis=0)
            size[chosen] = np.clip(usual, LEAST_TERM**2, bound[chosen])
        if np.abs(np.log(np.concatenate([step, noise.ravel()]) / before)).max() < SETTLED:
            break
    return Course(found.head, found.amounts)


class _Found(NamedTuple):
    """Means, and variances of steps (n - 1, 6), of what is left (n, 6), of amounts (k, 6)."""

    head: Matrix
    amounts: Matrix
    doubt_steps: Matrix
    doubt: Matrix
    doubt_terms: Matrix


def _solve(seen: Matrix, terms: Matrix, sure: Matrix, stiff: Matrix, prior: Matrix) -> _Found:
    """Return what is most likely at given variances: a chain, joined to a few terms.

    ``sure`` (n, 6), ``stiff`` (n - 1, 6) and ``prior`` (k, 6) are inverse variances.
    """
    parts = [
        _solve_one(seen[:, axis], sure[:, axis], stiff[:, axis], prior[:, axis], terms)
        for axis in range(seen.shape[1])
    ]
    head, amounts, steps, doubt, of_terms = (
        np.stack(part, axis=1) for part in zip(*parts, strict=True)
    )
    return _Found(head, amounts, steps, doubt, of_terms)


def _solve_one(
    seen: Matrix, sure: Matrix, stiff: Matrix, prior: Matrix, terms: Matrix
) -> tuple[Matrix, ...]:
    diagonal = sure + np.append(stiff, 0) + np.append(0, stiff)
    weighted = sure[:, None] * terms
    right = np.column_stack([sure * seen, weighted])
    solved, variance, covariance = _solve_chain(diagonal, -stiff, right)
    alone, response = solved[:, 0], solved[:, 1:]
    inner = terms.T @ weighted - weighted.T @ response + np.diag(prior)
    inverse = np.linalg.inv(inner)
    amounts = inverse @ (terms.T @ (sure * seen) - weighted.T @ alone)
    head = alone - response @ amounts
    apart = np.diff(response, axis=0)
    steps = variance[1:] + variance[:-1] - 2 * covariance
    steps = steps + np.einsum('ni,ij,nj->n', apart, inverse, apart)
    other = terms - response
    doubt = variance + np.einsum('ni,ij,nj->n', other, inverse, other)
    return head, amounts, steps, doubt, np.diag(inverse)


@numba.njit(nogil=True, cache=True)
def _solve_chain(diagonal, beside, right):  # type: ignore[no-untyped-def]
    """Solve a tridiagonal system, and return the diagonals of its inverse."""
    count = diagonal.size
    forward, backward = diagonal.copy(), diagonal.copy()
    solved = right.copy()
    for i in range(1, count):
        ratio = beside[i - 1] / forward[i - 1]
        forward[i] -= ratio * beside[i - 1]
        solved[i] -= ratio * solved[i - 1]
    solved[count - 1] /= forward[count - 1]
    for i in range(count - 2, -1, -1):
        solved[i] = (solved[i] - beside[i] * solved[i + 1]) / forward[i]
        backward[i] -= beside[i] ** 2 / backward[i + 1]
    variance = 1 / (forward + backward - diagonal)
    covariance = -beside * variance[:-1] / backward[1:]
    return solved, variance, covariance
