"""One interpolation from a diffusion series as acquired to any grid.

As ``core.series_sampling``, with the displacement by eddy currents of each volume, with the
displacement by field inhomogeneity in the direction and strength of each volume's own phase
encoding, and with intensity multiplied by how much both have squeezed or stretched it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

from mriderived.core.eddy_terms import EddyMotion, displace, scale_places, stretch
from mriderived.core.series_route import Deformation, Distortion, Route, plan_route
from mriderived.core.slabs import run_slabs
from mriderived.core.splines import cubic, cubic_coefficients, is_covered

Volume = NDArray[np.float32]
Matrix = NDArray[np.float64]


class EddyRoute(NamedTuple):
    """Where the voxels of a grid lie in the reference of a diffusion series."""

    route: Route
    #: The derivative of the displacement by field inhomogeneity along each axis of the series,
    #: shape (x, y, z) each, or (0, 0, 0) without.
    slopes: tuple[Volume, Volume, Volume]


def plan_eddy_route(
    shape: tuple[int, ...],
    affine: Matrix,
    size: tuple[int, ...],
    series_affine: Matrix,
    to_series: Matrix | None = None,
    deformation: Deformation | None = None,
    displacement: Volume | None = None,
    threads: int = 1,
) -> EddyRoute:
    """Compose all that is common to the volumes of a diffusion series.

    Parameters
    ----------
    shape, affine, size, series_affine, to_series, deformation
        As in ``core.series_route.plan_route``.
    displacement : array of float32, shape ``size``, optional
        By field inhomogeneity, in voxels along the phase axis of a volume whose share is 1: a
        voxel u of the undistorted reference is seen at ``u + displacement(u)``.
    threads : int

    Returns
    -------
    EddyRoute

    Raises
    ------
    ValueError
        If the displacement is on another grid.

    Examples
    --------
    >>> plan = plan_eddy_route((2, 2, 2), np.eye(4), (4, 4, 4), np.eye(4))
    >>> plan.route.points.shape
    (3, 2, 2, 2)
    """
    none = np.zeros((0, 0, 0), np.float32)

    def sample(field: Volume | None) -> Route:
        distortion = None if field is None else Distortion(field, 0)
        grids = (shape, affine, size, series_affine)
        return plan_route(*grids, to_series, deformation, distortion, threads=threads)

    route = sample(displacement)
    if displacement is None:
        return EddyRoute(route, (none, none, none))
    first, second, third = (sample(_differentiate(displacement, axis)).shift for axis in range(3))
    return EddyRoute(route, (first, second, third))


def resample_eddy(
    volumes: Iterable[Volume],
    motion: EddyMotion,
    plan: EddyRoute,
    shares: ArrayLike = 1.0,
    modulate: bool = True,
    threads: int = 1,
) -> Iterator[Volume]:
    """Yield the volumes of a diffusion series on the grid of a plan, in their order.

    Parameters
    ----------
    volumes : iterable of n arrays of float32, shape (x, y, z)
        Read a few at a time. Voxels that are not finite count as 0.
    motion : EddyMotion
        Of n volumes; its matrices lead from the undistorted reference.
    plan : EddyRoute
    shares : float or n floats
        What each volume's phase encoding makes of the displacement by field inhomogeneity: the
        ratio of its readout time to that of the displacement, negative where the direction is
        the opposite one.
    modulate : bool
        Multiply intensity by how much the volume is squeezed or stretched.
    threads : int
        Volumes at the same time.

    Yields
    ------
    array of float32
        Through cubic B-splines; 0 outside the field of view, which ends half a voxel beyond the
        centres of the outermost voxels.

    Raises
    ------
    ValueError
        If a volume is on another grid, or if there are more or fewer than ``motion`` has.

    Examples
    --------
    >>> from mriderived.core.eddy_terms import still_motion
    >>> volume = np.random.default_rng(0).random((6, 6, 6)).astype(np.float32)
    >>> plan = plan_eddy_route((6, 6, 6), np.eye(4), (6, 6, 6), np.eye(4))
    >>> same, = resample_eddy([volume], still_motion(1, volume, 1), plan)
    >>> bool(np.allclose(same, volume, atol=1e-5))
    True
    """
    count = len(motion.matrices)
    factors = np.broadcast_to(np.asarray(shares, np.float64), count)
    numbered = zip(range(count), volumes, strict=True)
    while some := list(islice(numbered, threads)):
        for _, volume in some:
            if volume.shape != plan.route.size:
                raise ValueError(
                    f'a volume has shape {volume.shape}, but the series {plan.route.size}'
                )
        found = [np.empty(plan.route.points.shape[1:], np.float32) for _ in some]
        run_slabs(_resample_some, len(some), threads, some, motion, plan, factors, modulate, found)
        yield from found


def _differentiate(displacement: Volume, axis: int) -> Volume:
    if displacement.shape[axis] < 2:
        return np.zeros_like(displacement)
    return np.asarray(np.gradient(displacement, axis=axis), np.float32)


def _resample_some(
    start: int,
    stop: int,
    some: list[tuple[int, Volume]],
    motion: EddyMotion,
    plan: EddyRoute,
    shares: Matrix,
    modulate: bool,
    found: list[Volume],
) -> None:
    route = plan.route
    for place in range(start, stop):
        index, volume = some[place]
        finite = np.isfinite(volume)
        volume = volume if finite.all() else np.where(finite, volume, np.float32(0))
        spline = cubic_coefficients(np.ascontiguousarray(volume, np.float32))
        move = np.linalg.inv(route.affine) @ motion.matrices[index] @ route.affine
        axis = int(motion.axes[index])
        _fetch(
            spline,
            np.ascontiguousarray(move),
            route.points,
            route.shift,
            plan.slopes[axis],
            shares[index],
            axis,
            np.ascontiguousarray(motion.eddy[index], np.float64),
            scale_places(route.size),
            modulate,
            found[place],
        )


@numba.njit(nogil=True, cache=True)
def _fetch(  # type: ignore[no-untyped-def]
    spline, m, points, shift, slope, share, axis, eddy, scale, modulate, target
):
    place = np.empty(3)
    for i in range(target.shape[0]):
        for j in range(target.shape[1]):
            for k in range(target.shape[2]):
                x, y, z = points[0, i, j, k], points[1, i, j, k], points[2, i, j, k]
                for a in range(3):
                    place[a] = m[a, 0] * x + m[a, 1] * y + m[a, 2] * z + m[a, 3]
                # the scanner displaces along its own axes, wherever the head is
                x = scale[0, 0] * place[0] + scale[0, 1]
                y = scale[1, 0] * place[1] + scale[1, 1]
                z = scale[2, 0] * place[2] + scale[2, 1]
                gain = 1 + scale[axis, 0] * stretch(eddy, axis, x, y, z)
                place[axis] += displace(eddy, x, y, z)
                if shift.size:
                    place[axis] += share * shift[i, j, k]
                    gain += share * slope[i, j, k]
                value = np.float32(0)
                if is_covered(spline.shape, place[0], place[1], place[2]):
                    value = cubic(spline, place[0], place[1], place[2])
                    if modulate:
                        value *= max(gain, 0.0)
                target[i, j, k] = value
