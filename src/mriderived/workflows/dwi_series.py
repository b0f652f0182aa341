"""Step ``dwi_series``: a diffusion series after motion, eddy currents and distortion."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mriderived.config import Config
from mriderived.core.eddy_terms import rotations_to_reference
from mriderived.core.gradient_table import rotate
from mriderived.interfaces.bias import find_bias
from mriderived.interfaces.dwi_sampling import Grid, RunFiles, load_run, sample_run
from mriderived.interfaces.gradient_tables import save_fsl
from mriderived.interfaces.series import save_series
from mriderived.interfaces.sink import write_remarks
from mriderived.interfaces.volumes import load, load_affine, save, voxel_size
from mriderived.measures.base import Measure, Output
from mriderived.measures.one_node import one_node_wf

NEEDS = (*RunFiles._fields, 'dwi_reference', 'dwi_mask')
#: What the metadata of a series call the correction of its inhomogeneity.
BIAS_METHOD = 'N4'


class SeriesFiles(NamedTuple):
    """The files that :func:`resample_dwi` writes."""

    dwi_preproc: Path
    dwi_bval: Path
    dwi_bvec: Path
    dwi_bias: Path


def resample_dwi(
    dwi_denoised: Path,
    dwi_gradients: Path,
    dwi_distorted: Path,
    dwi_motion: Path,
    dwi_outliers: Path,
    dwi_displacement: Path,
    dwi_acquisition: Path,
    dwi_reference: Path,
    dwi_mask: Path,
    threads: int = 1,
) -> SeriesFiles:
    """Bring volumes to one position with a single interpolation, and turn their directions.

    Then every volume is divided by the smooth inhomogeneity of the reference.
    """
    run = load_run(
        RunFiles(dwi_denoised, dwi_gradients, dwi_distorted, dwi_motion, dwi_outliers,
                 dwi_displacement, dwi_acquisition),
        threads,
    )  # fmt: skip
    mask = load(dwi_mask) > 0
    bias = find_bias(load(dwi_reference), mask, voxel_size(load_affine(dwi_reference)))
    shape = run.shift.shape
    path = save_series(
        sample_run(run, Grid(shape, run.affine), bias, threads),
        run.affine, shape, len(run.gradients), run.acquisition.repetition_time, 'dwi.nii.gz',
    )  # fmt: skip
    turned = rotate(run.gradients, rotations_to_reference(run.motion.matrices))
    low, high = np.percentile(bias[mask], [1, 99])
    write_remarks(
        path,
        notes=list(run.notes),
        Shells=list(run.gradients.shells),
        SlicesReplaced=int(run.motion.outliers.sum()),
        BiasFieldCorrectionMethod=BIAS_METHOD,
        BiasFieldRange=[round(float(low), 4), round(float(high), 4)],
    )
    field = save(bias, run.affine, 'bias.nii.gz')
    return SeriesFiles(path, *save_fsl(turned, run.affine, 'dwi'), field)


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
                'The series after denoising and the correction of head motion, eddy currents, '
                'distortion and smooth inhomogeneity, on the grid of its reference; interpolated '
                'once in space, by cubic B-splines.'
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
        Output(
            field='dwi_bias',
            datatype='dwi',
            suffix='dwimap',
            entities={'model': 'n4', 'param': 'bias'},
            description=(
                'Smooth inhomogeneity by which all volumes were divided: found in the reference, '
                'in the brain, of mean 1 (log) there; it goes on beyond the brain as at its edge.'
            ),
            unit='1',
            sidecar={'SkullStripped': False},
            draft='BEP016',
        ),
    ),
    init_wf=init_dwi_series_wf,
    reference='https://doi.org/10.1002/mrm.21890',
    methods=(
        'Head motion, eddy currents and distortion were composed, so that each volume was '
        'interpolated once, by cubic B-splines (Thevenaz et al. 2000, doi:10.1109/42.875199), and '
        'gradient directions were turned with the head (Leemans and Jones 2009, '
        'doi:10.1002/mrm.21890). All volumes were divided by the smooth inhomogeneity of the mean '
        'of the unweighted ones in the brain, found by N4 (Tustison et al. 2010, '
        'doi:10.1109/TMI.2010.2046908).'
    ),
    is_preprocessing=True,
    minutes=0.5,
    memory_gb=2.0,
)
