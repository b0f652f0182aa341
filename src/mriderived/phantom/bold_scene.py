"""The head as an echo-planar scanner sees it: bright fluid, grey over white, dark fat and air."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from nibabel.affines import apply_affine
from numpy.typing import NDArray
from scipy import ndimage

from mriderived.core.splines import cubic_coefficients
from mriderived.phantom.anatomy import Anatomy, load_anatomy
from mriderived.phantom.deformation import Deformation
from mriderived.phantom.echo_planar import FINER, MARGIN, Scene, scene_affine, scene_shape
from mriderived.phantom.networks import NAMES, label_networks
from mriderived.phantom.rendering import render

Volume = NDArray[np.float32]
Matrix = NDArray[np.float64]

#: Signal of GM, WM and CSF.
MEANS = (800.0, 640.0, 1150.0)
#: The echo time of these, in s, and T2* of GM, WM, CSF and of all else.
ECHO_TIME, T2STAR = 0.03, (0.05, 0.045, 0.12, 0.03)
#: Signal of what surrounds the brain, from its intensity in T1w: air, bone, fluid, muscle and
#: skin, marrow, fat, which is suppressed.
T1W, EPI = (0.0, 8.0, 24.0, 55.0, 75.0, 100.0, 140.0), (0.0, 15.0, 500.0, 260.0, 160.0, 90.0, 70.0)
#: Half of the cells of the fine grid are as long as this, in mm.
CELL_MM = 0.9
#: Width of the point spread within slices, beside the voxel itself, in voxels.
BLUR = 0.7


class Tissue(NamedTuple):
    """Noise-free signal on the fine grid, the shares (GM, WM, CSF; first axis), the networks."""

    signal: Volume
    shares: Volume
    labels: NDArray[np.uint8]


def draw_tissue(
    deformation: Deformation, affine: Matrix, shape: tuple[int, int, int], threads: int = 1
) -> Tissue:
    """Draw the head at rest on the fine grid around a run's grid."""
    fine, size = scene_affine(affine), scene_shape(shape)
    drawn = render(_as_epi(load_anatomy()), deformation, fine, size, MEANS, threads, CELL_MM)
    grey = np.argwhere(drawn.counts[0] > 0)
    labels = np.zeros(size, np.uint8)
    labels[tuple(grey.T)] = label_networks(deformation.to_template(apply_affine(fine, grey)))
    shares = np.asarray(drawn.counts, np.float32) / np.float32(drawn.cells)
    return Tissue(drawn.intensity, shares, labels)


def build_scene(tissue: Tissue, echo_time: float = ECHO_TIME) -> Scene:
    """Average over voxels, blur, and say what follows which course."""
    tissue, means = _decay(tissue, echo_time)
    grey, white, fluid = tissue.shares
    parts = [fluid * np.float32(means[2]), white * np.float32(means[1])]
    signal = grey * np.float32(means[0])
    parts += [np.where(tissue.labels == n + 1, signal, 0) for n in range(len(NAMES))]
    seen = spread(tissue.signal)
    near = ndimage.binary_dilation(seen > 1, iterations=2)
    return Scene(
        cubic_coefficients(seen),
        np.ascontiguousarray(np.stack([spread(part) for part in parts], axis=-1)),
        np.asarray(near),
    )


def _decay(tissue: Tissue, echo_time: float) -> tuple[Tissue, tuple[float, ...]]:
    """Return what an echo shows of the tissue, and its signal of GM, WM and CSF."""
    if echo_time == ECHO_TIME:
        return tissue, MEANS
    factors = [float(np.exp((ECHO_TIME - echo_time) / each)) for each in T2STAR]
    weight = np.float32(factors[-1]) * (1 - tissue.shares.sum(axis=0))
    for share, factor in zip(tissue.shares, factors, strict=False):
        weight += share * np.float32(factor)
    means = tuple(mean * factor for mean, factor in zip(MEANS, factors, strict=False))
    return tissue._replace(signal=tissue.signal * weight), means


def average_cells(tissue: Tissue) -> Volume:
    """Return the shares of GM, WM, CSF and of the grey matter of each network, by voxel."""
    grey = tissue.shares[0]
    parts = [
        *tissue.shares,
        *(np.where(tissue.labels == n + 1, grey, 0) for n in range(len(NAMES))),
    ]
    return average_blocks(np.stack(parts))


def average_blocks(parts: Volume) -> Volume:
    """Return the mean of maps (first axis) of the fine grid in each voxel of the run's grid."""
    inner = slice(MARGIN * FINER, -MARGIN * FINER)
    blocks = parts[:, inner, inner, inner]
    x, y, z = (size // FINER for size in blocks.shape[1:])
    blocks = blocks.reshape(len(parts), x, FINER, y, FINER, z, FINER)
    return np.asarray(blocks.mean(axis=(2, 4, 6)), np.float32)


def _as_epi(anatomy: Anatomy) -> Anatomy:
    outside = np.interp(anatomy.shells.intensity, T1W, EPI).astype(np.float32)
    return anatomy._replace(shells=anatomy.shells._replace(intensity=outside))


def spread(volume: Volume) -> Volume:
    """Average over a voxel along each axis, and blur within slices."""
    found = np.asarray(volume, np.float32)
    for axis in range(3):
        found = ndimage.correlate1d(found, [0.25, 0.5, 0.25], axis, mode='nearest')
    width = FINER * BLUR / 2.355
    return np.asarray(ndimage.gaussian_filter(found, (width, width, 0), truncate=3), np.float32)
