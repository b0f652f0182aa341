"""Mean time courses of regions, and how much of each region is covered."""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

from mriderived.core.labels import Labels
from mriderived.core.series import Frames, Mask, Series, check_series, find_varying

#: A region of which less than this share is covered has no series, as in XCP-D.
MIN_COVERAGE = 0.5


class RegionSeries(NamedTuple):
    """Mean series of regions (frames, regions), the share of each that has signal, its voxels."""

    courses: Frames
    coverage: Frames
    voxels: NDArray[np.int64]


def average_regions(
    series: Series,
    mask: Mask,
    labels: Labels,
    index: ArrayLike,
    minimum: float = MIN_COVERAGE,
) -> RegionSeries:
    """Average the series over the voxels of each region that have signal.

    Parameters
    ----------
    series : array of float32, shape (voxels, frames)
        Of the voxels of ``mask``, in its order.
    mask : array of bool, shape (x, y, z)
    labels : array of int, shape (x, y, z)
        Regions, also beyond the mask.
    index : array of int, shape (regions,)
        Labels to average, in the order of the columns.
    minimum : float
        A region with a smaller share of voxels with signal has NaN.

    Returns
    -------
    RegionSeries
        ``coverage`` is the share of a region's voxels that lie in the mask and neither are
        constant nor hold values that are not finite (NaN for a region without voxels), ``voxels``
        their number.

    Raises
    ------
    ValueError
        If shapes do not fit.

    Examples
    --------
    >>> mask = np.array([[[True, True, False]]])
    >>> found = average_regions(np.float32([[1, 2], [3, 6]]), mask, mask * 0 + 7, [7])
    >>> found.courses.ravel().tolist(), round(float(found.coverage[0]), 3)
    ([2.0, 4.0], 0.667)
    """
    check_series(series)
    if labels.shape != mask.shape or len(series) != np.count_nonzero(mask):
        raise ValueError(
            f'series of {len(series)} voxels, mask of {np.count_nonzero(mask)} voxels and shape '
            f'{mask.shape}, labels of shape {labels.shape}'
        )
    wanted = np.asarray(index, np.int64)
    size = np.bincount(_rows(labels.ravel(), wanted) + 1, minlength=len(wanted) + 1)[1:]
    rows = np.where(find_varying(series), _rows(labels[mask], wanted), -1)
    voxels = np.bincount(rows + 1, minlength=len(wanted) + 1)[1:]
    sums = np.zeros((len(wanted), series.shape[1]))
    _add_rows(series, rows, sums)
    with np.errstate(invalid='ignore', divide='ignore'):
        coverage = voxels / size
        courses = (sums / voxels[:, None]).T
    courses[:, ~(coverage >= minimum)] = np.nan
    return RegionSeries(courses, coverage, voxels)


def amplitude(courses: Frames) -> Frames:
    """Return the standard deviation (N - 1) of each time course, in its unit, shape (regions,).

    Examples
    --------
    >>> amplitude(np.array([[1.0], [3.0]])).round(3).tolist()
    [1.414]
    """
    return np.asarray(np.std(courses, axis=0, ddof=1))


def _rows(labels: NDArray[Any], index: NDArray[np.int64]) -> NDArray[np.intp]:
    """Return the place of every label in ``index``, -1 where it has none."""
    if not len(index):
        return np.full(labels.shape, -1, np.intp)
    order = np.argsort(index)
    place = order[np.minimum(np.searchsorted(index[order], labels), len(index) - 1)]
    return np.where(index[place] == labels, place, -1)


@numba.njit(nogil=True, cache=True)
def _add_rows(series: Any, rows: Any, sums: Any) -> None:
    for voxel in range(len(rows)):
        if rows[voxel] >= 0:
            for frame in range(series.shape[1]):
                sums[rows[voxel], frame] += series[voxel, frame]
