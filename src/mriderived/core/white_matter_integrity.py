"""White-matter tract integrity: water inside and around aligned axons, from kurtosis."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.core.kurtosis import apparent_kurtosis
from mriderived.core.kurtosis_maximum import find_maximum, half_sphere
from mriderived.core.symmetric_matrices import decompose
from mriderived.core.tensor import tensor_basis

Scalars = NDArray[np.float32]
#: Voxels at a time: they bound the memory.
CHUNK = 5000
#: Directions that the tensors of the two compartments are fitted to.
_DIRECTIONS = 200
#: What Fieremans et al. call aligned: least linearity, largest planarity and sphericity.
_LINEAR, _PLANAR, _SPHERICAL = 0.4, 0.2, 0.35
#: Kurtosis beyond this is no tissue's, and no water diffuses faster (mm²/s).
_LARGEST_KURTOSIS, _LARGEST_DIFFUSIVITY = 10.0, 4e-3


class Integrity(NamedTuple):
    """Measures of N voxels, each (N,); NaN where the model does not hold.

    ``awf``, the axonal water fraction (0 to 1); ``de_par`` and ``de_perp``, the diffusivities
    outside axons along and across them, and ``da``, that inside, in mm²/s; ``tortuosity``,
    ``de_par / de_perp``. ``valid``: voxels with values; ``implausible``: aligned voxels without,
    because a fraction or a diffusivity came out impossible.
    """

    awf: Scalars
    de_par: Scalars
    de_perp: Scalars
    da: Scalars
    tortuosity: Scalars
    valid: NDArray[np.bool_]
    implausible: NDArray[np.bool_]


def is_aligned(tensor: NDArray[np.float64]) -> NDArray[np.bool_]:
    r"""Whether fibres have one direction: the voxels (N,) in which the model may hold.

    By the criteria of Fieremans et al.: :math:`(\lambda_1 - \lambda_2) / \lambda_1 \ge 0.4`,
    :math:`(\lambda_2 - \lambda_3) / \lambda_1 \le 0.2` and
    :math:`\lambda_3 / \lambda_1 \le 0.35`, all eigenvalues positive.

    Examples
    --------
    >>> is_aligned(np.array([[1.7, 0, 0, 0.3, 0, 0.3], [1.2, 0, 0, 1.1, 0, 0.3]]) * 1e-3).tolist()
    [True, False]
    """
    values, _ = decompose(tensor)
    first, second, third = values.T
    linear, planar = first - second >= _LINEAR * first, second - third <= _PLANAR * first
    return np.asarray((third > 0) & linear & planar & (third <= _SPHERICAL * first))


def measure_integrity(
    tensor: NDArray[np.float64],
    kurtosis: NDArray[np.float64],
    aligned: NDArray[np.bool_] | None = None,
    threads: int = 1,
) -> Integrity:
    r"""Measure the tissue model of white-matter tract integrity.

    Two compartments, aligned axons without exchange (a fraction f of the water) and what is
    around them. With the largest kurtosis over all directions,
    :math:`f = K_{max} / (K_{max} + 3)`, and along every direction

    .. math:: D_e = D \left(1 + \sqrt{\frac{K f}{3 (1 - f)}}\right), \quad
       D_a = D \left(1 - \sqrt{\frac{K (1 - f)}{3 f}}\right),

    to which tensors are fitted. ``de_par`` is the largest eigenvalue of the one, ``de_perp`` the
    mean of the others, ``da`` the trace of the other tensor (axons are sticks).

    Parameters
    ----------
    tensor : array of float, shape (N, 6)
    kurtosis : array of float, shape (N, 15)
        As of :func:`~mriderived.core.kurtosis.fit_kurtosis`.
    aligned : array of bool, shape (N,), optional
        Voxels to measure; if not given, those that :func:`is_aligned` says.
    threads : int

    References
    ----------
    Fieremans, Jensen and Helpern 2011, https://doi.org/10.1016/j.neuroimage.2011.06.006

    Examples
    --------
    >>> nothing = measure_integrity(np.array([[1e-3, 0, 0, 1e-3, 0, 1e-3]]), np.zeros((1, 15)))
    >>> nothing.valid.tolist(), nothing.awf.tolist()
    ([False], [nan])
    """
    chosen = is_aligned(tensor) if aligned is None else aligned
    places = np.flatnonzero(chosen)
    found = np.full((5, len(tensor)), np.nan, np.float32)
    directions = half_sphere(_DIRECTIONS)
    for start in range(0, len(places), CHUNK):
        part = places[start : start + CHUNK]
        found[:, part] = _measure(tensor[part], kurtosis[part], directions, threads)
    valid = np.asarray(np.isfinite(found).all(axis=0))
    found[:, ~valid] = np.nan
    awf, de_par, de_perp, da, tortuosity = found
    return Integrity(awf, de_par, de_perp, da, tortuosity, valid, np.asarray(chosen & ~valid))


def _measure(
    tensor: NDArray[np.float64],
    kurtosis: NDArray[np.float64],
    directions: NDArray[np.float64],
    threads: int,
) -> NDArray[np.float64]:
    """Return the five measures (5, N), NaN where they are impossible."""
    largest = find_maximum(tensor, kurtosis, threads).value
    largest = np.where((largest > 0) & (largest <= _LARGEST_KURTOSIS), largest, np.nan)
    f = (largest / (largest + 3))[:, None]
    basis = tensor_basis(directions)
    # a direction with less than no kurtosis has none, within its noise
    k = np.maximum(apparent_kurtosis(tensor, kurtosis, directions), 0)
    d = tensor @ basis.T
    solver = np.linalg.pinv(basis).T
    outside = (d * (1 + np.sqrt(k * f / (3 * (1 - f))))) @ solver
    inside = (d * (1 - np.sqrt(k * (1 - f) / (3 * f)))) @ solver
    values, _ = decompose(outside)
    across, axonal = values[:, 1:].mean(axis=1), inside[:, [0, 3, 5]].sum(axis=1)
    found = np.stack([f[:, 0], values[:, 0], across, axonal, values[:, 0] / across])
    bounded = (found[1:4] > 0) & (found[1:4] <= _LARGEST_DIFFUSIVITY)
    return np.where(bounded.all(axis=0), found, np.nan)
