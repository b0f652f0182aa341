"""Regional homogeneity of BOLD."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from mriderived.config import Config
from mriderived.core.reho import measure_masked_reho
from mriderived.interfaces.series import load_masked
from mriderived.interfaces.sink import write_remarks
from mriderived.interfaces.volumes import load, load_affine, save
from mriderived.measures.base import Figure, Measure, Output
from mriderived.measures.bold_maps import map_figure
from mriderived.measures.one_node import one_node_wf

NEEDS = ('bold_denoised', 'bold_mask')
#: A voxel and all that share a face, an edge or a corner with it.
NEIGHBOURHOOD: Literal[7, 19, 27] = 27


class RehoFiles(NamedTuple):
    """The files that :func:`write_reho` writes."""

    reho: Path
    reho_neighbours: Path


def write_reho(bold_denoised: Path, bold_mask: Path, threads: int = 1) -> RehoFiles:
    """Measure Kendall's W of every voxel and its neighbours, and how many these were."""
    mask = load(bold_mask) > 0
    series = load_masked(bold_denoised, mask)
    found = measure_masked_reho(series, mask, NEIGHBOURHOOD, threads=threads)
    affine = load_affine(bold_mask)
    path = save(np.nan_to_num(found.reho), affine, 'reho.nii.gz')
    without = int((mask & np.isnan(found.reho)).sum())
    notes = [f'{without} voxels have too few neighbours for ReHo.'] if without else []
    write_remarks(path, notes=notes, Neighbourhood=NEIGHBOURHOOD, VoxelsWithoutValue=without)
    return RehoFiles(path, save(found.neighbours, affine, 'neighbours.nii.gz'))


def init_reho_wf(config: Config) -> Any:
    """Build the workflow of the measure."""
    return one_node_wf(write_reho, NEEDS, threads=config.omp_nthreads)


REHO = Measure(
    name='reho',
    title='Regional homogeneity',
    needs=NEEDS,
    source='bold',
    outputs=(
        Output(
            field='reho',
            datatype='func',
            suffix='boldmap',
            entities={'stat': 'reho'},
            description=(
                'Regional homogeneity: the concordance (Kendall) of a voxel and its neighbours, '
                'as it would be with all 27; 0 where too few are in the mask.'
            ),
            unit='1',
            regions=True,
            in_spaces=True,
            is_zero_missing=True,
            sidecar={'SkullStripped': True},
            draft='BEP012',
        ),
        Output(
            field='reho_neighbours',
            datatype='func',
            suffix='boldmap',
            entities={'stat': 'neighbours'},
            description='Voxels that regional homogeneity is of, the voxel itself included.',
            unit='1',
            sidecar={'SkullStripped': True},
            draft='BEP012',
        ),
    ),
    init_wf=init_reho_wf,
    reference='https://doi.org/10.1016/j.neuroimage.2003.12.030',
    methods=(
        "Regional homogeneity was Kendall's coefficient of concordance of each voxel and its 26 "
        'neighbours (Zang et al. 2004, doi:10.1016/j.neuroimage.2003.12.030), corrected for '
        'neighbours that the mask lacks.'
    ),
    figures=(
        Figure(
            name='reho',
            draw=map_figure('reho', "Kendall's W"),
            needs=('reho', 'bold_reference'),
            title='Regional homogeneity',
            caption='How alike the courses of a voxel and its neighbours are.',
        ),
    ),
    minutes=0.2,
    memory_gb=2.0,
)
