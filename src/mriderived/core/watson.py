"""Sticks that a Watson distribution spreads about an axis, as series of even Legendre polynomials.

Both the distribution and the signal of one stick depend on an angle alone, so that the signal of
the spread sticks is the product of their coefficients. The coefficients of the distribution are
kept in a table over the orientation dispersion.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

#: Dispersion below which the distribution is taken to be that of this one (kappa of 64).
LEAST_DISPERSION = 0.01
#: Share of a stick's signal that the series may leave out.
TAIL = 1e-5
MAX_DEGREE = 40
_NODES = 128
_TABLE = 1024


class WatsonTable(NamedTuple):
    """Coefficients at dispersions from ``start`` in steps of ``step``; shape (nodes, degrees)."""

    start: float
    step: float
    coefficients: NDArray[np.float64]


def concentration(dispersion: NDArray[np.float64]) -> NDArray[np.float64]:
    r"""Return kappa of an orientation dispersion, :math:`1 / \tan(\pi\,\mathrm{OD} / 2)`.

    Parameters
    ----------
    dispersion : array of float
        From above 0 (parallel) to 1 (isotropic).

    Returns
    -------
    array of float

    References
    ----------
    Zhang et al. 2012, https://doi.org/10.1016/j.neuroimage.2012.03.072

    Examples
    --------
    >>> concentration(np.array([0.5, 1.0])).round(9) + 0.0
    array([1., 0.])
    """
    return np.asarray(1.0 / np.tan(np.pi * np.asarray(dispersion, float) / 2), np.float64)


def watson_coefficients(kappa: NDArray[np.float64], degree: int) -> NDArray[np.float64]:
    r"""Return the mean of each even Legendre polynomial under a Watson distribution.

    .. math:: p_l = \int_0^1 P_l(t)\, e^{\kappa t^2} dt \Big/ \int_0^1 e^{\kappa t^2} dt

    Parameters
    ----------
    kappa : array of float, shape (n,)
        0 to 500.
    degree : int
        The largest, even.

    Returns
    -------
    array of float, shape (n, degree / 2 + 1)

    Examples
    --------
    >>> watson_coefficients(np.array([0.0]), 4).round(9) + 0.0
    array([[1., 0., 0.]])
    """
    nodes, weights = _quadrature()
    density = np.exp(np.asarray(kappa, float)[:, None] * (nodes**2 - 1)) * weights
    density /= density.sum(axis=1, keepdims=True)
    return np.asarray(density @ even_legendre(nodes, degree), np.float64)


def stick_coefficients(exponents: NDArray[np.float64], degree: int) -> NDArray[np.float64]:
    r"""Return the series of :math:`e^{-x t^2}` in even Legendre polynomials of t.

    Parameters
    ----------
    exponents : array of float, shape (n,)
        x: b times the diffusivity along the stick.
    degree : int
        The largest, even.

    Returns
    -------
    array of float, shape (n, degree / 2 + 1)

    Examples
    --------
    >>> series = stick_coefficients(np.array([2.0]), 20) @ even_legendre(np.array([0.5]), 20).T
    >>> bool(abs(series[0, 0] - np.exp(-0.5)) < 1e-9)
    True
    """
    nodes, weights = _quadrature()
    signal = np.exp(-np.asarray(exponents, float)[:, None] * nodes**2) * weights
    return np.asarray(
        signal @ even_legendre(nodes, degree) * (2 * np.arange(0, degree + 1, 2) + 1), np.float64
    )


def needed_degree(exponent: float) -> int:
    """Return the degree from which on no coefficient of a stick's series matters."""
    size = np.abs(stick_coefficients(np.array([exponent]), MAX_DEGREE)[0])
    return int(2 * max(2, np.flatnonzero(size > TAIL)[-1]))


def even_legendre(cosines: NDArray[np.float64], degree: int) -> NDArray[np.float64]:
    """Return P_0, P_2, … P_degree of each cosine, shape (n, degree / 2 + 1)."""
    values = np.polynomial.legendre.legvander(np.asarray(cosines, float), degree)
    return np.asarray(values[..., ::2], np.float64)


@lru_cache
def watson_table(degree: int) -> WatsonTable:
    """Return the coefficients over all dispersions from the least to 1."""
    dispersion = np.linspace(LEAST_DISPERSION, 1.0, _TABLE)
    table = watson_coefficients(concentration(dispersion), degree)
    return WatsonTable(LEAST_DISPERSION, float(dispersion[1] - dispersion[0]), table)


@lru_cache
def _quadrature() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    return (nodes + 1) / 2, weights / 2
