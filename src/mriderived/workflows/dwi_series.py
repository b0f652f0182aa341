"""Step ``dwi_series``: a diffusion series after motion, eddy currents and distortion."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.config import Config
from mriderived.core.eddy_repair import repair_volumes
from mriderived.core.eddy_sampling import plan_eddy_route, resample_eddy
from mriderived.core.eddy_terms import rotations_to_reference
from mriderived.core.gradient_table import rotate
from mriderived.interfaces.dwi_acquisition import DwiAcquisition, read_dwi_acquisition
from mriderived.interfaces.eddy_files import read_eddy
from mriderived.interfaces.gradient_tables import read_gradients, save_fsl
from mriderived.interfaces.series import save_series
from mriderived.interfaces.sink import write_remarks
from mriderived.interfaces.volumes import load, load_affine
from mriderived.measures.base import Measure, Output
from mriderived.measures.one_node import one_node_wf

NEEDS = (
    'dwi_denoised',
    'dwi_gradients',
    'dwi_distorted',
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
    dwi_distorted: Path,
    dwi_motion: Path,
    dwi_outliers: Path,
    dwi_displacement: Path,
    dwi_acquisition: Path,
    threads: int = 1,
) -> SeriesFiles:
    """Bring volumes to one position with a single interpolation, and turn their directions."""
    acquisition = read_dwi_acquisition(dwi_acquisition)
    gradients, table = read_gradients(dwi_gradients)
    affine, shift = load_affine(dwi_denoised), load(dwi_displacement)
    motion = read_eddy(dwi_motion, dwi_outliers, dwi_distorted)
    plan = plan_eddy_route(
        shift.shape, affine, shift.shape, affine,
        displacement=shift if shift.any() else None, threads=threads,
    )  # fmt: skip
    volumes = repair_volumes(
        load(dwi_denoised), affine, gradients, motion, acquisition.slice_axis, threads
    )
    shares = find_shares(acquisition, table['part'].to_numpy())
    path = save_series(
        resample_eddy(volumes, motion, plan, shares, threads=threads),
        affine, shift.shape, len(gradients), acquisition.repetition_time, 'dwi.nii.gz',
    )  # fmt: skip
    turned = rotate(gradients, rotations_to_reference(motion.matrices))
    write_remarks(path, Shells=list(gradients.shells), SlicesReplaced=int(motion.outliers.sum()))
    return SeriesFiles(path, *save_fsl(turned, affine, 'dwi'))


def find_shares(acquisition: DwiAcquisition, part: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return by how much the readout of each volume is displaced, relative to the first part."""
    first = acquisition.parts[0]
    ratios = np.ones(len(acquisition.parts))
    for number, other in enumerate(acquisition.parts):
        if first.readout_time and other.readout_time:
            ratios[number] = other.readout_time / first.readout_time
    return np.asarray(ratios[part], np.float64)


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
