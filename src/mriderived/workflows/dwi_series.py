"""Step ``dwi_series``: a diffusion series after motion, eddy currents and distortion."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mriderived.config import Config
from mriderived.core.epi_shift import phase_axis
from mriderived.core.gradient_table import rotate
from mriderived.core.series_route import Distortion, plan_route
from mriderived.core.series_sampling import resample_series
from mriderived.interfaces.dwi_acquisition import read_dwi_acquisition
from mriderived.interfaces.gradient_tables import read_gradients, save_fsl
from mriderived.interfaces.motion_files import read_motion
from mriderived.interfaces.series import read_volumes, save_series
from mriderived.interfaces.sink import write_remarks
from mriderived.interfaces.volumes import load, load_affine
from mriderived.measures.base import Measure, Output
from mriderived.measures.one_node import one_node_wf

NEEDS = (
    'dwi_denoised',
    'dwi_gradients',
    'dwi_motion',
    'dwi_outliers',
    'dwi_displacement',
    'dwi_acquisition',
)


class SeriesFiles(NamedTuple):
    """The files that :func:`resample_dwi` writes."""

    dwi_preproc: Path
    dwi_bval: Path
    dwi_bvec: Path


def resample_dwi(
    dwi_denoised: Path,
    dwi_gradients: Path,
    dwi_motion: Path,
    dwi_outliers: Path,
    dwi_displacement: Path,
    dwi_acquisition: Path,
    threads: int = 1,
) -> SeriesFiles:
    """Bring volumes to one position with a single interpolation, and turn their directions."""
    del dwi_outliers
    acquisition = read_dwi_acquisition(dwi_acquisition)
    gradients, _ = read_gradients(dwi_gradients)
    affine, shift = load_affine(dwi_denoised), load(dwi_displacement)
    _, matrices, _ = read_motion(dwi_motion)
    distortion = None
    if shift.any() and acquisition.phase_direction:
        distortion = Distortion(shift, phase_axis(acquisition.phase_direction)[0])
    route = plan_route(
        shift.shape, affine, shift.shape, affine,
        distortion=distortion, modulate=distortion is not None, threads=threads,
    )  # fmt: skip
    path = save_series(
        resample_series(read_volumes(dwi_denoised), matrices, route, threads),
        affine, shift.shape, len(matrices), acquisition.repetition_time, 'dwi.nii.gz',
    )  # fmt: skip
    # matrices lead from the reference to the volume: directions go back
    turned = rotate(gradients, np.swapaxes(matrices[:, :3, :3], 1, 2))
    write_remarks(path, Shells=list(gradients.shells))
    return SeriesFiles(path, *save_fsl(turned, affine, 'dwi'))


def init_dwi_series_wf(config: Config) -> Any:
    """Build the workflow of the step."""
    return one_node_wf(resample_dwi, NEEDS, threads=config.omp_nthreads)


_NAME = {'desc': 'preproc'}
DWI_SERIES = Measure(
    name='dwi_series',
    title='Preprocessed diffusion',
    needs=NEEDS,
    source='dwi',
    outputs=(
        Output(
            field='dwi_preproc',
            datatype='dwi',
            suffix='dwi',
            entities=_NAME,
            description=(
                'The series after denoising and the correction of head motion, eddy currents and '
                'distortion, on the grid of its reference; interpolated once in space, by cubic '
                'B-splines.'
            ),
            unit='arbitrary',
            sidecar={'SkullStripped': False},
        ),
        Output(
            field='dwi_bval',
            datatype='dwi',
            suffix='dwi',
            extension='.bval',
            entities=_NAME,
            description='b-values of the volumes, in s/mm^2.',
            draft='mriderived',
        ),
        Output(
            field='dwi_bvec',
            datatype='dwi',
            suffix='dwi',
            extension='.bvec',
            entities=_NAME,
            description=(
                'Directions of the volumes, turned with the head, along the axes of the voxels '
                '(the first one reversed where the determinant of the affine is positive).'
            ),
            draft='mriderived',
        ),
    ),
    init_wf=init_dwi_series_wf,
    reference='https://doi.org/10.1002/mrm.21890',
    methods=(
        'Head motion, eddy currents and distortion were composed, so that each volume was '
        'interpolated once, by cubic B-splines (Thevenaz et al. 2000, doi:10.1109/42.875199), and '
        'gradient directions were turned with the head (Leemans and Jones 2009, '
        'doi:10.1002/mrm.21890).'
    ),
    is_preprocessing=True,
    minutes=0.5,
    memory_gb=2.0,
)
