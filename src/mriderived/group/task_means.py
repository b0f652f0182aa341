"""Mean of every contrast of the tasks over participants, in each template space."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import NamedTuple

import nibabel as nb
import numpy as np
from numpy.typing import NDArray

from mriderived.bids.names import build_path
from mriderived.bids.sidecar import bids_uri, build_sidecar, sidecar_path
from mriderived.bids.status import shorten_paths
from mriderived.config import SLOPPY_TEXT, SLOPPY_TITLE
from mriderived.core.one_sample import RunningMean
from mriderived.group.connectivity_files import label
from mriderived.group.records import Cohort, Row
from mriderived.group.unreadable import UNREADABLE
from mriderived.interfaces.sink import save_output
from mriderived.interfaces.volumes import load_affine
from mriderived.measures.base import Measure, Output

#: A mean of fewer participants is not tested.
FEWEST = 3
#: A voxel has a mean where this share of the participants has a value.
LEAST_SHARE = 0.5
_WHAT = {
    'effect': ('Mean over participants', 'percent'),
    't': ("Student's t of the mean over participants, one sample", '1'),
    'z': ('Standard score of that t', '1'),
    'number': ('Number of participants with a value', '1'),
}


class _Average(NamedTuple):
    """Sums over participants, their maps by label, and which maps could not be read."""

    maps: RunningMean
    shape: tuple[int, ...]
    affine: NDArray[np.float64]
    files: dict[str, list[str]]
    warnings: list[str]


class TaskMean(NamedTuple):
    """The maps of a contrast in a space: statistic → path below the output folder."""

    contrast: str
    #: Empty where several tasks are one model's.
    task: str
    space: str
    participants: int
    paths: Mapping[str, PurePosixPath]


def write_task_means(
    out_dir: Path, cohort: Cohort, measures: Sequence[Measure], is_sloppy: bool = False
) -> tuple[TaskMean, ...]:
    """Write mean, t and z of the effect of every contrast, and return what there is.

    A participant with several sessions counts once, by their mean.
    """
    written: list[TaskMean] = []
    for measure, output in _effects(measures):
        for space in dict.fromkeys(cohort.variants(measure.name)):
            average = _average(out_dir, _find_files(cohort, measure.name, space))
            cohort.warnings += average.warnings
            files = average.files
            paths = _paths(output, measure.scope.tasks, str(space))
            if len(files) < FEWEST:
                _remove(out_dir, paths.values())
                cohort.warnings.append(
                    f'no mean of {output.entities["contrast"]} in {space}: '
                    f'{len(files)} participants have it, {FEWEST} are needed'
                )
                continue
            _write(out_dir, paths, output, average, is_sloppy)
            tasks = measure.scope.tasks
            task = tasks[0] if len(tasks) == 1 else ''
            contrast = output.entities['contrast']
            written.append(TaskMean(contrast, task, str(space), len(files), paths))
    return tuple(written)


def _remove(out_dir: Path, paths: Iterable[PurePosixPath]) -> None:
    """Take away the means of a larger cohort."""
    for path in paths:
        (out_dir / path).unlink(missing_ok=True)
        sidecar_path(out_dir / path).unlink(missing_ok=True)


def _effects(measures: Sequence[Measure]) -> Iterator[tuple[Measure, Output]]:
    for measure in measures:
        if measure.over == 'space' and measure.scope.tasks:
            for output in measure.outputs:
                if output.entities.get('stat') == 'effect':
                    yield measure, output


def _find_files(
    cohort: Cohort, measure: str, space: str | None
) -> dict[str, list[tuple[Row, str]]]:
    """Return the maps of every participant, by label."""
    found: dict[str, list[tuple[Row, str]]] = {}
    for row, unit in sorted(cohort.units.get((measure, space), {}).items()):
        maps = [file for file in unit.outputs if file.endswith('.nii.gz')]
        if unit.status == 'done' and maps:
            found.setdefault(row.participant, []).append((row, maps[0]))
    return found


def _paths(output: Output, tasks: Sequence[str], space: str) -> dict[str, PurePosixPath]:
    named = {'tpl': space, 'contrast': output.entities['contrast']}
    if len(tasks) == 1:
        named['task'] = tasks[0]
    if 'res' in output.entities:
        named['res'] = output.entities['res']
    return {
        stat: build_path(
            {**named, 'stat': stat}, datatype='func', suffix='statmap', extension='.nii.gz'
        )
        for stat in _WHAT
    }


def _write(
    out_dir: Path,
    paths: dict[str, PurePosixPath],
    output: Output,
    average: _Average,
    is_sloppy: bool,
) -> None:
    found = average.maps.finish(int(np.ceil(LEAST_SHARE * len(average.files))))
    sources = [bids_uri('', file) for each in average.files.values() for file in each]
    with TemporaryDirectory() as scratch:
        for stat, path in paths.items():
            what, unit = _WHAT[stat]
            values = np.nan_to_num(getattr(found, stat)).astype(np.float32)
            image = nb.Nifti1Image(values, average.affine)
            image.header.set_xyzt_units('mm')
            file = Path(scratch) / 'map.nii.gz'
            image.to_filename(file)
            sidecar = build_sidecar(
                description=f'{what}. {output.description}',
                sources=sources,
                unit=unit,
                skull_stripped=True,
                extra={
                    'NumberOfParticipants': len(average.files),
                    'Resolution': output.sidecar.get('Resolution'),
                    **({'Sloppy': f'{SLOPPY_TITLE}. {SLOPPY_TEXT}'} if is_sloppy else {}),
                },
            )
            save_output(file, str(out_dir / path), sidecar)


def _average(out_dir: Path, maps: Mapping[str, Sequence[tuple[Row, str]]]) -> _Average:
    """Add the maps that can be read, on the grid of most of them."""
    found: _Average | None = None
    usual = _find_grid([out_dir / file for mine in maps.values() for _, file in mine])
    warnings: list[str] = []
    for participant, mine in maps.items():
        own: RunningMean | None = None
        files = []
        for row, file in mine:
            try:
                values, affine = _read(out_dir / file), load_affine(out_dir / file)
                if _grid(out_dir / file) != usual:
                    raise ValueError(f'its grid, of {values.shape} voxels, is not that of most')
            except UNREADABLE as error:
                told = shorten_paths(str(error), out_dir)
                warnings.append(
                    f'{label(row)}: {PurePosixPath(file).name} cannot be read ({told}) and is in '
                    'no mean: run the participant again'
                )
                continue
            found = found or _Average(
                RunningMean(values.shape), values.shape, affine, {}, warnings
            )
            own = own or RunningMean(values.shape)
            own.add(values)
            files.append(file)
        if found and own and files:
            found.maps.add(own.mean())
            found.files[participant] = files
    return found or _Average(RunningMean(()), (), np.eye(4), {}, warnings)


def _grid(path: Path) -> tuple[tuple[int, ...], bytes]:
    return nb.load(path).shape, np.round(load_affine(path), 4).tobytes()


def _find_grid(paths: Iterable[Path]) -> tuple[tuple[int, ...], bytes] | None:
    """Return the grid of most maps whose header can be read."""
    counts: Counter[tuple[tuple[int, ...], bytes]] = Counter()
    for path in paths:
        with suppress(*UNREADABLE):  # told of where it is read
            counts[_grid(path)] += 1
    return counts.most_common(1)[0][0] if counts else None


def _read(path: Path) -> NDArray[np.float32]:
    values = np.asarray(nb.load(path).dataobj, np.float32)
    return np.where(values == 0, np.float32(np.nan), values)
