"""Regional homogeneity of BOLD."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mriderived.bids.wording import count
from mriderived.config import Config, RehoNeighbours
from mriderived.core.reho import Neighbourhood, measure_masked_reho
from mriderived.interfaces.series import load_masked
from mriderived.interfaces.sink import write_remarks
from mriderived.interfaces.volumes import load, load_affine, save
from mriderived.measures.base import Figure, Measure, Output
from mriderived.measures.bold_maps import map_figure
from mriderived.measures.one_node import one_node_wf

NEEDS = ('bold_denoised', 'bold_mask')
#: What a voxel shares with its neighbours, by their number.
_SHARED: Mapping[Neighbourhood, str] = {
    7: 'a face',
    19: 'a face or an edge',
    27: 'a face, an edge or a corner',
}


class RehoFiles(NamedTuple):
    """The files that :func:`write_reho` writes."""

    reho: Path
    reho_neighbours: Path


def write_reho(
    bold_denoised: Path, bold_mask: Path, neighbourhood: Neighbourhood = 27, threads: int = 1
) -> RehoFiles:
    """Measure Kendall's W of every voxel and its neighbours, and how many these were."""
    mask = load(bold_mask) > 0
    series = load_masked(bold_denoised, mask)
    found = measure_masked_reho(series, mask, neighbourhood, threads=threads)
    affine = load_affine(bold_mask)
    path = save(np.nan_to_num(found.reho), affine, 'reho.nii.gz')
    without = int((mask & np.isnan(found.reho)).sum())
    notes = [f'Too few neighbours for ReHo: {count(without, "voxel")}.'] if without else []
    write_remarks(path, notes=notes, Neighbourhood=neighbourhood, VoxelsWithoutValue=without)
    return RehoFiles(path, save(found.neighbours, affine, 'neighbours.nii.gz'))


def init_reho_wf(config: Config) -> Any:
    """Build the workflow of the measure."""
    return one_node_wf(
        write_reho,
        NEEDS,
        neighbourhood=int(config.reho_neighbours),
        threads=config.omp_nthreads,
    )


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


def _declare(neighbourhood: Neighbourhood) -> Measure:
    reho, neighbours = REHO.outputs
    return replace(
        REHO,
        outputs=(
            replace(
                reho,
                description=reho.description.replace('all 27', f'all {neighbourhood}'),
                sidecar={**reho.sidecar, 'Neighbourhood': neighbourhood},
            ),
            neighbours,
        ),
        methods=REHO.methods.replace(
            'its 26 neighbours',
            f'the {neighbourhood - 1} that share {_SHARED[neighbourhood]} with it',
        ),
    )


#: The measure by each ``--reho-neighbours``; files and figures have the same names.
REHO_BY_NEIGHBOURS: Mapping[RehoNeighbours, Measure] = {
    '27': REHO,
    '19': _declare(19),
    '7': _declare(7),
}
