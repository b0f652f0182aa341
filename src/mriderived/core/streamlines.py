"""Streamlines as arrays: their lengths, their ends, and what maps hold along them."""

# mypy: disallow-untyped-decorators=False

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from mriderived.core.sampling import interpolate
from mriderived.core.slabs import run_slabs

Points = NDArray[np.float32]
Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Streamlines:
    """``points`` (P, 3) in mm (RAS); those of streamline s are ``offsets[s]`` to ``offsets[s+1]``.

    ``offsets`` (S + 1,) begin with 0 and end with P.
    """

    points: Points
    offsets: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.offsets) - 1


def make_streamlines(lines: list[NDArray[Any]]) -> Streamlines:
    """Join a list of streamlines (n, 3).

    Examples
    --------
    >>> made = make_streamlines([np.zeros((2, 3)), np.ones((3, 3))])
    >>> len(made), made.offsets.tolist()
    (2, [0, 2, 5])
    """
    offsets = np.zeros(len(lines) + 1, np.int64)
    np.cumsum([len(line) for line in lines], out=offsets[1:])
    points = np.concatenate([*lines, np.zeros((0, 3))]).astype(np.float32)
    return Streamlines(np.ascontiguousarray(points), offsets)


def select_streamlines(streamlines: Streamlines, keep: NDArray[np.bool_]) -> Streamlines:
    """Return some of the streamlines: those for which ``keep`` (S,) is true.

    Examples
    --------
    >>> two = make_streamlines([np.zeros((2, 3)), np.ones((3, 3))])
    >>> select_streamlines(two, np.array([False, True])).points.sum().item()
    9.0
    """
    counts = np.diff(streamlines.offsets)
    offsets = np.zeros(int(keep.sum()) + 1, np.int64)
    np.cumsum(counts[keep], out=offsets[1:])
    return Streamlines(streamlines.points[np.repeat(keep, counts)], offsets)


def measure_lengths(streamlines: Streamlines) -> Matrix:
    """Return the length of every streamline (S,) in mm.

    Examples
    --------
    >>> measure_lengths(make_streamlines([np.array([[0, 0, 0], [3, 4, 0], [3, 4, 2]])])).tolist()
    [7.0]
    """
    lengths = np.zeros(len(streamlines))
    _measure(streamlines.points, streamlines.offsets, lengths)
    return lengths


def take_ends(streamlines: Streamlines) -> tuple[Points, Points]:
    """Return the first and the last point of every streamline, each (S, 3), in mm.

    Raises
    ------
    ValueError
        If a streamline has no point.
    """
    if (np.diff(streamlines.offsets) < 1).any():
        raise ValueError('a streamline has no point')
    return streamlines.points[streamlines.offsets[:-1]], streamlines.points[
        streamlines.offsets[1:] - 1
    ]


def average_along(
    streamlines: Streamlines, volume: NDArray[np.float32], affine: Matrix, threads: int = 1
) -> Matrix:
    """Return the mean of a map along every streamline (S,), by length.

    Parameters
    ----------
    streamlines : Streamlines
    volume : array of float32, shape (x, y, z)
        Interpolated linearly. Where it is NaN it has no value.
    affine : array, shape (4, 4)
        From voxels to mm.
    threads : int

    Returns
    -------
    array of float, shape (S,)
        NaN where the map has no value anywhere along the streamline.

    Examples
    --------
    >>> ramp = np.arange(5, dtype=np.float32)[:, None, None] * np.ones((1, 2, 2), np.float32)
    >>> line = make_streamlines([np.array([[0.0, 0, 0], [1, 0, 0], [4, 0, 0]])])
    >>> average_along(line, ramp, np.eye(4)).tolist()
    [2.0]
    """
    target = np.empty(len(streamlines))
    inverse = np.linalg.inv(affine)[:3]
    run_slabs(_average, len(target), threads, streamlines.points, streamlines.offsets,
              np.ascontiguousarray(volume, np.float32), inverse, target)  # fmt: skip
    return target


@numba.njit(nogil=True, cache=True)
def _measure(points: Any, offsets: Any, target: Any) -> None:
    for s in range(len(target)):
        total = 0.0
        for p in range(offsets[s], offsets[s + 1] - 1):
            total += _distance(points[p], points[p + 1])
        target[s] = total


@numba.njit(nogil=True, cache=True)
def _distance(a: Any, b: Any) -> float:
    x, y, z = float(b[0]) - float(a[0]), float(b[1]) - float(a[1]), float(b[2]) - float(a[2])
    return float(np.sqrt(x * x + y * y + z * z))


@numba.njit(nogil=True, cache=True)
def _value(volume: Any, m: Any, p: Any) -> float:
    nx, ny, nz = volume.shape
    u = m[0, 0] * p[0] + m[0, 1] * p[1] + m[0, 2] * p[2] + m[0, 3]
    v = m[1, 0] * p[0] + m[1, 1] * p[1] + m[1, 2] * p[2] + m[1, 3]
    w = m[2, 0] * p[0] + m[2, 1] * p[1] + m[2, 2] * p[2] + m[2, 3]
    if not (0 <= u <= nx - 1 and 0 <= v <= ny - 1 and 0 <= w <= nz - 1):
        return np.nan
    return float(interpolate(volume, u, v, w))


@numba.njit(nogil=True, cache=True)
def _average(
    start: int, stop: int, points: Any, offsets: Any, volume: Any, inverse: Any, target: Any
) -> None:
    for s in range(start, stop):
        total, length = 0.0, 0.0
        before = (
            _value(volume, inverse, points[offsets[s]]) if offsets[s + 1] > offsets[s] else 0.0
        )
        for p in range(offsets[s], offsets[s + 1] - 1):
            after = _value(volume, inverse, points[p + 1])
            if not np.isnan(before) and not np.isnan(after):
                step = _distance(points[p], points[p + 1])
                total += 0.5 * (before + after) * step
                length += step
            before = after
        target[s] = total / length if length > 0 else np.nan
