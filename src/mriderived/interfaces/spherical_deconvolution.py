"""Orientation distributions of fibres by constrained spherical deconvolution, with dipy."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mriderived.core.fibre_peaks import half_sphere
from mriderived.core.gradient_table import Gradients, count_axes, fsl_from_world, select
from mriderived.core.tensor import fit_tensor, tensor_volumes
from mriderived.core.tensor_measures import measure_tensor

Matrix = NDArray[np.float64]

#: The order of spherical harmonics that 45 directions and more determine.
HIGHEST_ORDER = 8
#: Fewer directions do not tell crossing fibres.
LEAST_DIRECTIONS = 15
#: The response is that of so many voxels of white matter with the largest FA, which must be this
#: at least, and at most what only noise reaches.
RESPONSE_VOXELS, RESPONSE_FA = 300, (0.5, 0.95)
#: With fewer such voxels the response would be that of noise.
LEAST_RESPONSE_VOXELS = 30


class NoResponseError(ValueError):
    """The series has no shell or no white matter that a response could be estimated from."""


@dataclass(frozen=True)
class Response:
    """The signal of one bundle: zonal harmonics of the shell, of even order from 0.

    ``b`` is the nominal b-value of the shell in s/mm², ``s0`` the signal at b = 0, ``fa`` the
    median FA and ``voxels`` the number of the voxels that it is the mean of; ``order`` the highest
    order of harmonics that the shell determines.
    """

    b: float
    zonal: Matrix
    s0: float
    fa: float
    voxels: int
    order: int


def voxel_axes(affine: Matrix) -> Matrix:
    """Return the world directions of the axes of the voxels, as orthonormal columns.

    Directions d in world axes are ``d @ voxel_axes(affine)`` along the axes of the voxels, which
    is what tracking needs.
    """
    axes = fsl_from_world(np.eye(3), affine)
    if np.linalg.det(affine[:3, :3]) > 0:
        axes[:, 0] *= -1
    return axes


@contextmanager
def known_basis() -> Iterator[None]:
    """Keep dipy from saying that its basis is the old one: its deconvolution has no other."""
    with warnings.catch_warnings():
        warnings.filterwarnings('ignore', message='The legacy descoteaux07')
        yield


def choose_shell(gradients: Gradients) -> int:
    """Return the shell for the deconvolution: of those with most orders, the one of largest b.

    Raises
    ------
    NoResponseError
        If no shell has enough directions, or there is no volume of b = 0.
    """
    if not (gradients.shell == 0).any():
        raise NoResponseError('spherical deconvolution needs a volume of b = 0')
    counts = [_count_directions(gradients, shell) for shell in range(1, len(gradients.shells))]
    if max(counts, default=0) < LEAST_DIRECTIONS:
        raise NoResponseError(
            f'spherical deconvolution needs a shell of {LEAST_DIRECTIONS} directions; the largest '
            f'has {max(counts, default=0)}'
        )
    return max(
        range(1, len(gradients.shells)),
        key=lambda shell: (_order(counts[shell - 1]), shell),
    )


def _count_directions(gradients: Gradients, shell: int) -> int:
    """Return how many directions of a shell differ: repetitions determine no more harmonics."""
    return count_axes(gradients.directions[gradients.shell == shell])


def _order(count: int) -> int:
    return max(
        o for o in range(0, HIGHEST_ORDER + 1, 2) if o == 0 or (o + 1) * (o + 2) / 2 <= count
    )


def estimate_response(signals: NDArray[np.float32], gradients: Gradients) -> Response:
    """Estimate the response from white matter.

    Parameters
    ----------
    signals : array of float32, shape (N, n)
        Of voxels that are white matter.
    gradients : Gradients

    Raises
    ------
    NoResponseError
        If there is no shell for it, or too little white matter of one direction.

    References
    ----------
    Tournier et al. 2004, https://doi.org/10.1016/j.neuroimage.2004.07.037: voxels of the largest
    anisotropy are turned to a common axis; their mean has no part that depends on the azimuth.
    """
    from dipy.reconst.shm import real_sh_descoteaux_from_index

    shell = choose_shell(gradients)
    used = tensor_volumes(gradients).volumes
    fit = fit_tensor(signals[:, used], select(gradients, used))
    measured = measure_tensor(fit.tensor)
    fa = np.where(measured.implausible | ~fit.fitted, 0, measured.fa)
    fa = np.where(fa < RESPONSE_FA[1], fa, 0)
    chosen = np.argsort(-fa, kind='stable')[:RESPONSE_VOXELS]
    chosen = chosen[fa[chosen] >= RESPONSE_FA[0]]
    if len(chosen) < LEAST_RESPONSE_VOXELS:
        raise NoResponseError(
            f'only {len(chosen)} voxels of white matter have an FA of {RESPONSE_FA[0]} and more; '
            f'the response needs {LEAST_RESPONSE_VOXELS}'
        )
    inside = gradients.shell == shell
    cosines = measured.v1[chosen] @ gradients.directions[inside].T
    orders = np.arange(0, _order(_count_directions(gradients, shell)) + 1, 2)
    with known_basis():
        design = real_sh_descoteaux_from_index(
            np.zeros_like(orders), orders, np.arccos(cosines.clip(-1, 1)).reshape(-1, 1), 0.0
        )
    found = np.linalg.lstsq(design, signals[chosen][:, inside].astype(np.float64).ravel(), None)[0]
    return Response(
        gradients.shells[shell],
        np.asarray(found, np.float64),
        float(signals[chosen][:, gradients.shell == 0].mean()),
        float(np.median(fa[chosen])),
        len(chosen),
        int(orders[-1]),
    )


def deconvolve(
    signals: NDArray[np.float32], gradients: Gradients, affine: Matrix, response: Response
) -> NDArray[np.float32]:
    """Return the harmonics (N, coefficients) of the fibre orientation distributions.

    They are along the axes of the voxels, in dipy's basis ``descoteaux07`` (legacy), of order
    ``response.order``. With the same response, amplitudes are comparable: they are apparent
    fibre densities.

    Parameters
    ----------
    signals : array of float32, shape (N, n)
    gradients : Gradients
    affine : array, shape (4, 4)
    response : Response

    References
    ----------
    Tournier et al. 2007, https://doi.org/10.1016/j.neuroimage.2007.02.016
    """
    from dipy.core.gradients import gradient_table
    from dipy.reconst.csdeconv import (
        AxSymShResponse,
        ConstrainedSphericalDeconvModel,
        csdeconv,
    )

    inside = gradients.shell == gradients.shells.index(response.b)
    table = gradient_table(
        np.concatenate([[0.0], np.full(int(inside.sum()), response.b)]),
        bvecs=np.vstack([np.zeros(3), gradients.directions[inside] @ voxel_axes(affine)]),
    )
    with known_basis():
        model = ConstrainedSphericalDeconvModel(
            table, AxSymShResponse(response.s0, response.zonal), sh_order_max=response.order
        )
    kernel, penalty, products = model._X, model.B_reg, model._P
    found = np.zeros((len(signals), kernel.shape[1]), np.float32)
    values = signals[:, inside].astype(np.float64)
    with warnings.catch_warnings():
        # the last of 50 iterations is as good as one that changed nothing more
        warnings.filterwarnings('ignore', message='maximum number of iterations')
        for voxel, value in enumerate(values):
            found[voxel], _ = csdeconv(value, kernel, penalty, tau=model.tau, P=products)
    return found


def measure_sharpest_peak(gradients: Gradients, affine: Matrix, response: Response) -> float:
    """Return how high the distribution of one bundle is whose signal is the response itself."""
    from dipy.reconst.shm import real_sh_descoteaux_from_index

    inside = gradients.shell == gradients.shells.index(response.b)
    angles = np.arccos(gradients.directions[inside, 2].clip(-1, 1)).reshape(-1, 1)
    orders = np.arange(0, response.order + 1, 2)
    with known_basis():
        design = real_sh_descoteaux_from_index(np.zeros_like(orders), orders, angles, 0.0)
    signal = np.full((1, len(gradients)), response.s0, np.float32)
    signal[0, inside] = design @ response.zonal
    axes = np.vstack([half_sphere(), np.array([[0.0, 0, 1]]) @ voxel_axes(affine)])
    return float(sample_fods(deconvolve(signal, gradients, affine, response), axes).max())


def sample_fods(harmonics: NDArray[Any], axes: Matrix) -> NDArray[np.float32]:
    """Return the amplitudes (N, m) of distributions at axes (m, 3) of the voxels."""
    from dipy.reconst.shm import order_from_ncoef, real_sh_descoteaux

    theta = np.arccos(axes[:, 2].clip(-1, 1))
    phi = np.arctan2(axes[:, 1], axes[:, 0])
    order = order_from_ncoef(harmonics.shape[1])
    with known_basis():
        basis, _, _ = real_sh_descoteaux(order, theta, phi, legacy=True)
    return np.asarray(harmonics @ basis.T, np.float32)
