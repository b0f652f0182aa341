"""The diffusion and the kurtosis tensor of every voxel."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.core.gradient_table import Gradients, select
from mriderived.core.log_signal_fit import fit_log_signal
from mriderived.core.tensor import (
    REDUCED,
    count_directions,
    determines,
    nominal_table,
    tensor_basis,
    tensor_design,
)

#: Beyond this nominal b-value, in s/mm², ln S is no parabola in b any more.
LARGEST_B = 3000.0
#: The distinct elements of a symmetric tensor of rank 4: how often each of x, y, z occurs.
POWERS = np.array([
    [4, 0, 0], [0, 4, 0], [0, 0, 4], [3, 1, 0], [3, 0, 1], [1, 3, 0], [0, 3, 1], [1, 0, 3],
    [0, 1, 3], [2, 2, 0], [2, 0, 2], [0, 2, 2], [2, 1, 1], [1, 2, 1], [1, 1, 2],
])  # fmt: skip
#: How many of the 81 elements of the full tensor each stands for.
MULTIPLICITY = np.array([1, 1, 1, 4, 4, 4, 4, 4, 4, 6, 6, 6, 12, 12, 12])


class KurtosisFit(NamedTuple):
    """Tensors of N voxels, in world axes.

    ``tensor`` (N, 6) in mm²/s, in the order Dxx Dxy Dxz Dyy Dyz Dzz. ``kurtosis`` (N, 15)
    without unit, in the order Wxxxx Wyyyy Wzzzz Wxxxy Wxxxz Wxyyy Wyyyz Wxzzz Wyzzz Wxxyy Wxxzz
    Wyyzz Wxxyz Wxyyz Wxyzz. ``s0`` (N,) in the unit of the signals. All are NaN where ``fitted``
    (N,) is False; ``floored`` (N,) counts the signals that were not positive.
    """

    tensor: NDArray[np.float64]
    kurtosis: NDArray[np.float64]
    s0: NDArray[np.float64]
    floored: NDArray[np.int32]
    fitted: NDArray[np.bool_]


def kurtosis_volumes(gradients: Gradients, largest_b: float = LARGEST_B) -> NDArray[np.bool_]:
    """Choose the volumes (n,) for kurtosis: those up to a b-value.

    Parameters
    ----------
    gradients : Gradients
    largest_b : float
        Nominal, in s/mm².

    Raises
    ------
    ValueError
        If they do not determine both tensors: two shells and fifteen directions are needed.
    """
    nominal = np.array(gradients.shells)
    volumes = np.asarray(nominal[gradients.shell] <= largest_b)
    if not determines(kurtosis_design(nominal_table(select(gradients, volumes)))):
        weighted = gradients.directions[volumes & (gradients.shell > 0)]
        raise ValueError(
            f'kurtosis needs two shells up to b = {largest_b:g} s/mm², fifteen directions and a '
            f'volume without weighting; the table has {count_directions(weighted)} directions '
            f'there and the b-values {sorted(set(nominal[gradients.shell].tolist()))} s/mm²'
        )
    return volumes


def fit_kurtosis(
    signals: NDArray[np.floating[Any]],
    gradients: Gradients,
    iterations: int = 2,
    threads: int = 1,
) -> KurtosisFit:
    r"""Fit :math:`\ln S = \ln S_0 - b\,D(g) + \frac{b^2}{6} \bar D^2 W(g)`.

    By iterated weighted least squares, in which :math:`\bar D^2 W` is linear.

    Parameters
    ----------
    signals : array of float, shape (N, n)
    gradients : Gradients
        Of all n volumes: choose with :func:`kurtosis_volumes` and `select` first.
    iterations : int
        Weighted fits after the first.
    threads : int

    Raises
    ------
    ValueError
        If the table does not determine the tensors.

    References
    ----------
    Jensen et al. 2005, https://doi.org/10.1002/mrm.20508;
    Veraart et al. 2013, https://doi.org/10.1016/j.neuroimage.2013.05.028
    """
    fit = fit_log_signal(signals, kurtosis_design(gradients), iterations, threads)
    tensor = fit.coefficients[:, :6]
    mean = tensor[:, [0, 3, 5]].mean(axis=1)
    # W is relative to the mean diffusivity: without one, there is none
    fitted = fit.fitted & (mean > 0)
    scale = np.where(fitted, mean, np.nan)
    with np.errstate(over='ignore'):
        s0 = np.exp(fit.coefficients[:, 21] + 0 * scale)
    return KurtosisFit(
        tensor * (REDUCED + 0 * scale[:, None]),
        fit.coefficients[:, 6:21] / scale[:, None] ** 2,
        s0,
        fit.floored,
        fitted,
    )


def kurtosis_design(gradients: Gradients) -> NDArray[np.float64]:
    """Return the design (n, 22): D in µm²/ms, the squared mean diffusivity times W, ln S0."""
    linear = tensor_design(gradients)
    square = (gradients.b[:, None] * REDUCED) ** 2 / 6
    return np.column_stack([
        linear[:, :6],
        square * kurtosis_basis(gradients.directions),
        linear[:, 6:],
    ])  # fmt: skip


def kurtosis_basis(directions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (n, 15), whose product with the elements of W is W(g), the sum of W g g g g.

    Examples
    --------
    >>> isotropic = np.array([1, 1, 1, 0, 0, 0, 0, 0, 0, 1 / 3, 1 / 3, 1 / 3, 0, 0, 0])
    >>> (kurtosis_basis(np.array([[0.6, 0, 0.8], [0, 1, 0]])) @ isotropic).round(9).tolist()
    [1.0, 1.0]
    """
    powers = np.power(directions[:, None, :], POWERS)
    return np.asarray(MULTIPLICITY * powers.prod(axis=2), np.float64)


def apparent_kurtosis(
    tensor: NDArray[np.float64],
    kurtosis: NDArray[np.float64],
    directions: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the kurtosis (N, d) along directions (d, 3); NaN where D(g) is not positive."""
    diffusivity = tensor @ tensor_basis(directions).T
    mean = tensor[:, [0, 3, 5]].mean(axis=1, keepdims=True)
    diffusivity[diffusivity <= 0] = np.nan
    return np.asarray((mean / diffusivity) ** 2 * (kurtosis @ kurtosis_basis(directions).T))
