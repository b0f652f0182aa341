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
