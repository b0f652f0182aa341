"""A second opinion on cortical thickness: the length of field lines of Laplace's equation."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mriderived.config import Config
from mriderived.core.hemisphere import (
    COARSE_MM,
    FINE_MM,
    find_territories,
    gather,
    prepare_hemisphere,
)
from mriderived.core.laplace_thickness import laplace_thickness
from mriderived.core.thickness import find_cortex
from mriderived.interfaces.volumes import load, load_affine, save, voxel_size
from mriderived.measures.base import Measure, Output
from mriderived.measures.one_node import one_node_wf

NEEDS = ('tissue_map', 'structures_dseg')


class LaplaceFile(NamedTuple):
    """The file that :func:`measure_field_lines` writes."""

    thickness_laplace: Path


def measure_field_lines(
    tissue_map: Path, structures_dseg: Path, sloppy: bool = False
) -> LaplaceFile:
    """Measure field lines in both hemispheres and average them over the voxels of the image."""
    tissue, affine = load(tissue_map), load_affine(tissue_map)
    territories = find_territories(load(structures_dseg, np.int32), tissue)
    spacing = [float(size) for size in voxel_size(affine)]
    fine_mm = COARSE_MM if sloppy else FINE_MM
    total, count = np.zeros(tissue.shape), np.zeros(tissue.shape, np.int64)
    for number, name in ((1, 'left'), (2, 'right')):
        side = territories.sides == number
        try:
            hemisphere = prepare_hemisphere(
                tissue, side, territories.filled, spacing, fine_mm=fine_mm
            )
        except ValueError as error:
            raise ValueError(f'{name} hemisphere: {error}') from error
        thickness = laplace_thickness(find_cortex(hemisphere.tissue)) * hemisphere.voxel_mm
        added, found = gather(thickness, hemisphere.matrix, tissue.shape)
        total += added
        count += found
    mean = (total / np.maximum(count, 1)).astype(np.float32)
    return LaplaceFile(save(mean, affine, 'thickness.nii.gz'))


def init_thickness_laplace_wf(config: Config) -> Any:
    """Build the workflow of the measure."""
    return one_node_wf(measure_field_lines, NEEDS, node_name='measure', sloppy=config.sloppy)


THICKNESS_LAPLACE = Measure(
    name='thickness_laplace',
    title='Cortical thickness (Laplace)',
    needs=NEEDS,
    outputs=(
        Output(
            field='thickness_laplace',
            datatype='anat',
            suffix='thickness',
            entities={'desc': 'laplace'},
            description="Length of the field line of Laplace's equation through each voxel of the "
            'cortex; 0 outside.',
            unit='mm',
            sidecar={'SkullStripped': True},
            regions=True,
            tissues=('cortex',),
            is_zero_missing=True,
            draft='BEP011',
        ),
    ),
    init_wf=init_thickness_laplace_wf,
    reference='https://doi.org/10.1109/TMI.2003.817775',
    methods=(
        "As a second opinion, thickness was measured along the field lines of Laplace's equation "
        'between the same boundaries (Jones et al. 2000; Yezzi & Prince 2003, '
        'doi:10.1109/TMI.2003.817775).'
    ),
    is_opt_in=True,
    minutes=0.6,
    memory_gb=2.5,
)
