"""Profiles of bundles: what a map holds along the way from one end of a bundle to the other."""

# mypy: disallow-untyped-decorators=False

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from mriderived.core.sampling import interpolate
from mriderived.core.streamlines import Points, Streamlines

Matrix = NDArray[np.float64]

#: Points of a streamline, equally spaced.
NODES = 100
#: Streamlines are left out that lie further from the core of their bundle than so many standard
#: deviations anywhere, or are longer by so many; repeated so often.
MAX_DISTANCE, MAX_LENGTH, ROUNDS = 3.0, 4.0, 5
#: Fewer streamlines have no core.
LEAST_STREAMLINES = 10


def resample_streamlines(streamlines: Streamlines, nodes: int = NODES) -> Points:
    """Return equally spaced points along every streamline, of shape (S, nodes, 3).

    Examples
    --------
    >>> from mriderived.core.streamlines import make_streamlines
    >>> lines = make_streamlines([np.array([[0, 0, 0], [1, 0, 0], [4, 0, 0]])])
    >>> resample_streamlines(lines, 3)[0, :, 0].tolist()
    [0.0, 2.0, 4.0]
    """
    target = np.empty((len(streamlines), nodes, 3), np.float32)
    _resample(streamlines.points, streamlines.offsets, target)
    return target


def orient_streamlines(lines: Points, is_turned: NDArray[np.bool_]) -> Points:
    """Return streamlines (S, n, 3), those that are turned from their other end."""
    return np.where(is_turned[:, None, None], lines[:, ::-1], lines)


def measure_distances(lines: Points) -> Matrix:
    """Return how far each point of oriented streamlines is from their core.

    The core is the mean of the streamlines; the distance is Mahalanobis', from the covariance of
    the points at the same place along the bundle.

    Parameters
    ----------
    lines : array of float, shape (S, n, 3)

    Returns
    -------
    array of float, shape (S, n)
        In standard deviations.
    """
    points = np.swapaxes(np.asarray(lines, np.float64), 0, 1)
    away = points - points.mean(axis=1, keepdims=True)
    covariance = np.swapaxes(away, 1, 2) @ away / max(1, points.shape[1] - 1)
    # streamlines that run side by side in a plane have no spread across it
    covariance += 1e-6 * np.eye(3)
    solved = np.linalg.solve(covariance, np.swapaxes(away, 1, 2))
    squares = np.einsum('nsi,nis->ns', away, solved)
    return np.asarray(np.sqrt(np.maximum(squares, 0)).T)


def find_core(lines: Points, lengths: Matrix) -> NDArray[np.bool_]:
    """Leave out streamlines that stray from their bundle or are far longer than the others.

    Parameters
    ----------
    lines : array of float, shape (S, n, 3)
        Oriented.
    lengths : array of float, shape (S,)
        In mm.

    Returns
    -------
    array of bool, shape (S,)
        Those that are kept.

    References
    ----------
    Yeatman et al. 2012, https://doi.org/10.1371/journal.pone.0049790
    """
    kept = np.ones(len(lines), bool)
    for _ in range(ROUNDS):
        if kept.sum() < LEAST_STREAMLINES:
            break
        strayed = measure_distances(lines[kept]).max(axis=1) > MAX_DISTANCE
        mine = lengths[kept]
        strayed |= mine > mine.mean() + MAX_LENGTH * mine.std()
        # a bundle whose streamlines are all strays by turns has none that stray
        if not strayed.any() or (~strayed).sum() < LEAST_STREAMLINES:
            break
        kept[np.flatnonzero(kept)[strayed]] = False
    return kept


def profile_bundle(lines: Points, volume: NDArray[np.float32], affine: Matrix) -> Matrix:
    """Return the mean of a map at every place along a bundle.

    Streamlines count by the Gaussian density of their distance from the core.

    Parameters
    ----------
    lines : array of float, shape (S, n, 3)
        Oriented, in mm (RAS).
    volume : array of float32, shape (x, y, z)
        Interpolated linearly; NaN where it has no value.
    affine : array of float, shape (4, 4)
        From voxels to mm.

    Returns
    -------
    array of float, shape (n,)
        NaN where the map has no value.

    References
    ----------
    Yeatman et al. 2012, https://doi.org/10.1371/journal.pone.0049790
    """
    values = np.empty(lines.shape[:2])
    _sample(np.ascontiguousarray(lines, np.float32), np.ascontiguousarray(volume, np.float32),
            np.linalg.inv(affine)[:3], values)  # fmt: skip
    weights = np.exp(-0.5 * measure_distances(lines) ** 2)
    weights[np.isnan(values)] = 0
    total = weights.sum(axis=0)
    summed = (weights * np.nan_to_num(values)).sum(axis=0)
    known = total > 0
    return np.where(known, summed / np.where(known, total, 1), np.nan)


@numba.njit(nogil=True, cache=True)
def _resample(points: Any, offsets: Any, target: Any) -> None:
    nodes = target.shape[1]
    for s in range(target.shape[0]):
        first, last = offsets[s], offsets[s + 1] - 1
        total = 0.0
        for p in range(first, last):
            total += np.sqrt(((points[p + 1] - points[p]) ** 2).sum())
        p, before = first, 0.0
        for node in range(nodes):
            place = total * node / (nodes - 1)
            step = np.sqrt(((points[min(p + 1, last)] - points[p]) ** 2).sum())
            while p + 1 < last and before + step < place:
                before += step
                p += 1
                step = np.sqrt(((points[p + 1] - points[p]) ** 2).sum())
            share = min(1.0, (place - before) / step) if step > 0 else 0.0
            after = points[min(p + 1, last)]
            for axis in range(3):
                target[s, node, axis] = (1 - share) * points[p, axis] + share * after[axis]


@numba.njit(nogil=True, cache=True)
def _sample(lines: Any, volume: Any, inverse: Any, values: Any) -> None:
    nx, ny, nz = volume.shape
    for s in range(lines.shape[0]):
        for n in range(lines.shape[1]):
            x, y, z = lines[s, n]
            u = inverse[0, 0] * x + inverse[0, 1] * y + inverse[0, 2] * z + inverse[0, 3]
            v = inverse[1, 0] * x + inverse[1, 1] * y + inverse[1, 2] * z + inverse[1, 3]
            w = inverse[2, 0] * x + inverse[2, 1] * y + inverse[2, 2] * z + inverse[2, 3]
            if 0 <= u <= nx - 1 and 0 <= v <= ny - 1 and 0 <= w <= nz - 1:
                values[s, n] = interpolate(volume, u, v, w)
            else:
                values[s, n] = np.nan
