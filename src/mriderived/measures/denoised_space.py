"""The denoised run in template spaces: what components of a group are found in."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mriderived.config import Config
from mriderived.interfaces.bold_spaces import RESOLUTION, read_space_grid
from mriderived.interfaces.denoising import Band, denoise_masked, describe
from mriderived.interfaces.series import save_masked_coarse
from mriderived.interfaces.sink import write_remarks
from mriderived.measures.base import Measure, Output
from mriderived.measures.one_node import one_node_wf

NEEDS = ('bold_in_space', 'bold_confounds', 'space_mask')


class DenoisedSpaceFiles(NamedTuple):
    """The file that :func:`denoise_in_space` writes."""

    bold_denoised_in_space: Path


def denoise_in_space(
    bold_in_space: Path,
    bold_confounds: Path,
    space_mask: Path,
    strategy: str,
    band: Band,
    threads: int = 1,
) -> DenoisedSpaceFiles:
    """Write the volumes that are kept of the run in a space, without confounds."""
    grid = read_space_grid(space_mask)
    run = denoise_masked(bold_in_space, grid.mask, bold_confounds, strategy, band, threads)
    path = save_masked_coarse(
        np.nan_to_num(run.denoised.series, copy=False),
        grid.mask,
        grid.affine,
        run.repetition_time,
        'denoised.nii.gz',
    )
    censored = np.flatnonzero(~run.denoised.keep)
    write_remarks(path, **describe(run, strategy, band), CensoredVolumes=censored.tolist())
    return DenoisedSpaceFiles(path)


def init_denoised_in_space_wf(config: Config) -> Any:
    """Build the workflow of the measure."""
    return one_node_wf(
        denoise_in_space,
        NEEDS,
        strategy=config.denoising,
        band=config.band,
        threads=config.omp_nthreads,
    )


DENOISED_IN_SPACE = Measure(
    name='denoised_in_space',
    title='Denoised BOLD, in a space',
    needs=NEEDS,
    source='bold',
    over='space',
    outputs=(
        Output(
            field='bold_denoised_in_space',
            datatype='func',
            suffix='bold',
            entities={'res': '2', 'desc': 'denoised'},
            description=(
                'The run in the space without confounds and without frequencies outside the '
                'band; volumes that were censored are left out. Stored as scaled integers.'
            ),
            unit='arbitrary',
            sidecar={
                'SkullStripped': True,
                'Resolution': RESOLUTION,
            },
        ),
    ),
    init_wf=init_denoised_in_space_wf,
    reference='https://doi.org/10.1002/hbm.24528',
    methods=(
        'Runs in template spaces, interpolated once from the raw volumes, were denoised like '
        'those on their own grid.'
    ),
    is_opt_in=True,
    minutes=0.5,
    memory_gb=3.0,
)
