"""A head of known tensors, drawn as a diffusion series with motion and eddy currents.

Nothing is interpolated: every voxel of a volume is followed back to where its signal comes from,
and the head is evaluated there.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.core.gradient_table import Gradients, make_gradients
from mriderived.core.rigid import rigid_matrix

Map = NDArray[np.float32]
CENTRE = np.array([1.0, -8.0, 5.0])
#: Half-axes of the head in mm.
HALF = np.array([66.0, 80.0, 58.0])
#: Grey matter, white matter, fluid: signal at b = 0, diffusivities along and across in mm²/s.
BASELINES = (620.0, 470.0, 1400.0)
AXIAL = (0.9e-3, 1.5e-3, 3.0e-3)
RADIAL = (0.75e-3, 0.35e-3, 3.0e-3)


class Truth(NamedTuple):
    """What was done to each volume of a series."""

    #: Shape (n, 6): mm and rad about ``CENTRE``.
    parameters: NDArray[np.float64]
    matrices: NDArray[np.float64]
    #: Shape (n, 3): voxels at the edge of the image.
    eddy: NDArray[np.float64]


def make_affine(shape: tuple[int, ...], voxel: float) -> NDArray[np.float64]:
    """Return a slightly oblique grid around the head whose first axis points to the left."""
    turn = rigid_matrix(np.array([0, 0, 0, 0.08, -0.03, 0.05]), np.zeros(3))
    affine = turn @ np.diag([-voxel, voxel, voxel, 1.0])
    affine[:3, 3] = CENTRE - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return affine


def make_table(shells: dict[float, int], b0_every: int = 10, seed: int = 0) -> Gradients:
    """Return shells of well spread directions on a sphere, mixed, with b = 0 in between."""
    rng = np.random.default_rng(seed)
    rows = []
    for b, count in shells.items():
        index = np.arange(count) + 0.5
        height, angle = 1 - 2 * index / count, np.pi * (1 + 5**0.5) * index + b
        flat = np.sqrt(1 - height**2)
        around = np.stack([flat * np.cos(angle), flat * np.sin(angle), height], axis=1)
        rows += [(b, *each) for each in around]
    order = rng.permutation(len(rows))
    table = []
    for place, row in enumerate(order):
        if place % b0_every == 0:
            table.append((0.0, 0.0, 0.0, 0.0))
        table.append(rows[row])
    values = np.array(table)
    return make_gradients(values[:, 0], values[:, 1:])


def make_truth(
    gradients: Gradients, mm: float = 3.0, degrees: float = 3.0, voxels: float = 2.0, seed: int = 0
) -> Truth:
    """Return slow drifts with jumps, and eddy terms that mostly follow the gradient."""
    rng = np.random.default_rng(seed)
    count = len(gradients)
    steps = rng.standard_normal((count, 6)) * (rng.random((count, 1)) < 0.5)
    walk = np.cumsum(steps, axis=0)
    walk -= walk[0]
    walk /= np.maximum(np.abs(walk).max(axis=0), 1e-9)
    parameters = walk * ([mm] * 3 + [np.radians(degrees)] * 3)
    eddy = gradients.directions @ rng.standard_normal((3, 3))
    eddy += 0.15 * rng.standard_normal(eddy.shape)
    eddy *= np.sqrt(gradients.b / gradients.b.max())[:, None] * (gradients.shell > 0)[:, None]
    eddy *= voxels / max(np.abs(eddy).max(), 1e-9)
    matrices = np.stack([rigid_matrix(each, CENTRE) for each in parameters])
    return Truth(parameters, matrices, eddy)


def draw_series(
    shape: tuple[int, ...],
    affine: NDArray[np.float64],
    gradients: Gradients,
    truth: Truth | None = None,
    axis: int = 1,
    snr: float = 30.0,
    seed: int = 0,
) -> Map:
    """Draw every volume, with Rician noise of white matter over ``snr`` at b = 0."""
    rng = np.random.default_rng(seed)
    series = np.empty((*shape, len(gradients)), np.float32)
    sigma = BASELINES[1] / snr if snr else 0.0
    for index in range(len(gradients)):
        matrix = np.eye(4) if truth is None else truth.matrices[index]
        eddy = np.zeros(3) if truth is None else truth.eddy[index]
        clean = draw_volume(
            shape, affine, matrix, eddy, axis, gradients.b[index], gradients.directions[index]
        )
        noise = sigma * rng.standard_normal((2, *shape))
        series[..., index] = np.hypot(clean + noise[0], noise[1]) if snr else clean
    return series


def draw_volume(
    shape: tuple[int, ...],
    affine: NDArray[np.float64],
    matrix: NDArray[np.float64],
    eddy: NDArray[np.float64],
    axis: int,
    b: float,
    direction: NDArray[np.float64],
) -> Map:
    """Draw one volume: what lies at p is seen at p + e(p) along the phase axis."""
    place = [part.astype(np.float64) for part in np.indices(shape)]
    half = (np.array(shape) - 1) / 2
    scaled = [(part - h) / h for part, h in zip(place, half, strict=True)]
    shift = sum(c * part for c, part in zip(eddy, scaled, strict=True))
    stretch = 1 + eddy[axis] / half[axis]
    place[axis] = place[axis] - shift / stretch
    points = np.stack([part.ravel() for part in place])
    back = np.linalg.inv(matrix) @ affine
    resting = back[:3, :3] @ points + back[:3, 3:]
    signal = signal_at(resting, b, matrix[:3, :3].T @ direction)
    return np.asarray(signal.reshape(shape) / stretch, np.float32)


def signal_at(points: NDArray[np.float64], b: float, direction: NDArray[np.float64]) -> Map:
    """Return the signal of the resting head at points (3, n) in mm."""
    shares, fibre = _anatomy(points)
    along = (direction @ fibre) ** 2
    total = np.zeros(points.shape[1])
    for share, s0, axial, radial in zip(shares, BASELINES, AXIAL, RADIAL, strict=True):
        total += share * s0 * np.exp(-b * (radial + (axial - radial) * along))
    return np.asarray(total, np.float32)


def brain_at(shape: tuple[int, ...], affine: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return the voxels of the resting brain."""
    points = affine[:3, :3] @ np.indices(shape).reshape(3, -1) + affine[:3, 3:]
    return np.asarray((_radius(points) < 0.93).reshape(shape))


def _radius(points: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.sqrt((((points.T - CENTRE) / HALF) ** 2).sum(axis=1)))


def _step(value: NDArray[np.float64], width: float) -> NDArray[np.float64]:
    return np.asarray(1 / (1 + np.exp(np.clip(-value / width, -60, 60))))


def _anatomy(
    points: NDArray[np.float64],
) -> tuple[list[NDArray[np.float64]], NDArray[np.float64]]:
    """Return the shares of the tissues, and the direction of fibres."""
    x, y, z = points - CENTRE[:, None]
    radius = _radius(points)
    folds = 0.07 * np.cos(x / 7 + 1) * np.cos(y / 8) + 0.06 * np.cos(z / 7 + y / 15)
    inside = _step(1 - radius, 0.02)
    brain = _step(0.92 + 0.4 * folds - radius, 0.025)
    white = _step(0.74 + folds - radius, 0.03)
    sides = (np.abs(x) - 11) ** 2 / 45 + (y + 6) ** 2 / 600 + (z - 6) ** 2 / 110
    fluid = _step(1.3 - sides, 0.25)
    deep = _step(1.2 - (np.abs(x) - 20) ** 2 / 80 - (y - 8) ** 2 / 160 - (z + 6) ** 2 / 90, 0.25)
    white *= 1 - deep
    shares = [
        inside * brain * (1 - white) * (1 - fluid),
        inside * brain * white * (1 - fluid),
        inside * (1 - brain * (1 - fluid)),
    ]
    # across in the middle above the ventricles, upwards at the sides, forwards below
    middle = _step(14 - np.abs(x), 4) * _step(z - 8, 3)
    below = _step(-z - 14, 5)
    fibre = np.stack(
        [
            middle + 0.3 * np.sin(y / 25),
            below + 0.35 * np.cos(x / 20),
            (1 - middle) * (1 - below) + 0.1 + np.zeros_like(x),
        ]
    )
    return shares, fibre / np.linalg.norm(fibre, axis=0)
