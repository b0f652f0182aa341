r"""EXPERIMENTAL: the spatial gradient of an image from the diffusion signal of single voxels.

Water that diffuses across a change of relaxation brings a little of it along. Aganj et al. 2025
(https://doi.org/10.1101/2025.06.06.658348) report that the gradient of the image can be estimated
from the diffusion profile of a voxel. Their equations are not public: **the estimators here are
derived by us** and are not known to be theirs.

Derivation. Let the relaxation rate be linear in space, the diffusion free with the tensor D, the
gradient pulses narrow and T apart, and the spins imaged where they end. With
:math:`g = \nabla \ln I` of the relaxation-weighted image I, displacement and the rate summed up
along the path are jointly Gaussian, so that

.. math:: E(q) / I = \exp(-T q'Dq + \tfrac{T}{3} g'Dg - i\,T\,g'Dq).

The gradient is in the phase alone. In the magnitude remains the curvature of the logarithm: where
I itself is linear, :math:`|E|^2 = \hat E^2 (1 + T^2 (g'Dq)^2)` with
:math:`\hat E = e^{-T q'Dq}`, or :math:`D_{app} = D - \tfrac{T}{2} D g g' D`. For in-vivo protocols
that is less than 1e-5 of D. All three estimators below are exact where these formulas hold; in
tissue, non-Gaussian diffusion is larger by orders of magnitude (see
:mod:`mriderived.core.gradient_angles` for what must be shown beside any result).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.core.gradient_table import Gradients

IS_EXPERIMENTAL = True
#: Voxels that are solved at a time: they bound the memory.
CHUNK = 4_000
#: Pairs of axes in the order of the elements of a tensor.
_FIRST, _SECOND = np.array([0, 0, 0, 1, 1, 2]), np.array([0, 1, 2, 1, 2, 2])


class GradientEstimate(NamedTuple):
    """Gradients of ln I of N voxels.

    ``vector`` (N, 3) in 1/mm, in world axes; its sign is known from the phase only. ``strength``
    (N,) is its length. ``share`` (N,) is how much of the fitted matrix is one outer product (1:
    all, as it should be; below 0: it is no square), NaN for the phase.
    """

    vector: NDArray[np.float64]
    strength: NDArray[np.float64]
    share: NDArray[np.float64]


def wave_vectors(gradients: Gradients, diffusion_time: float) -> NDArray[np.float64]:
    """Return q (n, 3) in rad/mm of narrow pulses, with b = T q².

    Parameters
    ----------
    gradients : Gradients
    diffusion_time : float
        T in s.

    Raises
    ------
    ValueError
        If the time is not positive.
    """
    if not diffusion_time > 0:
        raise ValueError(f'a diffusion time of {diffusion_time} s')
    length = np.sqrt(gradients.b / diffusion_time)
    return np.asarray(length[:, None] * gradients.directions, np.float64)


def gradient_from_phase(
    phase: NDArray[np.floating[Any]],
    gradients: Gradients,
    tensor: NDArray[np.floating[Any]],
    diffusion_time: float,
) -> GradientEstimate:
    r"""Estimate the gradient from the slope of the phase, :math:`\phi = -T g'Dq`.

    Parameters
    ----------
    phase : array of float, shape (N, n)
        Relative to b = 0, in rad, without the phases of motion and of eddy currents, which are
        thousands of times larger in living subjects.
    gradients : Gradients
    tensor : array of float, shape (N, 6)
        In mm²/s, in the order Dxx Dxy Dxz Dyy Dyz Dzz.
    diffusion_time : float
        T in s.

    Raises
    ------
    ValueError
        If the directions do not span space.
    """
    q = wave_vectors(gradients, diffusion_time)
    if np.linalg.matrix_rank(q) < 3:
        raise ValueError('the directions lie in a plane: a gradient needs three dimensions')
    slope = np.asarray(phase, np.float64) @ np.linalg.pinv(q).T
    vector = -_solve(_matrices(tensor), slope) / diffusion_time
    strength = np.linalg.norm(vector, axis=1)
    return GradientEstimate(vector, strength, np.full(len(vector), np.nan))


def gradient_from_magnitude(
    relative: NDArray[np.floating[Any]],
    gradients: Gradients,
    tensor: NDArray[np.floating[Any]],
    diffusion_time: float,
) -> GradientEstimate:
    r"""Estimate the gradient from what a known tensor leaves of the squared signal.

    :math:`|E|^2 - \hat E^2 = \tfrac14 (g \cdot \nabla_q \hat E)^2` is linear in the six elements
    of :math:`M = g g'`; the main axis of M is g. The direction does not depend on the diffusion
    time. The tensor has to come from elsewhere: fitted to the same signals it takes up the
    effect.

    Parameters
    ----------
    relative : array of float, shape (N, n)
        Signals over those of b = 0.
    gradients : Gradients
    tensor : array of float, shape (N, 6)
    diffusion_time : float
        T in s.
    """
    q = wave_vectors(gradients, diffusion_time)
    if np.linalg.matrix_rank(_squares(q)) < 6:
        raise ValueError('the directions do not determine six elements')
    products = np.empty((len(tensor), 6))
    for start in range(0, len(tensor), CHUNK):
        part = slice(start, start + CHUNK)
        products[part] = _regress(np.asarray(relative[part], np.float64), q, tensor[part],
                                  diffusion_time)  # fmt: skip
    return _main_axis(products)


def gradient_from_times(
    tensors: NDArray[np.floating[Any]], times: NDArray[np.floating[Any]]
) -> GradientEstimate:
    r"""Estimate the gradient from apparent tensors at two or more diffusion times.

    :math:`D_{app}(T) = D - \tfrac{T}{2} D g g' D`: a line through the tensors over T gives D and
    its slope C, and :math:`g g' = -2 D^{-1} C D^{-1}`.

    Parameters
    ----------
    tensors : array of float, shape (N, k, 6)
        Apparent tensors at k times, in mm²/s.
    times : array of float, shape (k,)
        T in s.

    Raises
    ------
    ValueError
        If there are not two different times.
    """
    times = np.asarray(times, np.float64)
    if tensors.ndim != 3 or tensors.shape[1:] != (len(times), 6) or np.ptp(times) <= 0:
        raise ValueError(
            f'{len(times)} times for tensors of shape {tensors.shape}; two are needed'
        )
    line = np.linalg.pinv(np.column_stack([np.ones_like(times), times]))
    free, slope = np.einsum('ck,nke->cne', line, np.asarray(tensors, np.float64))
    inverse = _invert(_matrices(free))
    products = -2 * inverse @ _matrices(slope) @ inverse
    return _main_axis(products[:, _FIRST, _SECOND])


def _regress(
    relative: NDArray[np.float64],
    q: NDArray[np.float64],
    tensor: NDArray[np.floating[Any]],
    diffusion_time: float,
) -> NDArray[np.float64]:
    """Return the six elements of M of some voxels."""
    matrices = _matrices(tensor)
    turned = q @ matrices
    expected = np.exp(-diffusion_time * np.einsum('nvi,vi->nv', turned, q))
    change = -2 * diffusion_time * turned * expected[:, :, None]
    design = 0.25 * _squares(change)
    # columns of one size, for the normal equations
    size = np.maximum(np.sqrt((design**2).sum(axis=1)), np.finfo(float).tiny)
    design /= size[:, None, :]
    normal = np.einsum('nvi,nvj->nij', design, design)
    right = np.einsum('nvi,nv->ni', design, relative**2 - expected**2)
    return np.asarray(_solve(normal, right) / size, np.float64)


def _squares(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the products (…, 6) of components that meet a symmetric matrix's elements."""
    products = vectors[..., _FIRST] * vectors[..., _SECOND]
    return np.asarray(products * np.where(_FIRST == _SECOND, 1.0, 2.0), np.float64)


def _matrices(elements: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    full = np.empty((len(elements), 3, 3))
    full[:, _FIRST, _SECOND] = elements
    full[:, _SECOND, _FIRST] = elements
    return full


def _invert(matrices: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return inverses; NaN where there is none."""
    inverse = np.full_like(matrices, np.nan)
    finite = np.isfinite(matrices).all(axis=(1, 2))
    regular = np.zeros(len(matrices), bool)
    regular[finite] = np.linalg.cond(matrices[finite]) < 1e12
    inverse[regular] = np.linalg.inv(matrices[regular])
    return inverse


def _solve(matrices: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.einsum('nij,nj->ni', _invert(matrices), right), np.float64)


def _main_axis(products: NDArray[np.float64]) -> GradientEstimate:
    """Return the axis and root of the largest eigenvalue of M, NaN where none is positive."""
    vector = np.full((len(products), 3), np.nan)
    strength, share = np.full((2, len(products)), np.nan)
    known = np.flatnonzero(np.isfinite(products).all(axis=1))
    values, axes = np.linalg.eigh(_matrices(products[known]))
    largest = values[:, 2]
    total = np.abs(values).sum(axis=1)
    share[known] = np.divide(largest, total, out=np.zeros_like(total), where=total > 0)
    positive = largest > 0
    strength[known[positive]] = np.sqrt(largest[positive])
    vector[known[positive]] = axes[positive, :, 2] * np.sqrt(largest[positive])[:, None]
    return GradientEstimate(vector, strength, share)
