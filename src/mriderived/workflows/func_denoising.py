"""Step ``bold_denoising``: the run without confounds and outside frequencies."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from mriderived.config import Config
from mriderived.core.denoising import Degrees
from mriderived.interfaces.denoising import Band, denoise_run, describe
from mriderived.interfaces.series import save_masked
from mriderived.interfaces.sink import write_remarks
from mriderived.interfaces.volumes import load_affine
from mriderived.measures.base import Column, Measure, Output
from mriderived.measures.one_node import one_node_wf

COLUMNS = (
    Column('volumes', 'Volumes of the run.', '1', 'Volumes'),
    Column('volumes_kept', 'Volumes that were not censored.', '1', 'Volumes kept'),
    Column('share_kept', 'Share of the volumes that were not censored.', '1',
           'Share of volumes kept'),
    Column('degrees_confounds', 'Degrees of freedom that confounds took.', '1',
           'Degrees of freedom of confounds'),
    Column('degrees_band', 'Degrees of freedom that frequencies outside of the band took.', '1',
           'Degrees of freedom of the band'),
    Column('degrees_left', 'Degrees of freedom that are left after denoising.', '1',
           'Degrees of freedom left'),
)  # fmt: skip
NEEDS = ('bold_preproc', 'bold_mask', 'bold_confounds')


class DenoisedFiles(NamedTuple):
    """The files that :func:`remove_confounds` writes."""

    bold_denoised: Path
    bold_degrees: Path


def remove_confounds(
    bold_preproc: Path,
    bold_mask: Path,
    bold_confounds: Path,
    strategy: str,
    band: Band,
    threads: int = 1,
) -> DenoisedFiles:
    """Write the volumes that are kept, without confounds, within the brain."""
    run = denoise_run(bold_preproc, bold_mask, bold_confounds, strategy, band, threads)
    path = save_masked(
        np.nan_to_num(run.denoised.series, copy=False),
        run.mask,
        load_affine(bold_mask),
        run.repetition_time,
        'denoised.nii.gz',
    )
    degrees = run.denoised.degrees
    note = (
        f'{degrees.left} of {degrees.frames} degrees of freedom are left after {run.strategy} '
        f'({degrees.censored} volumes censored, {degrees.confounds} for confounds, '
        f'{degrees.band} for the band of {band[0]:g} to {band[1]:g} Hz).'
    )
    censored = np.flatnonzero(~run.denoised.keep)
    write_remarks(
        path,
        notes=[f'Denoising: {run.reason}.', note] if run.reason else [note],
        **describe(run, strategy, band),
        CensoredVolumes=censored.tolist(),
    )
    return DenoisedFiles(path, _tabulate(degrees))


def _tabulate(degrees: Degrees) -> Path:
    """Write what the denoising took and left, one row."""
    kept = degrees.frames - degrees.censored
    path = Path.cwd() / 'degrees.tsv'
    row = (degrees.frames, kept, round(kept / degrees.frames, 6), degrees.confounds, degrees.band,
           degrees.left)  # fmt: skip
    names = [column.name for column in COLUMNS]
    pd.DataFrame([row], columns=names).to_csv(path, sep='\t', index=False)
    return path


def init_bold_denoising_wf(config: Config) -> Any:
    """Build the workflow of the step."""
    return one_node_wf(
        remove_confounds,
        NEEDS,
        strategy=config.denoising,
        band=config.band,
        threads=config.omp_nthreads,
    )


BOLD_DENOISING = Measure(
    name='bold_denoising',
    title='Denoised BOLD',
    needs=NEEDS,
    source='bold',
    outputs=(
        Output(
            field='bold_denoised',
            datatype='func',
            suffix='bold',
            entities={'desc': 'denoised'},
            description=(
                'The run without confounds and without frequencies outside the band, within the '
                'brain; volumes that were censored are left out.'
            ),
            unit='arbitrary',
            sidecar={'SkullStripped': True},
        ),
        Output(
            field='bold_degrees',
            datatype='func',
            suffix='qc',
            extension='.tsv',
            entities={'desc': 'denoising'},
            description='Volumes and degrees of freedom that the denoising of the run left.',
            columns=COLUMNS,
            draft='mriderived',
        ),
    ),
    init_wf=init_bold_denoising_wf,
    reference='https://doi.org/10.1002/hbm.24528',
    methods=(
        'Confounds and frequencies outside the band were removed in one least-squares fit to the '
        'volumes that were kept (Lindquist et al. 2019, doi:10.1002/hbm.24528), so that neither '
        'brings back the other and no censored volume reaches its neighbours.'
    ),
    is_preprocessing=True,
    minutes=0.1,
    memory_gb=2.0,
)
