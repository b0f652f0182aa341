"""Which b-values of a diffusion series are one shell.

Both the checks of raw files and the science ask, and neither imports the other.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

#: Up to this b-value, in s/mm², a volume counts as unweighted.
B0_THRESHOLD = 50.0
#: Two shells are further apart than this, in s/mm², and than this share of the larger b-value:
#: scanners report b-values with the imaging gradients, which spreads one shell.
_GAP, _RELATIVE_GAP = 45.0, 0.05
#: A shell is no wider than this, in s/mm², or than this share of its largest b-value, whichever is
#: more: values in small steps are no single shell.
_WIDTH, _RELATIVE_WIDTH = 100.0, 0.1
#: Nominal b-values are multiples of this, in s/mm².
_ROUND = 10


def find_shells(
    b: ArrayLike, b0_threshold: float = B0_THRESHOLD
) -> tuple[NDArray[np.intp], tuple[float, ...]]:
    """Find the shells of a table: groups of b-values with gaps between them.

    A gap is wider than 45 s/mm² and than 5 % of the b-value beyond it. A group that is wider than
    100 s/mm² and than 10 % of its largest b-value is no single shell: it is parted at its widest
    gap, of equal ones at that nearest to its middle, until every part is narrow enough.

    Parameters
    ----------
    b : array of float, shape (n,)
        In s/mm².
    b0_threshold : float
        Up to here a volume counts as unweighted, in s/mm².

    Returns
    -------
    shell : array of int, shape (n,)
    shells : tuple of float
        The nominal b-value of each shell: its median, rounded to 10 s/mm²; the first is 0.0.

    Examples
    --------
    >>> shell, shells = find_shells([5, 990, 1005, 2000, 0, 1995, 705])
    >>> shell.tolist(), shells
    ([0, 2, 2, 3, 0, 3, 1], (0.0, 700.0, 1000.0, 2000.0))
    >>> find_shells([1000, 1050, 1100, 1150, 1200, 1250])[1]
    (0.0, 1050.0, 1200.0)
    """
    values = np.asarray(b, np.float64)
    shell = np.zeros(len(values), np.intp)
    weighted = np.flatnonzero(values > b0_threshold)
    order = weighted[np.argsort(values[weighted], kind='stable')]
    ascending = values[order]
    is_gap = np.diff(ascending) > np.maximum(_GAP, _RELATIVE_GAP * ascending[1:])
    groups = np.split(ascending, np.flatnonzero(is_gap) + 1)
    sizes = [len(part) for group in groups for part in _part(group)]
    shell[order] = np.repeat(np.arange(1, len(sizes) + 1), sizes)
    medians = [np.median(values[shell == index]) for index in range(1, shell.max(initial=0) + 1)]
    return shell, (0.0, *(float(_ROUND * round(value / _ROUND)) for value in medians))


def _part(ascending: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Part ascending b-values until none of the parts is too wide for a shell."""
    if len(ascending) < 2:
        return [ascending]
    low, high = ascending[0], ascending[-1]
    if high - low <= max(_WIDTH, _RELATIVE_WIDTH * high):
        return [ascending]
    gaps = np.diff(ascending)
    widest = np.flatnonzero(gaps >= gaps.max() - 1e-6)
    middles = 0.5 * (ascending[widest] + ascending[widest + 1])
    cut = int(widest[np.abs(middles - 0.5 * (low + high)).argmin()]) + 1
    return [*_part(ascending[:cut]), *_part(ascending[cut:])]
