"""Load the images of a collection, as they lie in their files, and move them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import nibabel as nb
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mriderived.core.splines import resample_cubic
from mriderived.interfaces.motion_files import MATRIX
from mriderived.interfaces.qmri_acquisition import Setting

Volume = NDArray[np.float32]
Matrix = NDArray[np.float64]

#: A turn, in the units in which phases are stored beside rad and the whole numbers of scanners.
TURNS = {'thousandths of rad': 2000 * np.pi, 'degrees': 360.0}
#: The ends of the range of a phase are within this share of those of a turn: noise fills it.
FILLED = 0.02
#: The same for a power of two, of which some programs leave the outermost steps out.
NEARLY_FILLED = 0.1


def load_volume(path: Path) -> tuple[Volume, Matrix]:
    """Return the only volume of an image, 0 where it has no number, and its affine."""
    image = nb.load(path)
    data = np.asarray(image.dataobj, np.float32).reshape(image.shape[:3])
    np.nan_to_num(data, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
    return np.ascontiguousarray(data), np.asarray(image.affine, np.float64)


def load_setting(setting: Setting) -> tuple[Volume, Matrix]:
    """Return the magnitude of a setting (signed, where only the real part is there)."""
    data, affine = load_volume(setting.path)
    if setting.imag is not None:
        data = np.hypot(data, load_volume(setting.imag)[0])
    return data, affine


def load_phase(setting: Setting, span: tuple[float, float] | None = None) -> Volume:
    """Return the phase of a setting in rad; ``span`` is the range of all of its collection."""
    if setting.imag is not None:
        return np.arctan2(load_volume(setting.imag)[0], load_volume(setting.path)[0])
    assert setting.phase is not None  # the scope of the step asks for it
    try:
        return as_radians(load_volume(setting.phase)[0], span)
    except ValueError as error:
        raise ValueError(f'{setting.phase.name}: {error}') from error


def phase_span(settings: Iterable[Setting]) -> tuple[float, float] | None:
    """Return the smallest and largest stored phase: one image need not fill the turn."""
    paths = [setting.phase for setting in settings if setting.phase and not setting.imag]
    if not paths:
        return None
    ends = [(float(data.min()), float(data.max())) for data in (load_volume(p)[0] for p in paths)]
    return min(low for low, _ in ends), max(high for _, high in ends)


def as_radians(phase: Volume, span: tuple[float, float] | None = None) -> Volume:
    """Return a phase in rad, from rad, thousandths of it, degrees, or whole numbers of a scanner.

    Scanners spread a turn over a power of two: from -4096 to 4095, or from 0 to 4095. Which it is
    follows from the smallest and largest number (``span``; of the image, if not given).

    Raises
    ------
    ValueError
        The numbers fill a turn of none of these.

    Examples
    --------
    >>> bool(np.allclose(as_radians(np.array([-4096.0, 0, 2048]), (-4096, 4095)), [-np.pi, 0, np.pi / 2]))
    True
    >>> bool(np.allclose(as_radians(np.array([0.0, 1571]), (-3142, 3142)), [0, np.pi / 2], 1e-3))
    True
    >>> bool(np.allclose(as_radians(np.array([0.0, 90]), (-180, 180)), [0, np.pi / 2]))
    True
    """  # noqa: E501
    low, high = span or (float(phase.min()), float(phase.max()))
    largest = max(-low, high)
    if largest <= 2 * np.pi + 0.01:
        return np.asarray(phase, np.float32)
    # Interpolation leaves single values below 0 where numbers begin at 0.
    is_signed = -low > FILLED * high
    whole = 2 * largest if is_signed else high
    for turn in TURNS.values():
        if abs(whole / turn - 1) <= FILLED:
            return np.asarray(phase * (2 * np.pi / turn), np.float32)
    turn = 2.0 ** np.ceil(np.log2(whole))
    if whole < (1 - NEARLY_FILLED) * turn:
        raise ValueError(
            f'the phase reaches from {low:g} to {high:g}, which is a turn neither in rad, in '
            'thousandths of it, in degrees, nor over a power of two: store it in rad'
        )
    return np.asarray(phase * (2 * np.pi / turn) - (0 if is_signed else np.pi), np.float32)


def read_matrices(path: Path) -> tuple[Matrix, NDArray[np.bool_]]:
    """Return for each setting the matrix from mm of the reference, and whether it is resampled."""
    table = pd.read_csv(path, sep='\t', na_values='n/a')
    matrices = np.tile(np.eye(4), (len(table), 1, 1))
    matrices[:, :3] = table[list(MATRIX)].to_numpy(float).reshape(-1, 3, 4)
    return matrices, table['resampled'].to_numpy() > 0


def move(
    volume: Volume,
    affine: Matrix,
    matrix: Matrix,
    grid: Matrix,
    shape: tuple[int, ...],
    threads: int = 1,
) -> Volume:
    """Return a volume on the grid of the reference, by cubic splines; 0 outside."""
    return resample_cubic(volume, np.linalg.inv(affine) @ matrix @ grid, shape, threads)
