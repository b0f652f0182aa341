"""What became of the fit of each voxel, so that nothing is clipped in silence."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Values = NDArray[np.float32]
Outcomes = NDArray[np.uint8]


class Outcome(IntEnum):
    """Why a voxel has, or has not, a value; the map is NaN wherever it is not ``FITTED``."""

    FITTED = 0
    #: Signals that are not finite, or none above zero.
    NO_SIGNAL = 1
    #: No parameters explain the signals: no solution of the equations, or no convergence.
    NO_SOLUTION = 2
    #: A solution outside of the bounds.
    IMPLAUSIBLE = 3


def count_outcomes(outcome: Outcomes) -> dict[str, int]:
    """Count the voxels of each outcome.

    Parameters
    ----------
    outcome : array of uint8
        Of :class:`Outcome`, any shape.

    Returns
    -------
    dict
        Number of voxels by name in lower case.

    Examples
    --------
    >>> count_outcomes(np.array([0, 0, 3], np.uint8))
    {'fitted': 2, 'no_signal': 0, 'no_solution': 0, 'implausible': 1}
    """
    counts = np.bincount(outcome.ravel(), minlength=len(Outcome))
    return {kind.name.lower(): int(counts[kind]) for kind in Outcome}


def judge(values: ArrayLike, bounds: tuple[float, float], signals: ArrayLike) -> Outcomes:
    """Return the outcome of values that come from an equation.

    Parameters
    ----------
    values : array, shape (voxels,)
        Not finite where the equation has no solution.
    bounds : tuple of float
        Lowest and highest plausible value.
    signals : array, shape (voxels, images)

    Returns
    -------
    array of uint8, shape (voxels,)

    Examples
    --------
    >>> judge([1.0, np.nan, 9.0, 1.0], (0, 5), [[1], [1], [1], [0]]).tolist()
    [0, 2, 3, 1]
    """
    found, given = np.asarray(values), np.asarray(signals)
    outcome = np.full(found.shape, Outcome.FITTED, np.uint8)
    with np.errstate(invalid='ignore'):
        outcome[(found < bounds[0]) | (found > bounds[1])] = Outcome.IMPLAUSIBLE
    outcome[~np.isfinite(found)] = Outcome.NO_SOLUTION
    outcome[~np.isfinite(given).all(axis=1) | (given <= 0).all(axis=1)] = Outcome.NO_SIGNAL
    return outcome


def keep_fitted(values: ArrayLike, outcome: Outcomes) -> Values:
    """Return the values as float32, NaN wherever they are not fitted.

    Examples
    --------
    >>> keep_fitted([1.0, 2.0], np.array([0, 3], np.uint8)).tolist()
    [1.0, nan]
    """
    return np.where(outcome == Outcome.FITTED, values, np.nan).astype(np.float32)


def as_signals(signals: ArrayLike, images: int, least: int) -> Values:
    """Return signals as contiguous float32, one row per voxel.

    Raises
    ------
    ValueError
        If there is not one image for each setting, or fewer than the model needs.

    Examples
    --------
    >>> as_signals([[1, 2]], 2, 2).shape
    (1, 2)
    """
    rows = np.ascontiguousarray(signals, np.float32)
    if rows.ndim != 2 or rows.shape[1] != images:
        raise ValueError(f'signals of shape {rows.shape} for {images} images')
    if images < least:
        raise ValueError(f'the model needs {least} images or more, not {images}')
    return rows


def per_voxel(values: ArrayLike | None, voxels: int, default: float) -> NDArray[np.float64]:
    """Return one value per voxel: those given, the one given, or the default.

    Raises
    ------
    ValueError
        If there are neither one nor as many values as voxels.

    Examples
    --------
    >>> per_voxel(None, 2, 1.0).tolist()
    [1.0, 1.0]
    """
    given = np.asarray(default if values is None else values, np.float64)
    if given.ndim and given.shape != (voxels,):
        raise ValueError(f'{given.shape} values for {voxels} voxels')
    # a copy, because a broadcast is read-only, for which loops would be compiled once more
    return np.array(np.broadcast_to(given, (voxels,)))


def blank_maps(voxels: int, count: int) -> list[NDArray[Any]]:
    """Return so many maps that hold nothing yet, and an outcome for them.

    Examples
    --------
    >>> [each.tolist() for each in blank_maps(1, 2)]
    [[nan], [nan], [0]]
    """
    maps: list[NDArray[Any]] = [np.full(voxels, np.nan, np.float32) for _ in range(count)]
    return [*maps, np.zeros(voxels, np.uint8)]
