"""The skeleton of white matter, and what the tensor says of the middle of tracts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mriderived.config import Config
from mriderived.core.skeleton import THRESHOLD, find_skeleton
from mriderived.figures.mosaic import Contour, mosaic
from mriderived.figures.style import CYAN
from mriderived.interfaces.sink import write_remarks
from mriderived.interfaces.volumes import load, load_affine, save
from mriderived.measures.base import Figure, Measure, Output
from mriderived.measures.dwi_maps import map_output
from mriderived.measures.one_node import one_node_wf

NEEDS = ('tensor_fa', 'tensor_md', 'tensor_ad', 'tensor_rd', 'dwi_mask')


class SkeletonFiles(NamedTuple):
    """The files that :func:`write_skeleton` writes."""

    skeleton_fa: Path
    skeleton_md: Path
    skeleton_ad: Path
    skeleton_rd: Path


def write_skeleton(
    tensor_fa: Path, tensor_md: Path, tensor_ad: Path, tensor_rd: Path, dwi_mask: Path
) -> SkeletonFiles:
    """Keep the maps of the tensor where anisotropy has a crest."""
    affine = load_affine(tensor_fa)
    fa = load(tensor_fa)
    skeleton = find_skeleton(fa, load(dwi_mask) > 0)
    maps = {'fa': fa, 'md': load(tensor_md), 'ad': load(tensor_ad), 'rd': load(tensor_rd)}
    files = SkeletonFiles(
        *(save(np.where(skeleton, maps[name], np.float32(0)), affine, f'{name}.nii.gz')
          for name in maps)
    )  # fmt: skip
    notes = [] if skeleton.any() else [f'Nothing has an FA of {THRESHOLD} and a crest.']
    write_remarks(
        files.skeleton_fa, notes=notes, VoxelsOnSkeleton=int(skeleton.sum()), LeastFA=THRESHOLD
    )
    return files


def init_skeleton_wf(config: Config) -> Any:
    """Build the workflow of the measure."""
    del config
    return one_node_wf(write_skeleton, NEEDS)


def draw_skeleton(tensor_fa: Path, skeleton_fa: Path) -> list[Any]:
    """Draw the skeleton on the anisotropy."""
    fa = load(tensor_fa)
    line = Contour((load(skeleton_fa) > 0).astype(np.float32), CYAN, 'skeleton', width=0.5)
    return [mosaic(fa, load_affine(tensor_fa), contours=[line], crop_to=fa > 0, limits=(0, 0.9))]


def _output(param: str, title: str, what: str, unit: str) -> Output:
    description = f'{what} on the skeleton of white matter, the crests of FA; 0 elsewhere.'
    made = map_output('skeleton', param, title, description, unit)
    # crests of different people do not meet in a template, their regions do
    return replace(made, in_spaces=False, tissues=('white',))


SKELETON = Measure(
    name='skeleton',
    title='Skeleton of white matter',
    needs=NEEDS,
    source='dwi',
    outputs=(
        _output('fa', 'FA on the skeleton', 'Fractional anisotropy', '1'),
        _output('md', 'MD on the skeleton', 'Mean diffusivity', 'mm^2/s'),
        _output('ad', 'AD on the skeleton', 'Axial diffusivity', 'mm^2/s'),
        _output('rd', 'RD on the skeleton', 'Radial diffusivity', 'mm^2/s'),
    ),
    init_wf=init_skeleton_wf,
    reference='https://doi.org/10.1016/j.neuroimage.2006.02.024',
    methods=(
        'Crests of fractional anisotropy were found as the skeleton of tract-based spatial '
        'statistics is (Smith et al. 2006, doi:10.1016/j.neuroimage.2006.02.024), but in the '
        "participant's own image."
    ),
    figures=(
        Figure(
            name='skeleton',
            draw=draw_skeleton,
            needs=('tensor_fa', 'skeleton_fa'),
            title='Skeleton of white matter',
            caption='The crests of fractional anisotropy: lines should run along the middle of '
            'tracts.',
        ),
    ),
    minutes=0.1,
    memory_gb=1.0,
)
