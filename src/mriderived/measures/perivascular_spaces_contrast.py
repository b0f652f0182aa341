"""Enlarged perivascular spaces in the contrast of T1w and T2w: their ratio (experimental)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.config import Config
from mriderived.core.ratio import LEAST_SHARE
from mriderived.core.sampling import resample
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

NEEDS = (*T1W_NEEDS, 't2w', 't2w_mask', 'xfm_t2w_to_t1w')


class PerivascularContrastFiles(NamedTuple):
    """The files that :func:`find_contrast_spaces` writes."""

    pvs_contrast_mask: Path
    pvs_contrast_morph: Path
    pvs_contrast_objects: Path


def find_contrast_spaces(
    t1w: Path,
    brain_mask: Path,
    csf_probseg: Path,
    structures_dseg: Path,
    lesion_dseg: Path,
    t2w: Path,
    t2w_mask: Path,
    xfm_t2w_to_t1w: Path,
    threads: int,
    atlas_dseg: Path | None = None,
    wmh_mask: Path | None = None,
) -> PerivascularContrastFiles:
    """Find tubes that are dark in T1w over T2w, on the grid of the T1w."""
    affine = load_affine(t1w)
    for path in (t1w, t2w):
        check_resolution(voxel_size(load_affine(path)).tolist())
    lesions = [lesion_dseg, *([wmh_mask] if wmh_mask else [])]
    search = prepare_search(brain_mask, csf_probseg, structures_dseg, lesions, atlas_dseg)
    image, seen = divide_on_t1w(t1w, t2w, t2w_mask, xfm_t2w_to_t1w, threads)
    regions = np.where(seen, search.regions, 0).astype(np.int32)
    inside = Search(search.region & seen, regions, search.has_lobes)
    return PerivascularContrastFiles(*write_spaces(image, affine, inside, threads))


def divide_on_t1w(
    t1w: Path, t2w: Path, t2w_mask: Path, xfm_t2w_to_t1w: Path, threads: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return T1w over T2w (0 where the T2w has no signal), and where the T2w sees the brain."""
    first = load(t1w)
    matrix = np.linalg.inv(load_affine(t2w)) @ load_rigid(xfm_t2w_to_t1w) @ load_affine(t1w)
    second, mask = (
        resample(values, matrix, first.shape, threads)
        for values in (load(t2w), load(t2w_mask).astype(np.float32))
    )
    seen = mask > 0.5
    if not seen.any():
        raise ValueError('the brain of the T2w does not lie on the T1w; look at both in a viewer')
    least = LEAST_SHARE * float(np.median(second[seen]))
    is_known = second > least
    ratio = np.divide(first, second, out=np.zeros_like(first), where=is_known)
    return ratio, seen & is_known


def draw_contrast_spaces(
    t1w: Path, t2w: Path, t2w_mask: Path, xfm_t2w_to_t1w: Path, pvs_contrast_mask: Path
) -> list[Any]:
    """Draw the outlines of the spaces over the ratio."""
    affine, spaces = load_affine(t1w), load(pvs_contrast_mask) > 0
    ratio, seen = divide_on_t1w(t1w, t2w, t2w_mask, xfm_t2w_to_t1w, 1)
    outline = Contour(spread_spaces(spaces, affine), ROSE, 'perivascular spaces (3 mm around)')
    shown = np.where(seen, ratio, 0).astype(np.float32)
    focus = spaces if spaces.any() else None
    return [mosaic(shown, affine, contours=[outline], crop_to=seen, margin=2, focus=focus)]


def init_perivascular_spaces_contrast_wf(config: Config) -> Any:
    """Build the workflow of the measure."""
    return one_node_wf(find_contrast_spaces, (*NEEDS, *OPTIONAL), threads=config.omp_nthreads)


def _rename(output: Output) -> Output:
    """Return an output of the T1w's measure as that of this one."""
    names = {'pvs_mask': 'T1wT2w', 'pvs_morph': 'T1wT2w', 'pvs_objects': 'T1wT2wObjects'}
    space = {'space': 'T1w'} if output.field == 'pvs_mask' else {}
    return replace(
        output,
        field=output.field.replace('pvs_', 'pvs_contrast_'),
        entities={**space, 'desc': names[output.field], 'label': 'PVS'},
        description=output.description.replace('(exp', 'in T1w over T2w (exp'),
    )


PERIVASCULAR_SPACES_CONTRAST = Measure(
    name='perivascular_spaces_contrast',
    title='Perivascular spaces in T1w/T2w (experimental)',
    needs=NEEDS,
    optional=OPTIONAL,
    atlas=PERIVASCULAR_SPACES.atlas,
    source='T2w',
    scope=Scope(largest_voxel=MOST_MM, is_of_t1w_session=True),
    is_opt_in=True,
    outputs=tuple(_rename(output) for output in PERIVASCULAR_SPACES.outputs),
    init_wf=init_perivascular_spaces_contrast_wf,
    reference='https://doi.org/10.1038/s41598-019-48910-x',
    methods=(
        'Enlarged perivascular spaces were also looked for as dark tubes in the T1w divided by '
        'the T2w, whose contrast is larger than that of either (after Sepehrband et al. 2019, '
        'doi:10.1038/s41598-019-48910-x), on the grid of the T1w.'
    ),
    figures=(
        Figure(
            name='perivascularSpacesContrast',
            draw=draw_contrast_spaces,
            needs=('t1w', 't2w', 't2w_mask', 'xfm_t2w_to_t1w', 'pvs_contrast_mask'),
            title='Perivascular spaces in T1w/T2w',
            caption='Experimental. Pink outlines lie around dark tubes of the ratio that were '
            'found on a cut or within 3 mm of it. Doubled edges mean that the two images do not '
            'lie on each other.',
        ),
    ),
    minutes=0.5,
    memory_gb=3.0,
)
