"""Scalar measures of kurtosis tensors."""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from mriderived.core.kurtosis import MULTIPLICITY
from mriderived.core.symmetric_matrices import decompose

Scalars = NDArray[np.float32]
#: Voxels whose measures are computed at a time: they bound the memory.
CHUNK = 20_000
#: Between these lies every mean kurtosis of water in tissue: the lower is that of water inside
#: impermeable spheres, to which dipy limits it as well.
PLAUSIBLE = (-3 / 7, 10.0)
#: Eigenvalues below this share of the mean diffusivity are noise around zero.
_LEAST_SHARE = 0.01
#: Gauss-Legendre nodes in (0, 1) of an even integrand, enough for eigenvalues of that share.
_NODES, _WEIGHTS = (half[40:] for half in np.polynomial.legendre.leggauss(80))


class KurtosisMeasures(NamedTuple):
    """Measures of N voxels, each (N,), without unit.

    Mean, axial and radial kurtosis (``mk``, ``ak``, ``rk``), the anisotropy ``kfa`` (0 to 1) and
    the mean ``mkt`` of the kurtosis tensor. ``implausible``: an eigenvalue of the tensor is not
    positive, or one of ``mk``, ``ak``, ``rk`` is outside what tissue can have. NaN where the
    tensors are.
    """

    mk: Scalars
    ak: Scalars
    rk: Scalars
    kfa: Scalars
    mkt: Scalars
    implausible: NDArray[np.bool_]


def measure_kurtosis(
    tensor: NDArray[np.float64], kurtosis: NDArray[np.float64]
) -> KurtosisMeasures:
    r"""Measure kurtosis tensors.

    MK is the mean over all directions of :math:`K(n) = \bar D^2 W(n) / D(n)^2`, AK the kurtosis
    along the first eigenvector of D and RK the mean over the directions perpendicular to it. In
    the axes of D only :math:`W_{iijj}` contribute, and

    .. math:: \mathrm{MK} = \bar D^2 \sum_{ij} W_{iijj}
       \left\langle \frac{n_i^2 n_j^2}{D(n)^2} \right\rangle,

    in which the mean over the sphere is an integral over one variable (Gaussian vectors in the
    place of unit vectors: their length cancels), taken by Gauss-Legendre quadrature; that over
    the circle has a closed form. No formula here is singular where eigenvalues are equal. MKT is
    the mean of W(n), :math:`(W_{iijj}) / 5`, and KFA the norm of what is left of W without it,
    as a share of the norm of W.

    Parameters
    ----------
    tensor : array of float, shape (N, 6)
    kurtosis : array of float, shape (N, 15)
        As of :func:`~mriderived.core.kurtosis.fit_kurtosis`.

    References
    ----------
    Jensen and Helpern 2010, https://doi.org/10.1002/nbm.1518;
    Tabesh et al. 2011, https://doi.org/10.1002/mrm.22655;
    Hansen et al. 2013, https://doi.org/10.1002/mrm.24743 (MKT);
    Glenn et al. 2015, https://doi.org/10.1002/nbm.3271 (KFA)

    Examples
    --------
    >>> isotropic = np.array([[1, 1, 1, 0, 0, 0, 0, 0, 0, 1 / 3, 1 / 3, 1 / 3, 0, 0, 0]])
    >>> found = measure_kurtosis(np.array([[1e-3, 0, 0, 1e-3, 0, 1e-3]]), 0.7 * isotropic)
    >>> [round(float(one[0]), 6) for one in found[:5]]
    [0.7, 0.7, 0.7, 0.0, 0.7]
    """
    voxels = len(tensor)
    scalars = np.empty((5, voxels), np.float32)
    implausible = np.empty(voxels, np.bool_)
    for start in range(0, voxels, CHUNK):
        part = slice(start, start + CHUNK)
        values, vectors = decompose(tensor[part])
        w = np.ascontiguousarray(kurtosis[part], np.float64)
        mean = values.mean(axis=1)
        least = _LEAST_SHARE * mean
        found = np.empty((3, len(w)))
        _integrate(np.maximum(values, least[:, None]), vectors, w, _NODES, _WEIGHTS, found)
        scalars[:3, part] = found
        scalars[3, part], scalars[4, part] = _tensor_scalars(w)
        # missing is not implausible: NaN compares as neither
        low, high = PLAUSIBLE
        beyond = ((found < low) | (found > high)).any(axis=0)
        implausible[part] = beyond | (values[:, 2] < least) | (mean <= 0)
    mk, ak, rk, kfa, mkt = scalars
    return KurtosisMeasures(mk, ak, rk, kfa, mkt, implausible)


def _tensor_scalars(w: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the anisotropy and the mean of kurtosis tensors."""
    mkt = (w[:, :3].sum(axis=1) + 2 * w[:, 9:12].sum(axis=1)) / 5
    rest = w.copy()
    rest[:, :3] -= mkt[:, None]
    rest[:, 9:12] -= mkt[:, None] / 3
    norm = np.sqrt(w**2 @ MULTIPLICITY)
    share = np.sqrt(rest**2 @ MULTIPLICITY) / np.where(norm == 0, 1, norm)
    return np.asarray(np.minimum(share, 1)), mkt


@numba.njit(nogil=True, cache=True)
def _quartic(w: Any, x: float, y: float, z: float) -> Any:
    """Return W(n), the sum of W n n n n."""
    xx, yy, zz = x * x, y * y, z * z
    even = w[0] * xx * xx + w[1] * yy * yy + w[2] * zz * zz
    even += 6 * (w[9] * xx * yy + w[10] * xx * zz + w[11] * yy * zz)
    odd = 4 * (x * y * (w[3] * xx + w[5] * yy) + x * z * (w[4] * xx + w[7] * zz))
    odd += 4 * y * z * (w[6] * yy + w[8] * zz)
    return even + odd + 12 * (w[12] * xx * y * z + w[13] * x * yy * z + w[14] * x * y * zz)


@numba.njit(nogil=True, cache=True)
def _even_elements(w: Any, v: Any, out: Any) -> None:
    """Write W_iijj in the axes v (columns): 11, 22, 33, 12, 13, 23."""
    for i in range(3):
        out[i] = _quartic(w, v[0, i], v[1, i], v[2, i])
    for place, i, j in ((3, 0, 1), (4, 0, 2), (5, 1, 2)):
        # W(u + v) + W(u - v) = 2 W(u) + 2 W(v) + 12 W(u, u, v, v)
        s = _quartic(w, v[0, i] + v[0, j], v[1, i] + v[1, j], v[2, i] + v[2, j])
        d = _quartic(w, v[0, i] - v[0, j], v[1, i] - v[1, j], v[2, i] - v[2, j])
        out[place] = (s + d - 2 * out[i] - 2 * out[j]) / 12


@numba.njit(nogil=True, cache=True, error_model='numpy')
def _mean_kurtosis(a: float, b: float, c: float, e: Any, nodes: Any, weights: Any) -> Any:
    """Return MK of eigenvalues that are relative to their mean and the even elements of W."""
    total = 0.0
    for k in range(len(nodes)):
        x2 = nodes[k] * nodes[k]
        rest = 1 - x2
        p, q, r = 1 / (x2 + rest * a), 1 / (x2 + rest * b), 1 / (x2 + rest * c)
        squares = 3 * (e[0] * p * p + e[1] * q * q + e[2] * r * r)
        mixed = 6 * (e[3] * p * q + e[4] * p * r + e[5] * q * r)
        total += weights[k] * rest * x2 * np.sqrt(p * q * r) * (squares + mixed)
    return total / 2


@numba.njit(nogil=True, cache=True, error_model='numpy')
def _integrate(values: Any, vectors: Any, w: Any, nodes: Any, weights: Any, found: Any) -> None:
    e = np.empty(6)
    for n in range(len(w)):
        _even_elements(w[n], vectors[n], e)
        mean = (values[n, 0] + values[n, 1] + values[n, 2]) / 3
        a, b, c = values[n, 0] / mean, values[n, 1] / mean, values[n, 2] / mean
        found[0, n] = _mean_kurtosis(a, b, c, e, nodes, weights)
        found[1, n] = e[0] / (a * a)
        # the means of cos⁴, sin⁴ and cos² sin² over the squared diffusivity, on the circle
        s, t = np.sqrt(b), np.sqrt(c)
        two = 2 * (s + t) ** 2
        radial = e[1] * (2 * s + t) / (b * s) + e[2] * (2 * t + s) / (c * t)
        found[2, n] = (radial + 6 * e[5] / (s * t)) / two
