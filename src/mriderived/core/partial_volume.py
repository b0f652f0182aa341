"""Partial volume: tissue fractions, and the label image that stands for them.

A label image is continuous: 0 background, 1 CSF, 2 grey matter, 3 white matter, and what lies
between two numbers is a mixture of the two. It is the convention of AMAP segmentation (Tohka et
al. 2004, doi:10.1016/j.neuroimage.2004.05.007) as used in voxel-based morphometry.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Volume = NDArray[np.float32]


class Fractions(NamedTuple):
    """How much of each voxel is which tissue, 0 to 1; they sum to 1 inside the brain."""

    gm: Volume
    wm: Volume
    csf: Volume


def tissue_map(fractions: Fractions) -> Volume:
    """Return the label image (0 to 3) of tissue fractions.

    Parameters
    ----------
    fractions : Fractions
        Arrays of one shape.

    Returns
    -------
    array of float32

    Examples
    --------
    >>> half = np.float32([0.5])
    >>> tissue_map(Fractions(gm=half, wm=half, csf=0 * half)).tolist()
    [2.5]
    """
    return (fractions.csf + 2 * fractions.gm + 3 * fractions.wm).astype(np.float32)


def tents(label: Volume) -> Fractions:
    """Return the fractions that a label image stands for: 1 at a tissue's number, 0 at the next.

    It inverts :func:`tissue_map` wherever only neighbouring tissues (CSF and grey matter, or grey
    and white matter) share a voxel.

    Parameters
    ----------
    label : array
        Values from 0 to 3; below 1 the rest is background.

    Returns
    -------
    Fractions

    Examples
    --------
    >>> [float(part[0]) for part in tents(np.float32([2.25]))]
    [0.75, 0.25, 0.0]
    """
    csf, gm, wm = (np.clip(1 - np.abs(label - peak), 0, 1) for peak in (1, 2, 3))
    return Fractions(gm.astype(np.float32), wm.astype(np.float32), csf.astype(np.float32))


def segmentation(fractions: Fractions) -> NDArray[np.uint8]:
    """Return the commonest tissue of each voxel: 1 grey, 2 white matter, 3 CSF, 0 outside.

    Examples
    --------
    >>> zero, one = np.float32([0, 0]), np.float32([1, 0])
    >>> segmentation(Fractions(gm=one, wm=zero, csf=zero)).tolist()
    [1, 0]
    """
    stack = np.stack(fractions)
    return np.where(stack.max(axis=0) > 0, stack.argmax(axis=0) + 1, 0).astype(np.uint8)
