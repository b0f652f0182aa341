"""Step ``dwi_atlas``: the regions of an atlas on the grid of a diffusion series."""

from __future__ import annotations

from functools import partial

from mriderived.measures.base import Measure, Output
from mriderived.workflows.func_atlas import atlas_columns, atlas_wf

DWI_ATLAS = Measure(
    name='dwi_atlas',
    title='Atlas regions of diffusion',
    needs=('dwi_mask', 'xfm_dwi_to_t1w', 'atlas_dseg', 'atlas_labels'),
    source='dwi',
    outputs=(
        Output(
            field='dwi_atlas_dseg',
            datatype='dwi',
            suffix='dseg',
            description=(
                'Regions of the atlas on the grid of the diffusion series, within its mask: each '
                'voxel has the region that fills most of it.'
            ),
        ),
        Output(
            field='dwi_atlas_labels',
            datatype='dwi',
            suffix='dseg',
            extension='.tsv',
            description='The regions of the atlas, and how much of each has a signal.',
            columns=atlas_columns(),
        ),
    ),
    init_wf=partial(atlas_wf, 'dwi'),
    reference='https://doi.org/10.1016/j.neuroimage.2009.06.060',
    methods='Regions of atlases were brought from the T1w image to the grid of diffusion series.',
    over='atlas',
    is_preprocessing=True,
    minutes=0.05,
    memory_gb=1.0,
)
