"""Steps ``t2w_registration`` and ``flair_registration``: another contrast and the T1w."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mriderived.bids.image_checks import load_clean
from mriderived.config import Config
from mriderived.core.mutual_information import register_rigid
from mriderived.core.sampling import resample
from mriderived.interfaces.rigid_files import save_rigid
from mriderived.interfaces.sink import write_remarks
from mriderived.interfaces.volumes import load, load_affine
from mriderived.measures.base import Figure, Measure, Output
from mriderived.measures.one_node import one_node_wf
from mriderived.workflows.contrast_figures import draw_flair_on_t1w, draw_t2w_on_t1w

#: Images that see less of the brain are refused; below the second share it is noted.
LEAST_COVERAGE, WHOLE = 0.5, 0.98


class ContrastRegistration(NamedTuple):
    """The file that :func:`register_contrast` writes."""

    xfm_to_t1w: Path


def register_contrast(raw: Path, t1w: Path, brain_mask: Path) -> ContrastRegistration:
    """Align an image of another contrast with the T1w by mutual information."""
    fixed, affine, brain = load(t1w), load_affine(t1w), load(brain_mask) > 0
    moving, moving_affine = load_clean(raw)
    found = register_rigid(fixed, affine, brain, moving, moving_affine)
    to_moving = np.linalg.inv(moving_affine) @ found.matrix @ affine
    seen = resample(np.ones_like(moving), to_moving, brain.shape) > 0
    coverage = float(seen[brain].mean())
    if coverage < LEAST_COVERAGE:
        raise ValueError(
            f'{raw.name} covers {coverage:.0%} of the brain of the T1w image after registration: '
            'look at both in a viewer'
        )
    path = save_rigid(found.matrix, 'to_t1w.h5')
    notes = [] if coverage >= WHOLE else [f'The image covers {coverage:.0%} of the brain.']
    write_remarks(
        path,
        notes=notes,
        NormalisedMutualInformation=round(found.information + 1, 4),
        BrainCoverage=round(coverage, 4),
    )
    return ContrastRegistration(path)


def contrast_registration_wf(suffix: str, config: Config) -> Any:
    """Build the workflow that aligns images of one suffix with the T1w."""
    del config  # nothing in the settings changes it
    kind = suffix.lower()
    needs = (f'raw_{kind}=raw', 't1w', 'brain_mask')
    return one_node_wf(register_contrast, needs, {'xfm_to_t1w': f'xfm_{kind}_to_t1w'})


def _step(suffix: str, draw: Any) -> Measure:
    kind = suffix.lower()
    return Measure(
        name=f'{kind}_registration',
        title=f'Registration of {suffix} to T1w',
        needs=(f'raw_{kind}', 't1w', 'brain_mask'),
        source=suffix,
        outputs=(
            Output(
                field=f'xfm_{kind}_to_t1w',
                datatype='anat',
                suffix='xfm',
                extension='.h5',
                entities={'from': suffix, 'to': 'T1w', 'mode': 'image'},
                description=f'Rigid transform that brings images from the {suffix} to the T1w.',
                draft='BEP014',
            ),
        ),
        init_wf=partial(contrast_registration_wf, suffix),
        reference='https://doi.org/10.1016/S0031-3203(98)00091-0',
        methods=(
            f'{suffix} images were aligned with the T1w image by normalised mutual information '
            '(Studholme et al. 1999, doi:10.1016/S0031-3203(98)00091-0) with six degrees of '
            'freedom.'
        ),
        is_preprocessing=True,
        figures=(
            Figure(
                name='coreg',
                draw=draw,
                needs=(f'raw_{kind}', f'xfm_{kind}_to_t1w', 'wm_probseg', 'brain_mask'),
                title=f'{suffix} and T1w',
                caption=f'The border of white matter and the brain mask of the T1w image on the '
                f'{suffix}. They should follow what is seen there.',
                section='registration',
            ),
        ),
        minutes=0.3,
        memory_gb=1.5,
    )


T2W_REGISTRATION = _step('T2w', draw_t2w_on_t1w)
FLAIR_REGISTRATION = _step('FLAIR', draw_flair_on_t1w)
