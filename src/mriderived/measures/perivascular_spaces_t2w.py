"""Enlarged perivascular spaces in a T2w image, where they are bright (experimental)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mriderived.config import Config
from mriderived.core.tubes import MOST_MM, check_resolution
from mriderived.figures.mosaic import Contour, mosaic
from mriderived.figures.style import ROSE
from mriderived.interfaces.rigid_files import load_rigid
from mriderived.interfaces.volumes import load, load_affine, voxel_size
from mriderived.measures.base import Figure, Measure, Output, Scope
from mriderived.measures.one_node import one_node_wf
from mriderived.measures.perivascular_spaces import (
    NEEDS as T1W_NEEDS,
)
from mriderived.measures.perivascular_spaces import (
    OPTIONAL,
    PERIVASCULAR_SPACES,
    Search,
    prepare_search,
    spread_spaces,
    write_spaces,
)

NEEDS = ('t2w', 't2w_mask', 'xfm_t2w_to_t1w', *(need for need in T1W_NEEDS if need != 't1w'))


class PerivascularT2wFiles(NamedTuple):
    """The files that :func:`find_bright_spaces` writes."""

    pvs_t2w_mask: Path
    pvs_t2w_morph: Path
    pvs_t2w_objects: Path


def find_bright_spaces(
    t2w: Path,
    t2w_mask: Path,
    xfm_t2w_to_t1w: Path,
    brain_mask: Path,
    csf_probseg: Path,
    structures_dseg: Path,
    lesion_dseg: Path,
    threads: int,
    atlas_dseg: Path | None = None,
    wmh_mask: Path | None = None,
) -> PerivascularT2wFiles:
    """Find bright tubes on the grid of the T2w; where to look comes from the T1w."""
    affine = load_affine(t2w)
    check_resolution(voxel_size(affine).tolist())
    image, seen = load(t2w), load(t2w_mask) > 0
    lesions = [lesion_dseg, *([wmh_mask] if wmh_mask else [])]
    search = prepare_search(brain_mask, csf_probseg, structures_dseg, lesions, atlas_dseg)
    there = np.linalg.inv(load_rigid(xfm_t2w_to_t1w) @ load_affine(brain_mask)) @ affine
    moved = _move(search, np.asarray(there, np.float64), image.shape, seen)
    return PerivascularT2wFiles(*write_spaces(image, affine, moved, threads, is_bright=True))


def _move(
    search: Search, matrix: NDArray[np.float64], shape: tuple[int, ...], seen: NDArray[np.bool_]
) -> Search:
    """Bring the search to another grid, by the nearest voxel; ``matrix`` leads there from it."""
    regions = ndimage.affine_transform(
        search.regions, matrix[:3, :3], matrix[:3, 3], shape, np.int32, order=0, mode='constant'
    )
    regions = np.where(seen, regions, 0).astype(np.int32)
    return Search(regions > 0, regions, search.has_lobes)


def draw_bright_spaces(t2w: Path, t2w_mask: Path, pvs_t2w_mask: Path) -> list[Any]:
    """Draw the outlines of the spaces over the T2w image."""
    affine, spaces = load_affine(t2w), load(pvs_t2w_mask) > 0
    outline = Contour(spread_spaces(spaces, affine), ROSE, 'perivascular spaces (3 mm around)')
    focus = spaces if spaces.any() else None
    brain = load(t2w_mask) > 0
    return [mosaic(load(t2w), affine, contours=[outline], crop_to=brain, margin=2, focus=focus)]


def init_perivascular_spaces_t2w_wf(config: Config) -> Any:
    """Build the workflow of the measure."""
    return one_node_wf(find_bright_spaces, (*NEEDS, *OPTIONAL), threads=config.omp_nthreads)


def _rename(output: Output) -> Output:
    """Return an output of the T1w's measure as that of this one."""
    names = {'pvs_mask': 'T2w', 'pvs_morph': 'T2w', 'pvs_objects': 'T2wObjects'}
    return replace(
        output,
        field=output.field.replace('pvs_', 'pvs_t2w_'),
        entities={'desc': names[output.field], 'label': 'PVS'},
        description=output.description.replace('(exp', 'in the T2w image (exp'),
    )


PERIVASCULAR_SPACES_T2W = Measure(
    name='perivascular_spaces_t2w',
    title='Perivascular spaces in T2w (experimental)',
    needs=NEEDS,
    optional=OPTIONAL,
    atlas=PERIVASCULAR_SPACES.atlas,
    source='T2w',
    scope=Scope(largest_voxel=MOST_MM, is_of_t1w_session=True),
    is_opt_in=True,
    outputs=tuple(_rename(output) for output in PERIVASCULAR_SPACES.outputs),
    init_wf=init_perivascular_spaces_t2w_wf,
    reference=PERIVASCULAR_SPACES.reference,
    methods=(
        'In T2w images enlarged perivascular spaces were looked for as bright tubes, in the same '
        'white matter and basal ganglia, brought to the T2w by its rigid registration.'
    ),
    figures=(
        Figure(
            name='perivascularSpacesT2w',
            draw=draw_bright_spaces,
            needs=('t2w', 't2w_mask', 'pvs_t2w_mask'),
            title='Perivascular spaces in T2w',
            caption='Experimental. Pink outlines lie around bright tubes that were found on a '
            'cut or within 3 mm of it.',
        ),
    ),
    minutes=0.4,
    memory_gb=2.5,
)
