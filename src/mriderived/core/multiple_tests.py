"""p-values corrected for a family of tests, without the cost of a general library."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def bonferroni(p: Array) -> Array:
    """Multiply p-values (m,) by their number, at most 1.

    >>> bonferroni(np.array([0.01, 0.4])).tolist()
    [0.02, 0.8]
    """
    return np.minimum(p * len(p), 1.0)


def holm(p: Array) -> Array:
    """Step down from the smallest of the p-values (m,).

    Holm 1979, https://www.jstor.org/stable/4615733. The corrected values are in the order given.

    >>> holm(np.array([0.04, 0.01, 0.03])).tolist()
    [0.06, 0.03, 0.06]
    """
    order = np.argsort(p, kind='stable')
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    return _unsort(np.minimum(stepped, 1.0), order)


def benjamini_hochberg(p: Array) -> Array:
    """Control the false discovery rate over p-values (m,): step up from the largest.

    Benjamini & Hochberg 1995, doi:10.1111/j.2517-6161.1995.tb02031.x.

    >>> benjamini_hochberg(np.array([0.04, 0.01, 0.02])).round(12).tolist()
    [0.04, 0.03, 0.03]
    """
    order = np.argsort(p, kind='stable')
    ratio = p[order] * len(p) / np.arange(1, len(p) + 1)
    stepped = np.minimum.accumulate(ratio[::-1])[::-1]
    return _unsort(np.minimum(stepped, 1.0), order)


def critical_p(corrected: Array, correction: str, alpha: float) -> float:
    """Return the p-value that the last of the corrected ones (m,) that hold was held against.

    All that hold are at most as large, all others are larger. Where nothing holds, it is what the
    smallest would have had to reach.

    >>> p = np.array([0.001, 0.01, 0.2, 0.9])
    >>> critical_p(benjamini_hochberg(p), 'fdr', 0.05), critical_p(holm(p), 'holm', 0.05)
    (0.025, 0.016666666666666666)
    """
    count, held = len(corrected), max(int((corrected <= alpha).sum()), 1)
    if correction == 'fdr':
        return alpha * held / count
    return alpha / (count - held + 1 if correction == 'holm' else count)


def _unsort(values: Array, order: NDArray[np.intp]) -> Array:
    found = np.empty_like(values)
    found[order] = values
    return found


#: How a column of corrected p-values is called → how it is found.
CORRECTIONS: Mapping[str, Callable[[Array], Array]] = {
    'bonferroni': bonferroni,
    'holm': holm,
    'fdr': benjamini_hochberg,
}
