"""First-level model of task runs: regressors of events, and contrasts with AR(1) noise."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from nilearn.glm import ARModel, compute_contrast
from nilearn.glm.first_level import compute_regressor
from numpy.typing import NDArray

from mriderived.core.series import Frames, Mask, Series, check_series, find_varying, map_blocks
from mriderived.core.slabs import run_slabs

#: Coefficients of the noise are rounded towards 0 to this many steps of 1, as nilearn does.
BINS = 100
#: Seconds before the first frame at which an event can begin and still count.
BEFORE = 24.0
#: What of a contrast the other columns cannot imitate, as a share of its length, must be more.
_ESTIMABLE = 1e-6


class Events(NamedTuple):
    """When events begin (s), how long they last (s), and their heights."""

    onsets: Frames
    durations: Frames
    heights: Frames


class ContrastMaps(NamedTuple):
    """Maps over voxels, NaN where there is no value, and the degrees of freedom of ``t``.

    ``effect`` is in percent of the mean of the voxel, ``variance`` its square.
    """

    effect: NDArray[np.float32]
    variance: NDArray[np.float32]
    t: NDArray[np.float32]
    z: NDArray[np.float32]
    degrees: int


def convolve_events(
    events: Events, frame_times: Frames, response: str, name: str
) -> tuple[Frames, list[str]]:
    """Return the regressor of events, and those of the derivatives of the response.

    The response has an integral of 1, so that a long event of height 1 leads to 1.

    Parameters
    ----------
    events : Events
    frame_times : array of float64, shape (frames,)
        The moments that the frames stand for, in s; evenly spaced.
    response : str
        ``spm`` or ``glover``, with ``+ derivative`` and ``+ dispersion``.
    name : str

    Returns
    -------
    regressors : array of float64, shape (frames, columns)
    names : list of str

    References
    ----------
    Glover 1999, https://doi.org/10.1006/nimg.1998.0419

    Examples
    --------
    >>> block = Events(np.array([0.0]), np.array([60.0]), np.array([1.0]))
    >>> course, names = convolve_events(block, np.arange(0, 60, 2.0), 'spm', 'on')
    >>> round(float(course[25, 0]), 2), names
    (1.0, ['on'])
    """
    columns, names = compute_regressor(
        np.stack(events), response, frame_times, con_id=name, min_onset=-BEFORE
    )
    return np.asarray(columns, np.float64), [str(column) for column in names]


def mark_frames(keep: Mask) -> tuple[Frames, list[str]]:
    """Return a column for each frame that is left out, 1 there and 0 elsewhere.

    With such a column, a frame counts as missing: nothing of its value reaches the estimates, and
    its neighbours remain neighbours for the model of the noise, as they would not if it were cut.

    Parameters
    ----------
    keep : array of bool, shape (frames,)

    Examples
    --------
    >>> mark_frames(np.array([False, True, True]))[1]
    ['censored_000']
    """
    left_out = np.flatnonzero(~keep)
    columns = np.zeros((len(keep), len(left_out)))
    columns[left_out, np.arange(len(left_out))] = 1
    return columns, [f'censored_{frame:03d}' for frame in left_out]


def find_imitators(
    design: Frames, names: list[str], contrast: Frames
) -> tuple[float, list[str]] | None:
    """Tell why a contrast cannot be estimated: which columns can stand for each other.

    Parameters
    ----------
    design : array of float64, shape (frames, columns)
    names : list of str
    contrast : array of float64, shape (columns,)

    Returns
    -------
    share : float
        What is left of the contrast, over its length.
    names : list of str
        Columns that are collinear with those of the contrast. Nothing if it can be estimated.

    Examples
    --------
    >>> design = np.array([[1, 1, 1], [0, 0, 1], [1, 1, 1.0]])
    >>> find_imitators(design, ['a', 'b', 'constant'], np.array([1.0, 0, 0]))[1]
    ['a', 'b']
    """
    length = np.linalg.norm(design, axis=0)
    scaled = design / np.where(length > 0, length, 1)
    _, values, rows = np.linalg.svd(scaled, full_matrices=True)
    rank = int((values > _ESTIMABLE * values[0]).sum())
    empty = rows[rank:]
    wanted = contrast / np.where(length > 0, length, 1)
    lost = empty @ wanted
    missing = np.linalg.norm(lost) / np.linalg.norm(wanted)
    if missing < 1e-3:
        return None
    weight = np.abs(empty.T @ lost)
    involved = np.flatnonzero(weight > 1e-3 * weight.max())
    return float(1 - missing), [names[column] for column in involved]


def fit_contrast(
    series: Series, design: Frames, contrast: Frames, keep: Mask, threads: int = 1
) -> ContrastMaps:
    """Fit a design to every voxel, and test one contrast of its columns.

    Series are scaled to percent of their mean over the kept frames. The residuals of ordinary
    least squares tell the coefficient of a first-order autoregression of each voxel; voxels of
    the same one, rounded, are whitened and fitted together, as nilearn does.

    Parameters
    ----------
    series : array of float32, shape (voxels, frames)
    design : array of float64, shape (frames, columns)
        With a constant, and a column for every frame that is left out (:func:`mark_frames`).
    contrast : array of float64, shape (columns,)
    keep : array of bool, shape (frames,)
    threads : int

    Returns
    -------
    ContrastMaps
        NaN for voxels that are constant, not finite, or of a mean that is not positive.

    Raises
    ------
    ValueError
        If lengths differ.

    References
    ----------
    Woolrich et al. 2001, https://doi.org/10.1006/nimg.2001.0931
    """
    check_series(series)
    if not series.shape[1] == len(design) == len(keep) or design.shape[1] != len(contrast):
        raise ValueError(
            f'series {series.shape}, design {design.shape}, contrast {contrast.shape} and '
            f'{len(keep)} marks of frames do not belong together'
        )
    mean = _mean(series, keep, threads)
    usable = np.flatnonzero(find_varying(series, threads) & (mean > 0))
    coefficients = _autocorrelate(series, usable, mean, design, threads)
    rounded = (coefficients * BINS).astype(np.int64)
    maps = np.full((4, len(series)), np.nan, np.float32)
    groups = [usable[rounded == step] for step in np.unique(rounded)]
    steps = np.unique(rounded) / BINS

    def fit(start: int, stop: int) -> None:
        for group in range(start, stop):
            rows = groups[group]
            result = ARModel(design, steps[group]).fit(_scale(series, rows, mean).T)
            found = compute_contrast(np.zeros(len(rows)), {0.0: result}, contrast)
            maps[:, rows] = (
                found.effect_size(), found.effect_variance(), found.stat(), found.z_score()
            )  # fmt: skip

    run_slabs(fit, len(groups), threads)
    degrees = len(design) - int(np.linalg.matrix_rank(design))
    effect, variance, t, z = maps
    return ContrastMaps(effect, variance, t, z, degrees)


def _mean(series: Series, keep: Mask, threads: int) -> Frames:
    parts = map_blocks(
        lambda rows: series[rows][:, keep].mean(axis=1, dtype=np.float64), len(series), threads
    )
    return np.concatenate(parts) if parts else np.zeros(0)


def _scale(series: Series, rows: NDArray[np.intp], mean: Frames) -> Frames:
    return np.asarray(100 * (series[rows].astype(np.float64) / mean[rows, None] - 1))


def _autocorrelate(
    series: Series, usable: NDArray[np.intp], mean: Frames, design: Frames, threads: int
) -> Frames:
    """Return the lag-one autocorrelation of what the design leaves of each voxel."""
    solve = np.linalg.pinv(design)
    frames = len(design)

    def measure(rows: slice) -> Frames:
        values = _scale(series, usable[rows], mean)
        rest = values - (values @ solve.T) @ design.T
        power = (rest**2).sum(axis=1) / frames
        beside = (rest[:, 1:] * rest[:, :-1]).sum(axis=1) / (frames - 1)
        return np.asarray(beside / np.maximum(power, 1e-300))

    parts = map_blocks(measure, len(usable), threads)
    return np.concatenate(parts) if parts else np.zeros(0)
