"""From a participant's head to template space: a rigid move, a zoom and a smooth warp.

A point ``x`` of the scanner's space (mm, RAS) lies at ``y + u(y)`` in template space with
``y = matrix @ x``. The displacement ``u`` is linear between the nodes of a 4 mm grid, so what is
stored is the whole truth.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

SPACING = 4.0
LOW, HIGH = (-112.0, -148.0, -168.0), (112.0, 136.0, 124.0)
#: The left temporal lobe is stretched and the right one shrunk by this share.
ASYMMETRY = 0.12
_LOBE, _LOBE_RADIUS = np.array([45.0, -12.0, -18.0]), 22.0


class Deformation(NamedTuple):
    """``matrix`` (4, 4) maps x to y, ``field`` (3, x, y, z) holds u in mm."""

    matrix: NDArray[np.float64]
    field: NDArray[np.float32]

    def to_template(self, points: NDArray[Any]) -> NDArray[np.float64]:
        """Map points (n, 3) from scanner to template space, in mm."""
        y = points @ self.matrix[:3, :3].T + self.matrix[:3, 3]
        nodes = ((y - LOW) / SPACING).T
        moved = [ndimage.map_coordinates(u, nodes, order=1, mode='nearest') for u in self.field]
        return np.asarray(y + np.stack(moved, axis=1), dtype=np.float64)

    def from_template(self, point: NDArray[np.float64]) -> NDArray[np.float64]:
        """Map one point (3) from template to scanner space, in mm."""
        inverse = np.linalg.inv(self.matrix)
        guess = point.copy()
        for _ in range(50):  # the displacement changes by much less than 1 per mm
            x = inverse[:3, :3] @ guess + inverse[:3, 3]
            guess = guess + point - self.to_template(x[None])[0]
        return np.asarray(inverse[:3, :3] @ guess + inverse[:3, 3], dtype=np.float64)


def field_affine() -> NDArray[np.float64]:
    """Return the affine of the displacement's grid."""
    affine = np.diag([SPACING, SPACING, SPACING, 1.0])
    affine[:3, 3] = LOW
    return affine


def draw_matrix(rng: np.random.Generator, zoom: float, *, flip: bool) -> NDArray[np.float64]:
    """Return a small random rotation and shift, then the zoom and, with ``flip``, a mirror."""
    a, b, c = np.radians(rng.uniform(-4, 4, 3))
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    about_y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    about_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    matrix = np.eye(4)
    matrix[:3, :3] = about_x @ about_y @ about_z / zoom
    matrix[:3, 3] = rng.uniform(-4, 4, 3)
    mirror = np.diag([-1.0 if flip else 1.0, 1.0, 1.0, 1.0])
    return np.asarray(matrix @ mirror)


def draw_field(rng: np.random.Generator, strength: float = 1.0) -> NDArray[np.float32]:
    """Return a smooth random displacement that folds nowhere, with the lobes' asymmetry."""
    shape = tuple(int((b - a) / SPACING) + 1 for a, b in zip(LOW, HIGH, strict=True))
    field = np.zeros((3, *shape))
    for sigma_mm, amplitude in ((30.0, 3.0), (14.0, 0.8)):
        for axis in range(3):
            noise = rng.standard_normal(shape)
            smooth = ndimage.gaussian_filter(noise, sigma_mm / SPACING, mode='wrap')
            field[axis] += strength * amplitude * smooth / smooth.std()
    field += _asymmetry(shape)
    if smallest_jacobian(field) < 0.2:
        raise ValueError(f'a warp of strength {strength} folds; take a smaller one')
    return field.astype(np.float32)


def _asymmetry(shape: tuple[int, ...]) -> NDArray[np.float64]:
    grid = np.stack(np.meshgrid(*(LOW[i] + SPACING * np.arange(shape[i]) for i in range(3)),
                                indexing='ij'))  # fmt: skip
    total = np.zeros((3, *shape))
    for side, change in ((-1.0, -ASYMMETRY), (1.0, ASYMMETRY)):
        centre = _LOBE * [side, 1, 1]
        away = grid - centre[:, None, None, None]
        weight = np.exp(-(away**2).sum(axis=0) / (2 * _LOBE_RADIUS**2))
        total += change * away * weight
    return total


def smallest_jacobian(field: NDArray[Any]) -> float:
    """Return the least volume ratio of the warp, from differences between neighbouring nodes."""
    gradient = np.stack([np.stack(np.gradient(u, SPACING)) for u in field])
    jacobian = np.moveaxis(gradient, (0, 1), (-2, -1)) + np.eye(3)
    return float(np.linalg.det(jacobian).min())
