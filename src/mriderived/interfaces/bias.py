"""Removal of the smooth intensity inhomogeneity: N4 (doi:10.1109/TMI.2010.2046908)."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mriderived.core.masks import find_box
from mriderived.interfaces.itk import to_ants

Image = NDArray[np.float32]

#: N4 works on blocks of about this edge: the field is smooth, and averages are less noisy.
BLOCK_MM = 4.0
#: One thread, because ITK's sums depend on how many there are; at this size it takes seconds.
THREADS = 1
#: Most iterations at each level, from the coarsest field to the finest.
ITERATIONS = (50, 50, 50, 50)
#: For tests of the plumbing only.
SLOPPY = (20, 20)


def correct_bias(
    data: Image, brain: NDArray[np.bool_], voxel_size: NDArray[np.float64], sloppy: bool = False
) -> Image:
    """Return ``data`` divided by the field that N4 finds in the brain, of mean 1 (log) there."""
    field = find_bias(data, brain, voxel_size, SLOPPY if sloppy else ITERATIONS)
    return (data / field).astype(np.float32)


def find_bias(
    data: Image,
    brain: NDArray[np.bool_],
    size: NDArray[np.float64],
    iterations: Sequence[int] = ITERATIONS,
) -> Image:
    """Return the field that N4 finds in the brain, of mean 1 (log) there, on the grid of ``data``.

    Beyond the brain it goes on as at its edge.
    """
    step = np.maximum(np.round(BLOCK_MM / size), 1).astype(int)
    box = find_box(brain, [int(s) for s in step])
    weight = _sum_blocks(brain[box].astype(np.float32), step)
    total = _sum_blocks(np.where(brain[box], data[box], 0), step)
    mask = weight > 0.5 * step.prod()
    mean = np.where(mask, total / np.maximum(weight, 1), 0)
    log_field = np.log(_run_n4(mean, mask, size * step, iterations))
    log_field -= log_field[mask].mean()
    starts = np.array([part.start for part in box])
    return np.exp(_spread(log_field, starts, step, data.shape))


def _run_n4(
    mean: Image, mask: NDArray[np.bool_], spacing: NDArray[np.float64], iterations: Sequence[int]
) -> Image:
    import ants

    # N4 takes logarithms: shift images that hold values of zero and below
    positive = mean[mask & (mean > 0)]
    floor = 1e-3 * float(np.median(positive))
    affine = np.diag([*spacing, 1.0])
    image = to_ants(np.maximum(mean, floor), affine)
    os.environ['ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS'] = str(THREADS)
    field = ants.n4_bias_field_correction(
        image,
        mask=to_ants(mask, affine),
        shrink_factor=1,
        convergence={'iters': list(iterations), 'tol': 1e-6},
        return_bias_field=True,
    )
    return np.asarray(field.numpy(), dtype=np.float32)


def _sum_blocks(data: Image, step: NDArray[np.int_]) -> Image:
    padding = [(0, int(-n % s)) for n, s in zip(data.shape, step, strict=True)]
    padded = np.pad(data, padding)
    nx, ny, nz = (n // s for n, s in zip(padded.shape, step, strict=True))
    sx, sy, sz = step
    return np.asarray(padded.reshape(nx, sx, ny, sy, nz, sz).sum(axis=(1, 3, 5)))


def _spread(
    coarse: Image, starts: NDArray[np.int_], step: NDArray[np.int_], shape: tuple[int, ...]
) -> Image:
    """Interpolate a smooth field on blocks to all voxels; constant beyond the blocks."""
    fine: NDArray[np.float64] = coarse.astype(np.float64)
    for axis in range(3):
        position = (np.arange(shape[axis]) - starts[axis] - (step[axis] - 1) / 2) / step[axis]
        position = np.clip(position, 0, coarse.shape[axis] - 1)
        fine = _interpolate_axis(fine, position, axis)
    return fine.astype(np.float32)


def _interpolate_axis(
    data: NDArray[np.float64], position: NDArray[np.float64], axis: int
) -> NDArray[np.float64]:
    weights = ndimage.map_coordinates(
        np.eye(data.shape[axis]),
        np.meshgrid(position, np.arange(data.shape[axis]), indexing='ij'),
        order=3,
        mode='nearest',
    )
    # a spline of the unit vectors along one axis: its matrix product interpolates that axis
    return np.moveaxis(np.tensordot(weights, data, axes=(1, axis)), 0, axis)
