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


#: Centre and radius of a ball in mm of the scanner.
Ball = tuple[float, float, float, float]
NO_CAVITY: Ball = (0.0, 0.0, 0.0, 0.0)


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
    cell_mm: float = CELL_MM,
    cavity: Ball = NO_CAVITY,
) -> Rendering:
    """Draw a head on a grid; ``means`` are the intensities of GM, WM and CSF.

    What lies in the ball ``cavity`` (centre and radius in mm of the scanner) is fluid.
    """
    voxel = np.linalg.norm(affine[:3, :3], axis=0)
    fine, coarse = (
        np.array([min(MAX_CELLS, math.ceil(size / length)) for size in voxel])
        for length in (cell_mm, max(cell_mm, COARSE_CELL_MM))
    )
    intensity = np.zeros(shape, np.float32)
    counts = np.zeros((3, *shape), np.uint8)
    field = np.ascontiguousarray(np.moveaxis(warp.field, 0, 3))
    scene = (
        np.ascontiguousarray((warp.matrix @ affine)[:3]),
        (field, np.array(deformation.LOW), deformation.SPACING),
        (anatomy.brain, anatomy.origin, anatomy.spacing),
        (
            anatomy.shells.intensity[..., None],
            anatomy.shells.zone,
            np.array(shells.LOW, np.float64),
        ),
        np.array(means),
        (np.ascontiguousarray(affine[:3]), np.array(cavity)),
    )
    run_slabs(_render, shape[0], threads, scene, fine, coarse, intensity, counts)
    return Rendering(intensity, counts, int(fine.prod()))


@numba.njit(nogil=True, cache=True)
def _clip(value: float, size: int) -> float:
    return min(max(value, 0.0), size - 1.001)


@numba.njit(nogil=True, cache=True)
def _at(fields: Any, i: int, j: int, k: int, a: float, b: float, c: float, n: int) -> float:
    """Interpolate channel ``n`` (last axis) in a cell of the grid, at shares a, b and c of it."""
    near = (fields[i, j, k, n] * (1 - c) + fields[i, j, k + 1, n] * c) * (1 - b) + (
        fields[i, j + 1, k, n] * (1 - c) + fields[i, j + 1, k + 1, n] * c
    ) * b
    far = (fields[i + 1, j, k, n] * (1 - c) + fields[i + 1, j, k + 1, n] * c) * (1 - b) + (
        fields[i + 1, j + 1, k, n] * (1 - c) + fields[i + 1, j + 1, k + 1, n] * c
    ) * b
    return float(near * (1 - a) + far * a)


@numba.njit(nogil=True, cache=True)
def _locate(matrix: Any, warp: Any, a: float, b: float, c: float) -> tuple[float, float, float]:
    """Return where the voxel coordinates (a, b, c) lie in template space."""
    field, low, spacing = warp
    x = matrix[0, 0] * a + matrix[0, 1] * b + matrix[0, 2] * c + matrix[0, 3]
    y = matrix[1, 0] * a + matrix[1, 1] * b + matrix[1, 2] * c + matrix[1, 3]
    z = matrix[2, 0] * a + matrix[2, 1] * b + matrix[2, 2] * c + matrix[2, 3]
    a = _clip((x - low[0]) / spacing, field.shape[0])
    b = _clip((y - low[1]) / spacing, field.shape[1])
    c = _clip((z - low[2]) / spacing, field.shape[2])
    i, j, k = int(a), int(b), int(c)
    a, b, c = a - i, b - j, c - k
    return (
        x + _at(field, i, j, k, a, b, c, 0),
        y + _at(field, i, j, k, a, b, c, 1),
        z + _at(field, i, j, k, a, b, c, 2),
    )


@numba.njit(nogil=True, cache=True)
def _sample_brain(brain: Any, point: Any) -> tuple[int, float]:
    """Return the tissue (GM, WM, CSF: 0, 1, 2; -1 outside) and the shift of deep grey matter."""
    fields, origin, spacing = brain
    a = (point[0] - origin[0]) / spacing
    b = (point[1] - origin[1]) / spacing
    c = (point[2] - origin[2]) / spacing
    nx, ny, nz, _ = fields.shape
    if not (0 <= a < nx - 1 and 0 <= b < ny - 1 and 0 <= c < nz - 1):
        return -1, 0.0
    i, j, k = int(a), int(b), int(c)
    a, b, c = a - i, b - j, c - k
    if _at(fields, i, j, k, a, b, c, LEVEL) <= 0:
        return -1, 0.0
    gm = _at(fields, i, j, k, a, b, c, GM)
    wm = _at(fields, i, j, k, a, b, c, WM)
    csf = _at(fields, i, j, k, a, b, c, CSF)
    if gm >= wm and gm >= csf:
        return 0, _at(fields, i, j, k, a, b, c, DEEP)
    return (1 if wm >= csf else 2), 0.0


@numba.njit(nogil=True, cache=True)
def _sample_shell(shell: Any, point: Any) -> float:
    intensity, _, low = shell
    a = _clip(point[0] - low[0], intensity.shape[0])
    b = _clip(point[1] - low[1], intensity.shape[1])
    c = _clip(point[2] - low[2], intensity.shape[2])
    i, j, k = int(a), int(b), int(c)
    return float(_at(intensity, i, j, k, a - i, b - j, c - k, 0))


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
def _is_in_ball(hole: Any, x: float, y: float, z: float) -> bool:
    affine, ball = hole
    square = 0.0
    for axis in range(3):
        at = affine[axis, 0] * x + affine[axis, 1] * y + affine[axis, 2] * z + affine[axis, 3]
        square += (at - ball[axis]) ** 2
    return bool(square < ball[3] ** 2)


@numba.njit(nogil=True, cache=True)
def _fill_voxel(scene: Any, zone: int, cells: Any, index: Any, counts: Any) -> float:
    """Return the mean intensity of the cells of a voxel and count their tissues."""
    matrix, warp, brain, shell, means, hole = scene
    i, j, k = index
    total = 0.0
    for a in range(cells[0]):
        for b in range(cells[1]):
            for c in range(cells[2]):
                x = i + (a + 0.5) / cells[0] - 0.5
                y = j + (b + 0.5) / cells[1] - 0.5
                z = k + (c + 0.5) / cells[2] - 0.5
                point = _locate(matrix, warp, x, y, z)
                tissue, shift = _sample_brain(brain, point) if zone == NEAR else (-1, 0.0)
                if tissue < 0:
                    total += _sample_shell(shell, point)
                elif _is_in_ball(hole, x, y, z):
                    counts[2, i, j, k] += 1
                    total += means[2]
                else:
                    counts[tissue, i, j, k] += 1
                    total += means[tissue] + shift * (means[1] - means[0])
    return float(total / (cells[0] * cells[1] * cells[2]))


@numba.njit(nogil=True, cache=True)
def _render(
    start: int, stop: int, scene: Any, fine: Any, coarse: Any, intensity: Any, counts: Any
) -> None:
    matrix, warp, _, shell, _, _ = scene
    for i in range(start, stop):
        for j in range(intensity.shape[1]):
            for k in range(intensity.shape[2]):
                zone = _find_zone(shell, _locate(matrix, warp, i, j, k))
                if zone != AIR:
                    cells = fine if zone == NEAR else coarse
                    intensity[i, j, k] = _fill_voxel(scene, zone, cells, (i, j, k), counts)
