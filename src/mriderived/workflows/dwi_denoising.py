"""Step ``dwi_denoising``: all parts of an acquisition as one series, without noise and ringing."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mriderived.config import Config
from mriderived.core.gibbs import remove_ringing
from mriderived.core.masks import find_signal
from mriderived.core.mppca import LEAST_VOLUMES, denoise
from mriderived.interfaces.dwi_acquisition import read_dwi_acquisition
from mriderived.interfaces.dwi_parts import join_parts
from mriderived.interfaces.series import save_series
from mriderived.interfaces.sink import write_remarks
from mriderived.interfaces.volumes import load_affine, save
from mriderived.measures.base import Measure, Output
from mriderived.measures.one_node import one_node_wf

NEEDS = ('raw_dwi', 'dwi_acquisition')


class DenoisedFiles(NamedTuple):
    """The files that :func:`denoise_dwi` writes."""

    dwi_denoised: Path
    dwi_noise: Path


def denoise_dwi(raw_dwi: Path, dwi_acquisition: Path, threads: int = 1) -> DenoisedFiles:
    """Join the parts, remove noise by principal components, then Gibbs ringing."""
    acquisition = read_dwi_acquisition(dwi_acquisition)
    affine = load_affine(raw_dwi)
    series = join_parts(acquisition)
    unweighted = acquisition.gradients.shell == 0
    mean = series[..., unweighted if unweighted.any() else slice(None)].mean(axis=3)
    head = find_signal(mean)
    notes = []
    if len(acquisition.parts) > 1:
        names = ', '.join(part.path.name for part in acquisition.parts)
        notes.append(f'{names} were joined (MultipartID).')
    if series.shape[3] < LEAST_VOLUMES:
        sigma = np.zeros(series.shape[:3], np.float32)
        notes.append(
            f'Noise was not removed: of {series.shape[3]} volumes principal components tell none.'
        )
    else:
        # in place, here and below: a series may be of gigabytes
        sigma = np.nan_to_num(denoise(series, head, threads=threads, in_place=True).sigma)
    remove_ringing(series, acquisition.slice_axis, head, threads)
    path = save_series(
        (series[..., t] for t in range(series.shape[3])),
        affine, series.shape[:3], series.shape[3], acquisition.repetition_time, 'denoised.nii.gz',
    )  # fmt: skip
    write_remarks(path, notes=notes)
    return DenoisedFiles(path, save(sigma, affine, 'noise.nii.gz'))


def init_dwi_denoising_wf(config: Config) -> Any:
    """Build the workflow of the step."""
    return one_node_wf(denoise_dwi, NEEDS, threads=config.omp_nthreads)


DWI_DENOISING = Measure(
    name='dwi_denoising',
    title='Denoising of diffusion',
    needs=NEEDS,
    source='dwi',
    outputs=(
        Output(
            field='dwi_denoised',
            datatype='dwi',
            suffix='dwi',
            entities={'desc': 'denoised'},
            description=(
                'All parts of the acquisition as acquired, without most of the noise and of the '
                'Gibbs ringing.'
            ),
            unit='arbitrary',
            sidecar={'SkullStripped': False},
        ),
        Output(
            field='dwi_noise',
            datatype='dwi',
            suffix='dwimap',
            entities={'model': 'mppca', 'param': 'sigma'},
            description='Standard deviation of the noise that was found; 0 outside the head.',
            unit='arbitrary',
            draft='BEP016',
        ),
    ),
    init_wf=init_dwi_denoising_wf,
    reference='https://doi.org/10.1016/j.neuroimage.2016.08.016',
    methods=(
        'Noise was removed from diffusion series by principal components of patches, whose number '
        'random-matrix theory tells (Veraart et al. 2016, doi:10.1016/j.neuroimage.2016.08.016), '
        'then Gibbs ringing by shifts of parts of a voxel (Kellner et al. 2016, '
        'doi:10.1002/mrm.26054).'
    ),
    is_preprocessing=True,
    minutes=1.5,
    memory_gb=4.0,
)
