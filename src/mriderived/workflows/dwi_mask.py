"""Step ``dwi_mask``: the voxels of a diffusion series that lie in the brain."""

from __future__ import annotations

from functools import partial

from mriderived.measures.base import Figure, Measure, Output
from mriderived.workflows.dwi_figures import draw_dwi_mask
from mriderived.workflows.func_mask import mask_wf

DWI_MASK = Measure(
    name='dwi_mask',
    title='Brain mask of diffusion',
    needs=('dwi_reference',),
    optional=('xfm_dwi_to_t1w', 'brain_mask'),
    source='dwi',
    outputs=(
        Output(
            field='dwi_mask',
            datatype='dwi',
            suffix='mask',
            entities={'desc': 'brain'},
            description='Voxels of the brain that have a signal.',
            unit='1',
            sidecar={'Type': 'Brain'},
        ),
    ),
    init_wf=partial(mask_wf, 'dwi', 'diffusion'),
    reference='https://doi.org/10.3389/fninf.2014.00014',
    methods=(
        'The brain mask of diffusion was that of the T1w image, without voids of the signal; '
        'without a T1w image it was found in the histogram of the unweighted volumes with nilearn '
        '(Abraham et al. 2014, doi:10.3389/fninf.2014.00014).'
    ),
    is_preprocessing=True,
    figures=(
        Figure(
            name='mask',
            draw=draw_dwi_mask,
            needs=('dwi_reference', 'dwi_mask'),
            title='Brain mask of diffusion',
            caption='The outline of the mask (pink) on the mean of the unweighted volumes.',
            section='brain',
        ),
    ),
    minutes=0.05,
    memory_gb=1.0,
)
