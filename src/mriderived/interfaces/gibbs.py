"""Removal of Gibbs ringing by dipy, which shifts by parts of a voxel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mriderived.core.slabs import run_slabs

Series = NDArray[np.float32]


def remove_ringing(series: Series, slice_axis: int = 2, threads: int = 1) -> Series:
    """Remove ringing in the plane of acquisition, volume by volume.

    Parameters
    ----------
    series : array of float32, shape (x, y, z) or (x, y, z, n)
        Denoised but not interpolated: ringing sits between voxels of the acquired grid. With
        partial Fourier sampling only part of it can be removed.
    slice_axis : int
        The axis along which slices were acquired.
    threads : int
        Volumes at the same time.

    Returns
    -------
    array of float32, shape of ``series``
        Magnitudes, so never negative.

    Raises
    ------
    ValueError
        If the series has other than three or four axes or values that are not finite, or if
        ``slice_axis`` is none of the first three.

    References
    ----------
    https://doi.org/10.1002/mrm.26054
    """
    if series.ndim not in (3, 4):
        raise ValueError(f'a series has four axes, but this image has shape {series.shape}')
    if slice_axis not in (0, 1, 2):
        raise ValueError(f'the axis of slices is {slice_axis}; it must be 0, 1 or 2')
    if not np.isfinite(series).all():
        raise ValueError('the series has values that are not finite: set them to 0 first')
    stack = series if series.ndim == 4 else series[..., None]
    found = np.empty(stack.shape, np.float32)
    run_slabs(_remove_some, stack.shape[3], threads, stack, slice_axis, found)
    return found.reshape(series.shape)


def _remove_some(start: int, stop: int, stack: Series, slice_axis: int, found: Series) -> None:
    from dipy.denoise.gibbs import gibbs_removal

    # dipy's own processes would change how every later process of this one starts
    for index in range(start, stop):
        volume = np.asarray(stack[..., index], np.float64)
        found[..., index] = gibbs_removal(
            volume, slice_axis=slice_axis, inplace=False, num_processes=1
        )
