"""Gauss-Newton steps for the displacements of EPI images on one level.

See :mod:`mriderived.core.epi_distortion` for the sum that they make small. Displacements lie on
the faces between the voxels of a line: shape (x, y, z + 1) for images of shape (m, x, y, z).
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mriderived.core.epi_lines import add_energy, add_normal_equations, correct
from mriderived.core.epi_stiffness import bend, multiply, solve_lines
from mriderived.core.slabs import run_slabs

Volume = NDArray[np.float32]
Lines = NDArray[np.float32]

#: The faces of a voxel may come no closer than this, in voxels.
LEAST_WIDTH = 0.1
#: Conjugate gradients stop when the residual has shrunk to this share.
TOLERANCE = 0.05
#: Steps that lower the energy by less than this share are the last of their level.
LEAST_GAIN = 1e-3


def correct_lines(lines: Lines, shares: NDArray[np.float32], faces: Volume, threads: int) -> Lines:
    """Return the images moved back by their shares of the displacements."""
    target = np.empty_like(lines)
    sums = np.cumsum(lines, axis=3, dtype=np.float64)
    run_slabs(correct, lines.shape[1], threads, lines, sums, shares, faces, target)
    return target


def solve(
    lines: Lines,
    shares: NDArray[np.float32],
    faces: Volume,
    weights: NDArray[np.float32],
    steps: int,
    gradients: int,
    threads: int,
) -> Volume:
    """Take Gauss-Newton steps until they no longer help."""
    sums = np.cumsum(lines, axis=3, dtype=np.float64)
    slope, diagonal, beside, bent = (np.empty_like(faces) for _ in range(4))
    energy = _energy(lines, sums, shares, faces, weights, threads)
    for _ in range(steps):
        run_slabs(bend, len(faces), threads, faces, weights, bent)
        run_slabs(bend, len(faces), threads, bent, weights, slope)
        run_slabs(
            add_normal_equations, len(faces), threads,
            (lines, sums), shares, faces, (slope, diagonal, beside),
        )  # fmt: skip
        step = _conjugate_gradients(-slope, diagonal, beside, weights, gradients, threads)
        length, gain = 1.0, 0.0
        while length > 0.05:
            trial = _keep_order(faces + np.float32(length) * step)
            found = _energy(lines, sums, shares, trial, weights, threads)
            if found < energy:
                gain, energy, faces = energy - found, found, trial
                break
            length /= 2
        if gain < LEAST_GAIN * energy:
            break
    return faces


def _keep_order(faces: Volume) -> Volume:
    """Even out displacements where the faces of a voxel would meet or pass one another."""
    limit = 1 - LEAST_WIDTH
    for _ in range(10):
        steep = np.abs(np.diff(faces, axis=2)) > limit
        if not steep.any():
            break
        near = np.zeros(faces.shape, bool)
        near[..., 1:] |= steep
        near[..., :-1] |= steep
        near = ndimage.binary_dilation(near, iterations=2)
        even = ndimage.uniform_filter1d(faces, 5, axis=2, mode='nearest')
        faces = np.where(near, even, faces).astype(np.float32)
    return faces


def _energy(
    lines: Lines,
    sums: NDArray[np.float64],
    shares: NDArray[np.float32],
    faces: Volume,
    weights: NDArray[np.float32],
    threads: int,
) -> float:
    parts = np.zeros(len(faces))
    run_slabs(add_energy, len(faces), threads, lines, sums, shares, faces, weights, parts)
    return float(parts.sum())


def _conjugate_gradients(
    right: Volume,
    diagonal: Volume,
    beside: Volume,
    weights: NDArray[np.float32],
    most: int,
    threads: int,
) -> Volume:
    solution = np.zeros_like(right)
    residual = right.copy()
    ready, product, bent = (np.empty_like(right) for _ in range(3))
    size = len(right)
    run_slabs(solve_lines, size, threads, diagonal, beside, weights, residual, ready)
    direction = ready.copy()
    power = start = _dot(residual, ready)
    for _ in range(most):
        if power <= TOLERANCE**2 * start:
            break
        run_slabs(bend, size, threads, direction, weights, bent)
        run_slabs(multiply, size, threads, diagonal, beside, weights, direction, bent, product)
        length = np.float32(power / _dot(direction, product))
        solution += length * direction
        residual -= length * product
        run_slabs(solve_lines, size, threads, diagonal, beside, weights, residual, ready)
        following = _dot(residual, ready)
        direction *= np.float32(following / power)
        direction += ready
        power = following
    return solution


@numba.njit(nogil=True, cache=True)
def _dot(first, second):  # type: ignore[no-untyped-def]
    total = 0.0
    for a, b in zip(first.flat, second.flat):  # noqa: B905
        total += a * b
    return total
