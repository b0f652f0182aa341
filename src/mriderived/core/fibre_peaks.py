"""The directions of fibres in orientation distributions, and how much of them each has."""

# mypy: disallow-untyped-decorators=False

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from mriderived.core.slabs import run_slabs

Matrix = NDArray[np.float64]

#: Directions on half a sphere at which distributions are sampled: 7 degrees apart.
SAMPLES = 400
#: Peaks of a voxel at most, and at least this share of the largest one.
MOST_PEAKS, RELATIVE = 3, 0.2
#: Peaks are further apart than this, in degrees; a peak is the largest this far around.
SEPARATION, AROUND = 25.0, 11.0


class Peaks(NamedTuple):
    """Peaks of N voxels, the largest first.

    ``directions`` (N, 3 peaks, 3) are unit vectors along the axes of the samples, 0 where there
    is no further peak; ``amplitude`` and ``density`` (N, 3 peaks): the height of the peak and
    the integral over its lobe, which is the apparent fibre density (Raffelt et al. 2012,
    doi:10.1016/j.neuroimage.2011.10.045).
    """

    directions: NDArray[np.float32]
    amplitude: NDArray[np.float32]
    density: NDArray[np.float32]


def half_sphere(count: int = SAMPLES) -> Matrix:
    """Return evenly spread axes (count, 3), on a golden spiral.

    Examples
    --------
    >>> axes = half_sphere(200)
    >>> bool(np.allclose(axes.T @ axes / 200, np.eye(3) / 3, atol=0.01))
    True
    """
    place = np.arange(count) + 0.5
    z = 1 - place / count
    angle = np.pi * (3 - np.sqrt(5)) * place
    across = np.sqrt(1 - z**2)
    return np.column_stack([across * np.cos(angle), across * np.sin(angle), z])


def find_peaks(
    amplitudes: NDArray[np.float32],
    axes: Matrix,
    least: float = 0.0,
    relative: float = RELATIVE,
    threads: int = 1,
) -> Peaks:
    """Find the peaks of symmetric distributions.

    Parameters
    ----------
    amplitudes : array of float32, shape (N, m)
        At ``axes``.
    axes : array, shape (m, 3)
        Evenly spread over half a sphere (:func:`half_sphere`).
    least : float
        Smaller peaks are noise.
    relative : float
        So are those of a smaller share of the voxel's largest.
    threads : int

    Examples
    --------
    >>> axes = half_sphere()
    >>> lobe = np.exp(20 * (axes @ [0.6, 0.0, 0.8]) ** 2 - 20).astype(np.float32)
    >>> found = find_peaks(lobe[None], axes)
    >>> bool(abs(found.directions[0, 0] @ [0.6, 0, 0.8]) > 0.9995), int((found.density > 0).sum())
    (True, 1)
    """
    count = len(amplitudes)
    peaks = Peaks(
        np.zeros((count, MOST_PEAKS, 3), np.float32),
        np.zeros((count, MOST_PEAKS), np.float32),
        np.zeros((count, MOST_PEAKS), np.float32),
    )
    cosines = axes @ axes.T
    run_slabs(_find, count, threads, np.ascontiguousarray(amplitudes, np.float32),
              np.ascontiguousarray(axes, np.float64), cosines, float(np.cos(np.radians(AROUND))),
              float(np.cos(np.radians(SEPARATION))), least, relative, *peaks)  # fmt: skip
    return peaks


@numba.njit(nogil=True, cache=True)
def _is_peak(values: Any, cosines: Any, near: float, n: int) -> bool:
    for m in range(len(values)):
        is_near = m != n and abs(cosines[n, m]) > near
        if is_near and (values[m] > values[n] or (values[m] == values[n] and m < n)):
            return False
    return True


@numba.njit(nogil=True, cache=True)
def _next_peak(
    values: Any, cosines: Any, near: float, apart: float, limit: float, chosen: Any
) -> int:
    """Return the largest peak that is far from those chosen, or -1."""
    best = -1
    for n in range(len(values)):
        if values[n] <= 0 or values[n] < limit or (best >= 0 and values[n] <= values[best]):
            continue
        is_far = True
        for peak in chosen:
            is_far = is_far and abs(cosines[n, peak]) < apart
        if is_far and _is_peak(values, cosines, near, n):
            best = n
    return best


@numba.njit(nogil=True, cache=True)
def _share_lobes(values: Any, cosines: Any, chosen: Any, target: Any) -> None:
    """Add what is above 0 to the nearest peak."""
    for n in range(len(values)):
        if values[n] > 0:
            owner = 0
            for peak in range(1, len(chosen)):
                if abs(cosines[n, chosen[peak]]) > abs(cosines[n, chosen[owner]]):
                    owner = peak
            target[owner] += values[n] * 4 * np.pi / len(values)


@numba.njit(nogil=True, cache=True)
def _refine(values: Any, axes: Any, cosines: Any, near: float, n: int, target: Any) -> None:
    """Set the mean of the axes around a peak, weighted with what rises above the lowest."""
    low = values[n]
    for m in range(len(values)):
        if abs(cosines[n, m]) > near:
            low = min(low, values[m])
    total = np.zeros(3)
    for m in range(len(values)):
        if abs(cosines[n, m]) > near:
            weight = values[m] - low if cosines[n, m] > 0 else low - values[m]
            for axis in range(3):
                total[axis] += weight * axes[m, axis]
    size = np.sqrt((total**2).sum())
    for axis in range(3):
        target[axis] = total[axis] / size if size > 0 else axes[n, axis]


@numba.njit(nogil=True, cache=True)
def _find(
    start: int, stop: int, amplitudes: Any, axes: Any, cosines: Any, near: float, apart: float,
    least: float, relative: float, directions: Any, amplitude: Any, density: Any,
) -> None:  # fmt: skip
    chosen = np.zeros(MOST_PEAKS, np.int64)
    for voxel in range(start, stop):
        values = amplitudes[voxel]
        limit = max(least, relative * values.max())
        found = 0
        while found < MOST_PEAKS:
            peak = _next_peak(values, cosines, near, apart, limit, chosen[:found])
            if peak < 0:
                break
            amplitude[voxel, found] = values[peak]
            _refine(values, axes, cosines, near, peak, directions[voxel, found])
            chosen[found] = peak
            found += 1
        if found > 0:
            _share_lobes(values, cosines, chosen[:found], density[voxel])
