"""Which voxels of the participants' maps are tested, and their values."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from pathlib import Path
from typing import NamedTuple

import nibabel as nb
import numpy as np
from numpy.typing import NDArray

from mriderived.core.filters import smooth
from mriderived.core.map_statistics import Sums
from mriderived.group.map_engine import run_blocks
from mriderived.group.map_files import MapSet, tell_unreadable
from mriderived.group.model_files import ModelError
from mriderived.group.records import Row
from mriderived.group.unreadable import UNREADABLE

Volume = NDArray[np.float32]
Mask = NDArray[np.bool_]
Matrix = NDArray[np.float64]

#: Tissue fractions count where their mean is above this.
LEAST_FRACTION = 0.1
#: Of other maps, a voxel counts where all participants have a value; somebody who has one in
#: less than this share of what most have is left out first.
LEAST_COVER = 0.7
FWHM_TO_SIGMA = 1 / np.sqrt(8 * np.log(2))


class Look(NamedTuple):
    """What some maps hold: their sum, where all have a value, how many values each has.

    ``lost`` are those that cannot be read, and why; they take no part in the others.
    """

    total: Matrix
    known: Mask
    sizes: dict[Row, int]
    lost: dict[Row, str]


def choose_voxels(maps: MapSet, rows: Sequence[Row], out_dir: Path) -> tuple[Mask, dict[Row, str]]:
    """Return the voxels (x, y, z) to test, and who cannot take part, and why.

    Of tissue fractions, those whose mean is above 0.1; of other maps, those where everybody who
    takes part has a value. Left out are those whose map cannot be read, or is of too little of
    the brain.

    Raises
    ------
    ModelError
        No voxel is left.
    """
    look = _look_over(maps, rows, out_dir)
    left_out = dict(look.lost)
    if maps.output.suffix == 'probseg':
        mask = look.total / max(len(look.sizes), 1) > LEAST_FRACTION
    else:
        usual = float(np.median(list(look.sizes.values()))) if look.sizes else 0.0
        small = {
            row: f'it has a value in {100 * size / usual:.0f} % of the usual number of voxels'
            for row, size in look.sizes.items()
            if size < LEAST_COVER * usual
        }
        if small:
            left_out |= small
            look = _look_over(maps, [row for row in rows if row not in left_out], out_dir)
        mask = look.known
    if not look.sizes or not mask.any():
        told = f': {next(iter(left_out.values()))}' if left_out and not look.sizes else ''
        raise ModelError(f'{maps.output.field} ~ …: no voxel has a value for everybody{told}')
    return mask, left_out


def _look_over(maps: MapSet, rows: Sequence[Row], out_dir: Path) -> Look:
    files = [(row, maps.files[row]) for row in rows]
    nothing = Look(np.zeros(maps.shape), np.ones(maps.shape, bool), {}, {})
    return reduce(_join, run_blocks(look_at, files, out_dir, maps.shape), nothing)


def _join(one: Look, other: Look) -> Look:
    return Look(
        one.total + other.total,
        one.known & other.known,
        one.sizes | other.sizes,
        one.lost | other.lost,
    )


def look_at(files: Sequence[tuple[Row, str]], out_dir: Path, shape: tuple[int, int, int]) -> Look:
    """Read some maps to their end."""
    look = Look(np.zeros(shape), np.ones(shape, bool), {}, {})
    for row, file in files:
        try:
            values = load_map(out_dir / file)
            if not values.any():
                raise OSError('it is empty: no voxel has a value but 0')
        except UNREADABLE as error:
            look.lost[row] = tell_unreadable(error, out_dir)
            continue
        known = values != 0
        look.total[...] += values
        look.known[...] &= known
        look.sizes[row] = int(known.sum())
    return look


def load_map(path: Path) -> Volume:
    """Return a map as it is, 0 where it has no number."""
    values = np.asarray(nb.load(path).dataobj, np.float32)
    return np.nan_to_num(values.reshape(values.shape[:3]))


def load_voxels(path: Path, mask: Mask, affine: Matrix, fwhm: float = 0.0) -> NDArray[np.float32]:
    """Return the values (V,) of a map within a mask, smoothed by ``fwhm`` mm within it.

    What is outside of the mask takes no part: weights are of the voxels inside alone.
    """
    values = load_map(path)
    if fwhm > 0:
        sigma = fwhm * FWHM_TO_SIGMA / np.linalg.norm(affine[:3, :3], axis=0)
        weight = smooth(mask.astype(np.float32), sigma)
        values = smooth(values * mask, sigma) / np.maximum(weight, np.float32(1e-6))
    chosen: NDArray[np.float32] = values[mask]
    return chosen


def sum_up(
    maps: Sequence[tuple[Matrix, Path]], level: Matrix, mask: Mask, affine: Matrix, fwhm: float
) -> Sums:
    """Return the sums of some maps, each with its row of the basis of the design."""
    sums = Sums.of_none(len(maps[0][0]), len(level))
    for basis, path in maps:
        sums.add(basis, load_voxels(path, mask, affine, fwhm) - level)
    return sums


def load_some(
    paths: Sequence[Path], mask: Mask, affine: Matrix, fwhm: float
) -> list[NDArray[np.float32]]:
    """Return the values (V,) of some maps."""
    return [load_voxels(path, mask, affine, fwhm) for path in paths]
