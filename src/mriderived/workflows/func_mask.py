"""Step ``bold_mask``: the voxels of a BOLD run that lie in the brain and have a signal."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nb
import numpy as np
from nilearn.masking import compute_epi_mask
from numpy.typing import NDArray
from scipy import ndimage

from mriderived.config import Config
from mriderived.core.masks import keep_largest
from mriderived.core.sampling import resample
from mriderived.interfaces.constant_voxels import find_constant, undistort_constant
from mriderived.interfaces.rigid_files import load_rigid
from mriderived.interfaces.sink import write_remarks
from mriderived.interfaces.volumes import load, load_affine, save, voxel_size
from mriderived.measures.base import Figure, Measure, Output
from mriderived.measures.one_node import one_node_wf
from mriderived.workflows.func_figures import draw_bold_mask

#: In the brain of the T1w, voxels darker than this share of the median have lost their signal.
VOID = 0.15
#: The brain of the T1w is widened by this much: volumes of BOLD are coarse.
MARGIN_MM = 1.0

NEEDS = ('bold_reference', 'raw_bold', 'bold_displacement', 'bold_acquisition')
OPTIONAL = ('xfm_bold_to_t1w', 'brain_mask')


class MaskFiles(NamedTuple):
    """The file that :func:`mask_epi` writes."""

    mask: Path


def mask_epi(
    reference: Path,
    xfm_to_t1w: Path | None = None,
    brain_mask: Path | None = None,
    raw_bold: Path | None = None,
    bold_displacement: Path | None = None,
    bold_acquisition: Path | None = None,
    what: str = 'BOLD',
) -> MaskFiles:
    """Take the brain from the T1w, where there is one, and leave out voids of the signal.

    With the raw series, voxels that never change in it are left out, too: interpolation would
    make them look like the others.
    """
    epi, affine = load(reference), load_affine(reference)
    if xfm_to_t1w is None or brain_mask is None:
        image = compute_epi_mask(nb.Nifti1Image(epi, affine))
        mask = np.asarray(image.dataobj) > 0
        source = f'the histogram of the {what} reference: there is no T1w image'
    else:
        brain = bring_from_t1w(brain_mask, xfm_to_t1w, affine, epi.shape) > 0.5
        grown = ndimage.distance_transform_edt(~brain, sampling=voxel_size(affine)) <= MARGIN_MM
        seen = epi > VOID * np.median(epi[brain]) if brain.any() else brain
        mask = ndimage.binary_fill_holes(keep_largest(grown & seen))
        source = 'the T1w image, without voids of the signal'
    if raw_bold and bold_displacement and bold_acquisition:
        constant = find_constant(raw_bold)
        mask &= ~undistort_constant(constant, bold_displacement, bold_acquisition)
    if not mask.any():
        raise ValueError(f'no brain was found in the {what} reference; look at its registration')
    path = save(mask.astype(np.uint8), affine, 'mask.nii.gz')
    write_remarks(path, notes=[f'Brain mask of {what}: from {source}.'])
    return MaskFiles(path)


def bring_from_t1w(
    path: Path, xfm_to_t1w: Path, affine: NDArray[np.float64], shape: tuple[int, ...]
) -> NDArray[np.float32]:
    """Return a map of the T1w at the voxels of an EPI series, averaged over about a voxel."""
    there = load_affine(path)
    ratio = voxel_size(affine) / voxel_size(there)
    width = float(np.clip((ratio.mean() - 1) / 2.355, 0, None))
    values = ndimage.gaussian_filter(load(path), width) if width > 0 else load(path)
    to_map = np.linalg.inv(there) @ np.linalg.inv(load_rigid(xfm_to_t1w)) @ affine
    return resample(np.ascontiguousarray(values, np.float32), to_map, shape)


def init_bold_mask_wf(config: Config) -> Any:
    """Build the workflow of the step."""
    return mask_wf('bold', 'BOLD', config)


def mask_wf(source: str, what: str, config: Config) -> Any:
    """Build the workflow that finds the brain in images of one kind, for which ``what`` stands."""
    del config  # nothing in the settings changes it
    needs = [f'{source}_reference=reference', f'xfm_{source}_to_t1w=xfm_to_t1w', 'brain_mask']
    if source == 'bold':
        needs += ['raw_bold', 'bold_displacement', 'bold_acquisition']
    return one_node_wf(mask_epi, needs, {'mask': f'{source}_mask'}, what=what)


BOLD_MASK = Measure(
    name='bold_mask',
    title='Brain mask of BOLD',
    needs=NEEDS,
    optional=OPTIONAL,
    source='bold',
    outputs=(
        Output(
            field='bold_mask',
            datatype='func',
            suffix='mask',
            entities={'desc': 'brain'},
            description='Voxels of the brain that have a signal.',
            unit='1',
            sidecar={'Type': 'Brain'},
        ),
    ),
    init_wf=init_bold_mask_wf,
    reference='https://doi.org/10.3389/fninf.2014.00014',
    methods=(
        'The brain mask of BOLD was that of the T1w image, without voids of the signal; without '
        'a T1w image it was found in the histogram of the reference with nilearn (Abraham et al. '
        '2014, doi:10.3389/fninf.2014.00014).'
    ),
    is_preprocessing=True,
    figures=(
        Figure(
            name='mask',
            draw=draw_bold_mask,
            needs=('bold_reference', 'bold_mask'),
            title='Brain mask of BOLD',
            caption='The outline of the mask (pink) on the BOLD reference.',
            section='brain',
        ),
    ),
    minutes=0.05,
    memory_gb=1.0,
)
