"""Mean of every contrast of the tasks over participants, in each template space."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import NamedTuple

import nibabel as nb
import numpy as np
from numpy.typing import NDArray

from mriderived.bids.names import build_path
from mriderived.bids.sidecar import bids_uri, build_sidecar, sidecar_path
from mriderived.config import SLOPPY_TEXT, SLOPPY_TITLE
from mriderived.core.one_sample import OneSample, RunningMean
from mriderived.group.records import Cohort
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
            files = _find_files(cohort, measure.name, space)
            paths = _paths(output, measure.scope.tasks, str(space))
            if len(files) < FEWEST:
                _remove(out_dir, paths.values())
                cohort.warnings.append(
                    f'no mean of {output.entities["contrast"]} in {space}: '
                    f'{len(files)} participants have it, {FEWEST} are needed'
                )
                continue
            _write(out_dir, paths, output, files, is_sloppy)
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


def _find_files(cohort: Cohort, measure: str, space: str | None) -> dict[str, list[str]]:
    """Return the maps of every participant, by label."""
    found: dict[str, list[str]] = {}
    for row, unit in sorted(cohort.units.get((measure, space), {}).items()):
        maps = [file for file in unit.outputs if file.endswith('.nii.gz')]
        if unit.status == 'done' and maps:
            found.setdefault(row.participant, []).append(maps[0])
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
    files: dict[str, list[str]],
    is_sloppy: bool,
) -> None:
    found, affine = _average(out_dir, files)
    sources = [bids_uri('', file) for each in files.values() for file in each]
    with TemporaryDirectory() as scratch:
        for stat, path in paths.items():
            what, unit = _WHAT[stat]
            values = np.nan_to_num(getattr(found, stat)).astype(np.float32)
            image = nb.Nifti1Image(values, affine)
            image.header.set_xyzt_units('mm')
            file = Path(scratch) / 'map.nii.gz'
            image.to_filename(file)
            sidecar = build_sidecar(
                description=f'{what}. {output.description}',
                sources=sources,
                unit=unit,
                skull_stripped=True,
                extra={
                    'NumberOfParticipants': len(files),
                    'Resolution': output.sidecar.get('Resolution'),
                    **({'Sloppy': f'{SLOPPY_TITLE}. {SLOPPY_TEXT}'} if is_sloppy else {}),
                },
            )
            save_output(file, str(out_dir / path), sidecar)


def _average(out_dir: Path, files: dict[str, list[str]]) -> tuple[OneSample, NDArray[np.float64]]:
    first = out_dir / next(iter(files.values()))[0]
    shape, affine = nb.load(first).shape, load_affine(first)
    running = RunningMean(shape)
    for mine in files.values():
        own = RunningMean(shape)
        for file in mine:
            own.add(_read(out_dir / file))
        running.add(own.mean())
    return running.finish(int(np.ceil(LEAST_SHARE * len(files)))), affine


def _read(path: Path) -> NDArray[np.float32]:
    values = np.asarray(nb.load(path).dataobj, np.float32)
    return np.where(values == 0, np.float32(np.nan), values)
