"""Rigid registration of images of different contrast by normalised mutual information."""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mriderived.core.filters import smooth
from mriderived.core.rigid_search import RADIUS, minimise, to_matrix
from mriderived.core.sampling import interpolate

Volume = NDArray[np.float32]
Matrix = NDArray[np.float64]

#: Distance of the sampled points and resolution of the moving image at each level, in mm.
LEVELS = (8.0, 4.0)
#: Intensity classes of each image.
BINS = 32
#: Pitches of the head from which the search starts, in radians.
PITCHES = (0.0, -0.25, 0.25)
#: A smaller part of the fixed brain in the moving image tells nothing.
MIN_OVERLAP = 0.25
#: Around the brain, this much of the background is compared as well, in mm.
RIM_MM = 10.0


class Alignment(NamedTuple):
    """The matrix from mm of the fixed to mm of the moving image, and its information."""

    matrix: Matrix
    information: float


class Samples(NamedTuple):
    """Points of the fixed image in mm, and the class of each, a fraction of ``BINS``."""

    points: NDArray[np.float64]
    classes: NDArray[np.float32]


class _Moving(NamedTuple):
    """The moving image as classes, and the matrix from mm to its voxels."""

    classes: Volume
    to_voxel: Matrix


def register_rigid(
    fixed: Volume,
    fixed_affine: Matrix,
    mask: NDArray[np.bool_],
    moving: Volume,
    moving_affine: Matrix,
) -> Alignment:
    """Align ``moving`` with the brain of ``fixed``.

    The normalised mutual information (Studholme et al. 1999) of the masked fixed image, with a
    rim of background, and the moving image is maximised by Powell's method from several starts,
    from coarse to fine. Nothing is drawn at random.

    Parameters
    ----------
    fixed, moving : array of float32, shape (x, y, z)
        Any contrasts.
    fixed_affine, moving_affine : array, shape (4, 4)
        From voxels to mm.
    mask : array of bool, shape of ``fixed``
        The brain.

    Returns
    -------
    Alignment

    Raises
    ------
    ValueError
        If the two images do not overlap.

    References
    ----------
    https://doi.org/10.1016/S0031-3203(98)00091-0

    Examples
    --------
    >>> x, y, z = np.indices((24, 24, 24))
    >>> ball = (x - 11) ** 2 + (y - 12) ** 2 / 1.5 + (z - 12) ** 2 / 2 < 50
    >>> head = (ball * (100 + 5 * np.cos(x) + y)).astype(np.float32)
    >>> here = np.diag([4.0, 4, 4, 1])
    >>> there = here.copy(); there[:3, 3] = 6, -3, 2
    >>> found = register_rigid(head, here, ball, 300 - head, there)
    >>> bool(np.abs(found.matrix[:3, 3] - [6, -3, 2]).max() < 0.5)
    True
    """
    centre = np.argwhere(mask).mean(axis=0) @ fixed_affine[:3, :3].T + fixed_affine[:3, 3]
    starts = _starts(centre, moving, moving_affine)
    best = (0.0, starts[0])
    for step in LEVELS:
        samples = sample_brain(fixed, fixed_affine, mask, step)
        target = _Moving(
            classify(blur(moving, moving_affine, step)),
            np.asarray(np.linalg.inv(moving_affine), np.float64),
        )

        def cost(
            parameters: NDArray[np.float64],
            samples: Samples = samples,
            target: _Moving = target,
        ) -> float:
            matrix = target.to_voxel @ to_matrix(parameters, centre)
            return -float(
                find_information(samples.points, samples.classes, target.classes, matrix)
            )

        best = min((minimise(cost, start, step) for start in starts), key=lambda found: found[0])
        starts = [best[1]]
    if best[0] >= 0:
        raise ValueError('the two images do not overlap: look at their orientation in a viewer')
    return Alignment(to_matrix(best[1], centre), -best[0])


def _starts(
    centre: NDArray[np.float64], moving: Volume, affine: Matrix
) -> list[NDArray[np.float64]]:
    """Start where the scanner says, there with other pitches, and with the heads on each other."""
    heavy = np.clip(moving, 0, np.percentile(moving, 98)).astype(np.float64)
    here = affine[:3, :3] @ np.array(ndimage.center_of_mass(heavy)) + affine[:3, 3]
    shifts = (np.zeros(3), here - centre)
    return [
        np.concatenate([shift, [pitch * RADIUS, 0.0, 0.0]])
        for shift in shifts
        for pitch in PITCHES
    ]


def blur(volume: Volume, affine: Matrix, step: float) -> Volume:
    """Smooth to a resolution of ``step`` mm, where voxels are smaller."""
    size = np.sqrt((affine[:3, :3] ** 2).sum(axis=0))
    return smooth(volume, np.where(step > size, 0.35 * step / size, 0.0))


def classify(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale to 0 to ``BINS`` - 1; a few outliers share the outermost classes."""
    low, high = np.percentile(values, (0.5, 99.5))
    scaled = (values - low) * ((BINS - 1) / max(high - low, 1e-6))
    return np.asarray(np.clip(scaled, 0, BINS - 1), np.float32)


def sample_brain(volume: Volume, affine: Matrix, mask: NDArray[np.bool_], step: float) -> Samples:
    """Take points about every ``step`` mm of a brain and of the rim around it."""
    size = np.sqrt((affine[:3, :3] ** 2).sum(axis=0))
    every = tuple(slice(None, None, max(1, round(step / s))) for s in size)
    near = ndimage.distance_transform_edt(~mask, sampling=size)[every] <= RIM_MM
    brain = blur(np.where(mask, volume, 0).astype(np.float32), affine, step)[every]
    voxels = np.argwhere(near) * [part.step for part in every]
    points = voxels @ affine[:3, :3].T + affine[:3, 3]
    return Samples(points, classify(brain[near]))


@numba.njit(cache=True, nogil=True)
def find_information(points, classes, moving, m):  # type: ignore[no-untyped-def]
    """Return the normalised mutual information minus 1, or 0 where the overlap is small."""
    joint = np.zeros((BINS, BINS))
    count = 0
    nx, ny, nz = moving.shape
    for i in range(len(points)):
        x, y, z = points[i, 0], points[i, 1], points[i, 2]
        u = m[0, 0] * x + m[0, 1] * y + m[0, 2] * z + m[0, 3]
        v = m[1, 0] * x + m[1, 1] * y + m[1, 2] * z + m[1, 3]
        w = m[2, 0] * x + m[2, 1] * y + m[2, 2] * z + m[2, 3]
        if not (0 <= u <= nx - 1 and 0 <= v <= ny - 1 and 0 <= w <= nz - 1):
            continue
        count += 1
        there = interpolate(moving, u, v, w)
        a, b = int(classes[i]), int(there)
        p, q = classes[i] - a, there - b
        c, d = min(a + 1, BINS - 1), min(b + 1, BINS - 1)
        joint[a, b] += (1 - p) * (1 - q)
        joint[c, b] += p * (1 - q)
        joint[a, d] += (1 - p) * q
        joint[c, d] += p * q
    if count < MIN_OVERLAP * len(points):
        return 0.0
    joint /= count
    apart = _entropy(joint.sum(axis=1)) + _entropy(joint.sum(axis=0))
    together = _entropy(joint.ravel())
    return apart / together - 1.0 if together > 0 else 0.0


@numba.njit(cache=True, nogil=True)
def _entropy(shares):  # type: ignore[no-untyped-def]
    total = 0.0
    for share in shares:
        if share > 0:
            total -= share * np.log(share)
    return total
