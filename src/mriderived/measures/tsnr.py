"""Temporal signal-to-noise ratio of BOLD."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from mriderived.config import Config
from mriderived.core.bold_quality import map_tsnr
from mriderived.interfaces.denoising import count_unsteady, read_confounds
from mriderived.interfaces.series import load_masked
from mriderived.interfaces.volumes import load, load_affine
from mriderived.measures.base import Figure, Measure, Output
from mriderived.measures.bold_maps import map_figure, save_map
from mriderived.measures.one_node import one_node_wf

NEEDS = ('bold_preproc', 'bold_mask', 'bold_confounds')


class TsnrFiles(NamedTuple):
    """The file that :func:`write_tsnr` writes."""

    tsnr: Path


def write_tsnr(
    bold_preproc: Path, bold_mask: Path, bold_confounds: Path, threads: int = 1
) -> TsnrFiles:
    """Divide mean by standard deviation over the volumes in steady state."""
    mask = load(bold_mask) > 0
    table, _ = read_confounds(bold_confounds)
    series = load_masked(bold_preproc, mask)[:, count_unsteady(table) :]
    values = map_tsnr(series, threads)
    return TsnrFiles(save_map(values, mask, load_affine(bold_mask), 'tsnr'))


def init_tsnr_wf(config: Config) -> Any:
    """Build the workflow of the measure."""
    return one_node_wf(write_tsnr, NEEDS, threads=config.omp_nthreads)


TSNR = Measure(
    name='tsnr',
    title='Temporal signal-to-noise ratio',
    needs=NEEDS,
    source='bold',
    outputs=(
        Output(
            field='tsnr',
            datatype='func',
            suffix='boldmap',
            entities={'stat': 'tsnr'},
            description='Temporal signal-to-noise ratio: mean over standard deviation in time.',
            unit='1',
            regions=True,
            in_spaces=True,
            is_zero_missing=True,
            sidecar={'SkullStripped': True},
            draft='BEP012',
        ),
    ),
    init_wf=init_tsnr_wf,
    reference='https://doi.org/10.1002/mrm.1240',
    methods=(
        'The temporal signal-to-noise ratio was the mean over the standard deviation of the '
        'preprocessed series (Kruger and Glover 2001, doi:10.1002/mrm.1240).'
    ),
    figures=(
        Figure(
            name='tsnr',
            draw=map_figure('tsnr', 'mean over standard deviation'),
            needs=('tsnr', 'bold_reference'),
            title='Temporal signal-to-noise ratio',
            caption='Mean over standard deviation in time.',
            section='measure',
        ),
    ),
    minutes=0.05,
    memory_gb=1.5,
)
