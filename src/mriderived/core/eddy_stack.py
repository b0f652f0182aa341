"""Whole volumes seen from the reference, and predictions seen from the volumes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numba
import numpy as np
from numpy.typing import NDArray

from mriderived.core.eddy_levels import Pose
from mriderived.core.eddy_terms import displace, scale_places, stretch
from mriderived.core.sampling import clamp, interpolate
from mriderived.core.slabs import run_slabs
from mriderived.core.splines import cubic, cubic_coefficients

Volume = NDArray[np.float32]
Matrix = NDArray[np.float64]
Read = Callable[[int], Volume]

#: What the spline that smooths does at voxels, along each axis.
SMOOTHING = np.array([1 / 6, 4 / 6, 1 / 6], np.float32)


def stack_volumes(
    read: Read,
    chosen: NDArray[np.intp],
    poses: Sequence[Pose],
    affine: Matrix,
    threads: int = 1,
    smoothed: bool = True,
) -> NDArray[np.float32]:
    """Return some volumes on the grid of the reference.

    Parameters
    ----------
    read : callable
        Returns a volume, shape (x, y, z), for its number.
    chosen : array of int, shape (n,)
        The n volumes.
    poses : sequence of Pose
        One for each.
    affine : array, shape (4, 4)
        From voxels to mm.
    threads : int
        Volumes at the same time.
    smoothed : bool
        Smooth a little, by a spline, which is quick; else cubic splines pass through the voxels.

    Returns
    -------
    array of float32, shape (n, x, y, z)
        Beyond the end of a volume its edge repeats. Intensity is that before eddy currents
        squeezed or stretched it.
    """
    shape = read(int(chosen[0])).shape
    stack = np.empty((len(chosen), *shape), np.float32)

    def fill(start: int, stop: int) -> None:
        for index in range(start, stop):
            volume = np.ascontiguousarray(read(int(chosen[index])))
            pose = poses[index]
            move = np.linalg.inv(affine) @ pose.matrix @ affine
            data = volume if smoothed else cubic_coefficients(volume)
            _pull(data, move, pose.axis, pose.eddy, scale_places(shape), stack[index])

    run_slabs(fill, len(chosen), threads)
    return stack


def predict_volume(
    prediction: Volume, pose: Pose, affine: Matrix, brightness: Matrix | None = None
) -> Volume:
    """Return a prediction on the grid of the reference as the volume should have looked.

    ``brightness`` holds the factor and the offset between prediction and volume.
    """
    move = np.linalg.inv(np.linalg.inv(affine) @ pose.matrix @ affine)
    target = np.empty_like(prediction)
    _push(prediction, move, pose.axis, pose.eddy, scale_places(prediction.shape), target)
    if brightness is not None:
        target *= np.float32(brightness[0])
        target += np.float32(brightness[1])
    return target


@numba.njit(nogil=True, cache=True)
def _pull(data, m, axis, eddy, scale, target):  # type: ignore[no-untyped-def]
    nx, ny, nz = data.shape
    place = np.empty(3)
    for i in range(target.shape[0]):
        for j in range(target.shape[1]):
            for k in range(target.shape[2]):
                for a in range(3):
                    place[a] = m[a, 0] * i + m[a, 1] * j + m[a, 2] * k + m[a, 3]
                x = scale[0, 0] * place[0] + scale[0, 1]
                y = scale[1, 0] * place[1] + scale[1, 1]
                z = scale[2, 0] * place[2] + scale[2, 1]
                place[axis] += displace(eddy, x, y, z)
                u = min(max(place[0], 0.0), nx - 1.0)
                v = min(max(place[1], 0.0), ny - 1.0)
                w = min(max(place[2], 0.0), nz - 1.0)
                gain = 1 + scale[axis, 0] * stretch(eddy, axis, x, y, z)
                target[i, j, k] = gain * cubic(data, u, v, w)


@numba.njit(nogil=True, cache=True)
def _push(prediction, m, axis, eddy, scale, target):  # type: ignore[no-untyped-def]
    place = np.empty(3)
    for i in range(target.shape[0]):
        for j in range(target.shape[1]):
            for k in range(target.shape[2]):
                place[0], place[1], place[2] = i, j, k
                seen = place[axis]
                # the displacement changes slowly, so that a few turns find where it came from
                for _ in range(4):
                    x = scale[0, 0] * place[0] + scale[0, 1]
                    y = scale[1, 0] * place[1] + scale[1, 1]
                    z = scale[2, 0] * place[2] + scale[2, 1]
                    place[axis] = seen - displace(eddy, x, y, z)
                u = m[0, 0] * place[0] + m[0, 1] * place[1] + m[0, 2] * place[2] + m[0, 3]
                v = m[1, 0] * place[0] + m[1, 1] * place[1] + m[1, 2] * place[2] + m[1, 3]
                w = m[2, 0] * place[0] + m[2, 1] * place[1] + m[2, 2] * place[2] + m[2, 3]
                u, v, w = clamp(prediction, u, v, w)
                gain = 1 + scale[axis, 0] * stretch(eddy, axis, x, y, z)
                target[i, j, k] = interpolate(prediction, u, v, w) / max(gain, 0.1)
