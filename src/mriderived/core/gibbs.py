"""Removal of Gibbs ringing by shifts of parts of a voxel.

Near an edge, the ringing of a cut-off spectrum is invisible where voxels sit at its zeros. Every
line of an image is therefore sampled anew at many shifts; each voxel takes the shift with the
least variation beside it, and its value is brought back to its place from the best shifts to
either side (Kellner et al. 2016, doi:10.1002/mrm.26054).
"""

# mypy: disallow-untyped-decorators=False

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numba
import numpy as np
import scipy.fft
from numpy.typing import NDArray

from mriderived.core.slabs import run_slabs

Series = NDArray[np.float32]
Image = NDArray[np.float32]
Mask = NDArray[np.bool_]

#: Shifts in voxels, to either side.
SHIFTS = np.linspace(0.02, 0.9, 45)
#: Differences between neighbours that make up the variation to a side.
WINDOW = 3


def remove_ringing(
    series: Series, slice_axis: int = 2, mask: Mask | None = None, threads: int = 1
) -> None:
    """Remove ringing in the plane of acquisition, in place.

    Parameters
    ----------
    series : array of float32, shape (x, y, z, n)
        Denoised but not interpolated: ringing sits between voxels of the acquired grid. With
        partial Fourier sampling only part of it can be removed. Becomes magnitudes, never
        negative, in the slices that are processed.
    slice_axis : int
        The axis along which slices were acquired.
    mask : array of bool, shape (x, y, z), optional
        Slices without a voxel of it stay as they are.
    threads : int
        Slices at the same time.

    Raises
    ------
    ValueError
        If the series has other than four axes or values that are not finite, if ``slice_axis``
        is none of the first three, or if the mask has another shape.

    References
    ----------
    https://doi.org/10.1002/mrm.26054
    """
    _check(series, slice_axis, mask)
    others = tuple(axis for axis in range(3) if axis != slice_axis)
    slices = np.arange(series.shape[slice_axis])
    if mask is not None:
        slices = np.flatnonzero(mask.any(axis=others))
    run_slabs(_remove_some, len(slices), threads, np.moveaxis(series, slice_axis, 0), slices)


def _check(series: Series, slice_axis: int, mask: Mask | None) -> None:
    if series.ndim != 4:
        raise ValueError(f'a series has four axes, but this image has shape {series.shape}')
    if slice_axis not in (0, 1, 2):
        raise ValueError(f'the axis of slices is {slice_axis}; it must be 0, 1 or 2')
    if mask is not None and mask.shape != series.shape[:3]:
        raise ValueError(f'the mask has shape {mask.shape}, but the series {series.shape[:3]}')
    # plane by plane: a mask of the whole series would be a quarter of it
    if not all(np.isfinite(plane).all() for plane in series):
        raise ValueError('the series has values that are not finite: set them to 0 first')


def _remove_some(start: int, stop: int, stack: Series, slices: NDArray[np.intp]) -> None:
    for place in slices[start:stop]:
        images = np.ascontiguousarray(np.moveaxis(stack[place], 2, 0))
        for image in images:
            image[:] = remove_from_image(image)
        stack[place] = np.moveaxis(images, 0, 2)


def remove_from_image(image: Image) -> Image:
    """Return an image without ringing.

    Parameters
    ----------
    image : array of float32, shape (x, y)
        Finite; not changed.

    Returns
    -------
    array of float32, shape (x, y)
        Magnitudes.

    Examples
    --------
    >>> spectrum = np.fft.fft(np.where(abs(np.arange(256) - 128) < 65, 1.0, 0.0))
    >>> line = np.fft.ifft(np.r_[spectrum[:32], spectrum[-32:]]).real / 4
    >>> image = np.repeat(line[:, None], 8, axis=1).astype(np.float32)
    >>> found = remove_from_image(image)
    >>> bool(abs(image[20:44] - 1).max() > 0.02), bool(abs(found[20:44] - 1).max() < 0.005)
    (True, True)
    """
    rows = remove_along_rows(image)
    columns = remove_along_rows(image.T).T
    # each direction is taken where its own frequencies are high
    share = _weights(image.shape)
    spectrum = scipy.fft.rfft2(columns)
    spectrum += (scipy.fft.rfft2(rows) - spectrum) * share
    return np.asarray(np.abs(scipy.fft.irfft2(spectrum, s=image.shape)), np.float32)


def remove_along_rows(image: Image) -> Image:
    """Return an image without the ringing along its second axis.

    Parameters
    ----------
    image : array of float32, shape (x, y)
        Finite; not changed.

    Returns
    -------
    array of float32, shape (x, y)
    """
    shifters, leaks = _shifters(image.shape[1])
    image = np.ascontiguousarray(image, np.float32)
    found = np.empty_like(image)
    alternating = np.ones(image.shape[1], np.float32)
    alternating[1::2] = -1
    _remove(image, shifters, leaks, image @ alternating, SHIFTS.astype(np.float32), found)
    return found


@lru_cache(maxsize=4)
def _shifters(size: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return matrices that sample lines at shifts, and the share of what they leave imaginary.

    The first has shape (2, shifts, size, size): to the right and to the left. The highest
    frequency of an even size has but one sign; shifted, part of it is imaginary. It counts with
    the magnitude, as in a scanner's image.
    """
    frequency = scipy.fft.fftfreq(size)
    spectrum = scipy.fft.fft(np.eye(size), axis=1)
    matrices = [
        scipy.fft.ifft(spectrum * np.exp(2j * np.pi * frequency * side * shift), axis=1).real
        for side in (1, -1)
        for shift in SHIFTS
    ]
    leaks = np.sin(np.pi * SHIFTS) / size if size % 2 == 0 else np.zeros(len(SHIFTS))
    shape = (2, len(SHIFTS), size, size)
    return np.array(matrices, np.float32).reshape(shape), leaks.astype(np.float32)


@lru_cache(maxsize=4)
def _weights(shape: tuple[int, int]) -> NDArray[np.float32]:
    """Return the share of the image whose rows were corrected, by frequency (as of `rfft2`)."""
    across = 1 + np.cos(2 * np.pi * scipy.fft.fftfreq(shape[0]))[:, None]
    along = 1 + np.cos(2 * np.pi * scipy.fft.rfftfreq(shape[1]))[None]
    both = across + along
    share = np.full(both.shape, 0.5)
    np.divide(across, both, out=share, where=both > 1e-12)
    return share.astype(np.float32)


@numba.njit(nogil=True, cache=True)
def _remove(image: Any, shifters: Any, leaks: Any, highest: Any, shifts: Any, found: Any) -> None:
    lines, size = image.shape
    least = np.empty((2, lines, size), np.float32)
    best = np.empty((2, lines, size), np.float32)
    moved = np.zeros((2, lines, size), np.float32)
    shifted = np.empty((lines, size), np.float32)
    ring = np.empty(size + 2 * WINDOW, np.float32)
    sums = np.empty(size + WINDOW, np.float32)
    for line in range(lines):
        _add_up(image[line], ring, sums)
        for n in range(size):
            least[0, line, n] = least[1, line, n] = min(sums[n], sums[n + WINDOW])
            best[0, line, n] = best[1, line, n] = image[line, n]
    for side in range(2):
        for s in range(len(shifts)):
            np.dot(image, shifters[side, s], shifted)
            for line in range(lines):
                leak = (highest[line] * leaks[s]) ** 2
                _take_better(shifted[line], leak, shifts[s], ring, sums, least[side, line],
                             best[side, line], moved[side, line])  # fmt: skip
    for line in range(lines):
        for n in range(size):
            right, left = moved[0, line, n], moved[1, line, n]
            if right + left > 0:
                slope = (best[0, line, n] - best[1, line, n]) / (right + left)
                found[line, n] = best[1, line, n] + slope * left
            else:
                found[line, n] = image[line, n]


@numba.njit(nogil=True, cache=True, inline='always')
def _add_up(values: Any, ring: Any, sums: Any) -> None:
    """Set the variation beside every place of a line, which is a ring.

    That to the left of place n is ``sums[n]``, that to its right ``sums[n + WINDOW]``.
    """
    size = len(values)
    ring[WINDOW : WINDOW + size] = values
    for n in range(WINDOW):
        ring[n] = values[(n - WINDOW) % size]
        ring[WINDOW + size + n] = values[n % size]
    for n in range(size + WINDOW):
        total = np.float32(0)
        for more in range(WINDOW):
            total += abs(ring[n + more] - ring[n + more + 1])
        sums[n] = total


@numba.njit(nogil=True, cache=True, inline='always')
def _take_better(
    values: Any, leak: Any, shift: Any, ring: Any, sums: Any, least: Any, best: Any, moved: Any
) -> None:
    """Take a shift for the places of a line that vary less with it than before."""
    for n in range(len(values)):
        values[n] = np.sqrt(values[n] * values[n] + leak)
    _add_up(values, ring, sums)
    before, after = sums[: len(values)], sums[WINDOW:]
    for n in range(len(values)):
        variation = min(before[n], after[n])
        is_better = variation < least[n]
        # without a branch, which keeps the loop one of vectors
        least[n] = variation if is_better else least[n]
        best[n] = values[n] if is_better else best[n]
        moved[n] = shift if is_better else moved[n]
