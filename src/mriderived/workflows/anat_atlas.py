"""The step that brings an atlas to an image and fits its regions to the grey matter there."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from mriderived.config import Config
from mriderived.core.atlas_structures import follow_structures
from mriderived.core.labels import Labels, fill_labels
from mriderived.core.masks import find_box, reaches_edge
from mriderived.core.partial_volume import Fractions
from mriderived.interfaces.volumes import load, load_affine, save, voxel_size
from mriderived.interfaces.warps import (
    Grid,
    crop_grid,
    measure_coverage,
    read_grid,
    warp_labels,
    warp_sides,
)
from mriderived.measures.base import Column, Figure, Measure, Output
from mriderived.measures.one_node import one_node_wf
from mriderived.spaces.labels import read_table
from mriderived.spaces.structures import has_structures
from mriderived.workflows.anat_atlas_figure import draw_regions

#: Grey matter farther than this from every region of the cortex stays without a label.
LIMIT_MM = 5.0
#: Voxels around the brain in which labels are looked for.
MARGIN = 4

NEEDS = (
    't1w',
    'brain_mask',
    'gm_probseg',
    'wm_probseg',
    'csf_probseg',
    'xfm_from_space',
    'structures_dseg',
    'structures_labels',
    'atlas_image',
    'atlas_table',
)


class AtlasFiles(NamedTuple):
    """The files that :func:`label_regions` writes."""

    atlas_dseg: Path
    atlas_labels: Path


def label_regions(
    t1w: Path,
    brain_mask: Path,
    gm_probseg: Path,
    wm_probseg: Path,
    csf_probseg: Path,
    xfm_from_space: Path,
    structures_dseg: Path,
    structures_labels: Path,
    atlas_image: Path,
    atlas_table: Path,
) -> AtlasFiles:
    """Warp an atlas to the grid of ``t1w`` and fit its regions to the grey matter."""
    affine = load_affine(t1w)
    mask = load(brain_mask) > 0
    box = find_box(mask, (MARGIN, MARGIN, MARGIN))
    grid = crop_grid(affine, box)
    table = read_table(atlas_table)
    spacing = [float(size) for size in voxel_size(affine)]
    structures = pd.read_csv(structures_labels, sep='\t', keep_default_na=False, na_values='n/a')
    if has_structures(table, structures):
        warped = warp_labels(atlas_image, grid, xfm_from_space)
        found = follow_structures(warped, table, load(structures_dseg, np.int32)[box], spacing)
        table = table.merge(structures[['index', 'agreement']], how='left', on='index')
    else:
        tissues = Fractions(*(load(path)[box] for path in (gm_probseg, wm_probseg, csf_probseg)))
        found = _fit_tissues(atlas_image, grid, xfm_from_space, table, tissues, spacing)
        table['agreement'] = np.nan
    regions = np.zeros(mask.shape, np.int32)
    regions[box] = np.where(mask[box], found, 0)
    table['coverage'] = 1.0
    if reaches_edge(mask):
        index = table['index'].to_numpy()
        whole = read_grid(t1w)
        table['coverage'] = measure_coverage(atlas_image, whole, xfm_from_space, index).round(3)
    labels = Path.cwd() / 'labels.tsv'
    table.to_csv(labels, sep='\t', index=False, na_rep='n/a')
    return AtlasFiles(save(regions, affine, 'regions.nii.gz'), labels)


def _fit_tissues(
    image: Path,
    grid: Grid,
    xfm: Path,
    table: pd.DataFrame,
    tissues: Fractions,
    spacing: list[float],
) -> Labels:
    labels, sides = warp_labels(image, grid, xfm), warp_sides(image, grid, xfm)
    return fill_labels(labels, table, tissues, sides, spacing, LIMIT_MM)


def init_atlas_wf(config: Config) -> Any:
    """Build the workflow of the step."""
    del config  # nothing in the settings changes it
    return one_node_wf(label_regions, NEEDS, node_name='label')


ATLAS = Measure(
    name='atlas',
    title='Atlas regions',
    needs=NEEDS,
    outputs=(
        Output(
            field='atlas_dseg',
            datatype='anat',
            suffix='dseg',
            description=(
                'Regions of the atlas on the grid of the preprocessed T1w; regions of the cortex '
                'and the cerebellum fill the grey matter that they belong to.'
            ),
        ),
        Output(
            field='atlas_labels',
            datatype='anat',
            suffix='dseg',
            extension='.tsv',
            description='Regions of the atlas.',
            columns=(
                Column('index', 'Number of the region in the label image.'),
                Column('name', 'Name of the region, as its authors wrote it.', unit=''),
                Column('hemisphere', 'L, R, or both for a region of the midline.', unit=''),
                Column(
                    'tissue',
                    'What the region is made of: cortex, subcortex, white, csf, cerebellum, '
                    'brainstem or other.',
                    unit='',
                ),
                Column(
                    'composition',
                    'The tissues that its volume is the sum of: gm, wm, csf or gm+wm.',
                    unit='',
                ),
                Column('abbreviation', 'Short name of the region.', unit=''),
                Column('coverage', 'Fraction of the region that lies in the field of view.'),
                Column(
                    'agreement',
                    "For FreeSurfer's structures, voxels over those of the warped atlas.",
                ),
            ),
        ),
    ),
    init_wf=init_atlas_wf,
    reference='https://doi.org/10.1016/j.media.2007.06.004',
    methods=(
        'Atlases were brought to each image through the inverse of its nonlinear registration '
        '(nearest label). Voxels of mostly grey matter were then given the nearest region of the '
        f'cortex or cerebellum of their hemisphere (at most {LIMIT_MM:.0f} mm away), and such '
        'regions were removed outside grey matter. Subcortical regions were kept as they were '
        "warped, but for voxels of another tissue. Of atlases that hold FreeSurfer's structures, "
        'these were taken as they had been refined, and the cortex between them was filled.'
    ),
    over='atlas',
    is_preprocessing=True,
    figures=(
        Figure(
            name='regions',
            draw=draw_regions,
            needs=('t1w', 'atlas_dseg', 'atlas_labels'),
            title='Atlas regions',
            caption='Every region has a colour of its own, the same on both sides. Named below '
            'are the largest whose colours are easily told apart.',
            section='atlas',
        ),
    ),
    minutes=0.4,
    memory_gb=2.0,
)
