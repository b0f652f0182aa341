"""Step ``cortex``: thickness and depth everywhere in the cortex, on a fine grid."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.config import Config
from mriderived.core.hemisphere import (
    COARSE_MM,
    FINE_MM,
    Hemisphere,
    find_territories,
    near_wall,
    prepare_hemisphere,
    to_fine,
)
from mriderived.core.thickness import find_cortex, project_thickness
from mriderived.interfaces.volumes import load, load_affine, save, voxel_size
from mriderived.measures.base import Measure, Output
from mriderived.measures.one_node import one_node_wf

NEEDS = ('tissue_map', 'structures_dseg')
SIDES = ('L', 'R')
NAMES = {'L': 'left', 'R': 'right'}
#: What values are rounded to, so that files are small: thickness in mm, and depth.
THICKNESS_STEP = 1 / 512
DEPTH_STEP = 1 / 512


#: No living brain has a mean thickness, in mm, outside of these bounds: the segmentation failed.
POSSIBLE_MM = (1.0, 6.0)


class CortexFiles(NamedTuple):
    """What the step writes."""

    thickness_left: Path
    thickness_right: Path
    depth_left: Path
    depth_right: Path


class Maps(NamedTuple):
    """Thickness in mm and depth of one hemisphere on its fine grid."""

    thickness: NDArray[np.float32]
    depth: NDArray[np.float32]
    matrix: NDArray[np.float64]


def load_hemispheres(
    tissue_map: Path, structures_dseg: Path, threads: int, fine_mm: float = FINE_MM
) -> dict[str, Hemisphere]:
    """Prepare the tissue map of both hemispheres."""
    tissue = load(tissue_map)
    territories = find_territories(load(structures_dseg, np.int32), tissue)
    spacing = [float(size) for size in voxel_size(load_affine(tissue_map))]

    def prepare(side: str) -> Hemisphere:
        territory = territories.sides == SIDES.index(side) + 1
        try:
            return prepare_hemisphere(
                tissue, territory, territories.filled, spacing, fine_mm=fine_mm
            )
        except ValueError as error:
            raise ValueError(f'{NAMES[side]} hemisphere: {error}') from error

    with ThreadPoolExecutor(min(threads, 2)) as pool:
        return dict(zip(SIDES, pool.map(prepare, SIDES), strict=True))


def map_cortex(
    tissue_map: Path, structures_dseg: Path, threads: int, sloppy: bool = False
) -> CortexFiles:
    """Estimate thickness and depth in the cortex of both hemispheres."""
    fine_mm = COARSE_MM if sloppy else FINE_MM
    hemispheres = load_hemispheres(tissue_map, structures_dseg, threads, fine_mm)
    affine = load_affine(tissue_map)
    wall = near_wall(load(structures_dseg, np.int32), [float(v) for v in voxel_size(affine)])
    with ThreadPoolExecutor(min(threads, 2)) as pool:
        jobs = [
            pool.submit(_map_hemisphere, NAMES[side], hemisphere, wall)
            for side, hemisphere in hemispheres.items()
        ]
        maps = dict(zip(SIDES, (job.result() for job in jobs), strict=True))
    saved = {
        (kind, side): save(
            getattr(maps[side], kind), affine @ maps[side].matrix, f'{kind}_{side}.nii.gz'
        )
        for kind in ('thickness', 'depth')
        for side in SIDES
    }
    return CortexFiles(*saved.values())


def _map_hemisphere(name: str, hemisphere: Hemisphere, wall: NDArray[np.bool_]) -> Maps:
    try:
        cortex = find_cortex(hemisphere.tissue)
    except ValueError as error:
        raise ValueError(f'{name} hemisphere: {error}') from error
    thickness = project_thickness(cortex) * hemisphere.voxel_mm
    thickness[to_fine(wall, hemisphere)] = 0
    mean = float(thickness[thickness > 0].mean()) if thickness.any() else 0.0
    if not POSSIBLE_MM[0] <= mean <= POSSIBLE_MM[1]:
        raise ValueError(
            f'{name} hemisphere: a mean thickness of {mean:.1f} mm cannot be: look at the tissue '
            'segmentation'
        )
    return Maps(
        _round(thickness, THICKNESS_STEP), _round(cortex.position, DEPTH_STEP), hemisphere.matrix
    )


def _round(values: NDArray[np.float32], step: float) -> NDArray[np.float32]:
    return np.asarray(np.rint(values / step) * step, dtype=np.float32)


def init_cortex_wf(config: Config) -> Any:
    """Build the workflow of the step."""
    return one_node_wf(map_cortex, NEEDS, threads=config.omp_nthreads, sloppy=config.sloppy)


def _thickness(side: str) -> Output:
    return Output(
        field=f'thickness_{NAMES[side]}',
        datatype='anat',
        suffix='thickness',
        entities={'hemi': side, 'desc': 'fine'},
        description=f'Cortical thickness in the {NAMES[side]} hemisphere on a fine grid; 0 '
        'outside the cortex.',
        unit='mm',
        sidecar={'SkullStripped': True},
        draft='BEP011',
    )


def _depth(side: str) -> Output:
    return Output(
        field=f'depth_{NAMES[side]}',
        datatype='anat',
        suffix='corticaldepth',
        entities={'hemi': side, 'desc': 'fine'},
        description=f'Depth in the cortex of the {NAMES[side]} hemisphere on a fine grid: 0 at '
        'the pial boundary and outside, 1 at the white boundary and in all that it encloses.',
        unit='1',
        sidecar={'SkullStripped': True},
        draft='mriderived',
    )


CORTEX = Measure(
    name='cortex',
    title='Cortex',
    needs=NEEDS,
    outputs=(*map(_thickness, SIDES), *map(_depth, SIDES)),
    init_wf=init_cortex_wf,
    reference='https://doi.org/10.1016/j.neuroimage.2012.09.050',
    methods=(
        'Each cerebral hemisphere was cut from the tissue map, with its nuclei and ventricles '
        'filled, and resampled to a grid of 0.5 mm. Distances to the white and to the pial '
        'boundary were propagated through grey matter only (in the manner of Dahnke et al. 2013, '
        'doi:10.1016/j.neuroimage.2012.09.050), and buried sulci were opened where fronts from '
        'both banks met, less the CSF that the tissue map shows between them. Thickness is the '
        'mean of the distances from white to pial and from pial to white boundary (Fischl & Dale '
        '2000, doi:10.1073/pnas.200033797) at the nearest points of both.'
    ),
    is_preprocessing=True,
    minutes=0.4,
    memory_gb=2.5,
)
