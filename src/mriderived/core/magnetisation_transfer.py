"""Magnetisation transfer: the saturation by one pulse (MTsat), and the ratio (MTR)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from mriderived.core.fit_outcome import (
    Outcome,
    Outcomes,
    Values,
    as_signals,
    judge,
    keep_fitted,
    per_voxel,
)
from mriderived.core.multi_parameter import Rates, Weighting

#: Plausible MTsat and MTR, in percent: noise around none is plausible, more than all is not.
TRANSFER_BOUNDS = (-20.0, 100.0)
#: Share of the saturation that depends on the field beyond its square.
HELMS = 0.4


class Transfer(NamedTuple):
    """Magnetisation transfer in percent, one value per voxel; NaN where it is not ``FITTED``."""

    percent: Values
    outcome: Outcomes


def map_saturation(
    mtw_signal: ArrayLike,
    mtw: Weighting,
    rates: Rates,
    *,
    transmit: ArrayLike | None = None,
    field_dependence: float | None = HELMS,
    bounds: tuple[float, float] = TRANSFER_BOUNDS,
) -> Transfer:
    r"""Return MTsat: how much of the magnetisation one pulse of transfer saturates.

    :math:`\delta = (A \alpha / S_{MT} - 1) R_1 TR - \alpha^2 / 2` with the angle that the voxel
    sees. The saturation grows with the square of the field, and beyond it: it is divided by
    :math:`f^2`, and multiplied by :math:`(1 - C) / (1 - C f)`, to be that of the nominal field.
    The equation takes angles and rates as small: of a true saturation of 1.70 % it finds 1.67 to
    1.75 %, depending on when the pulse comes.

    Parameters
    ----------
    mtw_signal : array, shape (voxels,)
        MT-weighted, at no echo time.
    mtw : Weighting
    rates : Rates
        Of :func:`~mriderived.core.multi_parameter.map_rates`, with the same transmit field.
    transmit : float or array, shape (voxels,), optional
        Transmit field over its nominal value; 1 if not given.
    field_dependence : float, optional
        C; without it only the square counts.
    bounds : tuple of float
        Plausible saturations, in percent.

    Returns
    -------
    Transfer
        In percent of the magnetisation (percent units).

    Raises
    ------
    ValueError
        If the weighting is not positive.

    References
    ----------
    Helms et al. 2008, https://doi.org/10.1002/mrm.21732;
    field: Weiskopf et al. 2013, https://doi.org/10.3389/fnins.2013.00095

    Examples
    --------
    >>> angle, share, found = np.radians(6), 0.017 + np.radians(6) ** 2 / 2, 0.9 * 0.025
    >>> signal = 1000 * angle * found / (found + share)
    >>> rates = Rates(*(np.float32([v]) for v in (0.9, 1 / 0.9, 1000)), np.zeros(1, np.uint8))
    >>> round(float(map_saturation([signal], Weighting(6, 0.025), rates).percent[0]), 4)
    1.7
    """
    if min(mtw) <= 0:
        raise ValueError(f'angle and time must be positive: {mtw}')
    signal = np.asarray(mtw_signal, np.float64)
    rows = as_signals(signal[:, None], 1, 1)
    field = per_voxel(transmit, len(signal), 1.0)
    angle = np.radians(mtw.flip_angle) * field
    with np.errstate(divide='ignore', invalid='ignore'):
        beyond = rates.density.astype(np.float64) * angle / signal - 1
        relaxed = rates.rate.astype(np.float64) * mtw.repetition_time
        saturation = (beyond * relaxed - angle**2 / 2) / field**2
        if field_dependence is not None:
            saturation *= (1 - field_dependence) / (1 - field_dependence * field)
    percent = 100 * saturation
    outcome = judge(percent, bounds, rows)
    before = rates.outcome != Outcome.FITTED
    outcome[before] = rates.outcome[before]
    return Transfer(keep_fitted(percent, outcome), outcome)


def map_transfer_ratio(
    signals: ArrayLike, *, bounds: tuple[float, float] = TRANSFER_BOUNDS
) -> Transfer:
    r"""Return the magnetisation transfer ratio, :math:`100 (S_{off} - S_{on}) / S_{off}`.

    Parameters
    ----------
    signals : array, shape (voxels, 2)
        Without and with the pulse of transfer.
    bounds : tuple of float
        Plausible ratios, in percent.

    Returns
    -------
    Transfer
        In percent.

    Raises
    ------
    ValueError
        If there are not two images.

    References
    ----------
    Dousset et al. 1992, https://doi.org/10.1148/radiology.182.2.1732968

    Examples
    --------
    >>> map_transfer_ratio([[200.0, 110.0]]).percent.tolist()
    [45.0]
    """
    rows = as_signals(signals, 2, 2).astype(np.float64)
    with np.errstate(divide='ignore', invalid='ignore'):
        percent = 100 * (rows[:, 0] - rows[:, 1]) / rows[:, 0]
    outcome = judge(percent, bounds, rows)
    return Transfer(keep_fitted(percent, outcome), outcome)
