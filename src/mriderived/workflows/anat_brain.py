"""Step ``brain``: orientation, intensity inhomogeneity and brain mask of a T1w image."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.bids.image_checks import load_clean
from mriderived.config import Config, Device, SkullStrip
from mriderived.core.masks import clean_mask, find_foreground, is_brain_extracted, touched_faces
from mriderived.interfaces.bias import correct_bias
from mriderived.interfaces.brain_extraction import extract_brain
from mriderived.interfaces.sink import write_remarks
from mriderived.interfaces.volumes import save, voxel_size
from mriderived.measures.base import Figure, Measure, Output
from mriderived.measures.one_node import one_node_wf
from mriderived.workflows.anat_figures import draw_brain_mask

Mask = NDArray[np.bool_]

#: An image that differs from its background almost everywhere has none.
FULL = 0.95


class BrainFiles(NamedTuple):
    """What the step writes."""

    t1w: Path
    brain_mask: Path


class FoundBrain(NamedTuple):
    """A brain mask, whether the image ended at it, and where it is from."""

    mask: Mask
    is_extracted: bool
    note: str


def prepare_t1w(
    raw_t1w: Path, skull_strip: SkullStrip, device: Device, threads: int, sloppy: bool = False
) -> BrainFiles:
    """Reorient, find the brain and remove the bias."""
    data, affine = load_clean(raw_t1w)
    size = voxel_size(affine)
    found = find_brain(data, size, skull_strip, device, threads)
    if not found.mask.any():
        raise ValueError(f'{raw_t1w} holds no brain; check the image, or use --skull-strip force')
    notes = [found.note]
    if faces := touched_faces(found.mask):
        notes.append(f'The brain touches the edge of the image ({", ".join(faces)}): cropped.')
    t1w = save(correct_bias(data, found.mask, size, sloppy), affine, 't1w.nii.gz')
    write_remarks(t1w, notes=notes, SkullStripped=found.is_extracted)
    mask = save(found.mask.astype(np.uint8), affine, 'brain_mask.nii.gz')
    return BrainFiles(t1w, mask)


def find_brain(
    data: NDArray[np.float32],
    size: NDArray[np.float64],
    skull_strip: SkullStrip,
    device: Device,
    threads: int,
) -> FoundBrain:
    """Segment the brain, or take it from an image that was already brain-extracted."""
    foreground = find_foreground(data)
    if skull_strip == 'skip':
        if foreground.mean() > FULL:
            raise ValueError(
                'the image has no constant background, so its brain mask cannot be taken from '
                'it; use --skull-strip auto'
            )
        note = 'Brain mask: from the image, as --skull-strip skip asks.'
        return FoundBrain(clean_mask(foreground), True, note)
    mask = extract_brain(data, device, threads)
    if skull_strip == 'auto' and is_brain_extracted(foreground, mask, size):
        note = 'Brain mask: from the image, which was already brain-extracted.'
        return FoundBrain(clean_mask(foreground), True, note)
    return FoundBrain(mask, False, 'Brain mask: segmented from the head.')


def init_brain_wf(config: Config) -> Any:
    """Build the workflow of the step ``brain``."""
    return one_node_wf(
        prepare_t1w,
        BRAIN.needs,
        skull_strip=config.skull_strip,
        device=config.device,
        threads=config.omp_nthreads,
        sloppy=config.sloppy,
    )


BRAIN = Measure(
    name='brain',
    title='Brain extraction',
    needs=('raw_t1w',),
    outputs=(
        Output(
            field='t1w',
            datatype='anat',
            suffix='T1w',
            entities={'desc': 'preproc'},
            description='T1w image with its axes in RAS order and without its intensity '
            'inhomogeneity; never resampled.',
            unit='arbitrary',
        ),
        Output(
            field='brain_mask',
            datatype='anat',
            suffix='mask',
            entities={'desc': 'brain'},
            description='Brain mask: 1 inside, including the ventricles and the fluid in sulci.',
            unit='1',
            sidecar={'Type': 'Brain'},
        ),
    ),
    init_wf=init_brain_wf,
    reference='https://doi.org/10.1016/j.compbiomed.2024.108845',
    methods=(
        'T1w images were reoriented to RAS by permuting axes. Brains were segmented with the '
        'networks of deepbet (Fisch et al. 2024, doi:10.1016/j.compbiomed.2024.108845) unless the '
        'image was already brain-extracted, and intensity inhomogeneity was removed with N4 '
        '(Tustison et al. 2010, doi:10.1109/TMI.2010.2046908).'
    ),
    is_preprocessing=True,
    figures=(
        Figure(
            name='brain',
            draw=draw_brain_mask,
            needs=('t1w', 'brain_mask'),
            title='Brain mask',
            caption='The outline of the brain mask (pink) on the preprocessed T1w.',
            section='brain',
        ),
    ),
    minutes=0.3,
    memory_gb=3.0,
)
