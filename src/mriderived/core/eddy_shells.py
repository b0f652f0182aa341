"""Where the volumes of a shell lie together, against the reference of b = 0.

Volumes that are predicted from one another may all be off by the same motion or displacement. The
mean of a shell looks unlike b = 0, so the two are aligned by mutual information.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mriderived.core.eddy_levels import Pose
from mriderived.core.eddy_stack import SMOOTHING, stack_volumes
from mriderived.core.eddy_terms import LINEAR, scale_places
from mriderived.core.filters import box_mean, convolve
from mriderived.core.masks import find_bright
from mriderived.core.mutual_information import blur, classify, find_information
from mriderived.core.rigid_search import minimise, to_matrix

Volume = NDArray[np.float32]
Matrix = NDArray[np.float64]

#: Distance of the points that are compared, and the resolution, in mm.
STEPS = (6.0, 3.0, 3.0)
#: Voxels around what is bright in the mean of a shell that are compared with b = 0.
EDGE = 2
#: The search starts anew where it ended, since its directions have become alike by then.
TIMES = 2
#: Multiples of these, without their whole parts, fill a cube evenly.
SPREAD = np.array([0.8191725134, 0.6710436067, 0.5497004779])


def align_shell(reference: Volume, mean: Volume, affine: Matrix, axis: int) -> Pose:
    """Find where the mean of a shell lies, and its displacement by eddy currents (linear terms).

    Parameters
    ----------
    reference, mean : arrays of float32, shape (x, y, z)
        On one grid, of any contrasts, the brain bright in ``mean``.
    affine : array, shape (4, 4)
        From voxels to mm.
    axis : int
        The phase axis.

    Returns
    -------
    Pose
        From the reference to the mean.
    """
    pose = Pose(np.eye(4), np.zeros(LINEAR), axis)
    # the mean, as ``stack_volumes`` smooths it
    smoothed = convolve(reference, [SMOOTHING] * 3)
    for step in STEPS:
        seen = stack_volumes(lambda _: mean, np.zeros(1, np.intp), [pose], affine, smoothed=False)[
            0
        ]
        bright = find_bright(box_mean(np.maximum(seen, 0), 1))
        mask = ndimage.binary_dilation(bright, iterations=EDGE)
        found = _search(smoothed, mask, mean, affine, pose, step)
        pose = Pose(found.matrix, found.eddy, axis)
    return pose


def _search(
    reference: Volume,
    mask: NDArray[np.bool_],
    mean: Volume,
    affine: Matrix,
    start: Pose,
    step: float,
) -> Pose:
    voxel = float(np.sqrt((affine[:3, start.axis] ** 2).sum()))
    centre = np.argwhere(mask).mean(axis=0) @ affine[:3, :3].T + affine[:3, 3]
    back = np.linalg.inv(affine)
    points, fixed = _sample(reference, affine, mask, step)
    moving = classify(blur(mean, affine, step))

    def place(lengths: Matrix) -> Pose:
        eddy = start.eddy + lengths[6:] / voxel
        return Pose(start.matrix @ to_matrix(lengths[:6], centre), eddy, start.axis)

    def cost(lengths: Matrix) -> float:
        pose = place(lengths)
        matrix = shear_matrix(pose.eddy, pose.axis, mean.shape) @ back @ pose.matrix
        return -float(find_information(points, fixed, moving, matrix))

    found = np.zeros(6 + LINEAR)
    for _ in range(TIMES):
        found = minimise(cost, found, step / 4)[1]
    return place(found)


def _sample(
    volume: Volume, affine: Matrix, mask: NDArray[np.bool_], step: float
) -> tuple[Matrix, Volume]:
    """Return points in mm about every ``step`` mm of a mask, and their classes."""
    size = np.sqrt((affine[:3, :3] ** 2).sum(axis=0))
    every = tuple(slice(None, None, max(1, round(step / s))) for s in size)
    voxels = np.argwhere(mask[every]) * [part.step for part in every]
    # between voxels, evenly: on them, an image would seem to fit best where it is not interpolated
    number = np.arange(len(voxels))[:, None]
    voxels = voxels + (number * SPREAD) % 1 - 0.5
    values = ndimage.map_coordinates(blur(volume, affine, step), voxels.T, order=1, mode='nearest')
    return voxels @ affine[:3, :3].T + affine[:3, 3], classify(values)


def shear_matrix(eddy: Matrix, axis: int, shape: tuple[int, ...]) -> Matrix:
    """Return the displacement by linear terms as a matrix, shape (4, 4), on voxels.

    Examples
    --------
    >>> (shear_matrix(np.array([0, 0, 1.0]), 1, (3, 3, 5)) @ [1, 1, 4, 1]).tolist()
    [1.0, 2.0, 4.0, 1.0]
    """
    matrix = np.eye(4)
    scale = scale_places(shape)
    for term, c in enumerate(eddy[:LINEAR]):
        matrix[axis, term] += c * scale[term, 0]
        matrix[axis, 3] += c * scale[term, 1]
    return matrix


def follow_shell(pose: Pose, together: Pose) -> Pose:
    """Return a pose from the reference, of one from the mean of its shell."""
    eddy = pose.eddy.copy()
    eddy[:LINEAR] += together.eddy
    return Pose(pose.matrix @ together.matrix, eddy, pose.axis)
