"""Eigenvalues of the matrix of second derivatives in every voxel, in closed form."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numba
import numpy as np
from numpy.typing import NDArray

from mriderived.core.filters import smooth
from mriderived.core.slabs import run_slabs

Volume = NDArray[np.float32]
Mask = NDArray[np.bool_]


def hessian_eigenvalues(
    image: Volume, sigma_mm: float, spacing: Sequence[float], where: Mask, threads: int = 1
) -> Volume:
    """Return the eigenvalues of the Hessian of a smoothed image.

    Parameters
    ----------
    image : array of float32, shape (x, y, z)
    sigma_mm : float
        Width of the Gaussian. The derivatives are multiplied by its square, so that structures
        of that size answer alike at every scale (Lindeberg 1998, doi:10.1023/A:1008045108935).
    spacing : three floats
        Voxel size in mm.
    where : array of bool, shape (x, y, z)
        Elsewhere, and on the faces of the grid, the eigenvalues are 0.
    threads : int
        Any number gives the same bits.

    Returns
    -------
    array of float32, shape (x, y, z, 3)
        In order of growing size: ``|a| <= |b| <= |c|``.

    Raises
    ------
    ValueError
        If ``sigma_mm`` is not positive.

    Examples
    --------
    >>> x, y, z = np.indices((15, 15, 15)) - 7
    >>> rod = np.exp(-(x**2 + y**2) / 4).astype(np.float32)
    >>> a, b, c = hessian_eigenvalues(rod, 1.0, (1, 1, 1), z < 9)[7, 7, 7]
    >>> bool(abs(a) < 1e-3), bool(b < -0.15), bool(abs(b - c) < 1e-3)
    (True, True, True)
    """
    if sigma_mm <= 0:
        raise ValueError(f'sigma is {sigma_mm} mm; a scale is positive')
    size = np.asarray(spacing, np.float64)
    smoothed = smooth(image, sigma_mm / size, threads)
    target = np.zeros((*image.shape, 3), np.float32)
    run_slabs(_decompose, image.shape[0], threads, smoothed, where, sigma_mm / size, target)
    return target


@numba.njit(nogil=True, cache=True)
def sort_eigenvalues(xx, yy, zz, xy, xz, yz):  # type: ignore[no-untyped-def]
    """Return the eigenvalues of a symmetric matrix in order of growing size.

    The trigonometric form of the roots of the characteristic polynomial (Smith 1961,
    doi:10.1145/355578.366316).
    """
    mean = (xx + yy + zz) / 3
    a, b, c = xx - mean, yy - mean, zz - mean
    square = (a * a + b * b + c * c + 2 * (xy * xy + xz * xz + yz * yz)) / 6
    if square <= 1e-300:
        return mean, mean, mean
    width = math.sqrt(square)
    half = (
        a * (b * c - yz * yz) - xy * (xy * c - yz * xz) + xz * (xy * yz - b * xz)
    ) / (2 * width**3)  # fmt: skip
    angle = math.acos(min(max(half, -1.0), 1.0)) / 3
    high = mean + 2 * width * math.cos(angle)
    low = mean + 2 * width * math.cos(angle + 2 * math.pi / 3)
    middle = 3 * mean - high - low
    # the middle one is never the largest in size
    first, last = (high, low) if abs(high) <= abs(low) else (low, high)
    if abs(first) < abs(middle):
        return first, middle, last
    return middle, first, last


@numba.njit(nogil=True, cache=True)
def _decompose(start, stop, image, where, scale, target):  # type: ignore[no-untyped-def]
    nx, ny, nz = image.shape
    sx, sy, sz = scale
    for i in range(max(start, 1), min(stop, nx - 1)):
        for j in range(1, ny - 1):
            for k in range(1, nz - 1):
                if not where[i, j, k]:
                    continue
                centre = 2.0 * image[i, j, k]
                xx = sx * sx * (image[i + 1, j, k] + image[i - 1, j, k] - centre)
                yy = sy * sy * (image[i, j + 1, k] + image[i, j - 1, k] - centre)
                zz = sz * sz * (image[i, j, k + 1] + image[i, j, k - 1] - centre)
                xy = 0.25 * sx * sy * (
                    float(image[i + 1, j + 1, k]) - image[i + 1, j - 1, k]
                    - image[i - 1, j + 1, k] + image[i - 1, j - 1, k]
                )  # fmt: skip
                xz = 0.25 * sx * sz * (
                    float(image[i + 1, j, k + 1]) - image[i + 1, j, k - 1]
                    - image[i - 1, j, k + 1] + image[i - 1, j, k - 1]
                )  # fmt: skip
                yz = 0.25 * sy * sz * (
                    float(image[i, j + 1, k + 1]) - image[i, j + 1, k - 1]
                    - image[i, j - 1, k + 1] + image[i, j - 1, k - 1]
                )  # fmt: skip
                a, b, c = sort_eigenvalues(xx, yy, zz, xy, xz, yz)
                target[i, j, k, 0] = a
                target[i, j, k, 1] = b
                target[i, j, k, 2] = c
