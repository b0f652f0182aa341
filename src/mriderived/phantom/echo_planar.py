"""Take pictures of a moving, distorted head: one volume at a time, each slice at its own time."""

# mypy: disallow-untyped-decorators=False

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from mriderived.core.sampling import interpolate
from mriderived.core.slabs import run_slabs
from mriderived.core.splines import cubic
from mriderived.phantom.inhomogeneity import Displacement

Volume = NDArray[np.float32]
Matrix = NDArray[np.float64]

#: The scene is drawn on a grid this many times as fine as the run's along each axis,
FINER = 2
#: and this many of the run's voxels wider on each side, for heads that move.
MARGIN = 4
NO_EDDY: NDArray[np.float64] = np.zeros(4)


class Scene(NamedTuple):
    """A head at rest on the fine grid.

    ``spline`` holds the cubic coefficients of the signal; ``parts`` (x, y, z, part) what of it
    follows each of the courses; ``near`` where there is any.
    """

    spline: Volume
    parts: Volume
    near: NDArray[np.bool_]


def scene_affine(affine: Matrix) -> Matrix:
    """Return the affine of the fine grid around a run's grid."""
    offset = 0.5 / FINER - 0.5 - MARGIN
    finer = np.diag([1 / FINER] * 3 + [1.0])
    finer[:3, 3] = offset
    return np.asarray(affine @ finer)


def scene_shape(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Return the size of the fine grid around a run's grid."""
    x, y, z = (FINER * (size + 2 * MARGIN) for size in shape)
    return x, y, z


def take_volume(
    scene: Scene,
    displacement: Displacement,
    move: Matrix,
    gain: Matrix,
    courses: Matrix,
    threads: int = 1,
    eddy: Matrix = NO_EDDY,
    steps: int = 1,
) -> Volume:
    """Return one noiseless volume.

    Parameters
    ----------
    scene : Scene
    displacement : Displacement
        Moves with the head; acts along the axis of the scanner.
    move : array, shape (4, 4)
        From voxels of the head at rest to voxels of this volume.
    gain : array, shape (slices,)
        Factor of all signals, by slice.
    courses : array, shape (parts, slices)
        What is added of each part, by slice.
    threads : int
    eddy : array, shape (4,)
        A second displacement, which does not move with the head: in voxels along the same axis,
        of what truly is at voxel (i, j, k) of this volume, ``eddy @ (1, i, j, k)``.
    steps : int
        How often the way back through the distortion is improved; one is enough without eddy
        currents and with little motion.
    """
    target = np.zeros(displacement.shift.shape, np.float32)
    arguments = (
        scene.spline,
        scene.parts,
        scene.near,
        displacement.shift,
        displacement.slope,
        displacement.back,
        np.eye(3)[displacement.axis],
        np.linalg.inv(move),
        np.asarray(gain, np.float32),
        np.ascontiguousarray(np.transpose(courses), np.float32),
        np.asarray(eddy, np.float64),
        steps,
    )
    run_slabs(_take, len(target), threads, *arguments, target)
    return target


@numba.njit(nogil=True, cache=True)
def _at(volume: Any, u: float, v: float, w: float) -> float:
    nx, ny, nz = volume.shape
    u = min(max(u, 0.0), nx - 1.0)
    v = min(max(v, 0.0), ny - 1.0)
    w = min(max(w, 0.0), nz - 1.0)
    return float(interpolate(volume, u, v, w))


@numba.njit(nogil=True, cache=True)
def _go(m: Any, i: float, j: float, k: float) -> tuple[float, float, float]:
    return (
        m[0, 0] * i + m[0, 1] * j + m[0, 2] * k + m[0, 3],
        m[1, 0] * i + m[1, 1] * j + m[1, 2] * k + m[1, 3],
        m[2, 0] * i + m[2, 1] * j + m[2, 2] * k + m[2, 3],
    )


@numba.njit(nogil=True, cache=True)
def _add_parts(parts: Any, weights: Any, u: float, v: float, w: float) -> float:
    i, j, k = int(u), int(v), int(w)
    a, b, c = u - i, v - j, w - k
    total = 0.0
    for p in range(2):
        for q in range(2):
            for r in range(2):
                share = (a if p else 1 - a) * (b if q else 1 - b) * (c if r else 1 - c)
                part = 0.0
                for n in range(weights.size):
                    part += parts[i + p, j + q, k + r, n] * weights[n]
                total += share * part
    return total


@numba.njit(nogil=True, cache=True)
def _take(
    start: int,
    stop: int,
    spline: Any,
    parts: Any,
    near: Any,
    shift: Any,
    slope: Any,
    back: Any,
    along: Any,
    inverse: Any,
    gain: Any,
    courses: Any,
    eddy: Any,
    steps: int,
    target: Any,
) -> None:
    ex, ey, ez = along
    stretch = 1 + eddy[1] * ex + eddy[2] * ey + eddy[3] * ez
    middle = 0.5 * FINER - 0.5
    fx, fy, fz = near.shape
    for i in range(start, stop):
        for j in range(target.shape[1]):
            for k in range(target.shape[2]):
                # undoing a linear displacement along an axis is exact wherever it is read
                e = eddy[0] + eddy[1] * i + eddy[2] * j + eddy[3] * k
                h = -e / stretch
                u, v, w = _go(inverse, i + h * ex, j + h * ey, k + h * ez)
                # the displacement back of the head at rest is close; one step makes it exact
                h = (_at(back, u, v, w) - e) / stretch
                u, v, w = _go(inverse, i + h * ex, j + h * ey, k + h * ez)
                for _ in range(steps):
                    h = (-_at(shift, u, v, w) - e) / stretch
                    u, v, w = _go(inverse, i + h * ex, j + h * ey, k + h * ez)
                x = FINER * (u + MARGIN) + middle
                y = FINER * (v + MARGIN) + middle
                z = FINER * (w + MARGIN) + middle
                if not (1 <= x < fx - 2 and 1 <= y < fy - 2 and 1 <= z < fz - 2):
                    continue
                if near[int(x + 0.5), int(y + 0.5), int(z + 0.5)]:
                    value = cubic(spline, x, y, z) * gain[k]
                    value += _add_parts(parts, courses[k], x, y, z)
                    target[i, j, k] = max(value, 0.0) / (stretch + _at(slope, u, v, w))
