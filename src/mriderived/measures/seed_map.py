"""Functional connectivity of a seed with every voxel: the default mode network."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.config import Config
from mriderived.core.voxel_connectivity import map_seed
from mriderived.interfaces.points import move_points
from mriderived.interfaces.rigid_files import load_rigid
from mriderived.interfaces.series import load_masked
from mriderived.interfaces.sink import write_remarks
from mriderived.interfaces.volumes import load, load_affine
from mriderived.measures.base import Figure, Measure, Output
from mriderived.measures.bold_maps import map_figure, save_map
from mriderived.measures.one_node import one_node_wf

NEEDS = ('bold_denoised', 'bold_mask', 'xfm_bold_to_t1w', 'xfm_to_space')
#: The posterior cingulate hub of the default mode network (Andrews-Hanna et al. 2010), in mm of
#: MNI152, and how far around it voxels belong to the seed.
SEED_MM, RADIUS_MM = (-8.0, -56.0, 26.0), 6.0
#: Fewer voxels with a signal are no seed.
MIN_VOXELS = 3


class SeedFiles(NamedTuple):
    """The file that :func:`write_seed_map` writes."""

    default_mode: Path


def write_seed_map(
    bold_denoised: Path,
    bold_mask: Path,
    xfm_bold_to_t1w: Path,
    xfm_to_space: Path,
    threads: int = 1,
) -> SeedFiles:
    """Correlate the mean of a ball around the seed with every voxel."""
    mask, affine = load(bold_mask) > 0, load_affine(bold_mask)
    near = find_ball(SEED_MM, mask, affine, xfm_to_space, xfm_bold_to_t1w)
    if near.sum() < MIN_VOXELS:
        raise ValueError(
            f'only {near.sum()} voxels of the seed in the posterior cingulate cortex have a '
            'signal in this run; look at its mask and registration'
        )
    series = load_masked(bold_denoised, mask)
    seed = series[near].mean(axis=0, dtype=np.float64)
    path = save_map(map_seed(series, seed, threads), mask, affine, 'seed')
    write_remarks(path, SeedCoordinatesMNI=list(SEED_MM), SeedRadiusMM=RADIUS_MM,
                  SeedVoxels=int(near.sum()))  # fmt: skip
    return SeedFiles(path)


def find_ball(
    seed_mm: tuple[float, float, float],
    mask: NDArray[np.bool_],
    affine: NDArray[np.float64],
    xfm_to_space: Path,
    xfm_bold_to_t1w: Path,
) -> NDArray[np.bool_]:
    """Tell which voxels of a mask, on the grid of BOLD, lie around a point of the template."""
    (in_t1w,) = move_points(np.array([seed_mm]), xfm_to_space)
    centre = (load_rigid(xfm_bold_to_t1w) @ [*in_t1w, 1.0])[:3]
    voxels = np.argwhere(mask) @ affine[:3, :3].T + affine[:3, 3]
    return np.asarray(np.linalg.norm(voxels - centre, axis=1) <= RADIUS_MM)


def init_seed_map_wf(config: Config) -> Any:
    """Build the workflow of the measure."""
    return one_node_wf(write_seed_map, NEEDS, threads=config.omp_nthreads)


SEED_MAP = Measure(
    name='seed_map',
    title='Default mode network',
    needs=NEEDS,
    source='bold',
    outputs=(
        Output(
            field='default_mode',
            datatype='func',
            suffix='boldmap',
            entities={'stat': 'fisherz', 'desc': 'pcc'},
            description=(
                "Fisher's z of the correlation of every voxel with a ball of "
                f'{RADIUS_MM:g} mm in the posterior cingulate cortex.'
            ),
            unit='1',
            regions=True,
            in_spaces=True,
            is_zero_missing=True,
            sidecar={'SkullStripped': True},
            draft='BEP012',
        ),
    ),
    init_wf=init_seed_map_wf,
    reference='https://doi.org/10.1016/j.neuron.2010.02.005',
    methods=(
        "The default mode network was the map of Fisher's z with a seed in the posterior "
        f'cingulate cortex (MNI {", ".join(f"{value:g}" for value in SEED_MM)}; Andrews-Hanna et '
        'al. 2010, doi:10.1016/j.neuron.2010.02.005).'
    ),
    figures=(
        Figure(
            name='seed',
            draw=map_figure('default_mode', "Fisher's z", symmetric=True),
            needs=('default_mode', 'bold_reference'),
            title='Default mode network',
            caption='Correlation with the posterior cingulate cortex. In a good run, the medial '
            'prefrontal cortex and both angular gyri stand out.',
        ),
    ),
    minutes=0.05,
    memory_gb=1.5,
)
