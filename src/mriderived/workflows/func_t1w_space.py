"""Step ``bold_t1w``: a run in the space of its T1w image, by one interpolation of raw volumes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mriderived.config import Config
from mriderived.interfaces.bold_spaces import read_space_grid
from mriderived.interfaces.sink import write_remarks
from mriderived.interfaces.volumes import load_affine, save, voxel_size
from mriderived.measures.base import Measure, Output
from mriderived.measures.one_node import one_node_wf
from mriderived.workflows.func_spaces import RunFiles, sample_run

NEEDS = (
    'raw_bold',
    'bold_acquisition',
    'bold_motion',
    'bold_displacement',
    'xfm_bold_to_t1w',
    'brain_mask',
)


class T1wSpaceFiles(NamedTuple):
    """The files that :func:`bring_to_t1w` writes."""

    bold_in_t1w: Path
    bold_in_t1w_reference: Path
    bold_in_t1w_mask: Path


def bring_to_t1w(
    raw_bold: Path,
    bold_acquisition: Path,
    bold_motion: Path,
    bold_displacement: Path,
    xfm_bold_to_t1w: Path,
    brain_mask: Path,
    threads: int = 1,
) -> T1wSpaceFiles:
    """Compose motion, distortion and the registration, and sample every raw volume once.

    Voxels are cubes of about the volume of those of the run, along the axes of the T1w image.
    """
    step = round(float(np.prod(voxel_size(load_affine(raw_bold))) ** (1 / 3)), 2)
    grid = read_space_grid(brain_mask, step)
    run = RunFiles(raw_bold, bold_acquisition, bold_motion, bold_displacement, xfm_bold_to_t1w)
    resolution = f'{step:g} mm, the box around the brain of the T1w image'
    found = sample_run(run, grid, None, threads, Resolution=resolution)
    seen = grid.mask & (found.mean != 0)
    mask = save(seen.astype(np.uint8), grid.affine, 'mask.nii.gz')
    write_remarks(mask, Resolution=resolution)
    return T1wSpaceFiles(found.series, found.reference, mask)


def init_bold_t1w_wf(config: Config) -> Any:
    """Build the workflow of the step."""
    return one_node_wf(bring_to_t1w, NEEDS, threads=config.omp_nthreads)


BOLD_T1W = Measure(
    name='bold_t1w',
    title='BOLD in the space of the T1w',
    needs=NEEDS,
    source='bold',
    outputs=(
        Output(
            field='bold_in_t1w',
            datatype='func',
            suffix='bold',
            entities={'space': 'T1w', 'desc': 'preproc'},
            description=(
                'The run after slice timing, head motion and distortion, within the brain of the '
                'T1w image; every volume was interpolated once, by cubic B-splines.'
            ),
            unit='arbitrary',
            sidecar={'SkullStripped': True},
        ),
        Output(
            field='bold_in_t1w_reference',
            datatype='func',
            suffix='boldref',
            entities={'space': 'T1w'},
            description='Mean of the run in the space of the T1w image, over the volumes in '
            'steady state.',
            unit='arbitrary',
            sidecar={'SkullStripped': True},
        ),
        Output(
            field='bold_in_t1w_mask',
            datatype='func',
            suffix='mask',
            entities={'space': 'T1w', 'desc': 'brain'},
            description='The brain of the T1w image as far as the run has seen it.',
            unit='1',
            sidecar={'Type': 'Brain'},
        ),
    ),
    init_wf=init_bold_t1w_wf,
    reference='https://doi.org/10.1109/42.875199',
    methods='In the space of the T1w image, raw volumes were interpolated once in the same way.',
    is_preprocessing=True,
    minutes=0.3,
    memory_gb=1.5,
)
