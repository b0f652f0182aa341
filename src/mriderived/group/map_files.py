"""Which maps of the participants a voxel-wise model is of."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import nibabel as nb
import numpy as np
from numpy.typing import NDArray

from mriderived.bids.names import split_name
from mriderived.bids.status import shorten_paths
from mriderived.group.model_files import ModelError
from mriderived.group.records import Cohort, Row, explain
from mriderived.group.unreadable import UNREADABLE
from mriderived.interfaces.volumes import load_affine
from mriderived.measures.base import Measure, Output

#: Suffixes of series, which are no maps.
SERIES = frozenset({'bold', 'dwi'})


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
            reasons[row] = tell_unreadable(error, out_dir)
            continue
        files[row] = file
    common = max(set(grids.values()), key=list(grids.values()).count, default=((0, 0, 0), b''))
    for row in [row for row in files if grids[row] != common]:
        reasons[row] = 'it is on another grid than most'
        del files[row]
    first = next(iter(files.values()), None)
    affine = load_affine(out_dir / first) if first else np.eye(4)
    return MapSet(output, space, files, affine, tuple(common[0][:3]), reasons)  # type: ignore[arg-type]


def tell_unreadable(error: BaseException, out_dir: Path) -> str:
    """Return why a map has no part."""
    told = shorten_paths(str(error), out_dir)
    return f'the map cannot be read ({told}): run the participant again'


def _read_grid(path: Path) -> tuple[tuple[int, ...], bytes]:
    """Return shape and affine of a map."""
    return nb.load(path).shape, np.round(load_affine(path), 4).tobytes()


def _is_of(output: Output, file: str) -> bool:
    if not file.endswith(output.extension):
        return False
    name = split_name(file)
    entities = {key: value for key, value in name.entities.items() if key in ('label', 'desc', 'stat')}  # noqa: E501  # fmt: skip
    wanted = {key: value for key, value in output.entities.items() if key in ('label', 'desc', 'stat')}  # noqa: E501  # fmt: skip
    return name.suffix == output.suffix and entities == wanted
