"""Tissue maps with exactly known thickness: concentric shells, and folds with a narrow sulcus."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Map = NDArray[np.float32]
Tissue = Callable[[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]], Map]
#: Points per voxel and axis over which partial volume is averaged.
SUB = 4
FINE = 0.5


def turn(
    degrees: float, axis: tuple[float, float, float] = (1.0, 2.0, 3.0)
) -> NDArray[np.float64]:
    """Return a rotation matrix (Rodrigues' formula)."""
    x, y, z = np.array(axis) / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = np.radians(degrees)
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def render(
    tissue: Tissue,
    size_mm: tuple[float, float, float],
    voxel: tuple[float, float, float],
    degrees: float = 0.0,
    blur_mm: float = 0.0,
) -> Map:
    """Average a function of points (mm, from the centre) over voxels, then blur."""
    shape = [round(size / edge) for size, edge in zip(size_mm, voxel, strict=True)]
    rotation = turn(degrees)
    axes = [
        (np.arange(count * SUB) / SUB + 0.5 / SUB - count / 2) * edge
        for count, edge in zip(shape, voxel, strict=True)
    ]
    image = np.zeros(shape, np.float32)
    for plane in range(shape[0]):
        part = axes[0][plane * SUB : (plane + 1) * SUB]
        points = np.stack(np.meshgrid(part, *axes[1:], indexing='ij'))
        x, y, z = np.tensordot(rotation, points, 1)
        values = tissue(x, y, z).reshape(SUB, shape[1], SUB, shape[2], SUB)
        image[plane] = values.mean(axis=(0, 2, 4))
    if blur_mm:
        image = ndimage.gaussian_filter(image, [blur_mm / edge for edge in voxel], mode='nearest')
    return image


def refine(image: Map, voxel: tuple[float, float, float]) -> Map:
    """Resample linearly to cubic voxels of 0.5 mm."""
    factors = [edge / FINE for edge in voxel]
    return np.asarray(
        ndimage.zoom(image, factors, order=1, grid_mode=True, mode='nearest'), dtype=np.float32
    )


def shell(inner: float, thickness: float) -> Tissue:
    """A ball of white matter in a shell of grey matter."""

    def tissue(x, y, z):  # type: ignore[no-untyped-def]
        # off the middle of a voxel, where symmetry would hide errors
        radius = np.sqrt((x - 0.13) ** 2 + (y + 0.21) ** 2 + (z - 0.07) ** 2)
        return np.where(radius < inner, 3, np.where(radius < inner + thickness, 2, 1))

    return tissue


def folds(thickness: float, gap: float, depth: float = 10.0) -> Tissue:
    """A sheet with deep straight sulci, of ``gap`` mm of CSF between banks of grey matter.

    White matter ends where the distance to a sulcus' middle plane is ``thickness + gap / 2``, so
    that grey matter has one thickness everywhere: on banks, in the round fundus and on the crown.
    """
    reach = thickness + gap / 2
    period = 2 * reach + 6

    def tissue(x, y, z):  # type: ignore[no-untyped-def]
        z = z + 4.0
        across = (x + period / 2) % period - period / 2
        below = np.where(z < -depth, z + depth, 0)
        middle = np.hypot(across, below)
        white = (z < 0) & (middle >= reach)
        crown = np.where(np.abs(across) >= reach, z, np.hypot(z, reach - np.abs(across)))
        distance = np.where(z < 0, reach - middle, crown)
        return np.where(white, 3, np.where(distance <= thickness, 2, 1))

    return tissue
