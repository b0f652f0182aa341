"""The diffusion tensor of every voxel, and which volumes determine it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.core.gradient_table import Gradients, select
from mriderived.core.log_signal_fit import fit_log_signal

#: Up to here, in s/mm², ln S falls in a straight line with b, as the tensor supposes.
LARGEST_B = 1300.0
#: From s/mm² to ms/µm², in which the columns of designs are of similar size.
REDUCED = 1e-3
#: A table determines a model if no combination of its coefficients is as faint as this in it,
#: as a share of the strongest.
_LEAST_SINGULAR_VALUE = 1e-3


class TensorVolumes(NamedTuple):
    """The volumes (n,) that a tensor is fitted to.

    ``is_flagged``: they go beyond the largest b-value, because those below determine no tensor;
    ``largest_b`` (nominal, s/mm²) is what they reach.
    """

    volumes: NDArray[np.bool_]
    is_flagged: bool
    largest_b: float


class TensorFit(NamedTuple):
    """Tensors of N voxels.

    ``tensor`` (N, 6) in mm²/s, in the order Dxx Dxy Dxz Dyy Dyz Dzz, in world axes; ``s0`` (N,)
    in the unit of the signals; both NaN where ``fitted`` (N,) is False. ``floored`` (N,) counts
    the signals that were not positive.
    """

    tensor: NDArray[np.float64]
    s0: NDArray[np.float64]
    floored: NDArray[np.int32]
    fitted: NDArray[np.bool_]


def tensor_volumes(gradients: Gradients, largest_b: float = LARGEST_B) -> TensorVolumes:
    """Choose the volumes for a tensor: those up to a b-value, or the lowest shells there are.

    Parameters
    ----------
    gradients : Gradients
    largest_b : float
        Nominal, in s/mm².

    Raises
    ------
    ValueError
        If not even all volumes determine a tensor: no shell, fewer than six directions, or no
        second b-value.

    Examples
    --------
    >>> from mriderived.core.gradient_table import make_gradients
    >>> axes = [*np.eye(3), [0.6, 0.8, 0], [0.6, 0, 0.8], [0, 0.6, 0.8]]
    >>> chosen = tensor_volumes(make_gradients([0, *[2500] * 6], [[0, 0, 0], *axes]))
    >>> chosen.is_flagged, chosen.largest_b
    (True, 2500.0)
    """
    nominal = np.array(gradients.shells)
    limits = [largest_b, *(b for b in gradients.shells if b > largest_b)]
    for limit in limits:
        volumes = nominal[gradients.shell] <= limit
        if determines(tensor_design(nominal_table(select(gradients, volumes)))):
            reached = float(nominal[gradients.shell[volumes]].max())
            return TensorVolumes(volumes, reached > largest_b, reached)
    raise ValueError(
        'a tensor needs six directions and two b-values; the table has '
        f'{count_directions(gradients.directions[gradients.shell > 0])} directions and the '
        f'b-values {sorted(set(nominal[gradients.shell].tolist()))} s/mm²'
    )


def fit_tensor(
    signals: NDArray[np.floating[Any]],
    gradients: Gradients,
    iterations: int = 2,
    threads: int = 1,
) -> TensorFit:
    r"""Fit :math:`\ln S = \ln S_0 - b\,g^T D g` by iterated weighted least squares.

    Parameters
    ----------
    signals : array of float, shape (N, n)
    gradients : Gradients
        Of all n volumes: choose with :func:`tensor_volumes` and `select` first.
    iterations : int
        Weighted fits after the first.
    threads : int

    Raises
    ------
    ValueError
        If the table does not determine a tensor.

    References
    ----------
    Basser, Mattiello and LeBihan 1994, https://doi.org/10.1006/jmrb.1994.1037;
    Veraart et al. 2013, https://doi.org/10.1016/j.neuroimage.2013.05.028
    """
    fit = fit_log_signal(signals, tensor_design(gradients), iterations, threads)
    with np.errstate(over='ignore'):
        s0 = np.exp(fit.coefficients[:, 6])
    return TensorFit(fit.coefficients[:, :6] * REDUCED, s0, fit.floored, fit.fitted)


def tensor_design(gradients: Gradients) -> NDArray[np.float64]:
    """Return the design (n, 7): six elements in µm²/ms and ln S0."""
    b = gradients.b[:, None] * REDUCED
    return np.column_stack([-b * tensor_basis(gradients.directions), np.ones(len(b))])


def tensor_basis(directions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (n, 6), whose product with the six elements of a tensor is gᵀ D g.

    Examples
    --------
    >>> tensor_basis(np.array([[1.0, 2.0, 3.0]])).tolist()
    [[1.0, 4.0, 6.0, 4.0, 12.0, 9.0]]
    """
    x, y, z = directions.T
    return np.column_stack([x * x, 2 * x * y, 2 * x * z, y * y, 2 * y * z, z * z])


def predict_signal(
    tensor: NDArray[np.float64], s0: NDArray[np.float64], gradients: Gradients
) -> NDArray[np.float32]:
    """Return the signals (N, n) of tensors (N, 6) in mm²/s, with S0 (N,)."""
    exponent = tensor @ (-gradients.b[:, None] * tensor_basis(gradients.directions)).T
    return np.asarray(s0[:, None] * np.exp(exponent), np.float32)


def nominal_table(gradients: Gradients) -> Gradients:
    """Return the table with the b-values of its shells: their scatter is no second b-value."""
    return replace(gradients, b=np.array(gradients.shells)[gradients.shell])


def determines(design: NDArray[np.float64]) -> bool:
    """Whether a design determines all of its coefficients, and not by rounding errors alone.

    Examples
    --------
    >>> determines(np.eye(3)), determines(np.ones((5, 2)))
    (True, False)
    """
    if len(design) < design.shape[1]:
        return False
    length = np.linalg.norm(design, axis=0)
    if not (length > 0).all():
        return False
    values = np.linalg.svd(design / length, compute_uv=False)
    return bool(values[-1] > _LEAST_SINGULAR_VALUE * values[0])


def count_directions(directions: NDArray[np.float64]) -> int:
    """Count axes that differ by more than about 2.5°; opposite directions are one axis."""
    found: list[NDArray[np.float64]] = []
    for direction in directions[np.linalg.norm(directions, axis=1) > 0]:
        if not found or np.abs(np.array(found) @ direction).max() < 0.999:
            found.append(direction)
    return len(found)
