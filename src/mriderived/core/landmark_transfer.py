"""Landmarks brought from a template, and those among them that are found again in the image.

A registration brings every landmark near to its place. Those with a pattern of their own around
them, such as the commissures, are then looked for where the pattern of the template fits best;
those on a line or a sheet, such as the roof of a ventricle, would slide along it and stay.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.core.landmarks import Matrix, Patch, Point, Volume, refine_landmark

#: How far a pattern may be from where the registration brings it, in mm: more is another one.
MOST_SHIFT_MM = 2.0
#: How far from a landmark the registration is asked how it turns and stretches, in mm.
PROBE_MM = 5.0
_STEPS = PROBE_MM * np.concatenate([np.zeros((1, 3)), np.eye(3), -np.eye(3)])


class Start(NamedTuple):
    """Where a registration brings a landmark (3,), and how it turns and stretches there (3, 3)."""

    position: Point
    linear: Matrix


class Placed(NamedTuple):
    """A landmark in mm of the image.

    ``position`` (3,) is ``transferred`` (3,) where it was not refined; ``correlation`` is how
    well the pattern fits, ``nan`` where none was looked for.
    """

    position: Point
    transferred: Point
    correlation: float
    is_refined: bool


def make_probes(landmarks: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the points of the template that tell where its landmarks go and how they turn.

    Parameters
    ----------
    landmarks : array, shape (n, 3)
        In mm.

    Returns
    -------
    array, shape (7 n, 3)

    Examples
    --------
    >>> make_probes(np.zeros((2, 3))).shape
    (14, 3)
    """
    return np.asarray((landmarks[:, None] + _STEPS).reshape(-1, 3), np.float64)


def read_probes(moved: NDArray[np.float64]) -> list[Start]:
    """Return what the moved points of :func:`make_probes` tell of each landmark.

    Parameters
    ----------
    moved : array, shape (7 n, 3)

    Examples
    --------
    >>> twice = make_probes(np.array([[1.0, 2, 3]])) * 2 + 1
    >>> start, = read_probes(twice)
    >>> start.position.tolist(), np.diag(start.linear).tolist()
    ([3.0, 5.0, 7.0], [2.0, 2.0, 2.0])
    """
    groups = moved.reshape(-1, 7, 3)
    return [
        Start(group[0], np.asarray((group[1:4] - group[4:]).T / (2 * PROBE_MM), np.float64))
        for group in groups
    ]


def place_landmark(
    image: Volume, affine: Matrix, start: Start, patch: Patch | None = None
) -> Placed:
    """Return where a landmark lies in an image.

    Parameters
    ----------
    image : array of float32, shape (x, y, z)
        T1-weighted brain, 0 outside.
    affine : array, shape (4, 4)
        From voxels to mm.
    start : Start
    patch : Patch, optional
        The template around the landmark, if it is to be refined.

    Returns
    -------
    Placed
        Where the pattern fits badly, or farther away than :data:`MOST_SHIFT_MM`, the landmark
        stays where the registration brings it.

    Raises
    ------
    ValueError
        If that is outside of the image.
    """
    if not is_inside(image.shape, affine, start.position):
        place = ', '.join(f'{value:.1f}' for value in start.position)
        raise ValueError(f'the landmark at ({place}) mm is outside of the image')
    if patch is None:
        return Placed(start.position, start.position, float('nan'), False)
    found = refine_landmark(image, affine, start.position, patch, start.linear)
    shift = float(np.linalg.norm(found.position - start.position))
    is_refined = found.is_found and shift <= MOST_SHIFT_MM
    position = found.position if is_refined else start.position
    return Placed(position, start.position, found.correlation, is_refined)


def is_inside(shape: tuple[int, ...], affine: Matrix, point: Point) -> bool:
    """Tell whether a point in mm lies in a grid.

    Examples
    --------
    >>> is_inside((10, 10, 10), np.diag([2.0, 2, 2, 1]), np.array([18.5, 0, 0]))
    False
    """
    inverse = np.linalg.inv(affine)
    voxel = inverse[:3, :3] @ point + inverse[:3, 3]
    return bool((voxel >= 0).all() and (voxel <= np.array(shape[:3]) - 1).all())


def measure_distance(first: Point | None, second: Point | None) -> float:
    """Return the distance of two points in mm; ``nan`` where one is missing.

    Examples
    --------
    >>> measure_distance(np.zeros(3), np.array([0, 3, 4])), measure_distance(None, np.zeros(3))
    (5.0, nan)
    """
    if first is None or second is None:
        return float('nan')
    return float(np.linalg.norm(np.asarray(first) - second))
