"""Take confounds and frequencies outside a band off a series, in one projection.

Filter and regression done one after the other bring back what the first removed; censored frames
that a filter has seen are smeared over their neighbours. Here one least-squares fit, over the
frames that are kept, has the confounds and the basis of the stop band in the same design, so that
neither can happen, and its rank is what the denoising costs in degrees of freedom.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.core.series import (
    Frames,
    Mask,
    Series,
    check_repetition_time,
    check_series,
    map_blocks,
)

#: The usual band of resting-state fluctuations, in Hz.
BAND = (0.01, 0.08)
#: Fewer degrees of freedom than this leave no correlation worth a number: at 15, the standard
#: error of Fisher's z is 0.29.
MIN_DEGREES = 15
#: Singular values of the design (columns of unit length) below this are no dimension of it.
_RANK = 1e-8


class Degrees(NamedTuple):
    """Where the degrees of freedom went; ``left`` is ``frames`` minus the three others."""

    frames: int
    censored: int
    confounds: int
    band: int
    left: int


class TooFewDegreesError(ValueError):
    """Too few degrees of freedom are left to measure anything."""

    def __init__(self, degrees: Degrees, minimum: int) -> None:
        self.degrees = degrees
        lost = f'{degrees.censored} censored, {degrees.confounds} for confounds'
        super().__init__(
            f'{degrees.left} of {degrees.frames} degrees of freedom are left '
            f'({lost}, {degrees.band} for the frequency band); {minimum} are needed'
        )


class Design(NamedTuple):
    """What is taken off: an orthonormal basis over the kept frames, and what it costs."""

    basis: NDArray[np.float64]
    keep: Mask
    degrees: Degrees


class Denoised(NamedTuple):
    """The kept frames of the series with mean zero, which frames these are, and the cost."""

    series: Series
    keep: Mask
    degrees: Degrees


def stop_band(
    frames: int, repetition_time: float, band: tuple[float | None, float | None]
) -> Frames:
    r"""Return discrete cosines whose frequency lies outside ``band``, and the constant.

    Cosine k has the frequency :math:`k / (2 N\,TR)`. Unlike Fourier's, the basis does not take
    the last frame for a neighbour of the first, so that a trend stays with the low frequencies.
    Of a wave of any phase within the band it keeps more (99.5 % against 98.9 % of the power, 200
    frames of 2 s, 0.01 to 0.08 Hz).

    Parameters
    ----------
    frames : int
    repetition_time : float
        In s.
    band : two floats or None
        Lowest and highest frequency that is let through, in Hz; ``None`` for no limit.

    Returns
    -------
    array of float64, shape (frames, columns)
        Orthonormal; the constant first.

    Raises
    ------
    ValueError
        If the band holds no frequency.

    Examples
    --------
    >>> stop_band(200, 2.0, (0.01, 0.08)).shape
    (200, 143)
    """
    check_repetition_time(repetition_time)
    order = np.arange(frames)
    frequency = order / (2 * frames * repetition_time)
    low = 0.0 if band[0] is None else band[0]
    high = np.inf if band[1] is None else band[1]
    # Frequencies at the very limit belong to the band whichever way they are rounded.
    slack = 1e-9 / repetition_time
    inside = (frequency >= low - slack) & (frequency <= high + slack) & (order > 0)
    if not inside.any():
        raise ValueError(
            f'no frequency of {frames} frames every {repetition_time:g} s lies between '
            f'{low:g} and {high:g} Hz'
        )
    phase = np.pi * (order + 0.5) / frames
    basis = np.cos(phase[:, None] * order[~inside]) * np.sqrt(2 / frames)
    basis[:, 0] = 1 / np.sqrt(frames)
    return np.asarray(basis)


def make_design(
    confounds: Frames,
    keep: Mask,
    repetition_time: float,
    band: tuple[float | None, float | None] | None = BAND,
    minimum: int = MIN_DEGREES,
) -> Design:
    """Join confounds and stop band to one orthonormal basis over the frames that are kept.

    Parameters
    ----------
    confounds : array of float64, shape (frames, columns)
        NaN (of differences) counts as the mean, in frames after a censored one and in the first.
    keep : array of bool, shape (frames,)
        False for censored frames. Whatever their values are, they have no influence.
    repetition_time : float
        In s.
    band : two floats, or None
        In Hz; see :func:`stop_band`. ``None`` filters nothing.
    minimum : int
        Degrees of freedom that have to be left.

    Returns
    -------
    Design
        ``degrees.band`` counts what the stop band (and the mean) takes beyond the censoring,
        ``degrees.confounds`` what the confounds take beyond that.

    Raises
    ------
    TooFewDegreesError
        If fewer than ``minimum`` are left.
    ValueError
        If lengths differ, a confound has other missing values, or the band is empty.

    References
    ----------
    Lindquist et al. 2019, https://doi.org/10.1002/hbm.24528
    """
    _check(confounds, keep)
    frames = len(keep)
    limits = band if band is not None else (None, None)
    filters = stop_band(frames, repetition_time, limits)[keep]
    columns = _centre(confounds[keep])
    basis = _orthonormal(filters)
    taken = basis.shape[1]
    if columns.shape[1] and taken < len(basis):
        rest = columns - basis @ (basis.T @ columns)
        rest -= basis @ (basis.T @ rest)
        # A column inside the stop band leaves nothing but rounding, which has no direction.
        rest = rest[:, np.linalg.norm(rest, axis=0) > _RANK]
        basis = np.hstack([basis, _orthonormal(rest)])
    rank = basis.shape[1]
    kept = int(np.count_nonzero(keep))
    degrees = Degrees(frames, frames - kept, rank - taken, taken, kept - rank)
    if degrees.left < minimum:
        raise TooFewDegreesError(degrees, minimum)
    return Design(basis, keep, degrees)


def denoise(series: Series, design: Design, threads: int = 1) -> Denoised:
    """Take everything that the design spans off every voxel.

    What is left are the courses in the band that no frequency of the stop band can imitate over
    the kept frames. Beside a gap they are small, because there the stop band can imitate much;
    this is the price of a gap, it is the same for every voxel and it is in the degrees of freedom.

    Parameters
    ----------
    series : array of float32, shape (voxels, frames)
    design : Design
    threads : int

    Returns
    -------
    Denoised
        The series has shape (voxels, kept frames) and the unit of the input. Voxels that are not
        finite in the kept frames are NaN, constant ones exactly 0.

    Raises
    ------
    ValueError
        If the series and the design differ in length.

    Examples
    --------
    >>> frames = np.arange(100)
    >>> slow, fast = np.cos(2 * np.pi * frames / 20), np.cos(2 * np.pi * frames / 4)
    >>> design = make_design(np.zeros((100, 0)), frames >= 0, 2.0, (0.01, 0.08))
    >>> clean = denoise(np.float32([100 + slow + fast]), design).series
    >>> bool(np.corrcoef(clean[0], slow)[0, 1] > 0.98)
    True
    """
    check_series(series)
    if series.shape[1] != len(design.keep):
        length = len(design.keep)
        raise ValueError(f'the series has {series.shape[1]} frames and the design {length}')
    basis = design.basis
    kept, rank = basis.shape
    clean = np.empty((len(series), kept), np.float32)
    # The smaller of the basis and what it leaves is the cheaper one to project on.
    rest = np.linalg.qr(basis, mode='complete')[0][:, rank:] if 2 * rank > kept else None

    def project(rows: slice) -> None:
        values = series[rows][:, design.keep].astype(np.float64)
        # Of a constant, a projection would leave rounding, which looks like a signal.
        values[(values == values[:, :1]).all(axis=1)] = 0
        if rest is not None:
            clean[rows] = (values @ rest) @ rest.T
        else:
            values -= values.mean(axis=1, keepdims=True)
            clean[rows] = values - (values @ basis) @ basis.T

    map_blocks(project, len(series), threads)
    return Denoised(clean, design.keep, design.degrees)


def follows_gap(keep: Mask) -> Mask:
    """Return the frames before which no kept frame stands: a difference there means nothing.

    Examples
    --------
    >>> follows_gap(np.array([True, True, False, True])).tolist()
    [True, False, False, True]
    """
    return np.concatenate([[True], ~keep[:-1]]) if len(keep) else keep


def _check(confounds: Frames, keep: Mask) -> None:
    if len(confounds) != len(keep):
        raise ValueError(f'the confounds have {len(confounds)} frames and the mask {len(keep)}')
    missing = np.isnan(confounds)
    missing[follows_gap(keep)] = False
    if (missing & keep[:, None]).any() or np.isinf(confounds[keep]).any():
        raise ValueError('a confound has a missing value in a frame that follows a kept one')


def _centre(confounds: Frames) -> Frames:
    """Return the columns that vary, with mean zero and unit length."""
    if confounds.shape[0] == 0:
        return np.zeros((0, 0))
    centred = confounds - np.nanmean(confounds, axis=0)
    centred = np.nan_to_num(centred)
    length = np.linalg.norm(centred, axis=0)
    size = np.nanmax(np.abs(confounds), axis=0, initial=0)
    varying = length > 1e-10 * np.maximum(size, 1e-300)
    return np.asarray(centred[:, varying] / length[varying])


def _orthonormal(columns: Frames) -> Frames:
    if columns.shape[1] == 0:
        return columns
    vectors, values, _ = np.linalg.svd(columns, full_matrices=False)
    return np.asarray(vectors[:, values > _RANK])
