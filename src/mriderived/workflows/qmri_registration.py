"""Step ``qmri_registration``: where the T1w lies in the reference of a collection."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.config import Config
from mriderived.core.boundary_registration import (
    Boundary,
    Refinement,
    find_boundary,
    register_boundary,
)
from mriderived.core.contrast_alignment import align_contrast
from mriderived.core.mutual_information import register_rigid
from mriderived.interfaces.rigid_files import save_rigid
from mriderived.interfaces.sink import write_remarks
from mriderived.interfaces.volumes import load, load_affine
from mriderived.measures.base import COLLECTION, Figure, Measure, Output
from mriderived.measures.one_node import one_node_wf
from mriderived.workflows.func_registration import (
    MAX_SHIFT_MM,
    MAX_TURN,
    MIN_CONTRAST,
    OF_T1W,
    find_difference,
    fit_output,
    tabulate_fit,
)
from mriderived.workflows.qmri_figures import draw_qmri_coregistration

NEEDS = ('qmri_reference', *OF_T1W)


class RegistrationFiles(NamedTuple):
    """The files that :func:`coregister_collection` writes."""

    xfm_qmri_to_t1w: Path
    qmri_coregistration: Path


def coregister_collection(
    qmri_reference: Path, t1w: Path, brain_mask: Path, gm_probseg: Path, wm_probseg: Path
) -> RegistrationFiles:
    """Align a reference of any contrast with the T1w by mutual information, then by boundaries.

    Either of grey and white matter may be the brighter one; where neither is, mutual information
    decides alone.
    """
    image, grid = np.abs(load(qmri_reference)), load_affine(qmri_reference)
    head, affine, brain = load(t1w), load_affine(t1w), load(brain_mask) > 0
    rough = register_rigid(head, affine, brain, image, grid)
    close = align_contrast(head, affine, brain, image, grid, rough.matrix)
    boundary = find_boundary(load(gm_probseg), load(wm_probseg), affine)
    fine, is_reversed = _refine(boundary, image, grid, close.matrix)
    moved, turn = find_difference(fine.matrix, close.matrix, boundary.points.mean(axis=0))
    fits = moved <= MAX_SHIFT_MM and turn <= MAX_TURN and fine.contrast >= MIN_CONTRAST
    notes = [] if fits else [
        f'Boundaries moved the image by {moved:.1f} mm and {np.degrees(turn):.1f} degrees, or '
        f'found no contrast ({fine.contrast:.1f} %): the alignment by mutual information was kept.'
    ]  # fmt: skip
    path = save_rigid(fine.matrix if fits else close.matrix, 'qmri_to_t1w.h5')
    write_remarks(
        path,
        notes=notes,
        Method='boundary-based' if fits else 'mutual information',
        BrighterTissue='white matter' if is_reversed else 'grey matter',
        BoundaryCost=round(fine.cost, 4),
        BoundaryContrastPercent=round(fine.contrast, 2),
        NormalisedMutualInformation=round(close.after + 1, 4),
    )
    values = (fine.cost if fits else np.nan, fine.contrast, close.after + 1)
    return RegistrationFiles(path, tabulate_fit(values))


def _refine(
    boundary: Boundary, image: NDArray[np.float32], grid: NDArray[np.float64], start: Any
) -> tuple[Refinement, bool]:
    """Refine with grey matter brighter and with white matter brighter, and take what fits better.

    Of the reversed image, the contrast is in percent of what its own mean would be.
    """
    level = np.float32(2 * np.median(image[image > 0]))
    plain = register_boundary(boundary, image, grid, start)
    other = register_boundary(boundary, level - image, grid, start)
    return (other, True) if other.cost < plain.cost else (plain, False)


def init_qmri_registration_wf(config: Config) -> Any:
    """Build the workflow of the step."""
    del config  # nothing in the settings changes it
    return one_node_wf(coregister_collection, NEEDS)


QMRI_REGISTRATION = Measure(
    name='qmri_registration',
    title='Registration of quantitative MRI to T1w',
    needs=NEEDS,
    source='qmri',
    outputs=(
        Output(
            field='xfm_qmri_to_t1w',
            datatype='anat',
            suffix='xfm',
            extension='.h5',
            entities={'from': COLLECTION, 'to': 'T1w', 'mode': 'image'},
            description='Rigid transform that brings images from the reference of the collection '
            'to the T1w.',
            draft='BEP014',
        ),
        fit_output('qmri', 'anat', 'the collection'),
    ),
    init_wf=init_qmri_registration_wf,
    reference='https://doi.org/10.1016/j.neuroimage.2009.06.060',
    methods=(
        'The reference of the collection was aligned with the T1w image by normalised mutual '
        'information, refined by the contrast across the boundary of grey and white matter (Greve '
        'and Fischl 2009, doi:10.1016/j.neuroimage.2009.06.060), with six degrees of freedom.'
    ),
    is_preprocessing=True,
    figures=(
        Figure(
            name='qmriCoreg',
            draw=draw_qmri_coregistration,
            needs=('qmri_reference', 'xfm_qmri_to_t1w', 'wm_probseg', 'brain_mask'),
            title='Quantitative MRI and T1w',
            caption='The border of white matter of the T1w image on the reference of the '
            'collection. It should follow the step between white and grey matter.',
            section='registration',
        ),
    ),
    minutes=0.4,
    memory_gb=1.5,
)
