"""How well two answers to one question agree."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

#: Fewer pairs give no correlation.
FEWEST = 3


def correlate_known(first: ArrayLike, second: ArrayLike) -> float:
    """Return Pearson's correlation of two arrays (n,) over what both know.

    NaN where fewer than three pairs are known, or one does not vary.

    Examples
    --------
    >>> round(correlate_known([1.0, 2, 3, np.nan], [2.0, 4, 6, 1]), 6)
    1.0
    >>> correlate_known([1.0, 1, 1], [2.0, 4, 6])
    nan
    """
    one, other = np.asarray(first, float), np.asarray(second, float)
    known = np.isfinite(one) & np.isfinite(other)
    one, other = one[known], other[known]
    if len(one) < FEWEST or not one.std() or not other.std():
        return float('nan')
    return float(np.corrcoef(one, other)[0, 1])
