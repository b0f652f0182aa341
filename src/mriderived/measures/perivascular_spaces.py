"""Enlarged perivascular spaces in white matter and basal ganglia (experimental)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mriderived.config import Config
from mriderived.core.masks import find_box
from mriderived.core.perivascular_regions import divide_region, find_perivascular_region
from mriderived.core.tube_components import keep_spaces
from mriderived.core.tubes import MOST_MM, check_resolution, find_tubes
from mriderived.figures.mosaic import Contour, mosaic
from mriderived.figures.style import CYAN, ROSE
from mriderived.interfaces.sink import write_remarks
from mriderived.interfaces.volumes import load, load_affine, save, voxel_size
from mriderived.interfaces.warps import crop_grid
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
OPTIONAL = ('atlas_dseg',)
EXPERIMENTAL = (
    'Experimental: validated with synthetic tubes only. Compare numbers of one scanner and one '
    'resolution, and look at the picture.'
)
#: What is kept around the brain, in mm.
MARGIN_MM = 4.0
#: Spaces are drawn on the cuts that pass so near, in mm.
SHOWN_MM = 3.0


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
) -> PerivascularFiles:
    """Find dark tubes of fluid in white matter and basal ganglia of a T1w image."""
    affine = load_affine(t1w)
    spacing = [float(size) for size in voxel_size(affine)]
    check_resolution(spacing)
    mask = load(brain_mask) > 0
    box = find_box(mask, [int(np.ceil(MARGIN_MM / size)) for size in spacing])
    structures = load(structures_dseg, np.int32)[box]
    lesions = load(lesion_dseg, np.uint8)[box] > 0
    region = find_perivascular_region(
        structures, load(csf_probseg)[box], mask[box], spacing, lesions
    )
    gyri = load(atlas_dseg, np.int32)[box] if atlas_dseg else None
    regions = divide_region(structures, region, spacing, gyri)
    tubes = find_tubes(np.ascontiguousarray(load(t1w)[box]), region, spacing, threads=threads)
    found = keep_spaces(tubes.mask, spacing, regions)
    summary, reasons = make_summary(
        found.table, regions, float(np.prod(spacing)), has_lobes=gyri is not None
    )
    spaces = np.zeros(mask.shape, np.uint8)
    spaces[box] = found.labels > 0
    out_mask = save(spaces, affine, 'spaces.nii.gz')
    morph = write_table(summary, 'summary.tsv')
    said = {'VoxelSize': [round(size, 4) for size in spacing], 'Experimental': EXPERIMENTAL}
    write_remarks(out_mask, **said)
    write_remarks(morph, **said, **({'MissingReasons': reasons} if reasons else {}))
    cropped = crop_grid(affine, box).affine
    objects = write_table(make_object_table(found.table, cropped), 'objects.tsv')
    return PerivascularFiles(out_mask, morph, objects)


def draw_spaces(t1w: Path, brain_mask: Path, pvs_mask: Path, structures_dseg: Path) -> list[Any]:
    """Draw the outlines of the spaces; what lies just beside a cut is drawn on it, too."""
    affine, spaces = load_affine(t1w), load(pvs_mask) > 0
    reach = [max(1, 2 * round(SHOWN_MM / size) + 1) for size in voxel_size(affine)]
    near = {
        axis: ndimage.maximum_filter1d(spaces.view(np.uint8), reach[axis], axis)
        for axis in range(3)
    }
    shown: NDArray[np.uint8] = near[0] | near[1] | near[2]
    white = np.isin(load(structures_dseg, np.int32), (2, 41)).astype(np.float32)
    outlines = [
        Contour(shown, ROSE, 'perivascular spaces (3 mm around them)'),
        Contour(white, CYAN, 'white matter', width=0.3),
    ]
    brain = load(brain_mask) > 0
    focus = spaces if spaces.any() else None
    image = load(t1w)
    return [mosaic(image, affine, contours=outlines, crop_to=brain, margin=2, focus=focus)]


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
