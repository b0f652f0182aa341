"""How much head motion is left in connectivity: the correlation of every edge with motion."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Vector = NDArray[np.float64]

#: Fewer participants make a correlation with motion meaningless: at 10, chance alone gives half
#: of the edges more than 0.23.
FEWEST = 10
#: An edge below this stands apart from chance.
ALPHA = 0.05


class Effect(NamedTuple):
    """What the correlations of all edges with motion come to.

    ``chance`` is the median that the absolute correlation has without any effect of motion,
    ``share`` the part of the edges with p below :data:`ALPHA`, ``share_fdr`` the part that
    remains of it at that rate of false discoveries, ``distance`` the rank correlation of the
    correlations with the length of the edges (NaN without lengths).
    """

    edges: int
    median: float
    chance: float
    share: float
    share_fdr: float
    distance: float


class MotionCorrelation:
    """Correlates edges with motion, participant by participant, in memory for one of them.

    Sums are kept per edge, so that an edge that some participants lack is of the others.

    Parameters
    ----------
    edges : int
        Number of edges.

    References
    ----------
    Ciric et al. 2017, https://doi.org/10.1016/j.neuroimage.2017.03.020;
    Satterthwaite et al. 2012, https://doi.org/10.1016/j.neuroimage.2011.12.063

    Examples
    --------
    >>> found = MotionCorrelation(2)
    >>> for motion, values in enumerate(([0.0, 2.0], [1.0, 0.0], [2.0, np.nan], [3.0, 1.0])):
    ...     found.add(np.array(values), motion)
    >>> found.correlation(fewest=4).tolist()
    [1.0, nan]
    """

    def __init__(self, edges: int) -> None:
        self.number = np.zeros(edges, np.int64)
        self._sums = np.zeros((5, edges))

    def add(self, edges: Vector, motion: float) -> None:
        """Add the edges (NaN where missing) and the motion of one participant."""
        there = np.isfinite(edges)
        x = np.where(there, edges, 0.0)
        self.number += there
        for place, term in enumerate((x, x * x, x * motion)):
            self._sums[place] += term
        self._sums[3] += there * motion
        self._sums[4] += there * motion**2

    def correlation(self, fewest: int = FEWEST) -> Vector:
        """Return Pearson's r of each edge, of shape (edges,); NaN with fewer participants."""
        n = np.maximum(self.number, 1)
        x, xx, xm, m, mm = self._sums
        spread_x, spread_m = xx - x * x / n, mm - m * m / n
        # Of what never varies, a few units of rounding are left.
        varies = (spread_x > 1e-12 * xx) & (spread_m > 1e-12 * mm)
        usable = varies & (self.number >= max(fewest, 3))
        scale = np.sqrt(np.where(usable, spread_x * spread_m, 1.0))
        return np.where(usable, np.clip((xm - x * m / n) / scale, -1, 1), np.nan)


def p_values(correlation: Vector, number: NDArray[np.int64]) -> Vector:
    """Return the two-sided p of correlations of ``number`` pairs each; NaN stays.

    >>> p_values(np.array([0.0, 0.632, np.nan]), np.array([10, 10, 10])).round(3).tolist()
    [1.0, 0.05, nan]
    """
    degrees = np.maximum(number - 2, 1)
    with np.errstate(divide='ignore', invalid='ignore'):
        t = np.abs(correlation) * np.sqrt(degrees / (1 - correlation**2))
    return np.asarray(2 * stats.t.sf(t, degrees))


def q_values(p: Vector) -> Vector:
    """Return p adjusted after Benjamini and Hochberg over those that are finite.

    >>> q_values(np.array([0.01, np.nan, 0.04, 0.5])).round(3).tolist()
    [0.03, nan, 0.06, 0.5]
    """
    q = np.full(p.shape, np.nan)
    finite = np.isfinite(p)
    if finite.any():
        q[finite] = stats.false_discovery_control(p[finite])
    return q


def summarise_effect(correlation: Vector, number: NDArray[np.int64], distance: Vector) -> Effect:
    """Sum up the correlations of edges with motion.

    Parameters
    ----------
    correlation : array, shape (edges,)
        NaN where there is none.
    number : array of int, shape (edges,)
        Participants of each edge.
    distance : array, shape (edges,)
        Length of each edge in mm; NaN where not known.

    Returns
    -------
    Effect

    Raises
    ------
    ValueError
        If no edge has a correlation.
    """
    found = np.isfinite(correlation)
    if not found.any():
        raise ValueError('no edge has a correlation with motion')
    p = p_values(correlation[found], number[found])
    long = found & np.isfinite(distance)
    rank = np.nan
    if long.sum() > 2 and np.ptp(distance[long]) > 0 and np.ptp(correlation[long]) > 0:
        rank = float(stats.spearmanr(correlation[long], distance[long]).statistic)
    degrees = float(np.median(number[found])) - 2
    t = stats.t.ppf(0.75, degrees)
    return Effect(
        edges=int(found.sum()),
        median=float(np.median(np.abs(correlation[found]))),
        chance=float(t / np.sqrt(t * t + degrees)),
        share=float(np.mean(p < ALPHA)),
        share_fdr=float(np.mean(q_values(p) < ALPHA)),
        distance=rank,
    )
