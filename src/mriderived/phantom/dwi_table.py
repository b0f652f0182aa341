"""The gradient table of a synthetic DWI run, and the eddy currents that gradients cause."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from mriderived.phantom.dwi_options import DwiOptions

Matrix = NDArray[np.float64]

#: Half axes of a head of zoom 1 in mm, in which the largest displacement is counted.
HEAD = np.array([68.0, 86.0, 62.0])
#: How much of the displacement is the same everywhere, and how much is linear along x, y, z.
CONSTANT, LINEAR = 0.4, 1.0


def draw_table(rng: np.random.Generator, options: DwiOptions) -> tuple[Matrix, Matrix]:
    """Return b (n,) in s/mm² and unit vectors (n, 3) along the world's axes, 0 for b = 0.

    Shells follow each other in turn, as scanners do it to keep the load even, and volumes of
    b = 0 are spread over the run, the first of them at its start.
    """
    rows = [
        ((place + 0.5) / count, b, vector)
        for b, count in options.shells
        for place, vector in enumerate(_spread_directions(rng, count))
    ]
    ordered = sorted(rows, key=lambda row: row[0])
    b = np.zeros(options.volumes)
    directions = np.zeros((options.volumes, 3))
    zeros = np.floor(np.arange(options.b0s) * options.volumes / options.b0s).astype(int)
    weighted = np.setdiff1d(np.arange(options.volumes), zeros)
    b[weighted] = [row[1] for row in ordered]
    directions[weighted] = np.reshape([row[2] for row in ordered], (-1, 3))
    return b, directions


def _spread_directions(rng: np.random.Generator, count: int) -> Matrix:
    """Return directions of a golden spiral on half a sphere, turned and shuffled at random."""
    place = np.arange(count) + 0.5
    z = 1 - place / count
    angle = np.pi * (3 - np.sqrt(5)) * place
    across = np.sqrt(1 - z**2)
    points = np.stack([across * np.cos(angle), across * np.sin(angle), z], axis=1)
    turned = Rotation.random(random_state=int(rng.integers(2**31))).apply(points)
    # one sign for all would leave the sum of gradients far from 0
    signs = np.where(np.arange(count) % 2, 1.0, -1.0)
    return np.asarray((turned * signs[:, None])[rng.permutation(count)], np.float64)


def draw_eddy(
    rng: np.random.Generator, b: Matrix, directions: Matrix, largest: float, zoom: float
) -> Matrix:
    """Return displacements (n, 4): constant, and per mm along x, y, z from the head's centre.

    In voxels along the phase-encode axis; proportional to the gradient's strength, which is to
    the square root of b. ``largest`` is the most anywhere in an ellipsoid as large as the head.
    """
    if not largest or not b.any():
        return np.zeros((len(b), 4))
    size = HEAD * zoom
    answer = rng.standard_normal((4, 3))
    answer[0] *= CONSTANT
    answer[1:] *= LINEAR / size[:, None]
    gradient = directions * np.sqrt(b / b.max())[:, None]
    found = gradient @ answer.T
    most = np.abs(found[:, 0]) + np.linalg.norm(found[:, 1:] * size, axis=1)
    return np.asarray(found * largest / most.max(), np.float64)


def draw_dropouts(
    rng: np.random.Generator, b: Matrix, slices: int, count: int
) -> list[tuple[int, int, float]]:
    """Return volume, slice and what is left of its signal, each in another volume if possible."""
    weighted = np.flatnonzero(b > 0)
    volumes = np.sort(rng.choice(weighted, count, replace=count > len(weighted)))
    inner = np.arange(slices // 4, max(slices // 4 + 1, 3 * slices // 4))
    return [
        (int(volume), int(rng.choice(inner)), round(float(rng.uniform(0.2, 0.5)), 3))
        for volume in volumes
    ]
