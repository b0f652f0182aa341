"""Maps on coarser voxels: the mean over each of them, so that thick slices see all they hold."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mriderived.core.filters import block_mean
from mriderived.core.sampling import resample

Volume = NDArray[np.float32]
Matrix = NDArray[np.float64]


def count_parts(coarse: Sequence[float], fine: Sequence[float]) -> tuple[int, int, int]:
    """Return into how many parts voxels are divided so that none is much larger than ``fine``.

    Parameters
    ----------
    coarse, fine : three floats
        Voxel sizes in mm.

    Examples
    --------
    >>> count_parts((0.5, 1.0, 5.0), (1.0, 1.0, 1.0))
    (1, 1, 5)
    """
    a, b, c = (max(1, round(x / min(fine))) for x in coarse)
    return a, b, c


def divide_voxels(parts: Sequence[int]) -> Matrix:
    """Return the matrix from parts of voxels to voxels.

    Examples
    --------
    >>> divide_voxels((1, 1, 2))[2].tolist()
    [0.0, 0.0, 0.5, -0.25]
    """
    matrix = np.eye(4)
    for axis, count in enumerate(parts):
        matrix[axis, axis] = 1 / count
        matrix[axis, 3] = 0.5 / count - 0.5
    return matrix


def average_on_grid(
    volume: Volume, matrix: Matrix, shape: Sequence[int], parts: Sequence[int], threads: int = 1
) -> Volume:
    """Return the mean of a volume over the voxels of another grid; 0 outside of the volume.

    Parameters
    ----------
    volume : array of float32, shape (x, y, z)
    matrix : array, shape (4, 4)
        From voxels of the new grid to voxels of ``volume``.
    shape : three ints
        The new grid.
    parts : three ints
        From :func:`count_parts`.
    threads : int

    Returns
    -------
    array of float32 of ``shape``

    Examples
    --------
    >>> fine = np.arange(6, dtype=np.float32).reshape(1, 1, 6)
    >>> to_fine = np.diag([1.0, 1, 3, 1]); to_fine[2, 3] = 1
    >>> average_on_grid(fine, to_fine, (1, 1, 2), (1, 1, 3)).ravel().tolist()
    [1.0, 4.0]
    """
    size = tuple(n * part for n, part in zip(shape, parts, strict=True))
    return block_mean(resample(volume, matrix @ divide_voxels(parts), size, threads), parts)
