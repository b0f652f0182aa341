"""Field maps made ready for an EPI image: outliers, what lies beyond the mask, mean and grid."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mriderived.core.filters import smooth
from mriderived.core.slabs import run_slabs

Volume = NDArray[np.float32]
Mask = NDArray[np.bool_]
Matrix = NDArray[np.float64]

#: A voxel further than this many robust standard deviations from the median of its
#: neighbours, and further than ``LEAST_SPIKE`` Hz, is an outlier.
SPIKE_SD = 5.0
LEAST_SPIKE = 20.0
#: Widths in voxels of the means that continue a field out of its mask.
WIDTHS = (1.0, 2.0, 4.0, 8.0)
_ROBUST_SD = 1.4826


def replace_outliers(field: Volume, mask: Mask, threads: int = 1) -> tuple[Volume, int]:
    """Replace voxels far from the median of their 26 neighbours inside the mask by it.

    Returns
    -------
    array of float32, shape (x, y, z)
        0 outside of the mask.
    int
        How many were replaced.

    Examples
    --------
    >>> field = np.zeros((5, 5, 5), np.float32); field[2, 2, 2] = 500
    >>> cleaned, count = replace_outliers(field, np.ones(field.shape, bool))
    >>> float(cleaned.max()), count
    (0.0, 1)
    """
    inside = np.where(mask, field, np.float32(0))
    median = inside.copy()
    run_slabs(_local_median, len(field), threads, inside, mask, median)
    difference = np.abs(inside - median)
    spread = _ROBUST_SD * float(np.median(difference[mask])) if mask.any() else 0.0
    spikes = difference > max(SPIKE_SD * spread, LEAST_SPIKE)
    return np.where(spikes, median, inside), int(np.count_nonzero(spikes))


def extend(field: Volume, mask: Mask, sigma: float = 1.0, threads: int = 1) -> Volume:
    """Smooth a field inside its mask and let it fade out of the mask without an edge.

    Inside, each voxel is the Gaussian mean of its neighbours in the mask. Outside, the mean is
    taken over a width that doubles until it meets the mask, and far outside it is the median.

    Parameters
    ----------
    field : array of float32, shape (x, y, z)
    mask : array of bool, shape (x, y, z)
    sigma : float
        In voxels; 0 leaves the inside as it is.
    threads : int

    Returns
    -------
    array of float32, shape (x, y, z)

    Raises
    ------
    ValueError
        If the mask is empty.

    Examples
    --------
    >>> mask = np.zeros((9, 9, 9), bool); mask[3:6, 3:6, 3:6] = True
    >>> bool(np.allclose(extend(np.where(mask, 7, 0).astype(np.float32), mask), 7))
    True
    """
    if not mask.any():
        raise ValueError('the mask of the field map is empty')
    weight = mask.astype(np.float32)
    result = np.where(mask, field, np.float32(0))
    known = weight
    if sigma > 0:
        top = smooth(result, sigma, threads)
        share = smooth(weight, sigma, threads)
        result = np.where(mask, top / np.maximum(share, 1e-6), 0).astype(np.float32)
    # Where little of the window is in the mask the wider mean takes over, step by step.
    for width in WIDTHS:
        top, share = smooth(result * known, width, threads), smooth(known, width, threads)
        gain = (1 - known) * np.minimum(4 * share, 1)
        mean = top / np.maximum(share, 1e-6)
        total = np.maximum(known + gain, 1e-6)
        result = ((result * known + mean * gain) / total).astype(np.float32)
        known = np.where(known + gain > 0.999, 1, known + gain).astype(np.float32)
    far = np.float32(np.median(field[mask]))
    return (result * known + far * (1 - known)).astype(np.float32)


def demean(hz: Volume, mask: Mask) -> tuple[Volume, float]:
    """Take away the median of the mask, and return it.

    The whole turns and the centre frequency of a gradient-echo field map are arbitrary, while
    the scanner tunes each EPI run on its own. A constant field is a shift of the whole image,
    which the registration of the EPI to the T1w image finds; so the median is set to 0.

    Examples
    --------
    >>> field, median = demean(np.full((2, 2, 2), 30, np.float32), np.ones((2, 2, 2), bool))
    >>> float(field.max()), median
    (0.0, 30.0)
    """
    median = float(np.median(hz[mask]))
    return (hz - np.float32(median)).astype(np.float32), median


def resample_field(
    field: Volume, affine: Matrix, target: Matrix, shape: tuple[int, ...]
) -> Volume:
    """Return a field on another grid by world coordinates; beyond its edge the edge repeats.

    Parameters
    ----------
    field : array of float32, shape (a, b, c)
        See :func:`extend`.
    affine, target : array, shape (4, 4)
        From voxels to mm, of the field and of the new grid.
    shape : three ints
        The new grid.

    Examples
    --------
    >>> field = np.arange(8, dtype=np.float32).reshape(2, 2, 2)
    >>> target = np.eye(4); target[2, 3] = 0.5
    >>> resample_field(field, np.eye(4), target, (1, 1, 1)).item()
    0.5
    """
    matrix = np.linalg.inv(affine) @ target
    return np.asarray(
        ndimage.affine_transform(
            field,
            matrix[:3, :3],
            matrix[:3, 3],
            output_shape=shape,
            output=np.float32,
            order=1,
            mode='nearest',
        ),
        np.float32,
    )


@numba.njit(nogil=True, cache=True)
def _local_median(start, stop, field, mask, target):  # type: ignore[no-untyped-def]
    nx, ny, nz = field.shape
    window = np.empty(26, np.float32)
    for i in range(start, stop):
        for j in range(ny):
            for k in range(nz):
                if not mask[i, j, k]:
                    continue
                count = 0
                for u in range(max(i - 1, 0), min(i + 2, nx)):
                    for v in range(max(j - 1, 0), min(j + 2, ny)):
                        for w in range(max(k - 1, 0), min(k + 2, nz)):
                            if mask[u, v, w] and (u != i or v != j or w != k):
                                window[count] = field[u, v, w]
                                count += 1
                if count:
                    target[i, j, k] = np.median(window[:count])
