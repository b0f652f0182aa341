"""What diffusion weighting leaves of the signal of a synthetic head, on the fine grid."""

# mypy: disallow-untyped-decorators=False

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np
from nibabel.affines import apply_affine
from numpy.typing import NDArray
from scipy import ndimage

from mriderived.core.slabs import run_slabs
from mriderived.core.splines import cubic_coefficients
from mriderived.phantom.bold_scene import MEANS, Tissue, average_blocks, draw_tissue, spread
from mriderived.phantom.deformation import Deformation
from mriderived.phantom.dwi_fibres import Fibres, lay_fibres
from mriderived.phantom.dwi_options import FibreLayout
from mriderived.phantom.echo_planar import FINER, MARGIN, Scene, scene_affine

Volume = NDArray[np.float32]
Matrix = NDArray[np.float64]

#: Water of one kind: its share, and its diffusivities along and across fibres in mm²/s.
Compartment = tuple[float, float, float]

#: FA 0.799, MD 0.767e-3 mm²/s.
WHITE: tuple[Compartment, ...] = ((1.0, 1.7e-3, 0.3e-3),)
GREY: tuple[Compartment, ...] = ((1.0, 0.8e-3, 0.8e-3),)
FLUID: tuple[Compartment, ...] = ((1.0, 3.0e-3, 3.0e-3),)
#: What surrounds the brain: muscle, skin, marrow.
OUTSIDE: tuple[Compartment, ...] = ((1.0, 1.0e-3, 1.0e-3),)
#: Water within and around axons, and fast and slow water of grey matter, where the signal is not
#: Gaussian; the mean tensors are almost the same.
WHITE_COMPARTMENTS: tuple[Compartment, ...] = ((0.5, 1.7e-3, 0.0), (0.5, 1.7e-3, 0.6e-3))
GREY_COMPARTMENTS: tuple[Compartment, ...] = ((0.5, 1.2e-3, 1.2e-3), (0.5, 0.4e-3, 0.4e-3))


class DwiTissue(NamedTuple):
    """A head at rest on the fine grid.

    ``signal`` is that of b = 0. ``weights`` are the shares of this signal from GM, WM, CSF and
    all else (first axis). ``fibres`` are those of the cells of ``cells`` (n, 3), which hold WM.
    """

    signal: Volume
    weights: Volume
    shares: Volume
    near: NDArray[np.bool_]
    cells: NDArray[np.intp]
    fibres: Fibres
    grey: tuple[Compartment, ...]
    white: tuple[Compartment, ...]


def draw_dwi_tissue(
    deformation: Deformation,
    affine: Matrix,
    shape: tuple[int, int, int],
    has_compartments: bool = False,
    threads: int = 1,
    layout: FibreLayout = 'populations',
) -> DwiTissue:
    """Draw the head at rest on the fine grid around a run's grid."""
    tissue: Tissue = draw_tissue(deformation, affine, shape, threads)
    means = np.array(MEANS, np.float32)[:, None, None, None]
    parts = np.concatenate(
        [tissue.shares * means, np.zeros((1, *tissue.signal.shape), np.float32)]
    )
    parts[3] = np.maximum(tissue.signal - parts.sum(axis=0), 0)
    weights = parts / np.maximum(parts.sum(axis=0), np.float32(1e-3))
    cells = np.argwhere(tissue.shares[1] > 0)
    points = apply_affine(scene_affine(affine), cells)
    return DwiTissue(
        signal=tissue.signal,
        weights=weights,
        shares=tissue.shares,
        near=np.asarray(ndimage.binary_dilation(spread(tissue.signal) > 1, iterations=2)),
        cells=cells,
        fibres=lay_fibres(points, deformation, layout),
        grey=GREY_COMPARTMENTS if has_compartments else GREY,
        white=WHITE_COMPARTMENTS if has_compartments else WHITE,
    )


def weigh(tissue: DwiTissue, b: float, direction: Matrix, threads: int = 1) -> Scene:
    """Return the scene under a gradient of strength ``b`` along a direction of the head."""
    isotropic = [_attenuate(kinds, b) for kinds in (tissue.grey, FLUID, OUTSIDE)]
    left = tissue.weights[0] * isotropic[0]
    left += tissue.weights[2] * isotropic[1]
    left += tissue.weights[3] * isotropic[2]
    white = np.empty(len(tissue.cells), np.float32)
    fibres = tissue.fibres
    run_slabs(_attenuate_fibres, len(white), threads, fibres.first, fibres.second, fibres.share,
              np.array(tissue.white), b, direction, white)  # fmt: skip
    where = tuple(tissue.cells.T)
    left[where] += tissue.weights[1][where] * white
    left *= tissue.signal
    return Scene(
        cubic_coefficients(spread(left)),
        np.zeros((*left.shape, 0), np.float32),
        tissue.near,
    )


def _attenuate(kinds: tuple[Compartment, ...], b: float) -> np.float32:
    return np.float32(sum(share * np.exp(-b * diffusivity) for share, diffusivity, _ in kinds))


@numba.njit(nogil=True, cache=True)
def _attenuate_fibres(
    start: int, stop: int, first: Any, second: Any, share: Any, kinds: Any, b: float, g: Any,
    target: Any,
) -> None:  # fmt: skip
    for n in range(start, stop):
        total = 0.0
        for fibre in range(2):
            part = share[n] if fibre else 1 - share[n]
            if part == 0:
                continue
            v = second[n] if fibre else first[n]
            cosine = v[0] * g[0] + v[1] * g[1] + v[2] * g[2]
            for kind in range(len(kinds)):
                fraction, along, across = kinds[kind]
                diffusivity = across + (along - across) * cosine * cosine
                total += part * fraction * np.exp(-b * diffusivity)
        target[n] = total


class FibreMaps(NamedTuple):
    """By voxel (x, y, z, …): the mean tensor (Dxx Dxy Dxz Dyy Dyz Dzz, mm²/s), GM, WM and CSF.

    The tensor is the mean of those in the voxel, weighted with their signal at b = 0. ``peaks``
    are the unit vectors of the larger and the smaller population, of the cell of WM closest to
    the centre, and ``share`` is that of the smaller one, its mean over the WM of the voxel.
    """

    tensor: Volume
    shares: Volume
    peaks: Volume
    share: Volume


def map_fibres(tissue: DwiTissue, shape: tuple[int, int, int]) -> FibreMaps:
    """Return the truth of the head at rest on the grid of the run."""
    where = tuple(tissue.cells.T)
    amount = tissue.weights * tissue.signal
    tensor = np.zeros((6, *tissue.signal.shape), np.float32)
    for kinds, tissue_amount in (
        (tissue.grey, amount[0]),
        (FLUID, amount[2]),
        (OUTSIDE, amount[3]),
    ):
        mean = np.float32(sum(share * diffusivity for share, diffusivity, _ in kinds))
        for row in (0, 3, 5):
            tensor[row] += mean * tissue_amount
    for row, values in enumerate(_fibre_tensors(tissue).T):
        tensor[row][where] += amount[1][where] * values.astype(np.float32)
    mean_tensor = average_blocks(tensor) / np.maximum(average_blocks(tissue.signal[None]), 1e-3)
    second = np.zeros((1, *tissue.signal.shape), np.float32)
    second[0][where] = tissue.shares[1][where] * tissue.fibres.share
    shares = average_blocks(tissue.shares)
    share = average_blocks(second)[0] / np.maximum(shares[1], np.float32(1e-6))
    return FibreMaps(
        np.moveaxis(mean_tensor, 0, 3),
        np.moveaxis(shares, 0, 3),
        _pick_peaks(tissue, shape),
        share,
    )


def _fibre_tensors(tissue: DwiTissue) -> Matrix:
    found = np.zeros((len(tissue.cells), 6))
    rows, columns = np.triu_indices(3)
    fibres = tissue.fibres
    for vectors, part in ((fibres.first, 1 - fibres.share), (fibres.second, fibres.share)):
        for fraction, along, across in tissue.white:
            outer = vectors[:, rows] * vectors[:, columns] * (along - across)
            outer += np.where(rows == columns, across, 0)
            found += fraction * part[:, None] * outer
    return found


def _pick_peaks(tissue: DwiTissue, shape: tuple[int, int, int]) -> Volume:
    peaks = np.zeros((*shape, 6), np.float32)
    place = tissue.cells // FINER - MARGIN
    inside = ((place >= 0) & (place < shape)).all(axis=1)
    fibres = tissue.fibres
    both = np.concatenate([fibres.first, fibres.second * (fibres.share > 0)[:, None]], axis=1)
    peaks[tuple(place[inside].T)] = both[inside]
    return peaks
