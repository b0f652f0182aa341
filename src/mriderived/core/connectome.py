"""Structural connectomes: which regions streamlines join, and matrices of what they carry."""

# mypy: disallow-untyped-decorators=False

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from mriderived.core.slabs import run_slabs
from mriderived.core.streamlines import Streamlines, take_ends

Matrix = NDArray[np.float64]

#: How far from its end a streamline looks for a region, in mm.
SEARCH_MM = 2.0


class Connectome(NamedTuple):
    """Symmetric matrices (n, n) over regions.

    ``counts`` of streamlines; ``mean_length`` in mm; ``mean_along`` the mean over streamlines of
    what each carries (such as its mean FA); ``density`` the count over the mean volume of both
    regions, in 1/mm³; ``weight`` the sum of weights. Means are NaN where there is no streamline.
    The diagonal holds streamlines that return to their region. ``assigned`` is the share of
    streamlines with a region at either end.
    """

    counts: Matrix
    mean_length: Matrix
    mean_along: Matrix
    density: Matrix
    weight: Matrix
    assigned: float


def label_ends(
    streamlines: Streamlines,
    labels: NDArray[np.int32],
    affine: Matrix,
    search_mm: float = SEARCH_MM,
    threads: int = 1,
) -> NDArray[np.int32]:
    """Return the regions (S, 2) in which streamlines begin and end.

    An end in a labelled voxel has its label; any other has that of the nearest labelled voxel, if
    it is near enough (the radial search of Smith et al. 2015,
    doi:10.1016/j.neuroimage.2014.09.034, but to the border of voxels, not to their centres: so
    it does not depend on their size); of equally near voxels, the smallest label.

    Parameters
    ----------
    streamlines : Streamlines
    labels : array of int32, shape (x, y, z)
        0 is no region.
    affine : array, shape (4, 4)
        From voxels of ``labels`` to mm.
    search_mm : float
    threads : int

    Returns
    -------
    array of int32, shape (S, 2)
        0 where no region is near.

    Examples
    --------
    >>> from mriderived.core.streamlines import make_streamlines
    >>> labels = np.zeros((5, 1, 1), np.int32)
    >>> labels[0], labels[4] = 7, 9
    >>> line = make_streamlines([np.array([[0.0, 0, 0], [2.5, 0, 0]])])
    >>> label_ends(line, labels, np.eye(4)).tolist()
    [[7, 9]]
    """
    found = np.zeros((len(streamlines), 2), np.int32)
    window = np.floor(search_mm / np.linalg.svd(affine[:3, :3])[1].min()).astype(int) + 1
    inverse = np.linalg.inv(affine)[:3]
    for end, points in enumerate(take_ends(streamlines)):
        run_slabs(_search, len(points), threads, points, np.ascontiguousarray(labels, np.int32),
                  np.ascontiguousarray(affine[:3], np.float64), inverse, int(window), search_mm,
                  found[:, end])  # fmt: skip
    return found


def join_regions(
    ends: NDArray[np.int32],
    numbers: NDArray[Any],
    volumes: Matrix,
    lengths: Matrix,
    along: Matrix | None = None,
    weights: Matrix | None = None,
) -> Connectome:
    """Build the matrices of a connectome.

    Parameters
    ----------
    ends : array of int32, shape (S, 2)
        See :func:`label_ends`; regions that are not among ``numbers`` count as none.
    numbers : array of int, shape (n,)
        The labels of the regions, in the order of rows and columns.
    volumes : array, shape (n,)
        Of the regions, in mm³.
    lengths : array, shape (S,)
        Of the streamlines, in mm.
    along : array, shape (S,), optional
        What is averaged; NaN is left out.
    weights : array, shape (S,), optional
        1 for all without them.

    Examples
    --------
    >>> ends = np.array([[1, 2], [2, 1], [1, 0]], np.int32)
    >>> made = join_regions(ends, np.array([1, 2]), np.array([10.0, 30]), np.array([5.0, 7, 9]))
    >>> made.counts.tolist(), made.mean_length[0].tolist(), made.density[1].tolist()
    ([[0.0, 2.0], [2.0, 0.0]], [nan, 6.0], [0.1, 0.0])
    """
    order = np.argsort(numbers, kind='stable')
    place = np.searchsorted(numbers, ends, sorter=order).clip(max=len(numbers) - 1)
    index = order[place]
    joined = (np.asarray(numbers)[index] == ends).all(axis=1) & (ends > 0).all(axis=1)
    first, second = index[joined].T
    size = len(numbers)

    def add(values: Matrix) -> Matrix:
        pairs = np.minimum(first, second) * size + np.maximum(first, second)
        upper = np.bincount(pairs, values[joined], size * size).reshape(size, size)
        return np.asarray(np.triu(upper) + np.triu(upper, 1).T, np.float64)

    ones = np.ones(len(ends))
    count = add(ones)
    known = np.isfinite(along) if along is not None else np.zeros(len(ends), dtype=bool)
    carried = np.where(known, along, 0.0) if along is not None else np.zeros(len(ends))
    mean_volume = (volumes[:, None] + volumes[None]) / 2
    return Connectome(
        count,
        _divide(add(np.asarray(lengths, np.float64)), count),
        _divide(add(carried), add(known.astype(np.float64))),
        _divide(count, mean_volume),
        add(ones if weights is None else np.asarray(weights, np.float64)),
        float(joined.mean()) if len(ends) else float('nan'),
    )


def _divide(sums: Matrix, counts: Matrix) -> Matrix:
    found = np.full(sums.shape, np.nan)
    np.divide(sums, counts, out=found, where=counts > 0)
    return found


@numba.njit(nogil=True, cache=True)
def _beyond(place: float, voxel: int) -> float:
    """Return how far a coordinate lies outside of a voxel."""
    return float(max(abs(place - voxel) - 0.5, 0.0) * (1 if place > voxel else -1))


@numba.njit(nogil=True, cache=True)
def _squared_distance(m: Any, a: float, b: float, c: float) -> float:
    total = 0.0
    for axis in range(3):
        total += (m[axis, 0] * a + m[axis, 1] * b + m[axis, 2] * c) ** 2
    return total


@numba.njit(nogil=True, cache=True)
def _nearest_label(
    labels: Any, m: Any, place: Any, window: int, radius: float
) -> int:  # fmt: skip
    nx, ny, nz = labels.shape
    x, y, z = place
    i, j, k = int(np.round(x)), int(np.round(y)), int(np.round(z))
    # a hair of tolerance, so that rounding does not choose between equally near voxels
    best, found = radius * radius * (1 + 1e-6), 0
    for u in range(max(i - window, 0), min(i + window + 1, nx)):
        for v in range(max(j - window, 0), min(j + window + 1, ny)):
            for w in range(max(k - window, 0), min(k + window + 1, nz)):
                label = labels[u, v, w]
                if label <= 0:
                    continue
                away = _squared_distance(m, _beyond(x, u), _beyond(y, v), _beyond(z, w))
                is_equal = found > 0 and abs(away - best) <= 1e-6 * best + 1e-9
                if (away < best and not is_equal) or (is_equal and label < found):
                    best, found = min(away, best), label
    return int(found)


@numba.njit(nogil=True, cache=True)
def _search(
    start: int, stop: int, points: Any, labels: Any, affine: Any, inverse: Any, window: int,
    radius: float, target: Any,
) -> None:  # fmt: skip
    nx, ny, nz = labels.shape
    place = np.zeros(3)
    for s in range(start, stop):
        for axis in range(3):
            place[axis] = inverse[axis, 3]
            for other in range(3):
                place[axis] += inverse[axis, other] * points[s, other]
        i, j, k = int(np.round(place[0])), int(np.round(place[1])), int(np.round(place[2]))
        if 0 <= i < nx and 0 <= j < ny and 0 <= k < nz and labels[i, j, k] > 0:
            target[s] = labels[i, j, k]
        else:
            target[s] = _nearest_label(labels, affine, place, window, radius)
