"""The corpus callosum in a map of tensors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Mask = NDArray[np.bool_]

#: Anisotropic, along left and right, near the plane between hemispheres.
CALLOSUM_FA, CALLOSUM_COSINE, CALLOSUM_MM = 0.4, 0.9, 6.0
#: Fewer voxels are not a corpus callosum.
LEAST_CALLOSUM = 20


def find_callosum(
    fa: NDArray[np.float32],
    first: NDArray[np.float32],
    brain: Mask,
    affine: NDArray[np.float64],
) -> Mask:
    """Find the middle of the corpus callosum by its anisotropy and direction.

    Voxels within 6 mm of the middle of the brain, with a fractional anisotropy above 0.4 and a
    first eigenvector within 26 degrees of the left-right axis; of these, the largest piece.

    Parameters
    ----------
    fa : array of float, shape (x, y, z)
    first : array of float, shape (x, y, z, 3)
        In world axes.
    brain : array of bool, shape (x, y, z)
    affine : array of float, shape (4, 4)

    Returns
    -------
    array of bool, shape (x, y, z)
        Empty where there is no piece of 20 voxels.
    """
    voxels = np.argwhere(brain)
    along = voxels @ affine[0, :3] + affine[0, 3]
    near = np.zeros_like(brain)
    near[tuple(voxels[np.abs(along - np.median(along)) <= CALLOSUM_MM].T)] = True
    chosen = near & (fa > CALLOSUM_FA) & (np.abs(first[..., 0]) > CALLOSUM_COSINE)
    pieces, count = ndimage.label(chosen)
    if count == 0:
        return np.asarray(chosen)
    sizes = np.bincount(pieces.ravel())[1:]
    if sizes.max() < LEAST_CALLOSUM:
        return np.zeros_like(brain)
    return np.asarray(pieces == 1 + sizes.argmax())
