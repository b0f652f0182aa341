"""Step ``structures``: subcortical nuclei, ventricles, brain stem, cerebellum and cerebrum."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mriderived.config import Config
from mriderived.core.masks import find_box, reaches_edge
from mriderived.core.partial_volume import Fractions
from mriderived.core.structure_classes import fill_holes
from mriderived.core.structures import refine_structures
from mriderived.interfaces.volumes import load, load_affine, save, voxel_size
from mriderived.interfaces.warps import crop_grid, measure_coverage, read_grid, warp_labels
from mriderived.measures.base import Column, Figure, Measure, Output
from mriderived.measures.one_node import one_node_wf
from mriderived.spaces.structures import merge_gyri, read_structures
from mriderived.workflows.anat_atlas_figure import draw_regions

#: Voxels around the brain in which labels are looked for.
MARGIN = 4
NEEDS = (
    't1w',
    'brain_mask',
    'gm_probseg',
    'wm_probseg',
    'csf_probseg',
    'xfm_from_space',
    'structures_image',
    'structures_table',
)


class StructureFiles(NamedTuple):
    """The files that :func:`label_structures` writes."""

    structures_dseg: Path
    structures_labels: Path


def label_structures(
    t1w: Path,
    brain_mask: Path,
    gm_probseg: Path,
    wm_probseg: Path,
    csf_probseg: Path,
    xfm_from_space: Path,
    structures_image: Path,
    structures_table: Path,
    threads: int,
) -> StructureFiles:
    """Warp the structures to the grid of ``t1w`` and refine them there."""
    affine = load_affine(t1w)
    mask = load(brain_mask) > 0
    box = find_box(mask, (MARGIN, MARGIN, MARGIN))
    inside = mask[box]
    parts = (load(path)[box] for path in (gm_probseg, wm_probseg, csf_probseg))
    tissues = Fractions(*(np.where(inside, part, 0).astype(np.float32) for part in parts))
    warped = merge_gyri(warp_labels(structures_image, crop_grid(affine, box), xfm_from_space))
    table = read_structures(structures_table)
    found = refine_structures(
        warped,
        table,
        np.ascontiguousarray(load(t1w)[box]),
        tissues,
        [float(size) for size in voxel_size(affine)],
        threads=threads,
    )
    regions = np.zeros(mask.shape, np.int32)
    regions[box] = found
    table['coverage'] = _measure_coverage(mask, t1w, structures_image, xfm_from_space, table)
    table['agreement'] = compare_counts(found, fill_holes(warped), table['index'].to_numpy())
    labels = Path.cwd() / 'structures.tsv'
    table.to_csv(labels, sep='\t', index=False, na_rep='n/a')
    return StructureFiles(save(regions, affine, 'structures.nii.gz'), labels)


def _measure_coverage(
    mask: NDArray[np.bool_], t1w: Path, image: Path, xfm: Path, table: pd.DataFrame
) -> NDArray[np.float64]:
    """Return which share of each structure lies in the image; gyri tell for their cortex."""
    if not reaches_edge(mask):
        return np.ones(len(table))
    coverage = measure_coverage(image, read_grid(t1w), xfm, table['index'].to_numpy(), merge_gyri)
    return np.asarray(coverage.round(3), dtype=np.float64)


def compare_counts(
    found: NDArray[np.int32], warped: NDArray[np.int32], index: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the voxels of each structure over those that the warped atlas has; ``nan`` of 0."""
    size = int(max(found.max(), warped.max(), index.max())) + 1
    ours, expected = (np.bincount(each.ravel(), minlength=size)[index] for each in (found, warped))
    ratio = np.where(expected > 0, ours / np.maximum(expected, 1), np.nan)
    return np.asarray(ratio.round(3), dtype=np.float64)


def draw_structures(t1w: Path, structures_dseg: Path, structures_labels: Path) -> list[Any]:
    """Draw the structures over the image; both of a pair have one colour."""
    return draw_regions(t1w, structures_dseg, structures_labels, skipped=('white', 'cortex'))


def init_structures_wf(config: Config) -> Any:
    """Build the workflow of the step."""
    return one_node_wf(label_structures, NEEDS, threads=config.omp_nthreads)


STRUCTURES = Measure(
    name='structures',
    title='Structures of the brain',
    needs=NEEDS,
    outputs=(
        Output(
            field='structures_dseg',
            datatype='anat',
            suffix='dseg',
            entities={'seg': 'aseg'},
            description=(
                "Structures of the brain under FreeSurfer's numbers (aseg) on the grid of the "
                'preprocessed T1w: a warped atlas, refined by tissue and intensity.'
            ),
        ),
        Output(
            field='structures_labels',
            datatype='anat',
            suffix='dseg',
            extension='.tsv',
            entities={'seg': 'aseg'},
            description='Structures of the brain.',
            columns=(
                Column('index', 'Number of the structure in the label image.'),
                Column('name', "Name of the structure, FreeSurfer's.", unit=''),
                Column('hemisphere', 'L, R, or both for a structure of the midline.', unit=''),
                Column('tissue', 'What the structure is made of.', unit=''),
                Column(
                    'composition',
                    'The tissues that its volume is the sum of: gm, wm, csf or gm+wm.',
                    unit='',
                ),
                Column('abbreviation', 'Short name of the structure.', unit=''),
                Column('coverage', 'Fraction of the structure that lies in the field of view.'),
                Column(
                    'agreement',
                    'Voxels of the structure over those that the warped atlas has there.',
                ),
            ),
        ),
    ),
    init_wf=init_structures_wf,
    reference='https://doi.org/10.1016/S0896-6273(02)00569-X',
    methods=(
        "FreeSurfer's structures (Fischl et al. 2002, doi:10.1016/S0896-6273(02)00569-X) were "
        'brought to each image through the inverse of its nonlinear registration. Within 3 mm of '
        'their borders, voxels were decided anew by the smoothed warped labels, tissue, the '
        'intensities of each structure and of what surrounds it nearby, and a Markov random field.'
    ),
    is_preprocessing=True,
    figures=(
        Figure(
            name='structures',
            draw=draw_structures,
            needs=('t1w', 'structures_dseg', 'structures_labels'),
            title='Structures of the brain',
            caption='Deep nuclei, ventricles, brain stem and cerebellum; left is left.',
            section='atlas',
        ),
    ),
    minutes=0.2,
    memory_gb=2.0,
)
