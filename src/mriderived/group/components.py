"""Independent components of the cohort, and what each participant has of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.bids.description import read_settings
from mriderived.bids.names import build_path, split_name
from mriderived.bids.sidecar import bids_uri, sidecar_path
from mriderived.bids.status import shorten_paths
from mriderived.config import Config
from mriderived.core.dual_regression import DualRegression, regress_dually
from mriderived.group.chapters import Chapter
from mriderived.group.columns import order_variants
from mriderived.group.component_figure import draw_chapter, find_peaks
from mriderived.group.component_runs import (
    MEASURE,
    DenoisedRun,
    Gathered,
    find_signal,
    gather,
    spread_evenly,
    tell_unreadable,
    want_two,
)
from mriderived.group.connectivity_files import label, mixed_tasks, write_values
from mriderived.group.records import Cohort
from mriderived.group.unreadable import UNREADABLE
from mriderived.interfaces.bold_spaces import STEP_MM
from mriderived.interfaces.group_ica import (
    SMOOTHING_MM,
    STARTS,
    Components,
    find_components,
    write_reduced,
)
from mriderived.interfaces.series import load_masked
from mriderived.interfaces.sink import save_output
from mriderived.interfaces.volumes import save

Maps = NDArray[np.float32]
#: The share of the memory that the reduced runs may take, with the copies that are made of them.
SHARE_OF_MEMORY, COPIES = 0.5, 4
GRID = {
    'SkullStripped': True,
    'Resolution': f'{STEP_MM:g} mm, the box around the brain of the space',
}
ICA = 'https://doi.org/10.1016/j.neuroimage.2010.02.010'
DUAL = 'https://doi.org/10.3389/fnins.2017.00115'
TEXT = (
    'Independent components of the denoised runs in the space, by CanICA (Varoquaux et al. 2010): '
    'networks, and what is left of vessels, fluid and motion. Look at each before you use it. '
    'Dual regression (Nickerson et al. 2017) gives the series and the map of each participant.'
)
HEADER = ('Space', 'Component', 'Peak (mm)', 'Voxels over 3')


class _Task(NamedTuple):
    """What the steps of one space share."""

    config: Config
    space: str
    gathered: Gathered
    components: Components
    group_file: PurePosixPath


def find_group_components(config: Config, cohort: Cohort) -> Chapter:
    """Find the components of every space; what is refused is a note and a warning."""
    chapter = Chapter('components', 'Components of the group', TEXT, HEADER)
    for space in order_variants(cohort.variants(MEASURE), config.output_spaces):
        try:
            _process_space(config, cohort, space or '', chapter)
        except ValueError as error:
            reason = shorten_paths(f'{space}: no components: {error}', config.out_dir)
            chapter.notes.append(reason)
            cohort.warnings.append(reason)
    return chapter


def _process_space(config: Config, cohort: Cohort, space: str, chapter: Chapter) -> None:
    number = config.ica_components
    gathered = gather(cohort, space, number, config.out_dir)
    chosen = spread_evenly(gathered.runs, _most_runs(config, gathered.mask))
    seed = read_settings(config.out_dir).get('random_seed', config.random_seed)
    config.work_dir.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=config.work_dir) as folder:
        reduced = _reduce(config, gathered, chosen, Path(folder))
        chosen = list(reduced)
        components = find_components(list(reduced.values()), gathered.mask, gathered.affine,
                                     number, seed, min(config.nprocs, STARTS))  # fmt: skip
    notes = mixed_tasks(run.image for run in gathered.runs)
    if len(chosen) < len(gathered.runs):
        notes.append(
            f'{len(chosen)} of {len(gathered.runs)} runs, evenly spaced, decide the components, '
            f'for more do not fit into {config.mem_gb:g} GiB; all have maps of their own.'
        )
    if components.converged < STARTS:
        notes.append(f'{components.converged} of {STARTS} searches for components came to an end.')
    task = _Task(config, space, gathered, components, _group_file(gathered, space))
    said = {
        'Components': number, 'RandomSeed': seed, 'SmoothingMM': SMOOTHING_MM,
        'StartsConverged': f'{components.converged} of {STARTS}', 'Reference': ICA,
        'Runs': [label(run.row) for run in chosen], 'RunsLeftOut': gathered.reasons,
        'Sources': [bids_uri('', run.file) for run in chosen],
    }  # fmt: skip
    _save(task, components.maps, task.group_file, {
        'Description': 'Independent components of the cohort, not thresholded; each has a mean of '
        '0 and a standard deviation of 1 within the mask, and its peak is positive.',
        'Units': '1', **GRID, **said,
    })  # fmt: skip
    chapter.files.append(task.group_file)
    reasons = dict(gathered.reasons)
    for run in gathered.runs:
        try:
            chapter.others += _write_own(task, run)
        except UNREADABLE as error:
            reasons[label(run.row)] = str(error)
    notes += [f'{name} has no maps: {reason}.' for name, reason in sorted(reasons.items())]
    chapter.notes += [f'{space}: {note}' for note in notes]
    peaks = find_peaks(components.maps, gathered.mask, gathered.affine)
    chapter.rows += [
        (space, str(place), ', '.join(f'{value:.0f}' for value in peak).replace('-', '−'),
         f'{np.count_nonzero(values > 3):,}')
        for place, (values, peak) in enumerate(zip(components.maps, peaks, strict=True), 1)
    ]  # fmt: skip
    chapter.pictures.append(
        draw_chapter(config.out_dir, space, components.maps, gathered.mask, gathered.affine)
    )


def _reduce(
    config: Config, gathered: Gathered, chosen: Sequence[DenoisedRun], folder: Path
) -> dict[DenoisedRun, Path]:
    """Write the reduced runs; one that ends early leaves the group, with a reason."""
    reduced: dict[DenoisedRun, Path] = {}
    for place, run in enumerate(chosen):
        try:
            reduced[run] = write_reduced(
                config.out_dir / run.file, gathered.mask, config.ica_components,
                folder / f'{place}.nii', config.nprocs,
            )  # fmt: skip
        except UNREADABLE as error:
            gathered.reasons[label(run.row)] = tell_unreadable(error)
            gathered.runs.remove(run)
    want_two(reduced, gathered.reasons)
    return reduced


def _most_runs(config: Config, mask: NDArray[np.bool_]) -> int:
    each = COPIES * config.ica_components * int(mask.sum()) * 4
    return max(2, int(SHARE_OF_MEMORY * config.mem_gb * 2**30 / each))


def _group_file(gathered: Gathered, space: str) -> PurePosixPath:
    names = [split_name(run.file).entities for run in gathered.runs]
    tasks = {name.get('task', '') for name in names}
    entities = {'tpl': space, 'desc': 'canica'}
    if len(tasks) == 1 and '' not in tasks:
        entities['task'] = tasks.pop()
    if 'res' in names[0]:
        entities['res'] = names[0]['res']
    return build_path(entities, datatype='func', suffix='components', extension='.nii.gz')


def _write_own(task: _Task, run: DenoisedRun) -> list[PurePosixPath]:
    """Regress one run dually and write its series and both kinds of maps."""
    config, mask = task.config, task.gathered.mask
    source = config.out_dir / run.file
    valid = find_signal(source)[mask]
    found = regress_dually(
        load_masked(source, mask), task.components.maps, valid, run.degrees, config.nprocs
    )
    entities = {**split_name(run.file).entities, 'desc': 'dualregression'}
    said = {
        **GRID,
        'Reference': DUAL,
        'Sources': [bids_uri('', run.file), bids_uri('', task.group_file)],
        'DegreesOfFreedom': run.degrees - len(found.beta),
    }
    mixing = build_path(entities, datatype='func', suffix='mixing', extension='.tsv')
    _write_mixing(task, mixing, found, said)
    written = [mixing]
    for stat, maps, unit, text in (
        ('beta', found.beta, 'arbitrary', 'in units of the series per standard deviation of the '
         'course, so that amplitude counts'),
        ('z', found.z, '1', 'as z'),
    ):  # fmt: skip
        path = build_path({**entities, 'stat': stat}, datatype='func', suffix='components',
                          extension='.nii.gz')  # fmt: skip
        _save(task, maps, path, {
            'Description': f'Stage two of dual regression, {text}; 0 where the run has no '
            'signal. The volumes are the components of the group.', 'Units': unit, **said,
        })  # fmt: skip
        written.append(path)
    return written


def _write_mixing(
    task: _Task, path: PurePosixPath, found: DualRegression, said: Mapping[str, Any]
) -> None:
    names = [f'component_{place:02d}' for place in range(1, found.courses.shape[1] + 1)]
    content = {
        'Description': 'Stage one of dual regression: the course of each component in the '
        'volumes that are kept, of mean 0 and standard deviation 1.', **said,
        **{name: {'Description': 'Course of the component of this place.'} for name in names},
    }  # fmt: skip
    with TemporaryDirectory(dir=task.config.work_dir) as folder:
        file = Path(folder) / 'mixing.tsv'
        write_values(file, names, found.courses)
        save_output(file, str(task.config.out_dir / path), content)


def _save(task: _Task, maps: Maps, path: PurePosixPath, said: Mapping[str, Any]) -> None:
    """Write maps (components, voxels) as the volumes of an image; NaN is 0."""
    mask = task.gathered.mask
    data = np.zeros((*mask.shape, len(maps)), np.float32)
    data[mask] = np.nan_to_num(maps.T)
    target = task.config.out_dir / path
    with TemporaryDirectory(dir=task.config.work_dir) as folder:
        file = save(data, task.gathered.affine, str(Path(folder) / 'maps.nii.gz'))
        save_output(file, str(target), said)
    assert sidecar_path(target).exists()
