"""Anatomical landmarks: where a small piece of a template fits best.

A registration brings a landmark of the template to 1 to 2 mm of its place. There, a ball cut out
of the template around the landmark is shifted and turned until it correlates best with the image:
the commissures are bright spots between dark ones, and half a millimetre shows (the idea of
template matching by Ardekani & Bachman 2009, doi:10.1016/j.neuroimage.2009.02.030).
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from mriderived.core.filters import smooth
from mriderived.core.rigid_search import minimise, to_matrix
from mriderived.core.sampling import interpolate

Volume = NDArray[np.float32]
Matrix = NDArray[np.float64]
Point = NDArray[np.float64]

#: Anterior and posterior commissure in MNI152NLin2009cAsym, mm RAS (Taha et al. 2023,
#: doi:10.1038/s41597-023-02330-9).
TEMPLATE = {'AC': (-0.205, 2.723, -4.881), 'PC': (-0.007, -25.045, -2.211)}
#: Radius of the ball and distance of its points, in mm.
RADIUS_MM, STEP_MM = 10.0, 1.0
#: How far from where the registration brings it a landmark is looked for, in mm.
REACH_MM = 4.0
#: Steps of the first search, in mm, and of the second, whose answer the search goes on from.
COARSE_MM, FINE_MM = 1.0, 0.5
#: Finer images are smoothed so that they are as blurred as a template of voxels of this size, mm.
BLUR_MM = 1.0
#: A worse correlation tells that the landmark is not there: it was cut, or the start is far off.
LEAST_CORRELATION = 0.5


class Patch(NamedTuple):
    """Points in mm from a landmark, shape (n, 3), and the template's intensity there."""

    points: NDArray[np.float64]
    values: NDArray[np.float64]


class Landmark(NamedTuple):
    """A place in mm RAS of the image, shape (3,), and how well the patch fits there (-1 to 1)."""

    position: Point
    correlation: float

    @property
    def is_found(self) -> bool:
        """Whether the patch fits at all."""
        return self.correlation >= LEAST_CORRELATION


def cut_patch(template: Volume, affine: Matrix, landmark: Point) -> Patch:
    """Cut a ball around a landmark out of a template.

    Parameters
    ----------
    template : array of float32, shape (x, y, z)
        T1-weighted brain, with voxels of about 1 mm.
    affine : array, shape (4, 4)
        From voxels to mm.
    landmark : array, shape (3,)
        In mm.

    Returns
    -------
    Patch

    Raises
    ------
    ValueError
        If the ball is not inside the template.

    Examples
    --------
    >>> ramp = np.broadcast_to(np.arange(30, dtype=np.float32), (30, 30, 30)).copy()
    >>> patch = cut_patch(ramp, np.eye(4), np.array([15.0, 15, 15]))
    >>> len(patch.points), bool(np.allclose(patch.values, 15 + patch.points[:, 2]))
    (4169, True)
    """
    reach = np.arange(-RADIUS_MM, RADIUS_MM + STEP_MM / 2, STEP_MM)
    grid = np.stack(np.meshgrid(reach, reach, reach, indexing='ij'), axis=-1).reshape(-1, 3)
    points = grid[(grid**2).sum(axis=1) <= RADIUS_MM**2 + 1e-9]
    to_voxel = np.linalg.inv(affine)
    values = np.empty(len(points))
    inside = _sample(template, to_voxel, points + np.asarray(landmark), values)
    if not inside:
        place = ', '.join(f'{value:.1f}' for value in landmark)
        raise ValueError(f'the ball around ({place}) mm is not inside the template')
    return Patch(points, values)


def refine_landmark(
    image: Volume, affine: Matrix, start: Point, patch: Patch, linear: Matrix | None = None
) -> Landmark:
    """Move a landmark to where its patch fits best.

    Parameters
    ----------
    image : array of float32, shape (x, y, z)
        T1-weighted, of any orientation.
    affine : array, shape (4, 4)
        From voxels to mm.
    start : array, shape (3,)
        Where the registration brings the landmark, in mm.
    patch : Patch
    linear : array, shape (3, 3), optional
        How the registration turns and stretches the template there; identity if not given.

    Returns
    -------
    Landmark

    Raises
    ------
    ValueError
        If the start is too near to the end of the image, or outside.
    """
    size = np.sqrt((affine[:3, :3] ** 2).sum(axis=0))
    blur = 0.4 * np.sqrt(np.maximum((BLUR_MM / size) ** 2 - 1, 0))
    points = patch.points if linear is None else patch.points @ np.asarray(linear, float).T
    start = np.asarray(start, np.float64)
    box, to_voxel = _cut(image, affine, start, points)
    volume = smooth(box, blur)
    centred = patch.values - patch.values.mean()
    centred /= np.sqrt((centred**2).sum())
    work = np.empty(len(points))

    def score(shift: NDArray[np.float64]) -> float:
        return float(_correlate(volume, to_voxel, points + (start + shift), centred, work))

    best = _search(score, np.zeros(3), REACH_MM, COARSE_MM)
    best = _search(score, best, COARSE_MM, FINE_MM)

    def cost(lengths: NDArray[np.float64]) -> float:
        matrix = to_matrix(lengths, np.zeros(3))
        moved = points @ matrix[:3, :3].T + (start + matrix[:3, 3])
        return -float(_correlate(volume, to_voxel, moved, centred, work))

    found, lengths = minimise(cost, np.concatenate([best, np.zeros(3)]), FINE_MM)
    return Landmark(start + lengths[:3], -found)


def _cut(
    image: Volume, affine: Matrix, start: Point, points: NDArray[np.float64]
) -> tuple[Volume, Matrix]:
    """Return the box that the search can come to, and the matrix from mm to its voxels."""
    inverse = np.asarray(np.linalg.inv(affine), np.float64)
    centre = inverse[:3, :3] @ start + inverse[:3, 3]
    reach = np.abs(inverse[:3, :3]) @ np.full(3, np.abs(points).max() + REACH_MM + 2)
    low = np.floor(centre - reach).astype(int)
    high = np.ceil(centre + reach).astype(int) + 1
    if (centre < 0).any() or (centre > np.array(image.shape) - 1).any():
        place = ', '.join(f'{value:.1f}' for value in start)
        raise ValueError(f'the landmark at ({place}) mm is outside of the image')
    low, high = np.maximum(low, 0), np.minimum(high, image.shape)
    box = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    to_voxel = inverse.copy()
    to_voxel[:3, 3] -= low
    return np.ascontiguousarray(image[box], np.float32), to_voxel


def _search(score, centre: Point, reach: float, step: float) -> Point:  # type: ignore[no-untyped-def]
    """Return the best shift on a grid of steps around ``centre``."""
    steps = np.arange(-reach, reach + step / 2, step)
    best, found = -np.inf, centre
    for x in steps:
        for y in steps:
            for z in steps:
                shift = centre + np.array([x, y, z])
                value = score(shift)
                if value > best:
                    best, found = value, shift
    return np.asarray(found, np.float64)


@numba.njit(nogil=True, cache=True)
def _sample(volume, m, points, values):  # type: ignore[no-untyped-def]
    """Interpolate at points in mm; outside, the nearest voxel counts. Tell if all are inside."""
    nx, ny, nz = volume.shape
    inside = True
    for n in range(len(points)):
        x, y, z = points[n]
        u = m[0, 0] * x + m[0, 1] * y + m[0, 2] * z + m[0, 3]
        v = m[1, 0] * x + m[1, 1] * y + m[1, 2] * z + m[1, 3]
        w = m[2, 0] * x + m[2, 1] * y + m[2, 2] * z + m[2, 3]
        if not (0 <= u <= nx - 1 and 0 <= v <= ny - 1 and 0 <= w <= nz - 1):
            inside = False
            u = min(max(u, 0.0), nx - 1.0)
            v = min(max(v, 0.0), ny - 1.0)
            w = min(max(w, 0.0), nz - 1.0)
        values[n] = interpolate(volume, u, v, w)
    return inside


@numba.njit(nogil=True, cache=True)
def _correlate(volume, m, points, centred, work):  # type: ignore[no-untyped-def]
    _sample(volume, m, points, work)
    mean = work.mean()
    product, square = 0.0, 0.0
    for n in range(len(work)):
        apart = work[n] - mean
        product += apart * centred[n]
        square += apart * apart
    return product / np.sqrt(square) if square > 0 else 0.0
