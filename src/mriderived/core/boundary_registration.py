"""Rigid registration of an EPI to a T1w by the step of intensity across the white boundary."""

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

#: How far from the boundary the tissues are sampled, in mm: into white and into grey matter.
WHITE_MM, GREY_MM = 2.0, 2.0
#: Slope of the cost, per percent of contrast (Greve and Fischl 2009). The search has a gentler one
#: where the whole brain is seen: at the 10 to 15 % of EPI the steep one is flat near the solution.
SLOPE, SEARCH_SLOPE = 0.5, 0.2
#: This share of the boundary is the whole of it.
WHOLE = 0.9
#: The share of points used, and the distance at which the search starts, at each level.
LEVELS = ((10, 2.0), (1, 0.5))
#: More points than this add nothing.
MAX_POINTS = 60_000
#: Points nearer than this to the border of the EPI are left out, in mm, where enough are left:
#: moving the brain into a slab must gain nothing.
MARGIN_MM = 6.0
#: Fewer say too little.
MIN_POINTS = 500


class Boundary(NamedTuple):
    """Points on the white surface in mm, and the unit normals that lead into grey matter."""

    points: NDArray[np.float64]
    normals: NDArray[np.float64]


class Refinement(NamedTuple):
    """The matrix from mm of the T1w to mm of the EPI, and how well it fits.

    ``cost`` is the mean of 1 + tanh(-slope × contrast): 1 for no contrast, 0 for perfect.
    ``contrast`` is the median difference of grey and white in percent of their mean.
    """

    matrix: Matrix
    cost: float
    contrast: float


def find_boundary(grey: Volume, white: Volume, affine: Matrix) -> Boundary:
    """Return where white matter turns into grey matter.

    Parameters
    ----------
    grey, white : array of float32, shape (x, y, z)
        Fractions of the tissues.
    affine : array, shape (4, 4)

    Returns
    -------
    Boundary
        At most ``MAX_POINTS`` points, evenly taken.

    Raises
    ------
    ValueError
        If there is hardly any such place.
    """
    size = np.sqrt((affine[:3, :3] ** 2).sum(axis=0))
    soft = smooth(white, 1.0 / size)
    slope = np.stack(np.gradient(soft))
    found = [_crossings(white, axis) for axis in range(3)]
    voxels = np.concatenate(found)
    nearest = tuple(np.rint(voxels).astype(int).T)
    normals = -slope[(slice(None), *nearest)].T @ np.linalg.inv(affine[:3, :3])
    length = np.linalg.norm(normals, axis=1)
    normals /= np.maximum(length, 1e-9)[:, None]
    points = voxels @ affine[:3, :3].T + affine[:3, 3]
    there = _nearest_values(grey, points + GREY_MM * normals, affine)
    here = _nearest_values(white, points - WHITE_MM * normals, affine)
    keep = np.flatnonzero((there > 0.5) & (here > 0.8) & (length > 0))
    if len(keep) < MIN_POINTS:
        raise ValueError('there is no boundary of white and grey matter to register to')
    keep = keep[:: max(1, -(-len(keep) // MAX_POINTS))]
    return Boundary(points[keep], normals[keep])


def _crossings(white: Volume, axis: int) -> NDArray[np.float64]:
    """Return the voxel coordinates at which the fraction crosses one half along an axis."""
    first, second = np.moveaxis(white, axis, 0)[:-1], np.moveaxis(white, axis, 0)[1:]
    at = np.argwhere((first > 0.5) != (second > 0.5))
    low, high = first[tuple(at.T)], second[tuple(at.T)]
    voxels = at.astype(np.float64)
    voxels[:, 0] += (0.5 - low) / (high - low)
    return np.insert(voxels[:, 1:], axis, voxels[:, 0], axis=1)


def _nearest_values(
    volume: Volume, points: NDArray[np.float64], affine: Matrix
) -> NDArray[np.float32]:
    inverse = np.linalg.inv(affine)
    voxels = np.rint(points @ inverse[:3, :3].T + inverse[:3, 3]).astype(int)
    inside = ((voxels >= 0) & (voxels < volume.shape)).all(axis=1)
    values = np.zeros(len(points), np.float32)
    values[inside] = volume[tuple(voxels[inside].T)]
    return values


def register_boundary(
    boundary: Boundary, epi: Volume, affine: Matrix, start: Matrix
) -> Refinement:
    """Refine an alignment so that the EPI is brighter on the grey side of the boundary.

    Parameters
    ----------
    boundary : Boundary
    epi : array of float32, shape (x, y, z)
        Grey matter brighter than white, as in T2*-weighted images.
    affine : array, shape (4, 4)
        From voxels of the EPI to mm.
    start : array, shape (4, 4)
        From mm of the T1w to mm of the EPI.

    Returns
    -------
    Refinement

    References
    ----------
    https://doi.org/10.1016/j.neuroimage.2009.06.060
    """
    to_voxel = np.linalg.inv(affine)
    seen = _well_inside(boundary.points, epi.shape, to_voxel @ start, affine)
    if np.count_nonzero(seen) >= MIN_POINTS:
        boundary = Boundary(boundary.points[seen], boundary.normals[seen])
    slope = SEARCH_SLOPE if seen.mean() >= WHOLE else SLOPE
    centre = boundary.points.mean(axis=0)
    parameters = np.zeros(6)
    for share, step in LEVELS:
        white = boundary.points[::share] - WHITE_MM * boundary.normals[::share]
        grey = boundary.points[::share] + GREY_MM * boundary.normals[::share]

        def cost(
            p: NDArray[np.float64],
            white: NDArray[np.float64] = white,
            grey: NDArray[np.float64] = grey,
        ) -> float:
            matrix = to_voxel @ start @ to_matrix(p, centre)
            return float(_mean_cost(_contrast(epi, white, grey, matrix), slope))

        _, parameters = minimise(cost, parameters, step)
    matrix = start @ to_matrix(parameters, centre)
    found = _contrast(epi, white, grey, to_voxel @ matrix)
    known = found[~np.isnan(found)]
    median = float(np.median(known)) if known.size else float('nan')
    return Refinement(matrix, float(_mean_cost(found, SLOPE)), median)


def _well_inside(
    points: NDArray[np.float64], shape: tuple[int, ...], to_voxel: Matrix, affine: Matrix
) -> NDArray[np.bool_]:
    """Tell which points lie in an image, away from its borders."""
    margin = MARGIN_MM / np.sqrt((affine[:3, :3] ** 2).sum(axis=0))
    voxels = points @ to_voxel[:3, :3].T + to_voxel[:3, 3]
    inside = (voxels >= margin) & (voxels <= np.array(shape) - 1 - margin)
    return np.asarray(inside.all(axis=1))


@numba.njit(cache=True, nogil=True)
def _contrast(epi, white, grey, m):  # type: ignore[no-untyped-def]
    """Return the contrast at each point in percent; NaN outside of the EPI and in its voids."""
    found = np.full(len(white), np.nan)
    for i in range(len(white)):
        inner, outer = _value(epi, white[i], m), _value(epi, grey[i], m)
        if inner > 0 and outer > 0:
            found[i] = 200.0 * (outer - inner) / (outer + inner)
    return found


@numba.njit(cache=True, nogil=True)
def _value(epi, point, m):  # type: ignore[no-untyped-def]
    x, y, z = point[0], point[1], point[2]
    u = m[0, 0] * x + m[0, 1] * y + m[0, 2] * z + m[0, 3]
    v = m[1, 0] * x + m[1, 1] * y + m[1, 2] * z + m[1, 3]
    w = m[2, 0] * x + m[2, 1] * y + m[2, 2] * z + m[2, 3]
    nx, ny, nz = epi.shape
    if 0 <= u <= nx - 1 and 0 <= v <= ny - 1 and 0 <= w <= nz - 1:
        return interpolate(epi, u, v, w)
    return -1.0


@numba.njit(cache=True, nogil=True)
def _mean_cost(contrast, slope):  # type: ignore[no-untyped-def]
    """Points that are not seen count as without contrast, so that leaving gains nothing."""
    total = 0.0
    for value in contrast:
        total += 1.0 if np.isnan(value) else 1.0 + np.tanh(-slope * value)
    return total / len(contrast)
