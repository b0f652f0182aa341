"""White-matter hyperintensities in a FLAIR image: probability, mask, each of them, and sums."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mriderived.config import Config
from mriderived.core.hyperintensities import Hyperintensities, Scan, find_hyperintensities
from mriderived.core.hyperintensity_lobes import CHOROID, INFRATENTORIAL, LOBES, VENTRICLES
from mriderived.core.hyperintensity_measures import (
    label_components,
    list_components,
    sum_volumes,
)
from mriderived.core.hyperintensity_territory import distance_mm, weigh
from mriderived.core.partial_volume import Fractions
from mriderived.figures.mosaic import Contour, mosaic
from mriderived.figures.style import ROSE
from mriderived.interfaces.contrast_grid import bring_to_contrast
from mriderived.interfaces.lesion_masks import read_lesion_mask
from mriderived.interfaces.sink import write_remarks
from mriderived.interfaces.volumes import load, load_affine, save, voxel_size
from mriderived.measures.base import Figure, Measure, Output
from mriderived.measures.one_node import one_node_wf
from mriderived.measures.wmh_columns import (
    component_columns,
    make_component_table,
    make_summary,
    summary_columns,
)

#: Thicker slices hold too little of a lesion each, in mm.
MOST_MM = 7.0
#: Coarser than this, small lesions are missed more often than where the method was tried, in mm.
COARSE_MM = 2.0
#: What ``SegmentationSource`` says of a mask that somebody drew.
GIVEN = 'mask that was given'
NO_VENTRICLE = 'no ventricle lies in the image'
NEEDS = ('flair', 'flair_mask', 'flair_priors', 'flair_structures', 'flair_lobes')
OPTIONAL = ('xfm_flair_to_t1w', 'gm_probseg', 'wm_probseg', 'csf_probseg',
            'raw_flair_lesion_mask')  # fmt: skip


class WmhFiles(NamedTuple):
    """The files that :func:`find_wmh` writes."""

    wmh_probseg: Path
    wmh_flair_mask: Path
    wmh_morph: Path
    wmh_components: Path


def find_wmh(
    flair: Path,
    flair_mask: Path,
    flair_priors: Path,
    flair_structures: Path,
    flair_lobes: Path,
    threads: int,
    xfm_flair_to_t1w: Path | None = None,
    gm_probseg: Path | None = None,
    wm_probseg: Path | None = None,
    csf_probseg: Path | None = None,
    raw_flair_lesion_mask: Path | None = None,
) -> WmhFiles:
    """Find hyperintensities on the grid of the FLAIR, or take the mask that was given."""
    maps = (gm_probseg, wm_probseg, csf_probseg)
    tissues = bring_tissues(flair, xfm_flair_to_t1w, maps, threads)
    scan = read_scan(flair, flair_mask, flair_priors, flair_structures, tissues)
    if raw_flair_lesion_mask is not None:
        found = take_given(raw_flair_lesion_mask, flair, flair_mask)
        return write_wmh(found, scan, flair, flair_lobes, GIVEN)
    found = find_hyperintensities(scan, threads)
    method = 'FLAIR and T1w' if tissues else 'FLAIR alone'
    return write_wmh(found, scan, flair, flair_lobes, method)


def bring_tissues(
    flair: Path, xfm_to_t1w: Path | None, maps: tuple[Path | None, ...], threads: int
) -> Fractions | None:
    """Average grey and white matter and fluid of a T1w, if there is one, over the FLAIR."""
    known = [path for path in maps if path is not None]
    if xfm_to_t1w is None or len(known) < len(maps):
        return None
    affine, shape = load_affine(flair), load(flair).shape
    return Fractions(
        *(
            bring_to_contrast(load(path), path, xfm_to_t1w, affine, shape, threads)
            for path in known
        )
    )


def take_given(raw_flair_lesion_mask: Path, flair: Path, flair_mask: Path) -> Hyperintensities:
    """Return the mask that somebody drew; it may be empty."""
    mask = read_lesion_mask(
        raw_flair_lesion_mask, flair, flair_mask, contrast='FLAIR', may_be_empty=True
    )
    return Hyperintensities(mask.astype(np.float32), mask)


def read_scan(
    flair: Path, mask: Path, priors: Path, structures: Path, tissues: Fractions | None
) -> Scan:
    """Bring together what is known on the grid of the FLAIR."""
    x, y, z = (float(size) for size in voxel_size(load_affine(flair)))
    if max(x, y, z) > MOST_MM:
        raise ValueError(
            f'the voxels of the FLAIR measure {x:.3g} x {y:.3g} x {z:.3g} mm: slices thicker than '
            f'{MOST_MM:g} mm are not segmented'
        )
    labels = load(structures, np.int32)
    return Scan(
        load(flair),
        load(mask) > 0,
        np.ascontiguousarray(np.moveaxis(load(priors), -1, 0)),
        np.isin(labels, VENTRICLES),
        (x, y, z),
        tissues,
        np.isin(labels, CHOROID),
        weigh(np.isin(labels, INFRATENTORIAL)),
    )


def write_wmh(
    found: Hyperintensities,
    scan: Scan,
    flair: Path,
    flair_lobes: Path,
    method: str,
    **said: Any,
) -> WmhFiles:
    """Write probability, mask and both tables; ``said`` goes to the sidecars of the images."""
    affine = load_affine(flair)
    lobes = load(flair_lobes, np.int32)
    ventricle_mm = distance_mm(scan.ventricles, scan.spacing)
    listed = list_components(
        label_components(found.mask), found.probability, ventricle_mm, scan.spacing, lobes
    )
    components = make_component_table(listed, affine)
    volumes = sum_volumes(found.mask, ventricle_mm, scan.spacing, lobes, LOBES)
    summary = make_summary(volumes, components)
    notes = [f'White-matter hyperintensities: {method}.']
    if max(scan.spacing) > COARSE_MM:
        notes.append(
            f'Slices of {max(scan.spacing):.2g} mm: small hyperintensities are missed more often '
            'than at 1 mm.'
        )
    probability = save(found.probability, affine, 'probability.nii.gz')
    write_remarks(probability, notes=notes, SegmentationSource=method, **said)
    mask = save(found.mask.astype(np.uint8), affine, 'mask.nii.gz')
    write_remarks(mask, SegmentationSource=method, **said)
    tables = []
    for name, table in (('summary', summary), ('components', components)):
        tables.append(Path.cwd() / f'{name}.tsv')
        table.to_csv(tables[-1], sep='\t', index=False, na_rep='n/a', float_format='%.7g')
    lacking = [str(name) for name in summary if not np.isfinite(summary[name]).all()]
    write_remarks(tables[0], MissingReasons=dict.fromkeys(lacking, NO_VENTRICLE))
    if lacking and len(components):
        by_distance = ('ventricle_distance', 'place')
        write_remarks(tables[1], MissingReasons=dict.fromkeys(by_distance, NO_VENTRICLE))
    return WmhFiles(probability, mask, *tables)


def draw_wmh(flair: Path, flair_mask: Path, wmh_flair_mask: Path) -> list[Any]:
    """Draw the outline of hyperintensities on the FLAIR."""
    mask = load(wmh_flair_mask) > 0
    outline = [Contour(mask, ROSE, 'hyperintensities')] if mask.any() else []
    title = '' if mask.any() else 'No hyperintensity was found.'
    brain = load(flair_mask) > 0
    focus = mask if mask.any() else None
    return [
        mosaic(
            load(flair), load_affine(flair), contours=outline, crop_to=brain, margin=4,
            title=title, focus=focus,
        )
    ]  # fmt: skip


def init_wmh_wf(config: Config) -> Any:
    """Build the workflow of the measure."""
    return one_node_wf(find_wmh, (*NEEDS, *OPTIONAL), threads=config.omp_nthreads)


WMH = Measure(
    name='wmh',
    title='White-matter hyperintensities',
    needs=NEEDS,
    optional=OPTIONAL,
    source='FLAIR',
    outputs=(
        Output(
            field='wmh_probseg',
            datatype='anat',
            suffix='probseg',
            entities={'space': 'FLAIR', 'label': 'WMH'},
            description='Probability of a white-matter hyperintensity on the grid of the '
            'preprocessed FLAIR, above 0.5 in those of the mask alone.',
            unit='1',
        ),
        Output(
            field='wmh_flair_mask',
            datatype='anat',
            suffix='mask',
            entities={'space': 'FLAIR', 'label': 'WMH'},
            description='White-matter hyperintensities on the grid of the preprocessed FLAIR.',
            unit='1',
            sidecar={'Type': 'Lesion'},
        ),
        Output(
            field='wmh_morph',
            datatype='anat',
            suffix='morph',
            extension='.tsv',
            entities={'desc': 'wmh'},
            description='Volume and number of white-matter hyperintensities, by place.',
            columns=summary_columns(),
            draft='mriderived',
        ),
        Output(
            field='wmh_components',
            datatype='anat',
            suffix='morph',
            extension='.tsv',
            entities={'desc': 'wmhcomponents'},
            description='Every white-matter hyperintensity.',
            columns=component_columns(),
            in_cohort=False,
            draft='mriderived',
        ),
    ),
    init_wf=init_wmh_wf,
    reference='https://doi.org/10.1109/42.938237',
    methods=(
        'White-matter hyperintensities were found in the FLAIR, on its own grid, as voxels '
        'brighter than normal-appearing white and grey matter at two scales (an outlier model in '
        'the manner of Van Leemput et al. 2001, doi:10.1109/42.938237) where the template expects '
        'white matter, away from the septum, the choroid plexus and the rim of the brain. They '
        'reach to half of their height. Those within 10 mm of a ventricle counted as '
        'periventricular (DeCarli et al. 2005, doi:10.1161/01.STR.0000150668.58689.f2). Masks '
        'that were given took the place of the search.'
    ),
    figures=(
        Figure(
            name='wmh',
            draw=draw_wmh,
            needs=('flair', 'flair_mask', 'wmh_flair_mask'),
            title='White-matter hyperintensities',
            caption='Outlines of hyperintensities (pink) on the FLAIR, in cuts spread over them. '
            'Look for bright lines along the ventricles, the septum, the choroid plexus and the '
            'cortex, which are none, and for small ones that were missed.',
        ),
    ),
    minutes=0.3,
    memory_gb=2.0,
)
