"""A coarser grid for what needs no fine one: block means with a border of background."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Volume = NDArray[np.float32]


def coarsen(volume: NDArray[Any], factor: int) -> Volume:
    """Average blocks of ``factor``³ voxels, with one block of zeros around them.

    Examples
    --------
    >>> coarsen(np.ones((2, 3, 2), np.float32), 2)[1, 1:3, 1]
    array([1. , 0.5], dtype=float32)
    """
    pads = [(factor, factor + -size % factor) for size in volume.shape]
    padded = np.pad(volume, pads)
    x, y, z = (size // factor for size in padded.shape)
    blocks = padded.reshape(x, factor, y, factor, z, factor)
    return np.asarray(blocks.mean((1, 3, 5), dtype=np.float32), dtype=np.float32)


def refine(mask: NDArray[np.bool_], factor: int, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return a mask of the coarse grid on the fine grid of ``shape``."""
    fine = mask
    for axis in range(3):
        fine = np.repeat(fine, factor, axis)
    x, y, z = shape
    return fine[factor : factor + x, factor : factor + y, factor : factor + z]


def to_fine(points: NDArray[np.float64], factor: int) -> NDArray[np.float64]:
    """Turn coordinates of the coarse grid into those of the fine grid.

    Examples
    --------
    >>> to_fine(np.array([1.0]), 2).item()
    0.5
    """
    return (points - 1) * factor + (factor - 1) / 2


def to_coarse(points: NDArray[np.floating[Any]], factor: int) -> NDArray[np.float64]:
    """Turn coordinates of the fine grid into those of the coarse grid."""
    return (np.asarray(points, np.float64) - (factor - 1) / 2) / factor + 1
