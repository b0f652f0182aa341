"""Step ``bold_atlas``: the regions of an atlas on the grid of the BOLD reference."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mriderived.config import Config
from mriderived.core.label_votes import measure_overlap, vote_labels
from mriderived.interfaces.rigid_files import load_rigid
from mriderived.interfaces.volumes import load, load_affine, save
from mriderived.measures.base import Column, Measure, Output
from mriderived.measures.missing_regions import read_labels
from mriderived.measures.one_node import one_node_wf
from mriderived.workflows.anat_atlas import ATLAS

NEEDS = ('bold_mask', 'xfm_bold_to_t1w', 'atlas_dseg', 'atlas_labels')


class EpiAtlasFiles(NamedTuple):
    """The files that :func:`label_epi` writes."""

    dseg: Path
    labels: Path


def label_epi(mask: Path, xfm_to_t1w: Path, atlas_dseg: Path, atlas_labels: Path) -> EpiAtlasFiles:
    """Bring regions from the T1w to an EPI series, and tell how much of each is seen."""
    affine, inside = load_affine(mask), load(mask) > 0
    labels = load(atlas_dseg, np.int32)
    # the transform takes mm of the T1w to mm of the series
    to_epi = np.linalg.inv(affine) @ load_rigid(xfm_to_t1w) @ load_affine(atlas_dseg)
    regions = vote_labels(labels, np.asarray(np.linalg.inv(to_epi)), inside.shape)
    table = read_labels(atlas_labels)
    index = table['index'].to_numpy(dtype=np.int64)
    seen = measure_overlap(labels, to_epi, inside, index)
    table['coverage'] = (np.nan_to_num(seen) * table['coverage'].to_numpy(float)).round(3)
    out_file = Path.cwd() / 'labels.tsv'
    table.to_csv(out_file, sep='\t', index=False, na_rep='n/a')
    found = np.where(inside, regions, 0).astype(np.int32)
    return EpiAtlasFiles(save(found, affine, 'regions.nii.gz'), out_file)


def init_bold_atlas_wf(config: Config) -> Any:
    """Build the workflow of the step."""
    return atlas_wf('bold', config)


def atlas_wf(source: str, config: Config) -> Any:
    """Build the workflow that brings regions to the grid of images of one kind."""
    del config  # nothing in the settings changes it
    own = (f'{source}_mask=mask', f'xfm_{source}_to_t1w=xfm_to_t1w')
    names = {'dseg': f'{source}_atlas_dseg', 'labels': f'{source}_atlas_labels'}
    return one_node_wf(label_epi, (*own, 'atlas_dseg', 'atlas_labels'), names)


def atlas_columns() -> tuple[Column, ...]:
    """Return the columns of the labels of a series."""
    coverage = Column('coverage', 'Fraction of the region that has a signal in this run.', '1')
    kept = ATLAS.output('atlas_labels').columns
    return tuple(coverage if column.name == 'coverage' else column for column in kept)


BOLD_ATLAS = Measure(
    name='bold_atlas',
    title='Atlas regions of BOLD',
    needs=NEEDS,
    source='bold',
    outputs=(
        Output(
            field='bold_atlas_dseg',
            datatype='func',
            suffix='dseg',
            description=(
                'Regions of the atlas on the grid of the BOLD reference, within its mask: each '
                'voxel has the region that fills most of it.'
            ),
        ),
        Output(
            field='bold_atlas_labels',
            datatype='func',
            suffix='dseg',
            extension='.tsv',
            description='The regions of the atlas, and how much of each has a signal.',
            columns=atlas_columns(),
        ),
    ),
    init_wf=init_bold_atlas_wf,
    reference='https://doi.org/10.1016/j.neuroimage.2009.06.060',
    methods='Regions of atlases were brought from the T1w image to the grid of each BOLD run.',
    over='atlas',
    is_preprocessing=True,
    minutes=0.05,
    memory_gb=1.0,
)
