"""Step ``bold_space``: a run in a template space, by one interpolation of the raw volumes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.config import Config
from mriderived.core.series_route import Deformation, plan_route
from mriderived.interfaces.acquisition import read_acquisition
from mriderived.interfaces.bold_sampling import describe_timing, make_distortion, resample_run
from mriderived.interfaces.bold_spaces import (
    RESOLUTION,
    STEP_MM,
    SpaceGrid,
    find_deformation,
    read_space_grid,
)
from mriderived.interfaces.motion_files import read_motion, read_spoilt
from mriderived.interfaces.rigid_files import load_rigid
from mriderived.interfaces.series import save_series
from mriderived.interfaces.sink import write_remarks
from mriderived.interfaces.volumes import load, load_affine, save
from mriderived.measures.base import Figure, Measure, Output
from mriderived.measures.one_node import one_node_wf
from mriderived.workflows.func_figures import draw_bold_in_space

NEEDS = (
    'raw_bold',
    'bold_acquisition',
    'bold_motion',
    'bold_displacement',
    'xfm_bold_to_t1w',
    'xfm_to_space',
    'space_mask',
)


class RunFiles(NamedTuple):
    """What is needed to sample a run anywhere: the raw series, and where its voxels belong."""

    raw: Path
    acquisition: Path
    motion: Path
    displacement: Path
    xfm_to_t1w: Path


class SpaceFiles(NamedTuple):
    """The files that :func:`bring_to_space` writes."""

    bold_in_space: Path
    bold_space_reference: Path
    bold_space_mask: Path


class Sampled(NamedTuple):
    """A run on another grid, and its mean over the volumes of the steady state."""

    series: Path
    reference: Path
    mean: NDArray[np.float32]


def bring_to_space(
    raw_bold: Path,
    bold_acquisition: Path,
    bold_motion: Path,
    bold_displacement: Path,
    xfm_bold_to_t1w: Path,
    xfm_to_space: Path,
    space_mask: Path,
    threads: int = 1,
) -> SpaceFiles:
    """Compose motion, distortion and both registrations, and sample every raw volume once."""
    grid = read_space_grid(space_mask)
    run = RunFiles(raw_bold, bold_acquisition, bold_motion, bold_displacement, xfm_bold_to_t1w)
    found = sample_run(run, grid, find_deformation(grid, xfm_to_space), threads)
    seen = grid.mask & (found.mean != 0)
    mask = save(seen.astype(np.uint8), grid.affine, 'mask.nii.gz')
    return SpaceFiles(found.series, found.reference, mask)


def sample_run(
    run: RunFiles, grid: SpaceGrid, deformation: Deformation | None, threads: int, **remarks: Any
) -> Sampled:
    """Interpolate every raw volume of a run once within the brain of a grid.

    ``remarks`` are further metadata of the series and its mean.
    """
    acquisition = read_acquisition(run.acquisition)
    table, matrices, unsteady = read_motion(run.motion)
    displacement = load(run.displacement)
    distortion = make_distortion(displacement, acquisition)
    route = plan_route(
        grid.mask.shape,
        grid.affine,
        displacement.shape,
        load_affine(run.raw),
        load_rigid(run.xfm_to_t1w),
        deformation,
        distortion,
        modulate=distortion is not None,
        threads=threads,
    )
    total = np.zeros(grid.mask.shape, np.float64)
    spoilt = read_spoilt(table)
    volumes = resample_run(acquisition, matrices, unsteady, spoilt, route, threads)
    path = save_series(
        _add_up(_within(grid.mask, volumes), total, unsteady),
        grid.affine,
        grid.mask.shape,
        len(matrices),
        acquisition.repetition_time,
        'bold.nii.gz',
    )
    write_remarks(path, **describe_timing(acquisition, len(matrices) - unsteady), **remarks)
    mean = (total / (len(matrices) - unsteady)).astype(np.float32)
    reference = save(mean, grid.affine, 'reference.nii.gz')
    write_remarks(reference, **remarks)
    return Sampled(path, reference, mean)


def _within(
    mask: NDArray[np.bool_], volumes: Iterator[NDArray[np.float32]]
) -> Iterator[NDArray[np.float32]]:
    for volume in volumes:
        yield np.where(mask, volume, np.float32(0))


def _add_up(
    volumes: Iterator[NDArray[np.float32]], total: NDArray[np.float64], first: int
) -> Iterator[NDArray[np.float32]]:
    """Pass volumes on, and add those from the first one on to a total."""
    for place, volume in enumerate(volumes):
        if place >= first:
            total += volume
        yield volume


def init_bold_space_wf(config: Config) -> Any:
    """Build the workflow of the step."""
    return one_node_wf(bring_to_space, NEEDS, threads=config.omp_nthreads)


BOLD_SPACE = Measure(
    name='bold_space',
    title='BOLD in a space',
    needs=NEEDS,
    source='bold',
    over='space',
    outputs=(
        Output(
            field='bold_in_space',
            datatype='func',
            suffix='bold',
            entities={'res': '2', 'desc': 'preproc'},
            description=(
                'The run after slice timing, head motion and distortion, within the brain of the '
                'space; every volume was interpolated once, by cubic B-splines.'
            ),
            unit='arbitrary',
            sidecar={
                'SkullStripped': True,
                'Resolution': RESOLUTION,
            },
        ),
        Output(
            field='bold_space_reference',
            datatype='func',
            suffix='boldref',
            entities={'res': '2'},
            description='Mean of the run in the space, over the volumes in steady state.',
            unit='arbitrary',
            sidecar={'SkullStripped': True, 'Resolution': RESOLUTION},
        ),
        Output(
            field='bold_space_mask',
            datatype='func',
            suffix='mask',
            entities={'res': '2', 'desc': 'brain'},
            description='Voxels of the brain of the space that the run has seen.',
            unit='1',
            sidecar={'Type': 'Brain', 'Resolution': RESOLUTION},
        ),
    ),
    init_wf=init_bold_space_wf,
    reference='https://doi.org/10.1109/42.875199',
    methods=(
        'For template spaces, head motion, distortion, the registration to the T1w image and that '
        'to the space were composed, and raw volumes were interpolated once on voxels of '
        f'{STEP_MM:g} mm.'
    ),
    is_preprocessing=True,
    figures=(
        Figure(
            name='space',
            draw=draw_bold_in_space,
            needs=('bold_space_reference', 'space_brain'),
            title='BOLD in the space',
            caption='The mean of the run in the space and the template of the space, by turns.',
            section='registration',
        ),
    ),
    minutes=0.5,
    memory_gb=1.5,
)
