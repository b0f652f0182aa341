"""Combine the echoes of a run, weighted by what each can show of T2* changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.core.log_decay import LogDecay, fit_log_decay

Volume = NDArray[np.float32]

#: T2* of brains lies well within these, in s.
BOUNDS = (0.002, 0.5)
#: Where no decay can be fitted, this T2* (of grey matter at 3 T, in s) stands in.
USUAL = 0.045


class Decay(NamedTuple):
    """How the signal of each voxel decays over the echoes, shape (x, y, z).

    ``t2star`` is in s, 0 where it is not plausible; ``misfit`` is the root mean square of what the
    exponential leaves, over the mean of the echoes, NaN where two echoes leave nothing.
    """

    t2star: Volume
    misfit: Volume


def fit_t2star(means: Sequence[Volume], echo_times: Sequence[float], threads: int = 1) -> Volume:
    """Fit a single exponential decay to the mean of each echo.

    By the logarithm of the signals: :func:`~mriderived.core.log_decay.fit_log_decay`.

    Parameters
    ----------
    means : sequence of arrays of float32, shape (x, y, z)
        At least two echoes.
    echo_times : sequence of float
        In s, ascending.
    threads : int

    Returns
    -------
    array of float32, shape (x, y, z)
        T2* in s, within ``BOUNDS``; 0 where the signal does not decay.

    Raises
    ------
    ValueError
        If there are fewer than two echoes, or their times do not ascend.

    References
    ----------
    https://doi.org/10.1002/(SICI)1522-2594(199907)42:1<87::AID-MRM13>3.0.CO;2-O

    Examples
    --------
    >>> times = (0.012, 0.028, 0.044)
    >>> means = [np.full((1, 1, 1), 1000 * np.exp(-te / 0.05), np.float32) for te in times]
    >>> round(float(fit_t2star(means, times)[0, 0, 0]), 4)
    0.05
    """
    found = 1 / _fit(means, echo_times, threads).rate
    times = np.where(np.isfinite(found), np.clip(found, *BOUNDS), 0)
    return times.astype(np.float32).reshape(means[0].shape)


def map_decay(means: Sequence[Volume], echo_times: Sequence[float], threads: int = 1) -> Decay:
    """Map T2* and how well an exponential decay describes the echoes.

    Parameters
    ----------
    means : sequence of arrays of float32, shape (x, y, z)
        At least two echoes; see :func:`fit_t2star`.
    echo_times : sequence of float
        In s, ascending.
    threads : int

    Returns
    -------
    Decay
        T2* is 0 where the signal does not decay, or T2* lies outside of ``BOUNDS``: such voxels
        have no T2* that these echoes can tell.

    Raises
    ------
    ValueError
        If there are fewer than two echoes, or their times do not ascend.

    References
    ----------
    https://doi.org/10.1002/(SICI)1522-2594(199907)42:1<87::AID-MRM13>3.0.CO;2-O

    Examples
    --------
    >>> times = (0.012, 0.028, 0.044)
    >>> means = [np.full((1, 1, 1), 1000 * np.exp(-te / 0.05), np.float32) for te in times]
    >>> found = map_decay(means, times)
    >>> round(float(found.t2star[0, 0, 0]), 4), bool(found.misfit[0, 0, 0] < 1e-6)
    (0.05, True)
    """
    rate, amplitude = (values.astype(np.float64) for values in _fit(means, echo_times, threads))
    found = 1 / rate
    plausible = (found >= BOUNDS[0]) & (found <= BOUNDS[1])
    rest, total = np.zeros((2, len(found)))
    for mean, time in zip(means, echo_times, strict=True):
        rest += (mean.ravel() - amplitude * np.exp(-rate * time)) ** 2
        total += mean.ravel()
    count = len(means)
    misfit = np.sqrt(rest / count) / np.maximum(total / count, 1e-6)
    if count == 2:
        misfit[:] = np.nan
    shape = means[0].shape
    return Decay(
        np.where(plausible, found, 0).astype(np.float32).reshape(shape),
        np.where(plausible, misfit, np.nan).astype(np.float32).reshape(shape),
    )


def _fit(means: Sequence[Volume], echo_times: Sequence[float], threads: int) -> LogDecay:
    """Fit all voxels; one whose first echo has no signal does not decay."""
    times = np.asarray(echo_times, np.float64)
    if len(means) != len(times) or len(times) < 2 or (np.diff(times) <= 0).any():
        raise ValueError(f'echo times must ascend, one per echo: {list(echo_times)}')
    found = fit_log_decay(np.stack([mean.ravel() for mean in means], axis=1), echo_times,
                          threads=threads)  # fmt: skip
    found.rate[~((found.rate > 0) & (means[0].ravel() > 0))] = np.nan
    return found


def echo_weights(t2star: Volume, echo_times: Sequence[float]) -> NDArray[np.float32]:
    """Return the weight of each echo, TE exp(-TE / T2*), of sum 1 (Posse et al. 1999).

    Parameters
    ----------
    t2star : array of float32, shape (x, y, z)
        In s; where it is 0, ``USUAL`` stands in.
    echo_times : sequence of float
        In s.

    Returns
    -------
    array of float32, shape (echoes, x, y, z)

    Examples
    --------
    >>> weights = echo_weights(np.full((1, 1, 1), 0.03, np.float32), (0.03, 0.06))
    >>> [round(float(weight), 3) for weight in weights.ravel()]
    [0.576, 0.424]
    """
    times = np.asarray(echo_times, np.float64)[:, None, None, None]
    decay = np.where(t2star > 0, t2star, USUAL)
    weights = times * np.exp(-times / decay)
    return np.asarray(weights / weights.sum(axis=0), np.float32)
