"""Dual regression: from maps of a group to the series and the maps of one participant."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from mriderived.core.series import Frames, Mask, Series, check_series, map_blocks

Maps = NDArray[np.float32]


class DualRegression(NamedTuple):
    """What one run has of the maps of a group.

    ``courses`` (frames, components) are the series of the first stage, of mean 0 and standard
    deviation 1; ``beta`` and ``z`` (components, voxels) the maps of the second, NaN in voxels
    without a signal.
    """

    courses: Frames
    beta: Maps
    z: Maps


def regress_dually(
    series: Series, maps: Maps, valid: Mask, degrees: int, threads: int = 1
) -> DualRegression:
    r"""Regress a run on maps over space, then on the resulting courses over time.

    Stage one: in every frame, the values of the voxels (their mean taken off) are fitted by all
    maps at once (their means taken off). Stage two: the series of every voxel is fitted by all
    courses at once. The courses are brought to unit variance in between, so that ``beta`` has
    the unit of the series and holds how strongly a network fluctuates as well as where. ``z`` is
    :math:`\beta` over its standard error, of ``degrees`` less the number of maps degrees of
    freedom, as the quantile of the normal distribution that is as far in the tail.

    Parameters
    ----------
    series : array of float32, shape (voxels, frames)
    maps : array of float32, shape (components, voxels)
    valid : array of bool, shape (voxels,)
        Voxels of the run that have a signal.
    degrees : int
        Degrees of freedom of the series; fewer than frames after denoising.
    threads : int

    Returns
    -------
    DualRegression

    Raises
    ------
    ValueError
        If shapes differ, too few degrees of freedom are left, or maps or courses depend on each
        other.

    References
    ----------
    Nickerson et al. 2017, https://doi.org/10.3389/fnins.2017.00115
    """
    check_series(series)
    components, voxels = maps.shape
    if series.shape[0] != voxels or valid.shape != (voxels,):
        raise ValueError(f'{len(series)} voxels of the run and {voxels} of the maps')
    left = degrees - components
    if left < 1:
        raise ValueError(f'{degrees} degrees of freedom are too few for {components} components')
    courses = _fit_courses(series, maps, valid)
    gram = courses.T @ courses
    if np.linalg.matrix_rank(gram, hermitian=True) < components:
        raise ValueError('the courses of the components depend on each other')
    inverse = np.linalg.inv(gram)
    beta = np.full((components, voxels), np.nan, np.float32)
    z = np.full((components, voxels), np.nan, np.float32)

    def fit(rows: slice) -> None:
        block = series[rows].astype(np.float64)
        block -= block.mean(axis=1, keepdims=True)
        projected = block @ courses
        slope = projected @ inverse
        rest = np.maximum((block**2).sum(axis=1) - (slope * projected).sum(axis=1), 0)
        error = np.sqrt(rest[:, None] / left * np.diag(inverse))
        inside = valid[rows, None]
        with np.errstate(divide='ignore', invalid='ignore'):
            beta[:, rows] = np.where(inside, slope, np.nan).T
            z[:, rows] = np.where(inside, t_to_z(slope / error, left), np.nan).T

    map_blocks(fit, voxels, threads)
    return DualRegression(courses, beta, z)


def _fit_courses(series: Series, maps: Maps, valid: Mask) -> Frames:
    """Return the courses of the first stage, standardised."""
    design = np.where(valid, maps, 0).astype(np.float64)
    design -= valid * (design.sum(axis=1, keepdims=True) / max(int(valid.sum()), 1))
    gram = design @ design.T
    if np.linalg.matrix_rank(gram, hermitian=True) < len(gram):
        raise ValueError('the maps depend on each other where the run has a signal')

    # Means of volumes need not be taken off: the maps, of mean 0, do not see them.
    def project(rows: slice) -> Frames:
        return np.asarray(design[:, rows] @ series[rows].astype(np.float64))

    projected = np.sum(map_blocks(project, len(series)), axis=0)
    courses = np.linalg.solve(gram, projected).T
    courses -= courses.mean(axis=0)
    spread = courses.std(axis=0)
    if not (spread > 0).all():
        raise ValueError('a component has no course in this run')
    return np.asarray(courses / spread)


def t_to_z(t: NDArray[np.float64], degrees: int) -> NDArray[np.float64]:
    """Return the normal quantiles with the tails of Student's t; exact far in the tails.

    >>> t_to_z(np.array([0.0, 2.0, -2.0, 60.0]), 20).round(3).tolist()
    [0.0, 1.886, -1.886, 10.116]
    """
    tail = np.maximum(stats.t.sf(np.abs(t), degrees), np.finfo(float).tiny)
    return np.asarray(np.sign(t) * np.abs(special.ndtri(tail)))
