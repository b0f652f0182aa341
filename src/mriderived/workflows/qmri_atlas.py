"""Step ``qmri_atlas``: the regions of an atlas on the grid of a collection."""

from __future__ import annotations

from functools import partial

from mriderived.measures.base import COLLECTION, Measure, Output
from mriderived.workflows.func_atlas import atlas_columns, atlas_wf

QMRI_ATLAS = Measure(
    name='qmri_atlas',
    title='Atlas regions of quantitative MRI',
    needs=('qmri_mask', 'xfm_qmri_to_t1w', 'atlas_dseg', 'atlas_labels'),
    source='qmri',
    outputs=(
        Output(
            field='qmri_atlas_dseg',
            datatype='anat',
            suffix='dseg',
            entities={'space': COLLECTION},
            description=(
                'Regions of the atlas on the grid of the collection, within its mask: each voxel '
                'has the region that fills most of it.'
            ),
        ),
        Output(
            field='qmri_atlas_labels',
            datatype='anat',
            suffix='dseg',
            extension='.tsv',
            entities={'space': COLLECTION},
            description='The regions of the atlas, and how much of each has a signal.',
            columns=atlas_columns(),
        ),
    ),
    init_wf=partial(atlas_wf, 'qmri'),
    reference='https://doi.org/10.1016/j.neuroimage.2009.06.060',
    methods='Regions of atlases were brought from the T1w image to the grid of each collection.',
    over='atlas',
    is_preprocessing=True,
    minutes=0.05,
    memory_gb=1.0,
)
