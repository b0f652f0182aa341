"""Steps ``t2w_brain`` and ``flair_brain``: brain mask and inhomogeneity of another contrast."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mriderived.bids.image_checks import load_clean
from mriderived.config import Config, Device, SkullStrip
from mriderived.interfaces.bias import correct_bias
from mriderived.interfaces.contrast_grid import bring_to_contrast
from mriderived.interfaces.sink import write_remarks
from mriderived.interfaces.volumes import load, save, voxel_size
from mriderived.measures.base import Figure, Measure, Output
from mriderived.measures.one_node import one_node_wf
from mriderived.workflows.anat_brain import find_brain
from mriderived.workflows.contrast_figures import draw_flair_mask, draw_t2w_mask

OF_T1W = 'Brain mask: that of the T1w image.'


class ContrastBrain(NamedTuple):
    """The files that :func:`prepare_contrast` writes."""

    image: Path
    mask: Path


def prepare_contrast(
    raw: Path,
    skull_strip: SkullStrip,
    device: Device,
    threads: int,
    xfm_to_t1w: Path | None = None,
    brain_mask: Path | None = None,
    sloppy: bool = False,
) -> ContrastBrain:
    """Reorient, find the brain (that of the T1w, where it is known) and remove the bias."""
    data, affine = load_clean(raw)
    size = voxel_size(affine)
    if xfm_to_t1w is not None and brain_mask is not None:
        mask = bring_to_contrast(load(brain_mask), brain_mask, xfm_to_t1w, affine, data.shape)
        inside, note = (mask > 0.5) & (data > 0), OF_T1W
    else:
        found = find_brain(data, size, skull_strip, device, threads)
        inside, note = found.mask & (data > 0), found.note
    if not inside.any():
        raise ValueError(f'{raw} holds no brain; look at the image')
    image = save(correct_bias(data, inside, size, sloppy), affine, 'image.nii.gz')
    write_remarks(image, notes=[note], SkullStripped=not data[~inside].any())
    return ContrastBrain(image, save(inside.astype(np.uint8), affine, 'mask.nii.gz'))


def contrast_brain_wf(suffix: str, config: Config) -> Any:
    """Build the workflow that prepares images of one suffix."""
    kind = suffix.lower()
    return one_node_wf(
        prepare_contrast,
        (f'raw_{kind}=raw', f'xfm_{kind}_to_t1w=xfm_to_t1w', 'brain_mask'),
        {'image': kind, 'mask': f'{kind}_mask'},
        skull_strip=config.skull_strip,
        device=config.device,
        threads=config.omp_nthreads,
        sloppy=config.sloppy,
    )


def _step(suffix: str, draw: Any) -> Measure:
    kind = suffix.lower()
    return Measure(
        name=f'{kind}_brain',
        title=f'Brain of {suffix}',
        needs=(f'raw_{kind}',),
        optional=(f'xfm_{kind}_to_t1w', 'brain_mask'),
        source=suffix,
        outputs=(
            Output(
                field=kind,
                datatype='anat',
                suffix=suffix,
                entities={'desc': 'preproc'},
                description=f'{suffix} image with its axes in RAS order and without its '
                'intensity inhomogeneity; never resampled.',
                unit='arbitrary',
            ),
            Output(
                field=f'{kind}_mask',
                datatype='anat',
                suffix='mask',
                entities={'space': suffix, 'desc': 'brain'},
                description=f'Brain mask on the grid of the preprocessed {suffix}.',
                unit='1',
                sidecar={'Type': 'Brain'},
            ),
        ),
        init_wf=partial(contrast_brain_wf, suffix),
        reference='https://doi.org/10.1109/TMI.2010.2046908',
        methods=(
            f'The brain mask of the {suffix} was that of the T1w image; without one it was found '
            'in the image itself by deepbet (Fisch et al. 2024, '
            'doi:10.1016/j.compbiomed.2024.108845). Intensity inhomogeneity was removed with N4 '
            '(Tustison et al. 2010, doi:10.1109/TMI.2010.2046908).'
        ),
        is_preprocessing=True,
        figures=(
            Figure(
                name='mask',
                draw=draw,
                needs=(kind, f'{kind}_mask'),
                title=f'Brain mask of {suffix}',
                caption=f'The outline of the mask (pink) on the preprocessed {suffix}.',
                section='brain',
            ),
        ),
        minutes=0.3,
        memory_gb=3.0,
    )


T2W_BRAIN = _step('T2w', draw_t2w_mask)
FLAIR_BRAIN = _step('FLAIR', draw_flair_mask)
