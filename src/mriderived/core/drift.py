"""Slow drifts as discrete cosines, in the form in which fMRIPrep writes them."""

from __future__ import annotations

import numpy as np

from mriderived.core.series import Frames, check_repetition_time

#: Periods longer than this count as drift, in s: the usual cut-off of 0.008 Hz.
PERIOD = 128.0


def cosine_drift(
    frames: int, repetition_time: float, dummies: int = 0, period: float = PERIOD
) -> Frames:
    r"""Return cosines with periods longer than ``period``, without the constant.

    Column k (from 1) is :math:`\sqrt{2/N} \cos(\pi k (n + 1/2) / N)` over the N frames in steady
    state, for :math:`k < \lfloor 2 N\,TR / period \rfloor`, as in SPM and nipype (which counts
    the constant as one of that number).

    Parameters
    ----------
    frames : int
        All of them.
    repetition_time : float
        In s.
    dummies : int
        Frames at the start that are not in steady state. Their rows are zero.
    period : float
        In s.

    Returns
    -------
    array of float64, shape (frames, columns)
        The columns are orthonormal; there may be none.

    Raises
    ------
    ValueError
        If the repetition time is not positive or no frame is in steady state.

    References
    ----------
    Friston et al. 2000, https://doi.org/10.1006/nimg.2000.0609

    Examples
    --------
    >>> cosine_drift(200, 2.0).shape
    (200, 5)
    """
    check_repetition_time(repetition_time)
    steady = frames - dummies
    if steady < 1 or dummies < 0:
        raise ValueError(f'{dummies} of {frames} frames cannot be before the steady state')
    # Rounded first: 2 * 64 * 1.1 / 128 must not fall below its whole number.
    order = max(int(np.floor(round(2 * steady * repetition_time / period, 9))), 1)
    phase = np.pi * (np.arange(steady) + 0.5) / steady
    drift = np.zeros((frames, order - 1))
    drift[dummies:] = np.sqrt(2 / steady) * np.cos(phase[:, None] * np.arange(1, order))
    return drift


def constant_and_drift(frames: int, repetition_time: float, period: float = PERIOD) -> Frames:
    """Return an orthonormal basis of the constant and the drifts, shape (frames, columns).

    Examples
    --------
    >>> basis = constant_and_drift(200, 2.0)
    >>> bool(np.allclose(basis.T @ basis, np.eye(6)))
    True
    """
    constant = np.full((frames, 1), 1 / np.sqrt(frames))
    return np.hstack([constant, cosine_drift(frames, repetition_time, 0, period)])
