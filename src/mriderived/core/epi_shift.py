"""From a field in Hz to displacements of an EPI image along its phase-encode axis, and back.

Which way does a voxel go? Two EPI lines in a row are an echo spacing apart, in which a spin that
is ``hz`` off resonance gains ``2 pi hz spacing`` of phase. A gradient blip between the same lines
gives ``2 pi / n`` of phase per voxel along the phase-encode axis. The image cannot tell the two
apart, so the spin appears ``hz * n * spacing`` voxels, about ``hz * TotalReadoutTime`` (Jezzard
and Balaban 1995, doi:10.1002/mrm.1910340111), further along the direction of the blips. BIDS
calls that direction ``PhaseEncodingDirection``: ``j`` towards higher, ``j-`` towards lower
indices of the second axis *of the stored array*. Hence, in voxels of that array,

    distorted position = true position + s * hz * TotalReadoutTime,   s = +1 (j) or -1 (j-)

for any affine. Only if the array is flipped or its axes exchanged does the direction change;
:func:`turn_direction` says how. The shift in mm along the world's axes is ``affine[:3, axis]``
times the shift in voxels.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from mriderived.core.slabs import run_slabs

Volume = NDArray[np.float32]
Matrix = NDArray[np.float64]

AXES = 'ijk'
#: Least volume that a voxel may shrink to; below, the image folds and holds no information.
LEAST_CHANGE = 0.05


def phase_axis(direction: str) -> tuple[int, int]:
    """Return the axis of the array and the sign of a ``PhaseEncodingDirection``.

    Raises
    ------
    ValueError
        If it is not one of i, j, k, i-, j-, k-.

    Examples
    --------
    >>> phase_axis('j-')
    (1, -1)
    """
    if direction[:1] not in AXES or direction[1:] not in ('', '-') or not direction:
        raise ValueError(f'PhaseEncodingDirection {direction!r} is not one of i, j, k, i-, j-, k-')
    return AXES.index(direction[0]), -1 if direction.endswith('-') else 1


def turn_direction(direction: str, affine: Matrix, turned: Matrix) -> str:
    """Return the direction after axes of the array were flipped or exchanged.

    Parameters
    ----------
    direction : str
        As stored, such as ``j-``.
    affine, turned : array, shape (4, 4)
        From voxels to mm, of the stored and of the turned array.

    Examples
    --------
    >>> turn_direction('i', np.diag([-2.0, 2, 2, 1]), np.eye(4) * 2)
    'i-'
    """
    axis, sign = phase_axis(direction)
    columns = np.asarray(turned)[:3, :3] / np.linalg.norm(np.asarray(turned)[:3, :3], axis=0)
    cosines = np.linalg.solve(columns, sign * np.asarray(affine)[:3, axis])
    new = int(np.abs(cosines).argmax())
    return AXES[new] + ('-' if cosines[new] < 0 else '')


def shift_map(hz: Volume, direction: str, readout_time: float) -> Volume:
    """Return by how many voxels an EPI image is displaced, where it is displaced from.

    Parameters
    ----------
    hz : array of float32, shape (x, y, z)
        The field on the grid of the EPI image, without distortion.
    direction : str
        ``PhaseEncodingDirection`` with respect to this grid.
    readout_time : float
        ``TotalReadoutTime`` in seconds.

    Returns
    -------
    array of float32, shape (x, y, z)
        Along the phase-encode axis, towards higher indices.

    Raises
    ------
    ValueError
        If the direction or the readout time is impossible.

    Examples
    --------
    >>> shift_map(np.full((1, 1, 1), 50, np.float32), 'j-', 0.04).item()
    -2.0
    """
    if not 0 < readout_time < 1:
        raise ValueError(f'a total readout time of {readout_time:g} s is impossible')
    _, sign = phase_axis(direction)
    return (hz * np.float32(sign * readout_time)).astype(np.float32)


def unwarp(
    distorted: Volume, shift: Volume, axis: int, modulate: bool = True, threads: int = 1
) -> Volume:
    """Undo the distortion of an EPI image.

    Parameters
    ----------
    distorted : array of float32, shape (x, y, z)
    shift : array of float32, shape (x, y, z)
        See :func:`shift_map`.
    axis : int
        The phase-encode axis of the array.
    modulate : bool
        Spread the signal of compressed and stretched voxels again, so that sums along the axis
        are kept.
    threads : int

    Returns
    -------
    array of float32, shape (x, y, z)
        ``distorted(x + shift(x))``, by cubic interpolation (Keys 1981,
        doi:10.1109/TASSP.1981.1163711), times ``1 + d shift / dx`` if modulated. Beyond the
        image the edge repeats.

    Examples
    --------
    >>> line = np.array([0, 0, 1, 3, 1, 0, 0, 0], np.float32).reshape(1, 8, 1)
    >>> unwarp(line, np.ones(line.shape, np.float32), 1).ravel().tolist()
    [0.0, 1.0, 3.0, 1.0, 0.0, 0.0, 0.0, 0.0]
    """
    if distorted.shape != shift.shape:
        raise ValueError('the image and the shift differ in shape')
    lines, shifts = (
        np.ascontiguousarray(np.moveaxis(a, axis, 2), np.float32) for a in (distorted, shift)
    )
    target = np.empty_like(lines)
    run_slabs(_unwarp_lines, len(lines), threads, lines, shifts, modulate, target)
    return np.ascontiguousarray(np.moveaxis(target, 2, axis))


@numba.njit(nogil=True, cache=True)
def cubic(line, position):  # type: ignore[no-untyped-def]
    """Interpolate in a line; its ends repeat."""
    last = line.size - 1
    position = min(max(position, 0.0), float(last))
    base = int(position)
    t = position - base
    a, b = line[max(base - 1, 0)], line[base]
    c, d = line[min(base + 1, last)], line[min(base + 2, last)]
    return b + 0.5 * t * ((c - a) + t * ((2 * a - 5 * b + 4 * c - d) + t * (3 * (b - c) + d - a)))


@numba.njit(nogil=True, cache=True)
def _unwarp_lines(start, stop, lines, shifts, modulate, target):  # type: ignore[no-untyped-def]
    _, nj, nk = lines.shape
    for i in range(start, stop):
        for j in range(nj):
            line, shift = lines[i, j], shifts[i, j]
            for k in range(nk):
                value = cubic(line, k + shift[k])
                if modulate:
                    before, after = max(k - 1, 0), min(k + 1, nk - 1)
                    slope = (shift[after] - shift[before]) / max(after - before, 1)
                    value *= max(1 + slope, LEAST_CHANGE)
                target[i, j, k] = value
