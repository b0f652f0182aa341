"""Scalar measures of diffusion tensors."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.core.symmetric_matrices import decompose

Scalars = NDArray[np.float32]
#: Voxels whose measures are computed at a time: they bound the memory.
CHUNK = 20_000
#: No water in tissue diffuses faster, in mm²/s; free water at body temperature has 3.0e-3.
_LARGEST_DIFFUSIVITY = 4e-3


class TensorMeasures(NamedTuple):
    """Measures of N voxels, each (N,) unless said.

    ``fa`` (0 to 1), ``md``, ``ad``, ``rd`` in mm²/s, ``mode`` (-1 planar to 1 linear),
    ``eigenvalues`` (N, 3) descending in mm²/s, ``v1`` (N, 3) the unit vector of the largest.
    ``implausible``: an eigenvalue is not positive, or larger than any water's. NaN where the
    tensor is.
    """

    fa: Scalars
    md: Scalars
    ad: Scalars
    rd: Scalars
    mode: Scalars
    eigenvalues: Scalars
    v1: Scalars
    implausible: NDArray[np.bool_]


def measure_tensor(tensor: NDArray[np.floating[Any]]) -> TensorMeasures:
    r"""Measure tensors.

    With eigenvalues :math:`\lambda_1 \ge \lambda_2 \ge \lambda_3` of mean :math:`\bar\lambda`
    and the deviatoric part A:

    .. math:: \mathrm{FA} = \sqrt{\frac{3}{2}
       \frac{\sum (\lambda_i - \bar\lambda)^2}{\sum \lambda_i^2}}, \quad
       \mathrm{mode} = 3 \sqrt 6 \det(A / \lVert A \rVert).

    Eigenvalues below 0, which noise brings about, are taken for 0 (else FA could exceed 1), and
    such voxels are marked as implausible. The mode of an isotropic tensor is given as 0.

    Parameters
    ----------
    tensor : array of float, shape (N, 6)
        In mm²/s, in the order Dxx Dxy Dxz Dyy Dyz Dzz.

    References
    ----------
    Basser and Pierpaoli 1996, https://doi.org/10.1006/jmrb.1996.0086;
    Ennis and Kindlmann 2006, https://doi.org/10.1002/mrm.20741

    Examples
    --------
    >>> found = measure_tensor(np.array([[1.7e-3, 0, 0, 0.3e-3, 0, 0.3e-3]]))
    >>> round(float(found.fa[0]), 6), round(float(found.md[0]) * 1e3, 6), float(found.mode[0])
    (0.799022, 0.766667, 1.0)
    """
    voxels = len(tensor)
    scalars = np.empty((5, voxels), np.float32)
    eigenvalues, v1 = np.empty((voxels, 3), np.float32), np.empty((voxels, 3), np.float32)
    implausible = np.empty(voxels, np.bool_)
    for start in range(0, voxels, CHUNK):
        part = slice(start, start + CHUNK)
        raw, vectors = decompose(tensor[part])
        implausible[part] = (raw[:, 2] <= 0) | (raw[:, 0] > _LARGEST_DIFFUSIVITY)
        values = np.maximum(raw, 0)
        eigenvalues[part], v1[part] = values, vectors[:, :, 0]
        scalars[0, part] = fractional_anisotropy(values)
        scalars[1, part] = values.mean(axis=1)
        scalars[2, part] = values[:, 0]
        scalars[3, part] = values[:, 1:].mean(axis=1)
        scalars[4, part] = mode_of_anisotropy(values)
    fa, md, ad, rd, mode = scalars
    return TensorMeasures(fa, md, ad, rd, mode, eigenvalues, v1, implausible)


def fractional_anisotropy(eigenvalues: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return FA (N,) of eigenvalues (N, 3) that are not negative; 0 where all are 0.

    Examples
    --------
    >>> fractional_anisotropy(np.array([[1.0, 0, 0], [1, 1, 1], [0, 0, 0]])).tolist()
    [1.0, 0.0, 0.0]
    """
    spread = ((eigenvalues - eigenvalues.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
    power = (eigenvalues**2).sum(axis=1)
    return np.asarray(np.sqrt(1.5 * spread / np.where(power == 0, 1, power)))


def mode_of_anisotropy(eigenvalues: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mode (N,) of eigenvalues (N, 3): 1 linear, 0 orthotropic, -1 planar.

    Examples
    --------
    >>> mode_of_anisotropy(np.array([[3.0, 1, 1], [3, 3, 1]])).round(6).tolist()
    [1.0, -1.0]
    """
    deviation = eigenvalues - eigenvalues.mean(axis=1, keepdims=True)
    norm = np.linalg.norm(deviation, axis=1, keepdims=True)
    # below the precision of a double there is no anisotropy to have a mode
    none = norm <= 1e-12 * np.abs(eigenvalues).max(axis=1, keepdims=True)
    unit = np.where(none, 0, deviation / np.where(none, 1, norm))
    return np.asarray(np.clip(3 * np.sqrt(6) * unit.prod(axis=1), -1, 1))
