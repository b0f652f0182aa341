"""Bring EPI images of several phase-encode directions to one pose, in spite of their distortion.

Distorted images cannot be compared as they are: the field is estimated first, the images are
corrected with it, and those are aligned rigidly; then once more with the aligned images (cf.
Andersson et al. 2003, doi:10.1016/S1053-8119(03)00336-7, who estimate both at once). A shift along
the phase encoding and a constant field look the same; what of it the field takes does no harm,
for a constant shift of the whole image is found by its registration to the T1w.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.core.epi_distortion import Encoded, Solver, estimate_distortion
from mriderived.core.epi_shift import phase_axis, shift_map, unwarp
from mriderived.core.motion_reference import weigh_head
from mriderived.core.rigid_volume import align_volume, prepare_target
from mriderived.core.sampling import resample

Matrix = NDArray[np.float64]

#: A quick look is enough to align by.
COARSE = Solver(factors=(4, 2), steps=(10, 6), stiffness=(0.1, 0.1))
ROUNDS = 3
#: Images that lie closer than this to one another are left as they are, in mm.
STILL_MM = 0.3


class Aligned(NamedTuple):
    """Images in the pose of the first, and by how far one was moved at most, in mm."""

    images: list[Encoded]
    moved_mm: float


def align_encoded(images: Sequence[Encoded], affine: Matrix, threads: int = 1) -> Aligned:
    """Move all images to the pose of the first.

    Parameters
    ----------
    images : sequence of Encoded
        Two or more on one grid, as :func:`mriderived.core.epi_distortion.estimate_distortion`
        takes them.
    affine : array, shape (4, 4)
        From voxels of the grid to mm.
    threads : int

    Returns
    -------
    Aligned
        Interpolated linearly, unless nothing had moved by ``STILL_MM``.

    Raises
    ------
    ValueError
        As ``estimate_distortion``.
    """
    size = np.sqrt((affine[:3, :3] ** 2).sum(axis=0))
    matrices = [np.eye(4) for _ in images]
    current = list(images)
    for _ in range(ROUNDS):
        hz = estimate_distortion(current, tuple(size), COARSE, threads).hz
        corrected = [_correct(image, hz, threads) for image in current]
        target = prepare_target(corrected[0], affine, weigh_head(corrected[0]), threads)
        steps = [np.eye(4), *(align_volume(target, volume).matrix for volume in corrected[1:])]
        matrices = [matrix @ step for matrix, step in zip(matrices, steps, strict=True)]
        current = [
            _move(image, matrix, affine, threads)
            for image, matrix in zip(images, matrices, strict=True)
        ]
        if _farthest(steps, affine, images[0].data.shape) < STILL_MM:
            break
    moved = _farthest(matrices, affine, images[0].data.shape)
    return Aligned(list(images) if moved < STILL_MM else current, moved)


def _correct(image: Encoded, hz: NDArray[np.float32], threads: int) -> NDArray[np.float32]:
    shift = shift_map(hz, image.direction, image.readout_time)
    return unwarp(image.data, shift, phase_axis(image.direction)[0], threads=threads)


def _move(image: Encoded, matrix: Matrix, affine: Matrix, threads: int) -> Encoded:
    if np.array_equal(matrix, np.eye(4)):
        return image
    there = np.linalg.inv(affine) @ matrix @ affine
    return image._replace(data=resample(image.data, there, image.data.shape, threads))


def _farthest(matrices: Sequence[Matrix], affine: Matrix, shape: tuple[int, ...]) -> float:
    """Return by how much the middle half of a grid moves at most, in mm."""
    corners = np.array(np.meshgrid(*([n * 0.25, n * 0.75] for n in shape))).reshape(3, -1)
    points = affine[:3, :3] @ corners + affine[:3, 3:]
    moves = [m[:3, :3] @ points + m[:3, 3:] - points for m in matrices]
    return float(max(np.sqrt((move**2).sum(axis=0)).max() for move in moves))
