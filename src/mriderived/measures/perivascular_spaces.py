"""Enlarged perivascular spaces in white matter and basal ganglia (experimental)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mriderived.config import Config
from mriderived.core.masks import find_box
from mriderived.core.perivascular_regions import (
    WHITE,
    divide_region,
    find_perivascular_region,
)
from mriderived.core.tube_components import keep_spaces
from mriderived.core.tubes import MOST_MM, check_resolution, find_tubes
from mriderived.figures.mosaic import Contour, mosaic
from mriderived.figures.style import CYAN, ROSE
from mriderived.interfaces.sink import write_remarks
from mriderived.interfaces.volumes import load, load_affine, save, voxel_size
from mriderived.measures.base import Figure, Measure, Output, Scope
from mriderived.measures.one_node import one_node_wf
from mriderived.measures.perivascular_columns import (
    make_object_table,
    make_summary,
    object_columns,
    summary_columns,
)
from mriderived.measures.tables import write_table
from mriderived.spaces.structures import ATLAS

NEEDS = ('t1w', 'brain_mask', 'csf_probseg', 'structures_dseg', 'lesion_dseg')
OPTIONAL = ('atlas_dseg', 'wmh_mask')
EXPERIMENTAL = (
    'Experimental: validated with synthetic tubes only. Compare numbers of one scanner and one '
    'resolution, and look at the picture.'
)
#: What is kept around the brain, in mm.
MARGIN_MM = 4.0
#: Spaces are drawn on the cuts that pass so near, in mm.
SHOWN_MM = 3.0


class Search(NamedTuple):
    """Where spaces are looked for in an image, and of which region of the brain each voxel is."""

    region: NDArray[np.bool_]
    regions: NDArray[np.int32]
    has_lobes: bool


class Found(NamedTuple):
    """The files that :func:`write_spaces` writes."""

    mask: Path
    morph: Path
    objects: Path


class PerivascularFiles(NamedTuple):
    """The files that :func:`find_perivascular_spaces` writes."""

    pvs_mask: Path
    pvs_morph: Path
    pvs_objects: Path


def find_perivascular_spaces(
    t1w: Path,
    brain_mask: Path,
    csf_probseg: Path,
    structures_dseg: Path,
    lesion_dseg: Path,
    threads: int,
    atlas_dseg: Path | None = None,
    wmh_mask: Path | None = None,
) -> PerivascularFiles:
    """Find dark tubes of fluid in white matter and basal ganglia of a T1w image."""
    affine = load_affine(t1w)
    check_resolution(voxel_size(affine).tolist())
    lesions = [lesion_dseg, *([wmh_mask] if wmh_mask else [])]
    search = prepare_search(brain_mask, csf_probseg, structures_dseg, lesions, atlas_dseg)
    return PerivascularFiles(*write_spaces(load(t1w), affine, search, threads))


def prepare_search(
    brain_mask: Path,
    csf_probseg: Path,
    structures_dseg: Path,
    lesions: Sequence[Path],
    atlas_dseg: Path | None,
) -> Search:
    """Return where to look on the grid of the T1w image."""
    mask = load(brain_mask) > 0
    spacing = voxel_size(load_affine(brain_mask)).tolist()
    box = find_box(mask, [int(np.ceil(MARGIN_MM / size)) for size in spacing])
    structures = load(structures_dseg, np.int32)[box]
    masks = np.any([load(path, np.uint8)[box] > 0 for path in lesions], axis=0)
    fluid = load(csf_probseg)[box]
    region = find_perivascular_region(structures, fluid, mask[box], spacing, masks)
    gyri = load(atlas_dseg, np.int32)[box] if atlas_dseg else None
    whole = np.zeros(mask.shape, bool)
    whole[box] = region
    regions = np.zeros(mask.shape, np.int32)
    regions[box] = divide_region(structures, region, spacing, gyri)
    return Search(whole, regions, gyri is not None)


def write_spaces(
    image: NDArray[np.float32],
    affine: NDArray[np.float64],
    search: Search,
    threads: int,
    *,
    is_bright: bool = False,
) -> Found:
    """Find tubes and write them as a mask, a table of all and a table of each."""
    spacing = voxel_size(affine).tolist()
    tubes = find_tubes(image, search.region, spacing, is_bright, threads=threads)
    found = keep_spaces(tubes.mask, spacing, search.regions)
    summary, reasons = make_summary(
        found.table, search.regions, float(np.prod(spacing)), has_lobes=search.has_lobes
    )
    mask = save((found.labels > 0).astype(np.uint8), affine, 'spaces.nii.gz')
    morph = write_table(summary, 'summary.tsv')
    said: dict[str, Any] = {
        'VoxelSize': [round(size, 4) for size in spacing],
        'Experimental': EXPERIMENTAL,
    }
    write_remarks(mask, **said)
    write_remarks(morph, **said, MissingReasons=reasons)
    return Found(mask, morph, write_table(make_object_table(found.table, affine), 'objects.tsv'))


def draw_spaces(t1w: Path, brain_mask: Path, pvs_mask: Path, structures_dseg: Path) -> list[Any]:
    """Draw the outlines of the spaces over the image."""
    affine, spaces = load_affine(t1w), load(pvs_mask) > 0
    white = np.isin(load(structures_dseg, np.int32), WHITE).astype(np.float32)
    outlines = [
        Contour(spread_spaces(spaces, affine), ROSE, 'perivascular spaces (3 mm around)'),
        Contour(white, CYAN, 'white matter', width=0.3),
    ]
    focus = spaces if spaces.any() else None
    brain = load(brain_mask) > 0
    return [mosaic(load(t1w), affine, contours=outlines, crop_to=brain, margin=2, focus=focus)]


def spread_spaces(spaces: NDArray[np.bool_], affine: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return the mask on all cuts that pass within :data:`SHOWN_MM`."""
    flags = spaces.astype(np.uint8)
    shown = flags.copy()
    for axis, size in enumerate(voxel_size(affine)):
        reach = 2 * max(1, round(SHOWN_MM / float(size))) + 1
        shown |= ndimage.maximum_filter1d(flags, reach, axis)
    return shown


def init_perivascular_spaces_wf(config: Config) -> Any:
    """Build the workflow of the measure."""
    return one_node_wf(find_perivascular_spaces, (*NEEDS, *OPTIONAL), threads=config.omp_nthreads)


PERIVASCULAR_SPACES = Measure(
    name='perivascular_spaces',
    title='Perivascular spaces (experimental)',
    needs=NEEDS,
    optional=OPTIONAL,
    atlas=ATLAS,
    scope=Scope(largest_voxel=MOST_MM),
    is_opt_in=True,
    outputs=(
        Output(
            field='pvs_mask',
            datatype='anat',
            suffix='mask',
            entities={'label': 'PVS'},
            description='Enlarged perivascular spaces in white matter and basal ganglia '
            '(experimental).',
            sidecar={'Type': 'ROI'},
        ),
        Output(
            field='pvs_morph',
            datatype='anat',
            suffix='morph',
            extension='.tsv',
            entities={'label': 'PVS'},
            description='Number, volume, length and diameter of enlarged perivascular spaces '
            '(experimental).',
            columns=summary_columns(),
            draft='mriderived',
        ),
        Output(
            field='pvs_objects',
            datatype='anat',
            suffix='morph',
            extension='.tsv',
            entities={'desc': 'objects', 'label': 'PVS'},
            description='Every enlarged perivascular space (experimental).',
            columns=object_columns(),
            in_cohort=False,
            draft='mriderived',
        ),
    ),
    init_wf=init_perivascular_spaces_wf,
    reference='https://doi.org/10.1038/s41598-018-19781-5',
    methods=(
        'Enlarged perivascular spaces were looked for in white matter of the cerebrum and in the '
        'basal ganglia, at least 2 mm away from ventricles, sulci and lesions, by a filter for '
        'dark tubes at several scales (Frangi et al. 1998, doi:10.1007/BFb0056195; Ballerini et '
        'al. 2018, doi:10.1038/s41598-018-19781-5), in units of the texture nearby. Connected '
        'voxels were kept that are at least 3 mm long, at most 4 mm wide and straight. This '
        'measure is experimental.'
    ),
    figures=(
        Figure(
            name='perivascularSpaces',
            draw=draw_spaces,
            needs=('t1w', 'brain_mask', 'pvs_mask', 'structures_dseg'),
            title='Perivascular spaces',
            caption='Experimental. Pink outlines lie around dark tubes that were found on a cut '
            'or within 3 mm of it. What is none: edges of sulci, vessels, and bridges of grey '
            'matter between the basal ganglia.',
        ),
    ),
    minutes=0.4,
    memory_gb=2.5,
)
