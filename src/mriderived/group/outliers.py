"""Robust summaries of the columns of a cohort table, and who stands apart."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.group.small_samples import THRESHOLD, widen

Array = NDArray[np.float64]

#: Fewer values say too little about what is usual.
FEWEST = 5
#: Fewer values of a site say too little about what is usual there: all sites tell it.
FEWEST_OF_SITE = 10
#: Columns at a time; bounds the memory of sorting.
CHUNK = 256


class Summary(NamedTuple):
    """One value per column; NaN where there is no number."""

    n: NDArray[np.int64]
    minimum: Array
    lower: Array
    median: Array
    upper: Array
    maximum: Array
    mad: Array
    #: Unit of the distance from the median: 1.4826 MAD, widened where values are few, or its
    #: stand-in where MAD is 0.
    scale: Array


class Outlier(NamedTuple):
    """A value that stands apart: row, column, signed distance in units of the scale, from what."""

    row: int
    column: int
    score: float
    median: float


def summarise(values: Array) -> Summary:
    """Summarise every column of ``values`` (rows are participants, NaN is missing)."""
    parts = [
        _summarise(values[:, start : start + CHUNK])
        for start in range(0, max(values.shape[1], 1), CHUNK)
    ]
    return Summary(*(np.concatenate(field) for field in zip(*parts, strict=True)))


def _summarise(values: Array) -> Summary:
    ordered = np.sort(values, axis=0)
    count = np.isfinite(ordered).sum(axis=0)
    lower, median, upper = (_quantile(ordered, count, q) for q in (0.25, 0.5, 0.75))
    deviation = np.sort(np.abs(values - median), axis=0)
    mad = _quantile(deviation, count, 0.5)
    mean_deviation = np.nansum(deviation, axis=0) / np.maximum(count, 1)
    extremes = (_quantile(ordered, count, q) for q in (0.0, 1.0))
    minimum, maximum = extremes
    # Rounding noise around one value must not become a scale.
    noise = 1e-12 * np.maximum(np.abs(minimum), np.abs(maximum))
    scale = np.where(mad > noise, 1.4826 * mad * widen(count), np.sqrt(np.pi / 2) * mean_deviation)
    scale = np.where(scale > noise, scale, np.nan)
    return Summary(count, minimum, lower, median, upper, maximum, mad, scale)


def _quantile(ordered: Array, count: NDArray[np.int64], q: float) -> Array:
    """Interpolate linearly in columns that are sorted with their NaNs behind."""
    if not len(ordered):
        return np.full(ordered.shape[1], np.nan)
    place = np.maximum(count - 1, 0) * q
    below = np.floor(place).astype(int)
    above = np.minimum(below + 1, np.maximum(count - 1, 0))
    columns = np.arange(ordered.shape[1])
    low, high = ordered[below, columns], ordered[above, columns]
    return np.asarray(low + (high - low) * (place - below))


def find_outliers(
    values: Array, summary: Summary, sites: NDArray[np.str_] | None = None
) -> list[Outlier]:
    """List the values beyond :data:`THRESHOLD`, by row, then by column.

    The distance is |x - median| / (1.4826 MAD), which is widened where values are few so that
    hardly more of normal ones stand apart than of many (:mod:`mriderived.group.small_samples`).
    Where more than half of the values are the same (MAD 0), the mean absolute deviation, scaled
    alike to a standard deviation but never widened, takes its place.
    Columns with fewer than :data:`FEWEST` values have none. With the site of each row, median
    and MAD are those of the site, or of ``summary`` where the site has fewer than
    :data:`FEWEST_OF_SITE` values of the column or is not known (empty).

    >>> values = np.array([[1.0], [2.0], [3.0], [4.0], [100.0]])
    >>> find_outliers(values, summarise(values))
    [Outlier(row=4, column=0, score=25.6..., median=3.0)]
    """
    if sites is None:
        return _beyond(values, np.arange(len(values)), summary)
    found = []
    for site in np.unique(sites):
        mine = np.flatnonzero(sites == site)
        usual = _usual(values[mine], summary) if site else summary
        found += _beyond(values[mine], mine, usual)
    return sorted(found)


def _usual(values: Array, everybody: Summary) -> Summary:
    """Summarise the columns of one site; those of few values are summarised by everybody."""
    own = summarise(values)
    has_many = own.n >= FEWEST_OF_SITE
    pairs = zip(own, everybody, strict=True)
    return Summary(*(np.where(has_many, mine, all_of) for mine, all_of in pairs))


def _beyond(values: Array, rows: NDArray[np.intp], usual: Summary) -> list[Outlier]:
    """Return the values, of these rows of a table, that are far from what is usual."""
    score = (values - usual.median) / usual.scale
    score[:, usual.n < FEWEST] = np.nan
    with np.errstate(invalid='ignore'):
        places, columns = np.nonzero(np.abs(score) > THRESHOLD)
    return [
        Outlier(int(rows[place]), int(column), float(score[place, column]),
                float(usual.median[column]))
        for place, column in zip(places, columns, strict=True)
    ]  # fmt: skip
