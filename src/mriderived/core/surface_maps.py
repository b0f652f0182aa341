"""Values per vertex of the cortex: what lies at a vertex, below it and above it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mriderived.core.hemisphere import WALL, WALL_MM
from mriderived.core.surface_geometry import nearest_labels
from mriderived.core.surface_projection import sample

Volume = NDArray[np.float32]
Points = NDArray[np.floating[Any]]
Values = NDArray[np.float32]

#: FreeSurfer's numbers of cortex.
CORTEX = (3, 42)
#: A vertex farther from cortex, in mm, is none.
CORTEX_MM = 3.0
#: Where white and grey matter are sampled: 1 mm below the white surface, and 30 % of the way from
#: the white to the pial surface.
WHITE_MM = 1.0
GREY_SHARE = 0.3


def sample_inside(values: Volume, points: Points) -> Values:
    """Interpolate a map that is 0 outside its region, without counting what lies outside.

    Parameters
    ----------
    values : array of float32, shape (x, y, z)
    points : array, shape (n, 3)
        In voxels.

    Returns
    -------
    array of float32, shape (n,)
        0 where less than a fifth of the weight lies inside.

    Examples
    --------
    >>> line = np.float32([[[2, 2, 0, 0]]])
    >>> sample_inside(line, np.array([[0, 0, 1.5], [0, 0, 2.9]])).tolist()
    [2.0, 0.0]
    """
    weight = sample((values > 0).astype(np.float32), points)
    total = sample(values, points)
    return np.where(weight > 0.2, total / np.maximum(weight, 1e-6), 0).astype(np.float32)


def is_cortex(
    structures: NDArray[np.int32], points: Points, spacing: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Tell which vertices lie in cortex and not on the medial wall.

    The surface closes the hemisphere where it was cut from the rest of the brain, and runs along
    nuclei and ventricles there. Up to 2 mm from them its layers are those of the cut.

    Parameters
    ----------
    structures : array of int32, shape (x, y, z)
        FreeSurfer's numbers.
    points : array, shape (n, 3)
        Midthickness, in voxels of ``structures``.
    spacing : array, shape (3,)
        Edges of a voxel in mm.

    Returns
    -------
    array of bool, shape (n,)

    Examples
    --------
    >>> row = np.int32([[[3, 3, 3, 2, 2, 10]]])
    >>> is_cortex(row, np.array([[0, 0, 1.0], [0, 0, 3.2]]), np.ones(3)).tolist()
    [True, False]
    """
    numbers = np.arange(int(structures.max()) + 1)
    near_wall = nearest_labels(structures, points, np.isin(numbers, WALL), WALL_MM, spacing)
    near_cortex = nearest_labels(structures, points, np.isin(numbers, CORTEX), CORTEX_MM, spacing)
    return np.asarray((near_wall == 0) & (near_cortex > 0))


def grey_white_contrast(
    image: Volume, white: Points, pial: Points, to_voxels: NDArray[np.float64]
) -> Values:
    """Return 100 (white - grey) / mean of both, from the image at either side of the boundary.

    The definition is FreeSurfer's (``pctsurfcon``; Salat et al. 2009,
    doi:10.1016/j.neuroimage.2009.05.014).

    Parameters
    ----------
    image : array of float32, shape (x, y, z)
        Corrected for its bias field.
    white, pial : arrays, shape (n, 3)
        In mm.
    to_voxels : array, shape (4, 4)
        From mm to voxels of ``image``.

    Returns
    -------
    array of float32, shape (n,)
        In percent; 0 where the image is dark on both sides.
    """
    outward = pial - white
    length = np.sqrt((outward**2).sum(axis=1))[:, None]
    below = white - WHITE_MM * outward / np.maximum(length, 1e-6)
    bright, dark = (
        sample(image, points @ to_voxels[:3, :3].T + to_voxels[:3, 3]).astype(np.float64)
        for points in (below, white + GREY_SHARE * outward)
    )
    mean = (bright + dark) / 2
    contrast = 100 * (bright - dark) / np.maximum(mean, 1e-6)
    return np.where(mean > 0, contrast, 0).astype(np.float32)
