"""Which maps of the participants a voxel-wise model is of, and which voxels."""

from __future__ import annotations

import difflib
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import nibabel as nb
import numpy as np
from nibabel.filebasedimages import ImageFileError
from numpy.typing import NDArray

from mriderived.bids.names import split_name
from mriderived.bids.status import shorten_paths
from mriderived.core.filters import smooth
from mriderived.group.model_files import ModelError
from mriderived.group.records import Cohort, Row, explain
from mriderived.interfaces.volumes import load_affine
from mriderived.measures.base import Measure, Output

Volume = NDArray[np.float32]
Mask = NDArray[np.bool_]

#: Tissue fractions count where their mean is above this.
LEAST_FRACTION = 0.1
#: Of other maps, a voxel counts where all participants have a value; somebody who has one in
#: less than this share of what most have is left out first.
LEAST_COVER = 0.7
#: Suffixes of series, which are no maps.
SERIES = frozenset({'bold', 'dwi'})
#: What reading a file raises that is cut off or no image.
UNREADABLE = (OSError, EOFError, zlib.error, ImageFileError)
FWHM_TO_SIGMA = 1 / np.sqrt(8 * np.log(2))


class MapSet(NamedTuple):
    """Maps on one grid: of which output and space, the file of each row, and who has none why."""

    output: Output
    space: str
    files: dict[Row, str]
    affine: NDArray[np.float64]
    shape: tuple[int, int, int]
    reasons: dict[Row, str]


def find_maps(
    outcome: str, cohort: Cohort, measures: Sequence[Measure], out_dir: Path
) -> list[MapSet]:
    """Return the maps that the left side of a formula stands for, one set for each space.

    Raises
    ------
    ModelError
        There is no such map, or nobody has it.
    """
    outputs = {
        output.field: (measure, output)
        for measure in measures
        if measure.over == 'space'
        for output in measure.outputs
        if output.extension == '.nii.gz' and output.suffix not in SERIES
    }
    named = outputs.get(outcome) or outputs.get(f'{outcome}_in_space')
    if named is None:
        names = sorted(name.removesuffix('_in_space') for name in outputs)
        close = difflib.get_close_matches(outcome, names, n=3, cutoff=0.4)
        there = ', '.join(close or names) or 'none'
        raise ModelError(
            f'{outcome} ~ …: there is no map {outcome} in a space. '
            f'{"Did you mean" if close else "There are:"} {there}{"?" if close else "."}'
        )
    measure, output = named
    found = [
        _gather(cohort, measure, output, space, out_dir)
        for space in cohort.variants(measure.name)
        if space
    ]
    found = [maps for maps in found if maps.files]
    if not found:
        raise ModelError(f'{outcome} ~ …: nobody has {output.field}; status.tsv says why')
    return found


def _gather(cohort: Cohort, measure: Measure, output: Output, space: str, out_dir: Path) -> MapSet:
    files: dict[Row, str] = {}
    reasons: dict[Row, str] = {}
    grids: dict[Row, tuple[tuple[int, ...], bytes]] = {}
    units = cohort.units.get((measure.name, space), {})
    for row in cohort.rows:
        unit = units.get(row)
        if unit is None or unit.status != 'done':
            reasons[row] = explain(unit.status, unit.reason) if unit else 'was not run'
            continue
        file = next((file for file in unit.outputs if _is_of(output, file)), None)
        try:
            if file is None:
                raise FileNotFoundError('the record lists no such map')
            grids[row] = _read_grid(out_dir / file)
        except UNREADABLE as error:
            told = shorten_paths(str(error), out_dir)
            reasons[row] = f'the map cannot be read ({told}): run the participant again'
            continue
        files[row] = file
    common = max(set(grids.values()), key=list(grids.values()).count, default=((0, 0, 0), b''))
    for row in [row for row in files if grids[row] != common]:
        reasons[row] = 'it is on another grid than most'
        del files[row]
    first = next(iter(files.values()), None)
    affine = load_affine(out_dir / first) if first else np.eye(4)
    return MapSet(output, space, files, affine, tuple(common[0][:3]), reasons)  # type: ignore[arg-type]


def _read_grid(path: Path) -> tuple[tuple[int, ...], bytes]:
    """Return shape and affine of a map that can be read to its end and holds a number.

    Raises
    ------
    OSError, EOFError, zlib.error, ImageFileError
        It cannot be read, or is empty.
    """
    if not load_map(path).any():
        raise OSError('it is empty: no voxel has a value but 0')
    return nb.load(path).shape, np.round(load_affine(path), 4).tobytes()


def _is_of(output: Output, file: str) -> bool:
    if not file.endswith(output.extension):
        return False
    name = split_name(file)
    entities = {key: value for key, value in name.entities.items() if key in ('label', 'desc', 'stat')}  # noqa: E501  # fmt: skip
    wanted = {key: value for key, value in output.entities.items() if key in ('label', 'desc', 'stat')}  # noqa: E501  # fmt: skip
    return name.suffix == output.suffix and entities == wanted


def choose_voxels(maps: MapSet, rows: Sequence[Row], out_dir: Path) -> tuple[Mask, dict[Row, str]]:
    """Return the voxels (x, y, z) to test, and who sees too little of the brain to take part.

    Of tissue fractions, those whose mean is above 0.1; of other maps, those where everybody who
    takes part has a value.

    Raises
    ------
    ModelError
        No voxel is left.
    """
    if maps.output.suffix == 'probseg':
        total = np.zeros(maps.shape)
        for row in rows:
            total += load_map(out_dir / maps.files[row])
        mask = total / max(len(rows), 1) > LEAST_FRACTION
        left_out: dict[Row, str] = {}
    else:
        mask, sizes = _look_over(maps, rows, out_dir)
        usual = float(np.median(list(sizes.values()))) if sizes else 0.0
        left_out = {
            row: f'it has a value in {100 * size / usual:.0f} % of the usual number of voxels'
            for row, size in sizes.items()
            if size < LEAST_COVER * usual
        }
        if left_out:
            mask, _ = _look_over(maps, [row for row in rows if row not in left_out], out_dir)
    if not mask.any():
        raise ModelError(f'{maps.output.field} ~ …: no voxel has a value for everybody')
    return mask, left_out


def _look_over(maps: MapSet, rows: Sequence[Row], out_dir: Path) -> tuple[Mask, dict[Row, int]]:
    """Return where everybody has a value, and how many values each has, one map at a time."""
    mask = np.ones(maps.shape, bool)
    sizes = {}
    for row in rows:
        known = _has_value(out_dir / maps.files[row])
        mask &= known
        sizes[row] = int(known.sum())
    return mask, sizes


def _has_value(path: Path) -> Mask:
    values = load_map(path)
    known: Mask = values != 0
    return known


def load_map(path: Path) -> Volume:
    """Return a map as it is, 0 where it has no number."""
    values = np.asarray(nb.load(path).dataobj, np.float32)
    return np.nan_to_num(values.reshape(values.shape[:3]))


def load_voxels(
    path: Path, mask: Mask, affine: NDArray[np.float64], fwhm: float = 0.0
) -> NDArray[np.float32]:
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
