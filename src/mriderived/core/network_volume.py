"""Volumes as a network for lesions takes them: a grid around the brain, scaled, in patches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.core.masks import find_box
from mriderived.core.network_grid import Shape

Volume = NDArray[np.float32]
Mask = NDArray[np.bool_]
Matrix = NDArray[np.float64]

#: How intensities are scaled within the brain.
Intensity = Literal['standard', 'range']
#: Around the brain, in voxels of the network: edges look different to it.
MARGIN = 8
#: Percentiles that become 0 and 1 for ``range``.
LIMITS = (0.5, 99.5)


class NetworkGrid(NamedTuple):
    """A grid, and the matrix from its voxels to those of the image it was planned for."""

    shape: Shape
    to_image: Matrix


def plan_grid(
    brain: Mask,
    spacing: Sequence[float],
    voxel_mm: Sequence[float],
    multiple: int,
    least: Sequence[int] = (1, 1, 1),
) -> NetworkGrid:
    """Return a grid of other voxels around a brain, along the same axes.

    Parameters
    ----------
    brain : array of bool, shape (x, y, z)
    spacing, voxel_mm : three floats
        Voxel size in mm of the brain mask and of the grid.
    multiple : int
        The number of voxels along every edge can be divided by it.
    least : three ints
        And is at least this.

    Returns
    -------
    NetworkGrid

    Examples
    --------
    >>> brain = np.zeros((40, 40, 10), bool); brain[10:30, 10:30, 3:7] = True
    >>> grid = plan_grid(brain, (1, 1, 4), (1, 1, 1), 16)
    >>> grid.shape, grid.to_image.diagonal().tolist()
    ((48, 48, 32), [1.0, 1.0, 0.25, 1.0])
    """
    box = find_box(brain, (0, 0, 0))
    edges, matrix = [], np.eye(4)
    for axis, (part, size, step, floor) in enumerate(
        zip(box, spacing, voxel_mm, least, strict=True)
    ):
        wanted = max(int(np.ceil((part.stop - part.start) * size / step)) + 2 * MARGIN, floor)
        edges.append(-(-wanted // multiple) * multiple)
        centre = (part.start + part.stop - 1) / 2
        matrix[axis, axis] = step / size
        offset = centre - (edges[-1] - 1) / 2 * step / size
        # on one grid of the image where voxels are of one size, so that nothing is interpolated
        matrix[axis, 3] = np.round(offset) if abs(step - size) < 1e-3 * size else offset
    return NetworkGrid((edges[0], edges[1], edges[2]), matrix)


def scale_to_brain(image: Volume, brain: Mask, intensity: Intensity) -> Volume:
    """Scale by the intensities of a brain; 0 outside.

    Parameters
    ----------
    image : array of float32, shape (x, y, z)
    brain : array of bool, shape (x, y, z)
    intensity : {'standard', 'range'}
        Mean 0 and standard deviation 1, or the 0.5 and 99.5 percentiles to 0 and 1.

    Raises
    ------
    ValueError
        If there is no contrast.

    Examples
    --------
    >>> image = np.arange(5, dtype=np.float32)
    >>> scale_to_brain(image, image > 1, 'standard').round(2).tolist()
    [0.0, 0.0, -1.2200000286102295, 0.0, 1.2200000286102295]
    """
    inside = image[brain]
    if inside.size == 0 or inside.min() == inside.max():
        raise ValueError('the brain has no contrast on the grid of the network; check its mask')
    if intensity == 'standard':
        centre, width = float(inside.mean()), float(inside.std())
        scaled = (image - centre) / width
    else:
        low, high = np.percentile(inside, LIMITS)
        scaled = (image - low) / (high - low)  # lesions may lie above 1
    return np.where(brain, scaled, 0).astype(np.float32)


def place_patches(shape: Sequence[int], patch: Sequence[int]) -> list[tuple[int, int, int]]:
    """Return the first voxels of patches that cover a grid and overlap by half.

    Examples
    --------
    >>> place_patches((32, 16, 16), (16, 16, 16))
    [(0, 0, 0), (8, 0, 0), (16, 0, 0)]
    """
    starts = []
    for size, edge in zip(shape, patch, strict=True):
        last = size - edge
        count = 1 + int(np.ceil(last / max(edge // 2, 1)))
        starts.append([round(last * n / max(count - 1, 1)) for n in range(count)])
    return [(x, y, z) for x in starts[0] for y in starts[1] for z in starts[2]]
