"""Step ``flair_anatomy``: which tissue, structure and lobe lie where in a FLAIR image."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nb
import numpy as np
from numpy.typing import NDArray

from mriderived.config import Config
from mriderived.core.filters import block_mean
from mriderived.core.grid_average import count_parts, divide_voxels
from mriderived.core.hyperintensity_contrast import FLUID_SHARE, LIKELY
from mriderived.core.hyperintensity_lobes import LOBES, VENTRICLES, divide_lobes, follow_fluid
from mriderived.core.label_votes import vote_labels
from mriderived.core.masks import find_box
from mriderived.interfaces.flair_template import align_flair
from mriderived.interfaces.rigid_files import load_rigid
from mriderived.interfaces.sink import write_remarks
from mriderived.interfaces.space_files import load_tissues
from mriderived.interfaces.volumes import load, load_affine, save, voxel_size
from mriderived.interfaces.warps import Grid, crop_grid, warp_channels, warp_labels
from mriderived.measures.base import Measure, Output
from mriderived.measures.one_node import one_node_wf
from mriderived.spaces.structures import merge_gyri

#: Without a T1w image, ventricles are larger than the template's by up to this, in mm.
REACH_MM = 8.0
#: Voxels around the brain.
MARGIN = 2
TISSUES = ('csf', 'gm', 'wm')
NEEDS = ('flair', 'flair_mask', 'space_brain', 'space_tissues', 'structures_image')
OPTIONAL = ('xfm_flair_to_t1w', 'xfm_from_space', 'structures_dseg')


class FlairAnatomy(NamedTuple):
    """The files that :func:`bring_anatomy` writes."""

    flair_priors: Path
    flair_structures: Path
    flair_lobes: Path


def bring_anatomy(
    flair: Path,
    flair_mask: Path,
    space_brain: Path,
    space_tissues: Path,
    structures_image: Path,
    threads: int,
    sloppy: bool = False,
    xfm_flair_to_t1w: Path | None = None,
    xfm_from_space: Path | None = None,
    structures_dseg: Path | None = None,
) -> FlairAnatomy:
    """Bring tissue probabilities and labels to the FLAIR, through the T1w where there is one."""
    affine, brain = load_affine(flair), load(flair_mask) > 0
    box = find_box(brain, (MARGIN, MARGIN, MARGIN))
    here, inside = crop_grid(affine, box), brain[box]
    frame, xfm = here.affine, xfm_from_space
    if xfm_flair_to_t1w and xfm_from_space and structures_dseg:
        note = 'The template was brought to the FLAIR through the T1w image.'
        frame = np.linalg.inv(load_rigid(xfm_flair_to_t1w)) @ here.affine
    else:
        note = 'The template was brought to the FLAIR itself: there is no T1w image to go by.'
        structures_dseg = None
        xfm = align_flair(load(flair), affine, brain, space_brain, space_tissues, threads, sloppy)
    assert xfm is not None
    there = Grid(here.shape, np.asarray(frame))
    priors = _average_priors(space_tissues, there, xfm)
    warped = warp_labels(structures_image, there, xfm)
    spacing = voxel_size(affine).tolist()
    if structures_dseg:
        matrix = np.linalg.inv(load_affine(structures_dseg)) @ frame
        shape = (here.shape[0], here.shape[1], here.shape[2])
        structures = vote_labels(load(structures_dseg, np.int32), matrix, shape, threads)
    else:
        structures = _with_fluid(merge_gyri(warped), load(flair)[box], inside, priors, spacing)
    lobes = divide_lobes(warped, inside, spacing)
    files = (
        save(_place(np.moveaxis(priors, 0, -1), brain.shape, box), affine, 'priors.nii.gz'),
        save(_place(structures, brain.shape, box), affine, 'structures.nii.gz'),
        save(_place(lobes, brain.shape, box), affine, 'lobes.nii.gz'),
    )
    write_remarks(files[0], notes=[note])
    return FlairAnatomy(*files)


def _average_priors(space_tissues: Path, grid: Grid, xfm: Path) -> NDArray[np.float32]:
    """Return probabilities of the template averaged over the voxels of a grid."""
    template = nb.as_closest_canonical(nb.loadsave.load(space_tissues)).affine
    parts = count_parts(voxel_size(grid.affine).tolist(), voxel_size(template).tolist())
    fine = Grid(
        tuple(n * part for n, part in zip(grid.shape, parts, strict=True)),
        grid.affine @ divide_voxels(parts),
    )
    maps = warp_channels(load_tissues(space_tissues, TISSUES), template, fine, xfm)
    return np.stack([block_mean(each, parts) for each in maps])


def _with_fluid(
    labels: NDArray[np.int32],
    flair: NDArray[np.float32],
    brain: NDArray[np.bool_],
    priors: NDArray[np.float32],
    spacing: list[float],
) -> NDArray[np.int32]:
    """Let the ventricles of the template end where the fluid of the FLAIR does."""
    template = np.isin(labels, VENTRICLES) & brain
    white = brain & (priors[2] > LIKELY['wm'])
    if not template.any() or not white.any():
        return labels
    fluid = brain & (flair < FLUID_SHARE * np.median(flair[white]))
    found = follow_fluid(template, fluid, spacing, REACH_MM)
    return np.where(found, VENTRICLES[0], np.where(template, 0, labels)).astype(np.int32)


def _place(part: NDArray[Any], shape: tuple[int, ...], box: tuple[slice, ...]) -> NDArray[Any]:
    whole = np.zeros((*shape, *part.shape[3:]), part.dtype)
    whole[box] = part
    return whole


def init_flair_anatomy_wf(config: Config) -> Any:
    """Build the workflow of the step."""
    return one_node_wf(
        bring_anatomy,
        (*NEEDS, *OPTIONAL),
        threads=config.omp_nthreads,
        sloppy=config.sloppy,
    )


FLAIR_ANATOMY = Measure(
    name='flair_anatomy',
    title='Anatomy of FLAIR',
    needs=NEEDS,
    optional=OPTIONAL,
    source='FLAIR',
    outputs=(
        Output(
            field='flair_priors',
            datatype='anat',
            suffix='probseg',
            entities={'space': 'FLAIR', 'desc': 'prior'},
            description='Probabilities of cerebrospinal fluid, grey matter and white matter by '
            'the brain template, on the grid of the preprocessed FLAIR.',
            unit='1',
            sidecar={'LabelMap': ['CSF', 'GM', 'WM']},
        ),
        Output(
            field='flair_structures',
            datatype='anat',
            suffix='dseg',
            entities={'space': 'FLAIR', 'seg': 'aseg'},
            description="Structures of the brain under FreeSurfer's numbers (aseg) on the grid of "
            'the preprocessed FLAIR; without a T1w image all ventricles are 4.',
        ),
        Output(
            field='flair_lobes',
            datatype='anat',
            suffix='dseg',
            entities={'space': 'FLAIR', 'desc': 'lobes'},
            description='Lobes on the grid of the preprocessed FLAIR: that of the nearest gyrus.',
            sidecar={'LabelMap': {str(number): name for number, name in LOBES.items()}},
        ),
    ),
    init_wf=init_flair_anatomy_wf,
    reference='https://doi.org/10.1016/j.media.2007.06.004',
    methods=(
        'Tissue probabilities, structures and gyri of the brain template were brought to the '
        'FLAIR through the T1w image; without one, the FLAIR itself was registered to the '
        'template, whose tissues were given the contrast of a FLAIR (Avants et al. 2008, '
        'doi:10.1016/j.media.2007.06.004). White matter belonged to the lobe of the nearest gyrus '
        '(lobes as in Klein & Tourville 2012, doi:10.3389/fnins.2012.00171).'
    ),
    is_preprocessing=True,
    minutes=0.3,
    memory_gb=3.0,
)
