"""The preprocessed diffusion series in template spaces, for models that are fitted there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.config import Config
from mriderived.core.eddy_terms import rotations_to_reference
from mriderived.core.gradient_table import rotate
from mriderived.core.reorientation import finite_strain, fit_affine
from mriderived.core.sampling import resample
from mriderived.core.series_route import Deformation
from mriderived.figures.mosaic import Contour
from mriderived.figures.overlays import flicker_pair
from mriderived.figures.style import CYAN
from mriderived.interfaces.bold_spaces import (
    RESOLUTION,
    SpaceGrid,
    find_deformation,
    read_space_grid,
)
from mriderived.interfaces.dwi_sampling import Grid, RunFiles, load_run, sample_run
from mriderived.interfaces.gradient_tables import save_fsl
from mriderived.interfaces.rigid_files import load_rigid
from mriderived.interfaces.series import save_series
from mriderived.interfaces.sink import write_remarks
from mriderived.interfaces.volumes import load, load_affine, save
from mriderived.measures.base import Figure, Measure, Output
from mriderived.measures.one_node import one_node_wf

NEEDS = (*RunFiles._fields, 'dwi_bias', 'xfm_dwi_to_t1w', 'xfm_to_space', 'space_mask')


class DwiSpaceFiles(NamedTuple):
    """The files that :func:`bring_dwi_to_space` writes."""

    dwi_in_space: Path
    dwi_space_bval: Path
    dwi_space_bvec: Path
    dwi_space_reference: Path
    dwi_space_mask: Path


def bring_dwi_to_space(
    dwi_denoised: Path,
    dwi_gradients: Path,
    dwi_distorted: Path,
    dwi_motion: Path,
    dwi_outliers: Path,
    dwi_displacement: Path,
    dwi_acquisition: Path,
    dwi_bias: Path,
    xfm_dwi_to_t1w: Path,
    xfm_to_space: Path,
    space_mask: Path,
    threads: int = 1,
) -> DwiSpaceFiles:
    """Compose all that moves a volume, sample each once, and turn directions into the space."""
    run = load_run(
        RunFiles(dwi_denoised, dwi_gradients, dwi_distorted, dwi_motion, dwi_outliers,
                 dwi_displacement, dwi_acquisition),
        threads,
    )  # fmt: skip
    space, rigid = read_space_grid(space_mask), load_rigid(xfm_dwi_to_t1w)
    deformation = find_deformation(space, xfm_to_space)
    grid = Grid(space.mask.shape, space.affine, rigid, deformation)
    unweighted = run.gradients.shell == run.gradients.shell.min()
    total = np.zeros(space.mask.shape, np.float64)
    volumes = sample_run(run, grid, load(dwi_bias), threads)
    path = save_series(
        _within(space.mask, volumes, unweighted, total),
        space.affine, space.mask.shape, len(unweighted), run.acquisition.repetition_time,
        'dwi.nii.gz',
    )  # fmt: skip
    turn = turn_into_space(space, deformation, rigid)
    turned = rotate(run.gradients, turn @ rotations_to_reference(run.motion.matrices))
    write_remarks(path, notes=list(run.notes), Shells=list(run.gradients.shells))
    mean = (total / unweighted.sum()).astype(np.float32)
    reference = save(mean, space.affine, 'reference.nii.gz')
    mask = save((space.mask & (mean > 0)).astype(np.uint8), space.affine, 'mask.nii.gz')
    return DwiSpaceFiles(path, *save_fsl(turned, space.affine, 'dwi'), reference, mask)


def turn_into_space(
    space: SpaceGrid, deformation: Deformation, rigid: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the rotation (3, 3) of directions from the reference of a series to a space.

    It is that of the affine map which fits the whole transform best within the brain, so that it
    does not depend on which part of a transform is linear.
    """
    voxels = np.argwhere(space.mask)
    images = voxels + deformation.field[:, space.mask].T
    back = fit_affine(
        *(p @ space.affine[:3, :3].T + space.affine[:3, 3] for p in (voxels, images))
    )
    return finite_strain(rigid @ back).T


def _within(
    mask: NDArray[np.bool_],
    volumes: Iterator[NDArray[np.float32]],
    unweighted: NDArray[np.bool_],
    total: NDArray[np.float64],
) -> Iterator[NDArray[np.float32]]:
    """Pass volumes on within a mask, and add the unweighted ones to a total."""
    for volume, is_unweighted in zip(volumes, unweighted, strict=True):
        inside = np.where(mask, volume, np.float32(0))
        if is_unweighted:
            total += inside
        yield inside


def init_dwi_in_space_wf(config: Config) -> Any:
    """Build the workflow of the measure."""
    return one_node_wf(bring_dwi_to_space, NEEDS, threads=config.omp_nthreads)


def draw_dwi_in_space(dwi_space_reference: Path, space_brain: Path) -> list[Any]:
    """Draw the mean of the unweighted volumes in a space and the template of the space."""
    mean, affine = load(dwi_space_reference), load_affine(dwi_space_reference)
    template, there = load(space_brain), load_affine(space_brain)
    after = resample(template, np.linalg.inv(there) @ affine, mean.shape)
    inside = after > 0.1 * np.percentile(after, 99)
    outline = [Contour(inside.astype(np.float32), CYAN, 'brain of the template')]
    pair = flicker_pair(
        mean, after, affine, contours=outline, crop_to=inside,
        titles=('Diffusion, in the space', 'Template of the space'),
    )  # fmt: skip
    return list(pair)


_NAME = {'res': '2', 'desc': 'preproc'}
DWI_IN_SPACE = Measure(
    name='dwi_in_space',
    title='Preprocessed diffusion, in a space',
    needs=NEEDS,
    source='dwi',
    over='space',
    outputs=(
        Output(
            field='dwi_in_space',
            datatype='dwi',
            suffix='dwi',
            entities=_NAME,
            description=(
                'The series after denoising and the correction of head motion, eddy currents, '
                'distortion and smooth inhomogeneity, within the brain of the space; every volume '
                'was interpolated once, by cubic B-splines.'
            ),
            unit='arbitrary',
            sidecar={'SkullStripped': True, 'Resolution': RESOLUTION},
        ),
        Output(
            field='dwi_space_bval',
            datatype='dwi',
            suffix='dwi',
            extension='.bval',
            entities=_NAME,
            description='b-values of the volumes, in s/mm^2.',
            draft='mriderived',
        ),
        Output(
            field='dwi_space_bvec',
            datatype='dwi',
            suffix='dwi',
            extension='.bvec',
            entities=_NAME,
            description=(
                'Directions of the volumes, turned with the head and by the rotation of the '
                'affine map that fits the whole transform to the space best (finite strain), '
                'along the axes of the voxels (the first one reversed where the determinant of '
                'the affine is positive).'
            ),
            draft='mriderived',
        ),
        Output(
            field='dwi_space_reference',
            datatype='dwi',
            suffix='dwiref',
            entities={'res': '2'},
            description='Mean of the unweighted volumes in the space.',
            unit='arbitrary',
            sidecar={'SkullStripped': True, 'Resolution': RESOLUTION},
            draft='mriderived',
        ),
        Output(
            field='dwi_space_mask',
            datatype='dwi',
            suffix='mask',
            entities={'res': '2', 'desc': 'brain'},
            description='Voxels of the brain of the space that the series has seen.',
            unit='1',
            sidecar={'Type': 'Brain', 'Resolution': RESOLUTION},
        ),
    ),
    init_wf=init_dwi_in_space_wf,
    reference='https://doi.org/10.1109/42.963816',
    methods=(
        'For template spaces, head motion, eddy currents, distortion, the registration to the T1w '
        'image and that to the space were composed, and volumes of diffusion were interpolated '
        'once; gradient directions were turned by the rotation of the affine map that fits the '
        'transform to the space best (finite strain, Alexander et al. 2001, '
        'doi:10.1109/42.963816).'
    ),
    is_opt_in=True,
    figures=(
        Figure(
            name='space',
            draw=draw_dwi_in_space,
            needs=('dwi_space_reference', 'space_brain'),
            title='Diffusion in the space',
            caption='The mean of the unweighted volumes in the space and the template of the '
            'space, by turns.',
            section='registration',
        ),
    ),
    minutes=1.0,
    memory_gb=3.0,
)
