"""Binary masks: connected parts, holes, and whether an image holds nothing but a brain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Mask = NDArray[np.bool_]
#: The head is brighter than this share of the mean of what is brighter than the mean.
SIGNAL_SHARE = 0.25

#: An image counts as brain-extracted if less than this fraction of what differs from its
#: background lies further than ``MARGIN_MM`` outside the brain. The scalp and skull of a whole
#: head, cropped or defaced, are 25 % and more; generous brain masks stay below 5 %.
OUTSIDE_FRACTION = 0.10
MARGIN_MM = 4.0
#: Voxels of the brain on a face of the grid that tell of a cut brain.
TOUCH = 20
#: A mask this many voxels from the end of the image may have been cut there.
EDGE = 2


def reaches_edge(mask: Mask) -> bool:
    """Tell whether a mask comes so close to the end of the image that it may be cut.

    Examples
    --------
    >>> inner = np.zeros((6, 6, 6), bool)
    >>> inner[2:4, 2:4, 2:4] = True
    >>> reaches_edge(inner), reaches_edge(inner[1:])
    (False, True)
    """
    inner = tuple(slice(EDGE, size - EDGE) for size in mask.shape)
    return bool(np.count_nonzero(mask) > np.count_nonzero(mask[inner]))


def keep_largest(mask: Mask) -> Mask:
    """Return the largest connected part (face neighbours) of ``mask``.

    Parameters
    ----------
    mask : array of bool
        Any shape.

    Returns
    -------
    array of bool
        Same shape; all false where ``mask`` is.

    Examples
    --------
    >>> keep_largest(np.array([True, False, True, True])).tolist()
    [False, False, True, True]
    """
    labels, count = ndimage.label(mask)
    if count < 2:
        return mask.copy()
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return np.asarray(labels == sizes.argmax())


def clean_mask(mask: Mask) -> Mask:
    """Return the largest part of ``mask`` with its holes filled.

    Parameters
    ----------
    mask : array of bool, shape (x, y, z)

    Returns
    -------
    array of bool, shape (x, y, z)

    Examples
    --------
    >>> ring = np.array([[[1, 1, 1], [1, 0, 1], [1, 1, 1]]] * 3, bool)
    >>> ring[0, 1, 1] = ring[2, 1, 1] = True
    >>> bool(clean_mask(ring).all())
    True
    """
    if not mask.any():
        return mask.copy()
    box = find_box(mask, (1, 1, 1))
    cleaned = np.zeros_like(mask)
    cleaned[box] = ndimage.binary_fill_holes(keep_largest(mask[box]))
    return cleaned


def find_foreground(data: NDArray[Any]) -> Mask:
    """Return where ``data`` differs from its background, the commonest value of its faces.

    Parameters
    ----------
    data : array, shape (x, y, z)

    Returns
    -------
    array of bool, shape (x, y, z)

    Examples
    --------
    >>> image = np.zeros((5, 5, 5)); image[2, 2, 2] = 7
    >>> int(find_foreground(image).sum())
    1
    """
    faces = [np.take(data, index, axis).ravel() for axis in range(3) for index in (0, -1)]
    values, counts = np.unique(np.concatenate(faces), return_counts=True)
    return np.asarray(data != values[counts.argmax()])


def find_signal(image: NDArray[np.float32]) -> Mask:
    """Return the head in an image on a dark background, without holes.

    Parameters
    ----------
    image : array of float32, shape (x, y, z)
        Finite.

    Returns
    -------
    array of bool, shape (x, y, z)

    Raises
    ------
    ValueError
        If nothing is above 0.

    Examples
    --------
    >>> image = np.zeros((20, 20, 20), np.float32); image[5:15, 5:15, 5:15] = 100
    >>> mask = find_signal(image)
    >>> bool(mask[10, 10, 10]), bool(mask[0, 0, 0])
    (True, False)
    """
    return find_bright(ndimage.uniform_filter(np.maximum(image, 0), 3))


def find_bright(smoothed: NDArray[np.float32]) -> Mask:
    """Return what is bright in a smoothed image on a dark background, without holes.

    Parameters
    ----------
    smoothed : array of float32, shape (x, y, z)
        Not negative.

    Returns
    -------
    array of bool, shape (x, y, z)

    Raises
    ------
    ValueError
        If nothing is above 0.

    Examples
    --------
    >>> image = np.zeros((20, 20, 20), np.float32); image[5:15, 5:15, 5:15] = 100
    >>> int(find_bright(image).sum())
    1000
    """
    if not smoothed.any():
        raise ValueError('the image holds no signal above 0')
    bright = smoothed[smoothed > smoothed.mean()]
    return clean_mask(smoothed > SIGNAL_SHARE * float(bright.mean() if bright.size else 0.0))


def is_brain_extracted(
    foreground: Mask, brain: Mask, voxel_size: Sequence[float] | NDArray[np.float64]
) -> bool:
    """Tell whether an image holds nothing but a brain on a constant background.

    Padding with zeros and defacing do not mislead this rule, because what counts is how much
    of the head is there beside the brain.

    Parameters
    ----------
    foreground : array of bool, shape (x, y, z)
        Where the image differs from its background.
    brain : array of bool, shape (x, y, z)
        The brain as segmented from the image.
    voxel_size : three floats
        In mm.

    Examples
    --------
    >>> brain = np.zeros((20, 20, 20), bool); brain[5:15, 5:15, 5:15] = True
    >>> is_brain_extracted(brain, brain, (1, 1, 1))
    True
    >>> is_brain_extracted(np.ones_like(brain), brain, (1, 1, 1))
    False
    """
    margin = [int(MARGIN_MM / size) + 1 for size in voxel_size]
    box = find_box(brain, margin)
    distance = ndimage.distance_transform_edt(~brain[box], sampling=voxel_size)
    near = np.count_nonzero(foreground[box] & (distance <= MARGIN_MM))
    total = np.count_nonzero(foreground)
    return bool(total - near < OUTSIDE_FRACTION * total)


def touched_faces(mask: Mask) -> list[str]:
    """Name the faces of the grid, in RAS orientation, that ``mask`` is cut by.

    Examples
    --------
    >>> touched_faces(np.arange(27 * 27).reshape(1, 27, 27) < 27)
    ['left', 'right', 'posterior']
    """
    names = (('left', 'right'), ('posterior', 'anterior'), ('bottom', 'top'))
    return [
        name
        for axis, pair in enumerate(names)
        for name, index in zip(pair, (0, -1), strict=True)
        if np.count_nonzero(np.take(mask, index, axis)) >= TOUCH
    ]


def find_box(mask: Mask, margin: Sequence[int]) -> tuple[slice, ...]:
    """Return the slices of the smallest box around ``mask``, widened by ``margin`` voxels.

    Parameters
    ----------
    mask : array of bool, shape (x, y, z)
    margin : three ints
        Voxels added on either side, cut at the edge of the grid.

    Raises
    ------
    ValueError
        If ``mask`` is empty.

    Examples
    --------
    >>> mask = np.zeros((9, 9, 9), bool); mask[4, 4, 0] = True
    >>> find_box(mask, (1, 2, 3))
    (slice(3, 6, None), slice(2, 7, None), slice(0, 4, None))
    """
    found = ndimage.find_objects(mask.astype(np.uint8))
    if not found:
        raise ValueError('the mask is empty')
    return tuple(
        slice(max(part.start - add, 0), min(part.stop + add, size))
        for part, add, size in zip(found[0], margin, mask.shape, strict=True)
    )
