"""Volume of every structure of the brain, as it is and scaled to the size of the template."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mriderived.config import Config
from mriderived.core.morphometry import region_volumes, tissue_volumes
from mriderived.core.partial_volume import Fractions
from mriderived.interfaces.transforms import measure_scaling
from mriderived.interfaces.volumes import load, load_affine, voxel_size
from mriderived.measures.base import Column, Figure, Measure, Output
from mriderived.measures.missing_regions import (
    AGREEMENT,
    MIN_COVERAGE,
    explain_missing,
    read_labels,
    remark_missing,
)
from mriderived.measures.one_node import one_node_wf
from mriderived.measures.regional_volume import draw_volumes

NEEDS = (
    'gm_probseg',
    'wm_probseg',
    'csf_probseg',
    'structures_dseg',
    'structures_labels',
    'xfm_from_space',
)


class StructureVolumes(NamedTuple):
    """The file that :func:`tabulate_structures` writes."""

    structure_morph: Path


def tabulate_structures(
    gm_probseg: Path,
    wm_probseg: Path,
    csf_probseg: Path,
    structures_dseg: Path,
    structures_labels: Path,
    xfm_from_space: Path,
) -> StructureVolumes:
    """Sum the fraction of each structure's tissue over the structure."""
    labels = read_labels(structures_labels)
    affine = load_affine(structures_dseg)
    tissues = Fractions(*(load(path) for path in (gm_probseg, wm_probseg, csf_probseg)))
    spacing = [float(size) for size in voxel_size(affine)]
    table = region_volumes(load(structures_dseg, np.int32), labels, tissues, spacing)
    reasons = explain_missing(table['n_voxels'].to_numpy(), labels)
    table['volume'] = table['volume'].where(np.array([not reason for reason in reasons]))
    # The inverse brings points of the image to the space: it is how much the image must grow.
    normalised = table['volume'] * abs(measure_scaling(xfm_from_space))
    table.insert(2, 'normalised_volume', normalised)
    table.insert(3, 'tiv_volume', tissue_volumes(tissues, float(np.prod(spacing))).tiv_volume)
    for place, name in enumerate(('name', 'hemisphere', 'tissue'), start=1):
        table.insert(place, name, labels[name])
    out_file = Path.cwd() / 'volumes.tsv'
    table.to_csv(out_file, sep='\t', index=False, na_rep='n/a', float_format='%.7g')
    remark_missing(out_file, table, reasons, ('volume', 'normalised_volume'))
    return StructureVolumes(out_file)


def draw_structure_volumes(structure_morph: Path) -> list[Any]:
    """Draw the left against the right structure of every pair."""
    return draw_volumes(structure_morph)


def init_structure_volume_wf(config: Config) -> Any:
    """Build the workflow of the measure."""
    del config  # nothing in the settings changes it
    return one_node_wf(tabulate_structures, NEEDS, node_name='tabulate')


STRUCTURE_VOLUME = Measure(
    name='structure_volume',
    title='Volumes of brain structures',
    needs=NEEDS,
    outputs=(
        Output(
            field='structure_morph',
            datatype='anat',
            suffix='morph',
            extension='.tsv',
            entities={'seg': 'aseg'},
            has_structures=True,
            description='Volume of every structure of the brain in the grid of the image.',
            columns=(
                Column('index', 'Number of the structure in the label image.'),
                Column('name', 'Name of the structure.', unit=''),
                Column('hemisphere', 'L, R, or both for a structure of the midline.', unit=''),
                Column('tissue', 'What the structure is made of.', unit=''),
                Column(
                    'volume',
                    'Volume of the tissue that the structure is made of: grey matter in cortex '
                    'and grey nuclei, white matter in white matter, cerebrospinal fluid in '
                    'ventricles, grey and white matter elsewhere.',
                    'mm3',
                    'Volume',
                ),
                Column(
                    'normalised_volume',
                    'Volume times the volume scaling of the affine transform to the template.',
                    'mm3',
                    'Normalised volume',
                ),
                Column(
                    'tiv_volume',
                    'Total intracranial volume, as in the table of tissue volumes; the same in '
                    'every row.',
                    'mm3',
                    'Total intracranial volume',
                ),
                Column('n_voxels', 'Voxels of the structure in the label image.', title='Voxels'),
            ),
            cohort_columns=('volume', 'normalised_volume'),
            draft='BEP011',
        ),
    ),
    init_wf=init_structure_volume_wf,
    reference='https://doi.org/10.1016/S0896-6273(02)00569-X',
    methods=(
        'The volume of a structure was the sum of the fraction of its tissue over its voxels, and '
        'over the voxels of mostly another tissue that touch it, times the volume of a voxel; the '
        'normalised volume is that times the determinant of the affine transform to the template. '
        f'Structures of which less than {100 * MIN_COVERAGE:.0f} % lay in the field of view, or '
        f'with less than {AGREEMENT[0]} or more than {AGREEMENT[1]:.0f} times the voxels of the '
        'warped atlas (ventricles apart), were given no volume.'
    ),
    figures=(
        Figure(
            name='structureVolumes',
            draw=draw_structure_volumes,
            needs=('structure_morph',),
            title='Volumes of structures, left and right',
            caption=(
                'Each point is a pair of structures; the line is where both sides are the same. '
                'The pairs that differ most for their size are named.'
            ),
        ),
    ),
    minutes=0.05,
)
