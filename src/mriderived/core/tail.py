"""Small p-values from few permutations: the tail of the maxima as a generalised Pareto law."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Values = NDArray[np.float64]

#: The tail begins where this share of the maxima is above; then smaller ones, if it does not fit.
SHARES = (0.25, 0.2, 0.15, 0.1, 0.07, 0.05)
#: A tail of fewer maxima is not fitted.
FEWEST = 20
#: Random tails of the fitted law that its misfit is compared with.
COMPARISONS = 200
#: A law is taken where at least this share of its own random tails fits worse.
LEAST_FIT = 0.05
#: Beyond the end of a law with one, and as far as anything is claimed: 1 / (this * permutations).
FINEST = 100


class Tail(NamedTuple):
    """A generalised Pareto law of what exceeds ``threshold``, and how often that happens."""

    threshold: float
    shape: float
    scale: float
    share: float
    number: int


def fit_tail(maxima: ArrayLike, seed: int = 0) -> Tail | None:
    """Fit the tail of the maxima of permutations; None where no tail fits.

    Notes
    -----
    Moments give shape and scale (Hosking and Wallis 1987, doi:10.1080/00401706.1987.10488243).
    The largest tail is taken whose Anderson-Darling distance is not beyond that of random tails
    of the fitted law, each fitted anew.

    References
    ----------
    Knijnenburg et al. 2009, doi:10.1093/bioinformatics/btp211; Winkler et al. 2016,
    doi:10.1016/j.neuroimage.2016.05.068.
    """
    ordered = np.sort(np.asarray(maxima, float))
    random = np.random.default_rng(seed)
    for share in SHARES:
        count = int(share * len(ordered))
        if count < FEWEST:
            return None
        threshold = float((ordered[-count - 1] + ordered[-count]) / 2)
        excess = ordered[-count:] - threshold
        if excess[0] < 0 or excess.var() == 0:
            continue
        shape, scale = _moments(excess)
        if not _within(excess, shape, scale):
            continue
        distance = _distance(excess, shape, scale)
        worse = sum(
            _refitted_distance(_draw(random, count, shape, scale)) >= distance
            for _ in range(COMPARISONS)
        )
        if worse >= LEAST_FIT * COMPARISONS:
            return Tail(threshold, shape, scale, count / len(ordered), len(ordered))
    return None


def tail_p(statistic: ArrayLike, tail: Tail, empirical: ArrayLike) -> Values:
    """Return p-values of the tail where statistics are in it, the empirical ones elsewhere.

    Examples
    --------
    An exponential tail that begins at 2 and holds a quarter of all:

    >>> tail = Tail(threshold=2.0, shape=0.0, scale=1.0, share=0.25, number=1000)
    >>> tail_p([1.0, 2.0, 4.0], tail, [0.6, 0.25, 0.03]).round(4).tolist()
    [0.6, 0.25, 0.0338]
    """
    size = np.abs(np.asarray(statistic, float))
    excess = np.maximum(size - tail.threshold, 0)
    beyond = tail.share * (1 - _law(excess, tail.shape, tail.scale))
    beyond = np.maximum(beyond, 1 / (FINEST * tail.number))
    return np.where(size > tail.threshold, beyond, np.asarray(empirical, float))


def _moments(excess: Values) -> tuple[float, float]:
    ratio = float(excess.mean() ** 2 / excess.var(ddof=1))
    return 0.5 * (1 - ratio), 0.5 * float(excess.mean()) * (ratio + 1)


def _law(excess: Values, shape: float, scale: float) -> Values:
    """Return the share of the law below an excess."""
    if abs(shape) < 1e-9:
        exponential: Values = -np.expm1(-excess / scale)
        return exponential
    inner = np.maximum(1 + shape * excess / scale, 0)
    with np.errstate(divide='ignore'):
        share: Values = 1 - inner ** (-1 / shape)
    return share


def _within(excess: Values, shape: float, scale: float) -> bool:
    """Tell whether a law with an end reaches as far as what was seen."""
    return bool(shape >= 0 or excess[-1] < -scale / shape)


def _draw(random: np.random.Generator, count: int, shape: float, scale: float) -> Values:
    uniform = np.sort(random.random(count))
    if abs(shape) < 1e-9:
        exponential: Values = -scale * np.log1p(-uniform)
        return exponential
    drawn: Values = scale / shape * ((1 - uniform) ** -shape - 1)
    return drawn


def _refitted_distance(excess: Values) -> float:
    shape, scale = _moments(excess)
    return _distance(excess, shape, scale) if _within(excess, shape, scale) else np.inf


def _distance(excess: Values, shape: float, scale: float) -> float:
    """Return the Anderson-Darling distance of sorted values from the law."""
    share = np.clip(_law(excess, shape, scale), 1e-12, 1 - 1e-12)
    weight = 2 * np.arange(1, len(excess) + 1) - 1
    return float(-len(excess) - (weight * (np.log(share) + np.log1p(-share[::-1]))).mean())
