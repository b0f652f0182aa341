"""Step ``dwi_registration``: where the T1w lies in the reference of a diffusion series."""

from __future__ import annotations

from functools import partial

from mriderived.measures.base import Figure, Measure, Output
from mriderived.workflows.dwi_figures import draw_dwi_coregistration
from mriderived.workflows.func_registration import OF_T1W, coregistration_wf, fit_output

DWI_REGISTRATION = Measure(
    name='dwi_registration',
    title='Registration of diffusion to T1w',
    needs=('dwi_reference', 'dwi_distorted', 'dwi_displacement', 'dwi_acquisition', *OF_T1W),
    source='dwi',
    outputs=(
        Output(
            field='xfm_dwi_to_t1w',
            datatype='dwi',
            suffix='xfm',
            extension='.h5',
            entities={'from': 'dwiref', 'to': 'T1w', 'mode': 'image'},
            description='Rigid transform that brings images from the reference to the T1w.',
            draft='BEP014',
        ),
        fit_output('dwi', 'dwi', 'diffusion'),
    ),
    init_wf=partial(coregistration_wf, 'dwi'),
    reference='https://doi.org/10.1016/j.neuroimage.2009.06.060',
    methods=(
        'The mean of the unweighted volumes was aligned with the T1w image by normalised mutual '
        'information, refined by the contrast across the boundary of grey and white matter (Greve '
        'and Fischl 2009, doi:10.1016/j.neuroimage.2009.06.060), with six degrees of freedom.'
    ),
    is_preprocessing=True,
    figures=(
        Figure(
            name='coreg',
            draw=draw_dwi_coregistration,
            needs=('dwi_reference', 'xfm_dwi_to_t1w', 'wm_probseg', 'brain_mask'),
            title='Diffusion and T1w',
            caption='The border of white matter of the T1w image on the mean of the unweighted '
            'volumes. It should follow the step from dark (white matter) to bright (grey matter).',
            section='registration',
        ),
    ),
    minutes=0.2,
    memory_gb=1.5,
)
