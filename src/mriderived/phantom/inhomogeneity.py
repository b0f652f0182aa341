"""The field around a synthetic head: in Hz, as displacement of EPI, and as phase of echoes."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from nibabel.affines import apply_affine
from numpy.typing import NDArray
from scipy import ndimage

from mriderived.phantom.deformation import Deformation

Volume = NDArray[np.float32]
Matrix = NDArray[np.float64]

#: Hz, centre and width (mm of template space): air below the frontal and the temporal lobes.
SOURCES = (
    (150.0, (0.0, 48.0, -34.0), 18.0),
    (-75.0, (-50.0, -22.0, -36.0), 16.0),
    (-75.0, (50.0, -22.0, -36.0), 16.0),
)
#: What the shim leaves, in Hz per mm of template space.
SLOPE = (0.08, 0.15, -0.10)
#: Iterations of the inverse of a displacement; each is closer by the largest slope.
ITERATIONS = 60


class Displacement(NamedTuple):
    """On the grid of a run with the head at rest, in voxels towards higher indices of ``axis``.

    ``shift`` is seen from the head: what is at u appears at ``u + shift(u)``; ``back`` is seen
    from the image: what appears at w is at ``w + back(w)``. ``slope`` is of ``shift`` along
    ``axis``.
    """

    shift: Volume
    slope: Volume
    back: Volume
    axis: int


def field_hz(
    deformation: Deformation, affine: Matrix, shape: tuple[int, ...], strength: float
) -> Volume:
    """Return the field on a grid, which moves with the head."""
    index = np.stack(np.meshgrid(*map(np.arange, shape), indexing='ij'), axis=-1).reshape(-1, 3)
    points = deformation.to_template(apply_affine(affine, index))
    hz = points @ np.array(SLOPE)
    for amplitude, centre, width in SOURCES:
        hz += amplitude * np.exp(-((points - centre) ** 2).sum(axis=1) / (2 * width**2))
    return np.asarray(strength * hz.reshape(shape), np.float32)


def displace(hz: Volume, axis: int, seconds: float) -> Displacement:
    """Return where a field puts voxels; ``seconds`` is negative for a direction with a minus."""
    shift = hz * np.float32(seconds)
    slope = np.gradient(shift, axis=axis).astype(np.float32)
    if slope.min() < -0.9:
        raise ValueError('the field folds the image; take a weaker one or a shorter readout')
    back = np.zeros_like(shift)
    grid = np.indices(shift.shape, np.float32)
    place = grid[axis].copy()
    for _ in range(ITERATIONS):
        grid[axis] = place + back
        back = -ndimage.map_coordinates(shift, grid, order=1, mode='nearest')
    return Displacement(shift, slope, back, axis)


def draw_phase(
    rng: np.random.Generator,
    hz: Volume,
    seconds: float,
    noise_to_signal: NDArray[Any],
    start: Volume | float = 0.0,
) -> NDArray[np.int16]:
    """Return the phase after a field has acted for ``seconds``, wrapped, from -4096 to 4095.

    ``start`` is the phase before, in rad: the coil's and the pulse's.

    The noise of a phase is that of the magnitude over the magnitude; without a signal, any phase
    is as likely as any other.
    """
    real, imaginary = rng.standard_normal((2, *hz.shape)) * noise_to_signal
    angle = start + 2 * np.pi * hz * seconds + np.arctan2(imaginary, 1 + real)
    wrapped = (angle + np.pi) % (2 * np.pi) - np.pi
    stored = np.rint(wrapped / np.pi * 4096).clip(-4096, 4095)
    return np.asarray(stored, np.int16)
