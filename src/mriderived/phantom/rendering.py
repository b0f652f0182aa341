"""Fill voxels: each is cut into small cells, and each cell holds exactly one tissue.

The shares of the cells are the true partial volumes, and the voxel's intensity is the mean over
the same cells, so image and truth agree to rounding.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from mriderived.core.slabs import run_slabs
from mriderived.phantom import deformation, shells
from mriderived.phantom.anatomy import CSF, DEEP, GM, LEVEL, WM, Anatomy

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
    run_slabs(
        _render,
        shape[0],
        threads,
        np.ascontiguousarray((warp.matrix @ affine)[:3]),
        warp.field,
        np.array(deformation.LOW),
        deformation.SPACING,
        anatomy.brain,
        anatomy.origin,
        anatomy.spacing,
        anatomy.shells.intensity,
        anatomy.shells.zone,
        np.array(shells.LOW, np.float64),
        fine,
        coarse,
        np.array(means),
        intensity,
        counts,
    )
    return Rendering(intensity, counts, int(fine.prod()))


@numba.njit(nogil=True, cache=True)
def _clip(value: float, size: int) -> float:
    return min(max(value, 0.0), size - 1.001)


@numba.njit(nogil=True, cache=True)
def _move(field: Any, low: Any, spacing: float, y: Any, point: Any) -> None:
    a = _clip((y[0] - low[0]) / spacing, field.shape[1])
    b = _clip((y[1] - low[1]) / spacing, field.shape[2])
    c = _clip((y[2] - low[2]) / spacing, field.shape[3])
    i, j, k = int(a), int(b), int(c)
    a, b, c = a - i, b - j, c - k
    for axis in range(3):
        u = field[axis]
        near = (u[i, j, k] * (1 - c) + u[i, j, k + 1] * c) * (1 - b) + (
            u[i, j + 1, k] * (1 - c) + u[i, j + 1, k + 1] * c
        ) * b
        far = (u[i + 1, j, k] * (1 - c) + u[i + 1, j, k + 1] * c) * (1 - b) + (
            u[i + 1, j + 1, k] * (1 - c) + u[i + 1, j + 1, k + 1] * c
        ) * b
        point[axis] = y[axis] + near * (1 - a) + far * a


@numba.njit(nogil=True, cache=True)
def _sample_brain(brain: Any, origin: Any, spacing: float, point: Any, values: Any) -> bool:
    """Interpolate all channels; False where the point is outside the brain."""
    a = (point[0] - origin[0]) / spacing
    b = (point[1] - origin[1]) / spacing
    c = (point[2] - origin[2]) / spacing
    nx, ny, nz, channels = brain.shape
    if not (0 <= a < nx - 1 and 0 <= b < ny - 1 and 0 <= c < nz - 1):
        return False
    i, j, k = int(a), int(b), int(c)
    a, b, c = a - i, b - j, c - k
    for channel in range(channels):
        values[channel] = 0.0
    for di in range(2):
        wi = a if di else 1 - a
        for dj in range(2):
            wj = wi * (b if dj else 1 - b)
            for dk in range(2):
                weight = wj * (c if dk else 1 - c)
                for channel in range(channels):
                    values[channel] += weight * brain[i + di, j + dj, k + dk, channel]
    return values[LEVEL] > 0


@numba.njit(nogil=True, cache=True)
def _sample_shell(volume: Any, low: Any, point: Any) -> float:
    a = _clip(point[0] - low[0], volume.shape[0])
    b = _clip(point[1] - low[1], volume.shape[1])
    c = _clip(point[2] - low[2], volume.shape[2])
    i, j, k = int(a), int(b), int(c)
    a, b, c = a - i, b - j, c - k
    near = (volume[i, j, k] * (1 - c) + volume[i, j, k + 1] * c) * (1 - b) + (
        volume[i, j + 1, k] * (1 - c) + volume[i, j + 1, k + 1] * c
    ) * b
    far = (volume[i + 1, j, k] * (1 - c) + volume[i + 1, j, k + 1] * c) * (1 - b) + (
        volume[i + 1, j + 1, k] * (1 - c) + volume[i + 1, j + 1, k + 1] * c
    ) * b
    return near * (1 - a) + far * a


@numba.njit(nogil=True, cache=True)
def _zone(zone: Any, low: Any, point: Any) -> int:
    i = int(round(point[0] - low[0]))
    j = int(round(point[1] - low[1]))
    k = int(round(point[2] - low[2]))
    if 0 <= i < zone.shape[0] and 0 <= j < zone.shape[1] and 0 <= k < zone.shape[2]:
        return zone[i, j, k]
    return 0


@numba.njit(nogil=True, cache=True)
def _tissue(values: Any) -> int:
    """Return which of GM, WM and CSF (0, 1, 2) has the most evidence."""
    if values[GM] >= values[WM]:
        return 0 if values[GM] >= values[CSF] else 2
    return 1 if values[WM] >= values[CSF] else 2


@numba.njit(nogil=True, cache=True)
def _render(
    start: int, stop: int, matrix: Any, field: Any, field_low: Any, field_spacing: float,
    brain: Any, origin: Any, spacing: float, shell: Any, zone: Any, low: Any,
    fine: Any, coarse: Any, means: Any, intensity: Any, counts: Any,
) -> None:  # fmt: skip
    y, point, values = np.empty(3), np.empty(3), np.empty(brain.shape[3])
    for i in range(start, stop):
        for j in range(intensity.shape[1]):
            for k in range(intensity.shape[2]):
                for axis in range(3):
                    m = matrix[axis]
                    y[axis] = m[0] * i + m[1] * j + m[2] * k + m[3]
                _move(field, field_low, field_spacing, y, point)
                place = _zone(zone, low, point)
                if place == 0:
                    continue
                cells = fine if place == 2 else coarse
                total = 0.0
                for a in range(cells[0]):
                    da = i + (a + 0.5) / cells[0] - 0.5
                    for b in range(cells[1]):
                        db = j + (b + 0.5) / cells[1] - 0.5
                        for c in range(cells[2]):
                            dc = k + (c + 0.5) / cells[2] - 0.5
                            for axis in range(3):
                                m = matrix[axis]
                                y[axis] = m[0] * da + m[1] * db + m[2] * dc + m[3]
                            _move(field, field_low, field_spacing, y, point)
                            if place == 2 and _sample_brain(
                                brain, origin, spacing, point, values
                            ):
                                tissue = _tissue(values)
                                counts[tissue, i, j, k] += 1
                                total += means[tissue]
                                if tissue == 0:
                                    total += values[DEEP] * (means[1] - means[0])
                            else:
                                total += _sample_shell(shell, low, point)
                intensity[i, j, k] = total / (cells[0] * cells[1] * cells[2])
