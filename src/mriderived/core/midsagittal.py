"""The plane between the hemispheres, and the frame of the two commissures."""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from mriderived.core.filters import smooth
from mriderived.core.sampling import interpolate

Volume = NDArray[np.float32]
Mask = NDArray[np.bool_]
Matrix = NDArray[np.float64]
Point = NDArray[np.float64]

#: Distance of the compared points, in mm, from coarse to fine.
LEVELS_MM = (6.0, 3.0)
#: Angles count as arcs at this radius, in mm.
ARC_MM = 50.0
#: First steps of the search, in mm: how far a registration may be off.
STEP_MM = 3.0
#: Two halves of a brain correlate better than this about their plane.
LEAST_CORRELATION = 0.3


class Plane(NamedTuple):
    """A plane in mm, and how alike its sides are (up to 1).

    ``normal`` (3,) is of length 1 and points to the right; ``point`` (3,) is the foot of the
    middle of the brain on the plane.
    """

    normal: Point
    point: Point
    correlation: float


def find_midsagittal_plane(
    image: Volume, affine: Matrix, brain: Mask, start: Point | None = None
) -> Plane:
    """Find the plane about which a brain is most like its mirror image.

    Parameters
    ----------
    image : array of float32, shape (x, y, z)
        Any contrast.
    affine : array, shape (4, 4)
        From voxels to mm, RAS.
    brain : array of bool, shape (x, y, z)
    start : array, shape (3,), optional
        A normal to begin with, such as the x axis of a template brought here; else that of RAS.

    Returns
    -------
    Plane

    Raises
    ------
    ValueError
        If there is no brain, or no plane about which it is symmetric.

    Examples
    --------
    >>> x, y, z = np.indices((40, 44, 36)) - 18.0
    >>> head = np.exp(-((x - 2) ** 2 + y**2 / 2 + z**2) / 90).astype(np.float32)
    >>> found = find_midsagittal_plane(head, np.diag([2.0, 2, 2, 1]), head > 0.2)
    >>> bool(abs(found.point[0] - 40) < 0.2), bool(found.normal[0] > 0.999)
    (True, True)
    """
    if not brain.any():
        raise ValueError('the brain mask is empty')
    indices = np.argwhere(brain)
    centre = affine[:3, :3] @ indices.mean(axis=0) + affine[:3, 3]
    frame = _frame(np.array([1.0, 0, 0]) if start is None else np.asarray(start, float))
    size = np.sqrt((affine[:3, :3] ** 2).sum(axis=0))
    to_voxel = np.linalg.inv(affine)
    lengths, correlation = np.zeros(3), -1.0
    for level in LEVELS_MM:
        volume = smooth(np.where(brain, image, 0).astype(np.float32), 0.4 * level / size)
        points = _spread(brain, affine, level)

        def cost(
            values: NDArray[np.float64],
            volume: Volume = volume,
            points: NDArray[np.float64] = points,
        ) -> float:
            normal, offset = _to_plane(values, frame)
            return -float(_likeness(volume, to_voxel, points, normal, centre + offset * normal))

        options = {'direc': np.eye(3) * STEP_MM, 'xtol': 1e-3, 'ftol': 1e-9, 'maxiter': 50}
        found = optimize.minimize(cost, lengths, method='Powell', options=options)
        lengths, correlation = np.asarray(found.x, float), -float(found.fun)
    if correlation < LEAST_CORRELATION:
        raise ValueError(
            f'no plane divides the brain into like halves (correlation {correlation:.2f}); look '
            'at its orientation'
        )
    normal, offset = _to_plane(lengths, frame)
    return Plane(normal, centre + offset * normal, correlation)


def align_commissures(ac: Point, pc: Point, normal: Point) -> Matrix:
    """Return the matrix from mm of the image to mm of the frame of the commissures.

    Parameters
    ----------
    ac, pc : array, shape (3,)
        Anterior and posterior commissure in mm.
    normal : array, shape (3,)
        Of the midsagittal plane, to the right.

    Returns
    -------
    array, shape (4, 4)
        Rigid: AC becomes the origin, PC lies on the negative y axis, x points to the right.

    Raises
    ------
    ValueError
        If the commissures coincide, or lie along the normal.

    Examples
    --------
    >>> ac, pc = np.array([1, 2, 3]), np.array([1, -26, 3])
    >>> (align_commissures(ac, pc, np.array([1, 0, 0])) @ [*pc, 1]).tolist()
    [0.0, -28.0, 0.0, 1.0]
    """
    ac, pc, normal = (np.asarray(each, float) for each in (ac, pc, normal))
    distance = float(np.linalg.norm(ac - pc))
    if distance < 1:
        raise ValueError(f'AC and PC are {distance:.2f} mm apart: they cannot be told apart')
    y = (ac - pc) / distance
    x = normal - (normal @ y) * y
    if np.linalg.norm(x) < 0.5 * np.linalg.norm(normal):
        raise ValueError('the line of the commissures is not in the midsagittal plane')
    x /= np.linalg.norm(x)
    matrix = np.eye(4)
    matrix[:3, :3] = np.stack([x, y, np.cross(x, y)])
    matrix[:3, 3] = -matrix[:3, :3] @ ac
    return matrix


def _frame(normal: Point) -> Matrix:
    """Return three orthogonal directions as rows: the normal and two to tilt it towards."""
    first = normal / np.linalg.norm(normal)
    helper = np.array([0.0, 1.0, 0.0]) if abs(first[1]) < 0.8 else np.array([0.0, 0.0, 1.0])
    second = helper - (helper @ first) * first
    second /= np.linalg.norm(second)
    return np.stack([first, second, np.cross(first, second)])


def _to_plane(lengths: NDArray[np.float64], frame: Matrix) -> tuple[Point, float]:
    tilted = frame[0] + (lengths[1] * frame[1] + lengths[2] * frame[2]) / ARC_MM
    return tilted / np.linalg.norm(tilted), float(lengths[0])


def _spread(brain: Mask, affine: Matrix, step: float) -> NDArray[np.float64]:
    """Return points of the brain in mm, about ``step`` apart."""
    size = np.sqrt((affine[:3, :3] ** 2).sum(axis=0))
    every = tuple(slice(None, None, max(1, round(step / edge))) for edge in size)
    stride = np.array([part.step for part in every])
    voxels = np.argwhere(brain[every]) * stride
    return np.asarray(voxels @ affine[:3, :3].T + affine[:3, 3], np.float64)


@numba.njit(nogil=True, cache=True)
def _at(volume, m, x, y, z):  # type: ignore[no-untyped-def]
    u = m[0, 0] * x + m[0, 1] * y + m[0, 2] * z + m[0, 3]
    v = m[1, 0] * x + m[1, 1] * y + m[1, 2] * z + m[1, 3]
    w = m[2, 0] * x + m[2, 1] * y + m[2, 2] * z + m[2, 3]
    nx, ny, nz = volume.shape
    if not (0 <= u <= nx - 1 and 0 <= v <= ny - 1 and 0 <= w <= nz - 1):
        return 0.0
    return interpolate(volume, u, v, w)


@numba.njit(nogil=True, cache=True)
def _likeness(volume, m, points, normal, point):  # type: ignore[no-untyped-def]
    """Correlate the image with its mirror image at points and at their mirrored places."""
    total, square, product = 0.0, 0.0, 0.0
    for n in range(len(points)):
        x, y, z = points[n]
        away = (x - point[0]) * normal[0] + (y - point[1]) * normal[1] + (z - point[2]) * normal[2]
        here = _at(volume, m, x, y, z)
        there = _at(
            volume, m, x - 2 * away * normal[0], y - 2 * away * normal[1], z - 2 * away * normal[2]
        )
        # each pair counts both ways round, so that one mean and one variance serve
        total += here + there
        square += here * here + there * there
        product += 2 * here * there
    count = 2.0 * len(points)
    mean = total / count
    variance = square / count - mean * mean
    return (product / count - mean * mean) / variance if variance > 0 else 0.0
