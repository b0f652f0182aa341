"""Volume of every region of an atlas, in the grid of the image."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mriderived.config import Config
from mriderived.core.morphometry import region_volumes
from mriderived.core.partial_volume import Fractions
from mriderived.figures.sides import draw_sides
from mriderived.interfaces.volumes import load, load_affine, voxel_size
from mriderived.measures.base import Column, Figure, Measure, Output
from mriderived.measures.missing_regions import (
    MIN_COVERAGE,
    explain_missing,
    read_labels,
    remark_missing,
)
from mriderived.measures.one_node import one_node_wf
from mriderived.spaces.labels import strip_side

NEEDS = ('gm_probseg', 'wm_probseg', 'csf_probseg', 'atlas_dseg', 'atlas_labels')


class RegionVolumes(NamedTuple):
    """The file that :func:`tabulate_regions` writes."""

    regional_morph: Path


def tabulate_regions(
    gm_probseg: Path, wm_probseg: Path, csf_probseg: Path, atlas_dseg: Path, atlas_labels: Path
) -> RegionVolumes:
    """Sum the fraction of each region's tissue over the region."""
    labels = read_labels(atlas_labels)
    regions: NDArray[np.int32] = load(atlas_dseg, np.int32)
    tissues = Fractions(*(load(path) for path in (gm_probseg, wm_probseg, csf_probseg)))
    spacing = [float(size) for size in voxel_size(load_affine(atlas_dseg))]
    table = region_volumes(regions, labels, tissues, spacing)
    reasons = explain_missing(table['n_voxels'].to_numpy(), labels)
    table['volume'] = table['volume'].where(np.array([not reason for reason in reasons]))
    table.insert(1, 'name', labels['name'])
    table.insert(2, 'hemisphere', labels['hemisphere'])
    table.insert(3, 'tissue', labels['tissue'])
    out_file = Path.cwd() / 'regions.tsv'
    table.to_csv(out_file, sep='\t', index=False, na_rep='n/a', float_format='%.7g')
    remark_missing(out_file, table, reasons, ('volume',))
    return RegionVolumes(out_file)


def draw_volumes(regional_morph: Path) -> list[Any]:
    """Draw the left against the right region of every pair."""
    table = pd.read_csv(regional_morph, sep='\t', keep_default_na=False, na_values='n/a')
    table['pair'] = table['name'].map(strip_side)
    table = table[table['tissue'] != 'csf']
    sides = table.pivot_table('volume', 'pair', 'hemisphere', 'first').reindex(columns=['L', 'R'])
    sides = sides.dropna()
    names = [str(name) for name in sides.index]
    return [draw_sides(names, sides['L'].to_numpy(), sides['R'].to_numpy(), 'Volume', 'mm³')]


def init_regional_volume_wf(config: Config) -> Any:
    """Build the workflow of the measure."""
    del config  # nothing in the settings changes it
    return one_node_wf(tabulate_regions, NEEDS, node_name='tabulate')


REGIONAL_VOLUME = Measure(
    name='regional_volume',
    title='Regional volumes',
    needs=NEEDS,
    outputs=(
        Output(
            field='regional_morph',
            datatype='anat',
            suffix='morph',
            extension='.tsv',
            description='Volume of every region of the atlas in the grid of the image.',
            columns=(
                Column('index', 'Number of the region in the label image.'),
                Column('name', 'Name of the region.', unit=''),
                Column('hemisphere', 'L, R, or both for a region of the midline.', unit=''),
                Column('tissue', 'What the region is made of.', unit=''),
                Column(
                    'volume',
                    'Volume of the tissue that the region is made of: grey matter in cortex, '
                    'cerebellum and grey nuclei, white matter in white matter, cerebrospinal '
                    'fluid in ventricles, grey and white matter elsewhere.',
                    'mm3',
                    'Volume',
                ),
                Column('n_voxels', 'Voxels of the region in the label image.', title='Voxels'),
            ),
            cohort_columns=('volume',),
            draft='BEP011',
        ),
    ),
    init_wf=init_regional_volume_wf,
    reference='https://doi.org/10.1016/S0896-6273(02)00569-X',
    methods=(
        "The volume of a region was the sum of the fraction of its tissue over the region's "
        'voxels, and over the voxels of mostly another tissue that touch it, times the volume of '
        'a voxel. Regions of which less than '
        f'{100 * MIN_COVERAGE:.0f} % lay in the field of view were given no volume.'
    ),
    over='atlas',
    figures=(
        Figure(
            name='volumes',
            draw=draw_volumes,
            needs=('regional_morph',),
            title='Regional volumes, left and right',
            caption=(
                'Each point is a pair of regions; the line is where both sides are the same. '
                'The pairs that differ most for their size are named. In atlases that divide each '
                'hemisphere on its own (Schaefer), the two of a name are not the same area.'
            ),
        ),
    ),
    minutes=0.05,
)
