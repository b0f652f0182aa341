"""Two rings and an oblique bundle: fibres whose course tells the axes of a gradient table."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.core.gradient_table import Gradients, make_gradients

#: Oblique, with oblong voxels and a positive determinant, to tell FSL's axes from the world's.
AFFINE = np.eye(4)
AFFINE[:3, :3] = np.array([[0.96, -0.28, 0], [0.28, 0.96, 0], [0, 0, 1]]) * [2.0, 2.0, 3.0]


class Head(NamedTuple):
    """Signals of the voxels of a mask, and their table."""

    signals: NDArray[np.float32]
    mask: NDArray[np.bool_]
    gradients: Gradients


def _fibres(points: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return directions on two rings that stand across each other, and on an oblique bundle."""
    x, y, z = points.T
    zero = np.zeros_like(x)
    flat = (np.abs(np.hypot(x, y) - 25) < 6) & (np.abs(z) < 6)
    upright = (np.abs(np.hypot(x, z) - 36) < 5) & (np.abs(y) < 8)
    tilted = np.array([0.48, 0.6, 0.64])
    away = points - (points @ tilted)[:, None] * tilted
    oblique = (np.linalg.norm(away, axis=1) < 7) & ~flat & ~upright
    directions = np.zeros_like(points)
    directions[upright] = np.column_stack([-z, zero, x])[upright]
    directions[flat] = np.column_stack([-y, x, zero])[flat]
    directions[oblique] = tilted
    return directions, flat | upright | oblique


def draw_rings() -> Head:
    """Return a head of fibres that bend and end, with noise of 5 %."""
    rng = np.random.default_rng(5)
    shape = (44, 44, 30)
    index = np.stack(np.meshgrid(*map(np.arange, shape), indexing='ij'), axis=-1).reshape(-1, 3)
    points = (index - (np.array(shape) - 1) / 2) @ AFFINE[:3, :3].T
    mask = np.linalg.norm(points / [42, 42, 42], axis=1) < 1
    directions, inside = _fibres(points[mask])
    length = np.linalg.norm(directions, axis=1, keepdims=True)
    directions = np.divide(directions, length, where=length > 0, out=np.zeros_like(directions))
    vectors = rng.normal(size=(32, 3))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    gradients = make_gradients(
        np.repeat([0.0, 1000.0], [2, 30]), np.vstack([np.zeros((2, 3)), vectors[:30]])
    )
    along = np.where(inside, 1.6e-3, 0.8e-3)[:, None]
    across = np.where(inside, 0.4e-3, 0.8e-3)[:, None]
    cosine = directions @ gradients.directions.T
    clean = 100 * np.exp(-gradients.b * (across + (along - across) * cosine**2))
    noise = rng.normal(scale=5, size=(2, *clean.shape))
    signals = np.hypot(clean + noise[0], noise[1]).astype(np.float32)
    return Head(signals, mask.reshape(shape), gradients)
