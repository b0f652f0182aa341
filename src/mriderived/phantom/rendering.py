"""Fill voxels: each is cut into small cells, and each cell holds exactly one tissue.

The shares of the cells are the true partial volumes, and the voxel's intensity is the mean over
the same cells, so image and truth agree to rounding.
"""

# mypy: disallow-untyped-decorators=False

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from mriderived.core.slabs import run_slabs
from mriderived.phantom import deformation, shells
from mriderived.phantom.anatomy import CSF, DEEP, GM, LEVEL, WM, Anatomy
from mriderived.phantom.shells import AIR, NEAR

#: Cells of brain are at most this long (mm), those of the rest this (mm).
CELL_MM, COARSE_CELL_MM = 0.34, 0.75
#: Partial volumes are stored as bytes, which counts 6 x 6 x 6 cells.
MAX_CELLS = 6


class Rendering(NamedTuple):
    """Noise-free ``intensity`` and the number of cells of GM, WM and CSF (3, x, y, z)."""

    intensity: NDArray[np.float32]
    counts: NDArray[np.uint8]
    cells: int


def render(
    anatomy: Anatomy,
    warp: deformation.Deformation,
    affine: NDArray[np.float64],
    shape: tuple[int, int, int],
    means: tuple[float, float, float],
    threads: int = 1,
) -> Rendering:
    """Draw a head on a grid; ``means`` are the intensities of GM, WM and CSF."""
    voxel = np.linalg.norm(affine[:3, :3], axis=0)
    fine = np.array([min(MAX_CELLS, math.ceil(size / CELL_MM)) for size in voxel])
    coarse = np.array([min(MAX_CELLS, math.ceil(size / COARSE_CELL_MM)) for size in voxel])
    intensity = np.zeros(shape, np.float32)
    counts = np.zeros((3, *shape), np.uint8)
    scene = (
        np.ascontiguousarray((warp.matrix @ affine)[:3]),
        (warp.field, np.array(deformation.LOW), deformation.SPACING),
        (anatomy.brain, anatomy.origin, anatomy.spacing),
        (anatomy.shells.intensity, anatomy.shells.zone, np.array(shells.LOW, np.float64)),
        np.array(means),
    )
    run_slabs(_render, shape[0], threads, scene, fine, coarse, intensity, counts)
    return Rendering(intensity, counts, int(fine.prod()))


@numba.njit(nogil=True, cache=True)
def _clip(value: float, size: int) -> float:
    return min(max(value, 0.0), size - 1.001)


@numba.njit(nogil=True, cache=True)
def _interpolate(volume: Any, a: float, b: float, c: float) -> float:
    a = _clip(a, volume.shape[0])
    b = _clip(b, volume.shape[1])
    c = _clip(c, volume.shape[2])
    i, j, k = int(a), int(b), int(c)
    a, b, c = a - i, b - j, c - k
    near = (volume[i, j, k] * (1 - c) + volume[i, j, k + 1] * c) * (1 - b) + (
        volume[i, j + 1, k] * (1 - c) + volume[i, j + 1, k + 1] * c
    ) * b
    far = (volume[i + 1, j, k] * (1 - c) + volume[i + 1, j, k + 1] * c) * (1 - b) + (
        volume[i + 1, j + 1, k] * (1 - c) + volume[i + 1, j + 1, k + 1] * c
    ) * b
    return float(near * (1 - a) + far * a)


@numba.njit(nogil=True, cache=True)
def _locate(matrix: Any, warp: Any, a: float, b: float, c: float, y: Any, point: Any) -> None:
    """Set ``point`` to where the voxel coordinates (a, b, c) lie in template space."""
    field, low, spacing = warp
    for axis in range(3):
        m = matrix[axis]
        y[axis] = m[0] * a + m[1] * b + m[2] * c + m[3]
    a = (y[0] - low[0]) / spacing
    b = (y[1] - low[1]) / spacing
    c = (y[2] - low[2]) / spacing
    for axis in range(3):
        point[axis] = y[axis] + _interpolate(field[axis], a, b, c)


@numba.njit(nogil=True, cache=True)
def _sample_brain(brain: Any, point: Any, values: Any) -> bool:
    """Interpolate all channels; False where the point is outside the brain."""
    fields, origin, spacing = brain
    a = (point[0] - origin[0]) / spacing
    b = (point[1] - origin[1]) / spacing
    c = (point[2] - origin[2]) / spacing
    nx, ny, nz, channels = fields.shape
    if not (0 <= a < nx - 1 and 0 <= b < ny - 1 and 0 <= c < nz - 1):
        return False
    i, j, k = int(a), int(b), int(c)
    a, b, c = a - i, b - j, c - k
    values[:] = 0.0
    for corner in range(8):
        di, dj, dk = corner >> 2, (corner >> 1) & 1, corner & 1
        weight = (a if di else 1 - a) * (b if dj else 1 - b) * (c if dk else 1 - c)
        for channel in range(channels):
            values[channel] += weight * fields[i + di, j + dj, k + dk, channel]
    return bool(values[LEVEL] > 0)


@numba.njit(nogil=True, cache=True)
def _find_zone(shell: Any, point: Any) -> int:
    _, zone, low = shell
    i = round(point[0] - low[0])
    j = round(point[1] - low[1])
    k = round(point[2] - low[2])
    if 0 <= i < zone.shape[0] and 0 <= j < zone.shape[1] and 0 <= k < zone.shape[2]:
        return int(zone[i, j, k])
    return 0


@numba.njit(nogil=True, cache=True)
def _tissue(values: Any) -> int:
    """Return which of GM, WM and CSF (0, 1, 2) has the most evidence."""
    if values[GM] >= values[WM]:
        return 0 if values[GM] >= values[CSF] else 2
    return 1 if values[WM] >= values[CSF] else 2


@numba.njit(nogil=True, cache=True)
def _fill_cell(scene: Any, is_near: bool, point: Any, values: Any, count: Any) -> float:
    """Return the intensity of one cell and count its tissue."""
    _, _, brain, shell, means = scene
    if is_near and _sample_brain(brain, point, values):
        tissue = _tissue(values)
        count[tissue] += 1
        shift = values[DEEP] * (means[1] - means[0]) if tissue == 0 else 0.0
        return float(means[tissue] + shift)
    intensity, _, low = shell
    at = point[0] - low[0], point[1] - low[1], point[2] - low[2]
    return float(_interpolate(intensity, at[0], at[1], at[2]))


@numba.njit(nogil=True, cache=True)
def _render(
    start: int, stop: int, scene: Any, fine: Any, coarse: Any, intensity: Any, counts: Any
) -> None:
    matrix, warp, _, shell, _ = scene
    y, point, values = np.empty(3), np.empty(3), np.empty(5)
    for i, j, k in np.ndindex(stop - start, intensity.shape[1], intensity.shape[2]):
        i += start
        _locate(matrix, warp, i, j, k, y, point)
        zone = _find_zone(shell, point)
        if zone == AIR:
            continue
        cells = fine if zone == NEAR else coarse
        total = 0.0
        for a, b, c in np.ndindex(cells[0], cells[1], cells[2]):
            at = (
                i + (a + 0.5) / cells[0] - 0.5,
                j + (b + 0.5) / cells[1] - 0.5,
                k + (c + 0.5) / cells[2] - 0.5,
            )
            _locate(matrix, warp, at[0], at[1], at[2], y, point)
            total += _fill_cell(scene, zone == NEAR, point, values, counts[:, i, j, k])
        intensity[i, j, k] = total / (cells[0] * cells[1] * cells[2])
