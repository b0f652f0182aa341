"""The grid of deepmriprep's networks, and what is done on it around them.

The networks (Fisch et al. 2024, doi:10.48550/arXiv.2408.10656) have learnt from brains that were
brought to one grid of 0.5 mm by an affine transform. The first one sees the whole grid at
0.75 mm, the others see patches of it at full resolution; those of the left half do the right
half too, mirrored.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mriderived.core.partial_volume import Fractions, tents

Volume = NDArray[np.float32]
Shape = tuple[int, int, int]
Box = tuple[slice, slice, slice]

SHAPE: Shape = (336, 384, 336)
#: From voxels of the grid to mm of the brain template that brains are brought to.
AFFINE = np.array([[0.5, 0, 0, -83.5], [0, 0.5, 0, -112.5], [0, 0, 0.5, -72.0], [0, 0, 0, 1]])
COARSE_SHAPE: Shape = (224, 256, 224)
PATCH_SHAPE: Shape = (128, 128, 128)
#: The two halves in which misplaced grey matter is looked for; the second is seen mirrored.
HALF_SHAPE: Shape = (128, 288, 256)
HALVES = ((56, 28, 0), (152, 28, 0))
#: Width of the Gaussian by which patches are blended, in voxels.
BLEND = 30.0
#: More than this of the label image is brain when holes are filled.
LEAST_LABEL = 0.9


def scale_intensity(image: Volume) -> Volume:
    """Scale as the networks have learnt it: robust range 0 to 1, logarithmic above.

    Parameters
    ----------
    image : array of float32
        0 outside the brain.

    Returns
    -------
    array of float32

    Raises
    ------
    ValueError
        If there is no contrast.

    Examples
    --------
    >>> scaled = scale_intensity(np.arange(1001, dtype=np.float32))
    >>> [round(float(scaled[i]), 2) for i in (5, 500, 996)]
    [-0.0, 0.5, 1.0]
    """
    inside = image[image > 0]
    low, high = np.percentile(inside, (0.5, 99.5)) if inside.size else (0.0, 0.0)
    if low >= high:
        raise ValueError('the brain has no contrast on the grid of the networks; check its mask')
    scaled = ((image - np.float32(low)) / np.float32(high - low)).astype(np.float32)
    above = scaled > 1
    scaled[above] = 1 + np.log10(scaled[above])
    return scaled


def patch_boxes(corners: Sequence[Sequence[int]], shape: Shape) -> list[Box]:
    """Return the box of each patch, given its first voxel.

    >>> patch_boxes([(1, 2, 3)], (4, 4, 4))[0][0]
    slice(1, 5, None)
    """
    boxes = []
    for corner in corners:
        x, y, z = (slice(start, start + size) for start, size in zip(corner, shape, strict=True))
        boxes.append((x, y, z))
    return boxes


def gaussian_weight(shape: Shape) -> Volume:
    """Return the weight of a patch's voxels: highest in its middle.

    >>> round(float(gaussian_weight((3, 3, 3)).max()), 2)
    1.0
    """
    edges = (
        np.exp(-(((np.arange(size) - (size - 1) / 2) / BLEND) ** 2) / 2).astype(np.float32)
        for size in shape
    )
    x, y, z = edges
    return np.asarray(x[:, None, None] * y[:, None] * z, np.float32)


class Blend:
    """The weighted mean of overlapping patches; 0 where none lies."""

    def __init__(self, shape: Shape, patch_shape: Shape) -> None:
        self._sum = np.zeros(shape, np.float32)
        self._weights = np.zeros(shape, np.float32)
        self._weight = gaussian_weight(patch_shape)

    def add(self, box: Box, patch: Volume) -> None:
        """Add what was found in one patch."""
        self._sum[box] += patch * self._weight
        self._weights[box] += self._weight

    def mean(self) -> Volume:
        """Return the blended volume."""
        there = self._weights > 0
        return np.divide(self._sum, self._weights, out=np.zeros_like(self._sum), where=there)


def fill_holes(label: Volume) -> Volume:
    """Return the label image with CSF in the holes of the brain.

    >>> label = np.full((3, 3, 3), 2, np.float32); label[1, 1, 1] = 0
    >>> float(fill_holes(label)[1, 1, 1])
    1.0
    """
    brain = label > LEAST_LABEL
    filled = ndimage.binary_fill_holes(brain)
    return np.where(filled & ~brain, np.float32(1), label)


def split_label(label: Volume, no_grey: Volume) -> Fractions:
    """Turn the label image into fractions; where ``no_grey`` exceeds 0.5 there is no grey matter.

    What looks like grey matter there is a mixture of white matter and CSF, half of each: the
    lining of the ventricles.

    Parameters
    ----------
    label : array of float32, shape (x, y, z)
        0 background, 1 CSF, 2 grey matter, 3 white matter and mixtures between.
    no_grey : array of float32, shape (x, y, z)
        Probability that a voxel holds no grey matter.

    Returns
    -------
    Fractions

    Examples
    --------
    >>> found = split_label(np.float32([2.0, 2.0]), np.float32([0.1, 0.9]))
    >>> [part.tolist() for part in found]
    [[1.0, 0.0], [0.0, 0.5], [0.0, 0.5]]
    """
    gm, wm, csf = tents(np.minimum(label, 3))
    moved = np.where(no_grey > 0.5, gm, 0).astype(np.float32)
    half = moved * np.float32(0.5)
    return Fractions(gm - moved, wm + half, csf + half)


def close_fractions(sampled: Fractions, mask: NDArray[np.bool_]) -> tuple[Fractions, float]:
    """Make sampled fractions sum to 1 in the brain mask; what is background there becomes CSF.

    Returns
    -------
    fractions : Fractions
        0 outside the mask.
    background : float
        The share of the mask that was background.

    Examples
    --------
    >>> one = np.float32([0.75, 0.5]); zero = 0 * one
    >>> closed, background = close_fractions(Fractions(one, zero, zero), np.array([True, False]))
    >>> [part.tolist() for part in closed], background
    ([[0.75, 0.0], [0.0, 0.0], [0.25, 0.0]], 0.25)
    """
    gm, wm, csf = (np.where(mask, np.clip(part, 0, 1), 0) for part in sampled)
    total = gm + wm + csf
    missing = np.where(mask, np.maximum(1 - total, 0), 0)
    scale = np.maximum(total, 1)
    shares = ((part / scale).astype(np.float32) for part in (gm, wm, csf + missing))
    return Fractions(*shares), float(missing.sum() / max(np.count_nonzero(mask), 1))
