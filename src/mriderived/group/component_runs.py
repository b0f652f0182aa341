"""Which denoised runs in a space can take part in the components of a group."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import nibabel as nb
import numpy as np
from numpy.typing import NDArray

from mriderived.bids.sidecar import sidecar_path
from mriderived.group.connectivity_files import label
from mriderived.group.records import Cohort, Row, explain
from mriderived.group.unreadable import UNREADABLE
from mriderived.interfaces.series import read_volumes

Mask = NDArray[np.bool_]
MEASURE = 'denoised_in_space'
#: Degrees of freedom that have to be left of a run beyond the number of components.
SPARE_DEGREES = 10
#: A voxel belongs to the group where this share of the runs has a signal.
SHARE_OF_RUNS = 0.9
#: A run that has a signal in less than this share of what any run sees is left out.
SHARE_OF_BRAIN = 0.7
#: In so many volumes, a voxel with a signal is never always 0.
LOOK = 10


class DenoisedRun(NamedTuple):
    """A denoised run in a space, and the degrees of freedom that it has."""

    row: Row
    image: str
    file: str
    degrees: int


class Gathered(NamedTuple):
    """Runs on one grid, the voxels of the group, and why others were left out (by label)."""

    runs: list[DenoisedRun]
    mask: Mask
    affine: NDArray[np.float64]
    reasons: dict[str, str]


def gather(cohort: Cohort, space: str | None, components: int, out_dir: Path) -> Gathered:
    """Return the reference runs of all rows that can take part.

    Raises
    ------
    ValueError
        If there are fewer than two; the message says why.
    """
    reasons: dict[str, str] = {}
    found = _find(cohort, space, components, out_dir, reasons)
    grids = {run: _read_grid(out_dir / run.file) for run in found}
    common = Counter(grids.values()).most_common(1)
    runs = [run for run in found if common and grids[run] == common[0][0]]
    reasons |= {label(run.row): 'it is on another grid than most' for run in found
                if run not in runs}  # fmt: skip
    masks = _find_masks(runs, out_dir, reasons)
    runs = list(masks)
    anywhere = np.any(list(masks.values()), axis=0) if masks else np.zeros((1, 1, 1), bool)
    whole = max(int(anywhere.sum()), 1)
    for run in masks:
        share = int(masks[run].sum()) / whole
        if share < SHARE_OF_BRAIN:
            reasons[label(run.row)] = f'it has a signal in {100 * share:.0f} % of the brain'
            runs.remove(run)
    want_two(runs, reasons)
    mask = np.mean([masks[run] for run in runs], axis=0) >= SHARE_OF_RUNS
    return Gathered(runs, mask, nb.load(out_dir / runs[0].file).affine, reasons)


def want_two(runs: Iterable[DenoisedRun], reasons: Mapping[str, str]) -> None:
    """Raise :class:`ValueError` where runs are of fewer than two participants."""
    participants = len({run.row.participant for run in runs})
    if participants < 2:
        told = '; '.join(f'{name}: {reason}' for name, reason in sorted(reasons.items())[:3])
        raise ValueError(f'they want 2 participants and there are {participants}'
                         + (f' ({told})' if told else ''))  # fmt: skip


def tell_unreadable(error: Exception) -> str:
    """Say why a run is left out of which not all can be read."""
    return f'the denoised run cannot be read ({error}): run it again'


def _find_masks(
    runs: Iterable[DenoisedRun], out_dir: Path, reasons: dict[str, str]
) -> dict[DenoisedRun, Mask]:
    masks = {}
    for run in runs:
        try:
            masks[run] = find_signal(out_dir / run.file)
        except UNREADABLE as error:
            reasons[label(run.row)] = tell_unreadable(error)
    return masks


def _find(
    cohort: Cohort,
    space: str | None,
    components: int,
    out_dir: Path,
    reasons: dict[str, str],
) -> list[DenoisedRun]:
    units = cohort.units.get((MEASURE, space), {})
    found = []
    for row in cohort.rows:
        unit = units.get(row)
        if unit is None or unit.status != 'done':
            reasons[label(row)] = (
                explain(unit.status, unit.reason) if unit
                else cohort.faults.get(row.participant) or f'{MEASURE} was not run'
            )  # fmt: skip
            continue
        files = [file for file in unit.outputs if file.endswith('.nii.gz')]
        try:
            said = json.loads(sidecar_path(out_dir / files[0]).read_text(encoding='utf-8'))
            degrees = int(said['DegreesOfFreedomLeft'])
            frames = nb.load(out_dir / files[0]).shape[3]
        except UNREADABLE as error:
            reasons[label(row)] = tell_unreadable(error)
            continue
        if min(degrees, frames) < components + SPARE_DEGREES:
            reasons[label(row)] = (
                f'{min(degrees, frames)} degrees of freedom are too few for {components} '
                f'components: {components + SPARE_DEGREES} are needed'
            )
            continue
        found.append(DenoisedRun(row, unit.image, files[0], degrees))
    return found


def _read_grid(path: Path) -> tuple[tuple[int, ...], tuple[float, ...]]:
    image = nb.load(path)
    return image.shape[:3], tuple(np.round(image.affine, 3).ravel().tolist())


def find_signal(path: Path) -> Mask:
    """Return where a denoised run has a signal: voxels without one are 0 in every volume."""
    volumes: Iterable[NDArray[np.float32]] = islice(read_volumes(path, _count(path)), LOOK)
    return np.asarray(np.any([volume != 0 for volume in volumes], axis=0))


def _count(path: Path) -> int:
    return min(int(nb.load(path).shape[3]), LOOK)


def spread_evenly(runs: Sequence[DenoisedRun], most: int) -> list[DenoisedRun]:
    """Return at most ``most`` of the runs, evenly spaced in their order."""
    if len(runs) <= most:
        return list(runs)
    return [runs[place] for place in np.linspace(0, len(runs) - 1, most).round().astype(int)]
