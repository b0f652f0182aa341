"""T1 of inversion recoveries that their readout drives, and the sign that magnitudes lack."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mriderived.core.fit_outcome import Outcome, Outcomes, Values, judge, keep_fitted
from mriderived.core.inversion_recovery import BOUNDS, Recovery


class LookLocker(NamedTuple):
    """T1 in s and R1 in 1/s, one per voxel; NaN wherever ``outcome`` is not ``FITTED``."""

    time: Values
    rate: Values
    outcome: Outcomes


def correct_readout(recovery: Recovery, *, bounds: tuple[float, float] = BOUNDS) -> LookLocker:
    r"""Return T1 from what is fitted to images of a readout that disturbs the recovery.

    Excitations during the recovery (as of MOLLI) drive it to a lower plateau, faster: with
    :math:`A - B \exp(-t / T_1^*)`, :math:`T_1 = T_1^* (B / A - 1)`.

    Parameters
    ----------
    recovery : Recovery
        Of :func:`~mriderived.core.inversion_recovery.fit_inversion_recovery`, of images at the
        times since inversion.
    bounds : tuple of float
        Plausible T1, in s.

    Returns
    -------
    LookLocker
        What was not fitted before keeps its outcome.

    References
    ----------
    Deichmann and Haase 1992, https://doi.org/10.1016/0022-2364(92)90347-A;
    Messroghli et al. 2004, https://doi.org/10.1002/mrm.20110

    Examples
    --------
    >>> times = np.array([0.1, 0.2, 1.0, 1.9, 2.9, 3.8])
    >>> from mriderived.core.inversion_recovery import fit_inversion_recovery
    >>> found = fit_inversion_recovery(np.abs([100 - 190 * np.exp(-times / 0.9)]), times)
    >>> round(float(correct_readout(found).time[0]), 4)
    0.81
    """
    time = recovery.time.astype(np.float64) * (recovery.efficiency.astype(np.float64) - 1)
    outcome = judge(time, bounds, np.ones((len(time), 1)))
    before = recovery.outcome != Outcome.FITTED
    outcome[before] = recovery.outcome[before]
    with np.errstate(divide='ignore', invalid='ignore'):
        rate = 1 / time
    return LookLocker(keep_fitted(time, outcome), keep_fitted(rate, outcome), outcome)


def restore_sign(magnitude: ArrayLike, phase: ArrayLike, reference: ArrayLike) -> Values:
    """Return signals with their sign, from their phase against that of a recovered image.

    Parameters
    ----------
    magnitude, phase : arrays, shape (voxels, times)
        The phase in radians.
    reference : array, shape (voxels,)
        Phase of the image at the longest inversion time, in radians.

    Returns
    -------
    array of float32, shape (voxels, times)

    References
    ----------
    Xue et al. 2013, https://doi.org/10.1002/mrm.24385

    Examples
    --------
    >>> restore_sign([[2.0, 3.0]], [[3.0, 0.1]], [0.2]).tolist()
    [[-2.0, 3.0]]
    """
    away = np.asarray(phase, np.float64) - np.asarray(reference, np.float64)[:, None]
    sign: NDArray[np.float64] = np.where(np.cos(away) < 0, -1.0, 1.0)
    return np.asarray(np.asarray(magnitude) * sign, np.float32)
