"""Step ``qmri_mask``: the voxels of a collection for which maps are made."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nb
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mriderived.config import Config, Device
from mriderived.core.masks import find_signal, keep_largest
from mriderived.interfaces.brain_extraction import extract_brain
from mriderived.interfaces.qmri_acquisition import read_qmri_acquisition
from mriderived.interfaces.sink import write_remarks
from mriderived.interfaces.volumes import load, load_affine, save, voxel_size
from mriderived.measures.base import COLLECTION, Figure, Measure, Output
from mriderived.measures.one_node import one_node_wf
from mriderived.workflows.func_mask import bring_from_t1w
from mriderived.workflows.qmri_figures import draw_qmri_mask

#: In the brain of the T1w, voxels darker than this share of the median have no signal.
VOID = 0.1
#: Body parts in which there is a brain; the sidecar need not name any.
OF_HEAD = ('', 'HEAD', 'BRAIN', 'SKULL')
#: A field of view that is smaller along any axis holds no whole brain, in mm.
WHOLE_MM = 100.0
#: Plausible volumes of a brain, in mL.
BRAIN_ML = (400.0, 2500.0)
NEEDS = ('qmri_reference', 'qmri_acquisition')
OPTIONAL = ('xfm_qmri_to_t1w', 'brain_mask')


class MaskFiles(NamedTuple):
    """The file that :func:`mask_collection` writes."""

    qmri_mask: Path


def mask_collection(
    qmri_reference: Path,
    qmri_acquisition: Path,
    xfm_qmri_to_t1w: Path | None = None,
    brain_mask: Path | None = None,
    device: Device = 'auto',
    threads: int = 1,
) -> MaskFiles:
    """Take the brain from the T1w, or find it, or take all that has a signal."""
    image, affine = np.abs(load(qmri_reference)), load_affine(qmri_reference)
    part = read_qmri_acquisition(qmri_acquisition).body_part.strip().upper()
    kind = 'Brain'
    if part not in OF_HEAD:
        mask, source = find_signal(image), f'all that has a signal: BodyPart is {part}'
        kind = 'ROI'
    elif xfm_qmri_to_t1w is not None and brain_mask is not None:
        brain = bring_from_t1w(brain_mask, xfm_qmri_to_t1w, affine, image.shape) > 0.5
        seen = image > VOID * np.median(image[brain]) if brain.any() else brain
        mask = ndimage.binary_fill_holes(keep_largest(brain & seen)) if brain.any() else brain
        source = 'the T1w image, without voids of the signal'
    else:
        found = _find_brain(image, affine, device, threads)
        if found is None:
            mask, kind = find_signal(image), 'ROI'
            source = 'all that has a signal: no whole brain was found, and there is no T1w image'
        else:
            mask, source = found, 'the reference of the collection: there is no T1w image'
    if not mask.any():
        raise ValueError('no brain was found in the collection; look at its registration')
    path = save(mask.astype(np.uint8), affine, 'mask.nii.gz')
    write_remarks(path, notes=[f'Mask of the collection: from {source}.'], Type=kind)
    return MaskFiles(path)


def _find_brain(
    image: NDArray[np.float32], affine: NDArray[np.float64], device: Device, threads: int
) -> NDArray[np.bool_] | None:
    """Segment the brain of a whole head; nothing where the result cannot be one."""
    size = voxel_size(affine)
    if (size * image.shape < WHOLE_MM).any():
        return None
    to_ras = nb.io_orientation(affine)
    turned = np.ascontiguousarray(nb.apply_orientation(image, to_ras), np.float32)
    try:
        mask = extract_brain(turned, device, threads)
    except ValueError:  # it finds none
        return None
    back = nb.orientations.ornt_transform(nb.io_orientation(np.eye(4)), to_ras)
    found = np.asarray(nb.apply_orientation(mask.astype(np.uint8), _invert(back)) > 0)
    volume = float(found.sum() * size.prod() / 1000)
    return found if BRAIN_ML[0] <= volume <= BRAIN_ML[1] else None


def _invert(orientation: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the change of axes that undoes one."""
    return np.asarray(nb.orientations.ornt_transform(orientation, nb.io_orientation(np.eye(4))))


def init_qmri_mask_wf(config: Config) -> Any:
    """Build the workflow of the step."""
    return one_node_wf(
        mask_collection, (*NEEDS, *OPTIONAL), device=config.device, threads=config.omp_nthreads
    )


QMRI_MASK = Measure(
    name='qmri_mask',
    title='Mask of quantitative MRI',
    needs=NEEDS,
    optional=OPTIONAL,
    source='qmri',
    outputs=(
        Output(
            field='qmri_mask',
            datatype='anat',
            suffix='mask',
            entities={'space': COLLECTION, 'desc': 'brain'},
            description='Voxels for which maps are made: the brain or, where there is none, all '
            'that has a signal.',
            unit='1',
        ),
    ),
    init_wf=init_qmri_mask_wf,
    reference='https://doi.org/10.1016/j.compbiomed.2024.108845',
    methods=(
        'The mask of a collection was the brain of the T1w image; without a T1w image, the brain '
        'was segmented with the networks of deepbet (Fisch et al. 2024, '
        'doi:10.1016/j.compbiomed.2024.108845).'
    ),
    is_preprocessing=True,
    figures=(
        Figure(
            name='qmriMask',
            draw=draw_qmri_mask,
            needs=('qmri_reference', 'qmri_mask'),
            title='Mask of quantitative MRI',
            caption='The outline of the mask (pink) on the reference of the collection.',
            section='brain',
        ),
    ),
    minutes=0.2,
    memory_gb=3.0,
)
