"""A smooth, structured head that can be drawn at any position without interpolation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mriderived.core.rigid import rigid_matrix

Map = NDArray[np.float32]
#: About which the head turns, in mm: the centre of the head.
CENTRE = np.array([2.0, -14.0, 6.0])
#: Half-axes of the head in mm.
HALF = np.array([68.0, 84.0, 62.0])
NOISE = 1000 / 100


def make_affine(shape: tuple[int, ...], voxel: tuple[float, ...]) -> NDArray[np.float64]:
    """Return an oblique grid whose first axis points to the left, around the head."""
    turn = rigid_matrix(np.array([0, 0, 0, 0.12, -0.05, 0.07]), np.zeros(3))
    affine = turn @ np.diag([-voxel[0], voxel[1], voxel[2], 1.0])
    middle = affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    affine[:3, 3] = CENTRE - middle
    return affine


def draw_head(
    shape: tuple[int, ...], affine: NDArray[np.float64], matrix: NDArray[np.float64] | None = None
) -> Map:
    """Draw the head in a volume to which ``matrix`` leads from its resting place (mm)."""
    back = np.linalg.inv(np.eye(4) if matrix is None else matrix) @ affine
    i, j, k = np.indices(shape, dtype=np.float32)
    x, y, z = (back[a, 0] * i + back[a, 1] * j + back[a, 2] * k + back[a, 3] for a in range(3))
    away = [(c - m) / h for c, m, h in zip((x, y, z), CENTRE, HALF, strict=True)]
    radius = np.sqrt(sum(part**2 for part in away)) + 1e-6
    inside = 1 / (1 + np.exp((radius - 1) * 30))
    texture = np.full(shape, 620, np.float32)
    rng = np.random.default_rng(7)
    for _ in range(14):
        wave = rng.normal(0, 2 * np.pi / 38, 3)
        texture += 70 * np.cos(wave[0] * x + wave[1] * y + wave[2] * z + rng.uniform(0, 6))
    for side in (-1, 1):
        hole = (x - CENTRE[0] - 12 * side) ** 2 / 60 + (y + 10) ** 2 / 500 + (z - 8) ** 2 / 160
        texture += 420 * np.exp(-hole)
    return np.asarray(inside * texture, np.float32)


def draw_series(
    shape: tuple[int, ...],
    affine: NDArray[np.float64],
    matrices: NDArray[np.float64],
    noise: float = NOISE,
    seed: int = 0,
) -> Map:
    """Draw a volume for each matrix and add noise."""
    rng = np.random.default_rng(seed)
    series = np.empty((*shape, len(matrices)), np.float32)
    for index, matrix in enumerate(matrices):
        volume = draw_head(shape, affine, matrix)
        series[..., index] = volume + noise * rng.standard_normal(shape).astype(np.float32)
    return series


def make_motion(
    count: int, mm: float = 3.0, degrees: float = 3.0, seed: int = 0
) -> NDArray[np.float64]:
    """Return parameters (mm, rad) of slow drifts with jumps, the largest of the given size."""
    rng = np.random.default_rng(seed)
    steps = rng.standard_normal((count, 6)) * (rng.random((count, 1)) < 0.7)
    walk = np.cumsum(steps, axis=0)
    walk -= walk.mean(axis=0)
    walk /= np.maximum(np.abs(walk).max(axis=0), 1e-9)
    return walk * ([mm] * 3 + [np.radians(degrees)] * 3)
