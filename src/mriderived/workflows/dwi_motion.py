"""Step ``dwi_motion``: where the head lies in every volume, and what eddy currents distort."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from mriderived.config import Config
from mriderived.core.rigid_series import estimate_series
from mriderived.interfaces.gradient_tables import read_gradients
from mriderived.interfaces.volumes import load, load_affine, save
from mriderived.measures.base import Figure, Measure, Output
from mriderived.measures.one_node import one_node_wf
from mriderived.workflows.dwi_figures import draw_dwi_motion
from mriderived.workflows.func_motion import motion_columns, tabulate

NEEDS = ('dwi_denoised', 'dwi_gradients', 'dwi_acquisition')


class MotionFiles(NamedTuple):
    """The files that :func:`estimate_dwi_motion` writes."""

    dwi_distorted: Path
    dwi_motion: Path
    dwi_outliers: Path


def estimate_dwi_motion(
    dwi_denoised: Path, dwi_gradients: Path, dwi_acquisition: Path, threads: int = 1
) -> MotionFiles:
    """Align every volume with the mean of those without diffusion weighting."""
    gradients, _ = read_gradients(dwi_gradients)
    affine = load_affine(dwi_denoised)
    series = load(dwi_denoised)
    unweighted = np.flatnonzero(gradients.shell == 0)
    motion = estimate_series(series[..., unweighted], affine, 0, threads=threads)
    matrices = np.tile(np.eye(4), (len(gradients), 1, 1))
    parameters = np.zeros((len(gradients), 6))
    fit = np.ones(len(gradients))
    matrices[unweighted], parameters[unweighted] = motion.matrices, motion.parameters
    fit[unweighted] = motion.fit
    whole = motion._replace(matrices=matrices, parameters=parameters, fit=fit)
    reference = save(motion.reference, affine, 'reference.nii.gz')
    out_file = Path.cwd() / 'motion.tsv'
    tabulate(whole, 0).to_csv(out_file, sep='\t', index=False, na_rep='n/a', float_format='%.9g')
    outliers = Path.cwd() / 'outliers.tsv'
    names = [f'slice_{number}' for number in range(series.shape[2])]
    flags = np.zeros((len(gradients), series.shape[2]), int)
    pd.DataFrame(flags, columns=names).to_csv(outliers, sep='\t', index=False)
    return MotionFiles(reference, out_file, outliers)


def init_dwi_motion_wf(config: Config) -> Any:
    """Build the workflow of the step."""
    return one_node_wf(estimate_dwi_motion, NEEDS, threads=config.omp_nthreads)


DWI_MOTION = Measure(
    name='dwi_motion',
    title='Head motion and eddy currents',
    needs=NEEDS,
    source='dwi',
    outputs=(
        Output(
            field='dwi_distorted',
            datatype='dwi',
            suffix='dwiref',
            entities={'desc': 'hmc'},
            description='Mean of the aligned volumes without diffusion weighting, as acquired.',
            unit='arbitrary',
            sidecar={'SkullStripped': False},
            draft='mriderived',
        ),
        Output(
            field='dwi_motion',
            datatype='dwi',
            suffix='timeseries',
            extension='.tsv',
            entities={'desc': 'motion'},
            description='Position of the head and eddy currents in every volume.',
            in_cohort=False,
            columns=motion_columns(),
            draft='BEP012',
        ),
        Output(
            field='dwi_outliers',
            datatype='dwi',
            suffix='timeseries',
            extension='.tsv',
            entities={'desc': 'outliers'},
            description=(
                'One row for each volume, one column for each slice: 1 where the signal was lost '
                'and was replaced.'
            ),
            in_cohort=False,
            draft='BEP012',
        ),
    ),
    init_wf=init_dwi_motion_wf,
    reference='https://doi.org/10.1016/j.neuroimage.2015.10.019',
    methods=(
        'Head motion and eddy currents were estimated by registration of every volume to its '
        'prediction from the others (Andersson and Sotiropoulos 2016, '
        'doi:10.1016/j.neuroimage.2015.10.019); slices whose signal was lost were replaced by '
        'the prediction.'
    ),
    is_preprocessing=True,
    figures=(
        Figure(
            name='motion',
            draw=draw_dwi_motion,
            needs=('dwi_motion', 'dwi_outliers'),
            title='Head motion and lost slices',
            caption='Shifts and turns of the head from the reference, the framewise displacement, '
            'and how many slices of each volume were replaced.',
            section='quality',
        ),
    ),
    minutes=3.0,
    memory_gb=4.0,
)
