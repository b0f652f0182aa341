"""Step ``bold_registration``: where the T1w lies in the BOLD reference, and its tissues there."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mriderived.config import Config
from mriderived.core.boundary_registration import (
    Boundary,
    Refinement,
    find_boundary,
    register_boundary,
)
from mriderived.core.epi_shift import phase_axis, unwarp
from mriderived.core.mutual_information import register_rigid
from mriderived.interfaces.acquisition import read_phase_direction
from mriderived.interfaces.rigid_files import save_rigid
from mriderived.interfaces.sink import write_remarks
from mriderived.interfaces.volumes import load, load_affine
from mriderived.measures.base import COLLECTION, Column, Figure, Measure, Output
from mriderived.measures.one_node import one_node_wf
from mriderived.workflows.func_figures import draw_coregistration

#: A boundary-based solution farther than this from the start is not believed, in mm and radians.
MAX_SHIFT_MM, MAX_TURN = 15.0, 0.35
#: Contrast of grey over white matter, in percent, below which boundaries say nothing.
MIN_CONTRAST = 2.0

#: The cost of the boundary changes by less than this between equally good corrections.
WORSE = 0.02
#: What a field map is compared with.
WITHOUT = 'without it'

#: Why there is no cost of the boundary.
NOT_BELIEVED = 'the alignment by boundaries was not believed'
COLUMNS = ('boundary_cost', 'boundary_contrast', 'mutual_information')

OF_T1W = ('t1w', 'brain_mask', 'gm_probseg', 'wm_probseg')
NEEDS = (
    'bold_reference',
    'bold_distorted',
    'bold_displacement',
    'bold_acquisition',
    *OF_T1W,
)


class Trial(NamedTuple):
    """A reference as acquired, and the displacement that was undone along an axis."""

    distorted: NDArray[np.float32]
    affine: NDArray[np.float64]
    displacement: NDArray[np.float32]
    axis: int


class RegistrationFiles(NamedTuple):
    """The files that :func:`coregister` writes."""

    xfm_to_t1w: Path
    coregistration: Path


def coregister(
    reference: Path,
    distorted: Path,
    displacement: Path,
    acquisition: Path,
    t1w: Path,
    brain_mask: Path,
    gm_probseg: Path,
    wm_probseg: Path,
) -> RegistrationFiles:
    """Align an EPI reference with the T1w by mutual information, then by boundaries.

    Grey matter has to be the brighter one, as in BOLD and in diffusion without weighting.
    """
    epi, epi_affine = load(reference), load_affine(reference)
    affine = load_affine(t1w)
    rough = register_rigid(load(t1w), affine, load(brain_mask) > 0, epi, epi_affine)
    boundary = find_boundary(load(gm_probseg), load(wm_probseg), affine)
    fine = register_boundary(boundary, epi, epi_affine, rough.matrix)
    moved, turn = find_difference(fine.matrix, rough.matrix, boundary.points.mean(axis=0))
    fits = moved <= MAX_SHIFT_MM and turn <= MAX_TURN and fine.contrast >= MIN_CONTRAST
    notes = [] if fits else [
        f'Boundaries moved the image by {moved:.1f} mm and {np.degrees(turn):.1f} degrees, or '
        f'found no contrast ({fine.contrast:.1f} %): the alignment by mutual information was kept.'
    ]  # fmt: skip
    direction = read_phase_direction(acquisition)
    shift = load(displacement)
    if fits and direction and shift.any():
        trial = Trial(load(distorted), epi_affine, shift, phase_axis(direction)[0])
        notes += _doubt_field_map(boundary, trial, fine)
    path = save_rigid(fine.matrix if fits else rough.matrix, 'epi_to_t1w.h5')
    write_remarks(
        path,
        notes=notes,
        Method='boundary-based' if fits else 'mutual information',
        BoundaryCost=round(fine.cost, 4),
        BoundaryContrastPercent=round(fine.contrast, 2),
        NormalisedMutualInformation=round(rough.information + 1, 4),
    )
    values = (fine.cost if fits else np.nan, fine.contrast, rough.information + 1)
    return RegistrationFiles(path, tabulate_fit(values))


def tabulate_fit(values: tuple[float, ...]) -> Path:
    """Write how well the two images fit, one row."""
    path = Path.cwd() / 'coregistration.tsv'
    table = pd.DataFrame([values], columns=list(COLUMNS))
    table.to_csv(path, sep='\t', index=False, na_rep='n/a', float_format='%.6g')
    missing = {} if np.isfinite(values[0]) else {COLUMNS[0]: NOT_BELIEVED}
    write_remarks(path, MissingReasons=missing)
    return path


def _doubt_field_map(boundary: Boundary, trial: Trial, fine: Refinement) -> list[str]:
    """Say so if the image fits the T1w better uncorrected, or corrected the other way."""
    other = unwarp(trial.distorted, -trial.displacement, trial.axis)
    costs = {
        WITHOUT: register_boundary(boundary, trial.distorted, trial.affine, fine.matrix).cost,
        'with the opposite direction': register_boundary(
            boundary, other, trial.affine, fine.matrix
        ).cost,
    }
    best = min(costs, key=costs.__getitem__)
    if fine.cost - costs[best] < WORSE:
        return []
    remedy = (
        'check PhaseEncodingDirection of the run'
        if best != WITHOUT
        else 'neither direction fits better than no correction; check TotalReadoutTime of the '
        'run, and that the field map was acquired with this shim'
    )
    return [
        f'With the field map the run fits the T1w worse (boundary cost {fine.cost:.3f}) than '
        f'{best} ({costs[best]:.3f}). It was applied all the same: {remedy}.'
    ]


def find_difference(first: Any, second: Any, centre: Any) -> tuple[float, float]:
    """Return by how many mm and radians two rigid transforms differ at a point."""
    apart = np.linalg.inv(second) @ first
    shift = np.linalg.norm(apart[:3, :3] @ centre + apart[:3, 3] - centre)
    cosine = np.clip((np.trace(apart[:3, :3]) - 1) / 2, -1, 1)
    return float(shift), float(np.arccos(cosine))


def init_bold_registration_wf(config: Config) -> Any:
    """Build the workflow of the step."""
    return coregistration_wf('bold', config)


def coregistration_wf(source: str, config: Config) -> Any:
    """Build the workflow that aligns the reference of images of one kind with the T1w."""
    del config  # nothing in the settings changes it
    own = ('reference', 'distorted', 'displacement', 'acquisition')
    needs = (*(f'{source}_{name}={name}' for name in own), *OF_T1W)
    names = {
        'xfm_to_t1w': f'xfm_{source}_to_t1w',
        'coregistration': f'{source}_coregistration',
    }
    return one_node_wf(coregister, needs, names)


def _columns(title: str) -> tuple[Column, ...]:
    texts = (
        (
            'Cost of the boundary of white matter: 0 where grey matter is far brighter '
            'everywhere, 1 where there is no contrast, 2 where it is reversed.',
            '1',
            f'Boundary cost of {title} to T1w',
        ),
        (
            'Contrast across the boundary of white matter.',
            'percent',
            f'Boundary contrast of {title}',
        ),
        (
            'Normalised mutual information with the T1w image.',
            '1',
            f'Mutual information of {title} and T1w',
        ),
    )
    return tuple(Column(name, *text) for name, text in zip(COLUMNS, texts, strict=True))


def fit_output(source: Literal['bold', 'dwi', 'qmri'], datatype: str, title: str) -> Output:
    """Return the table of how well the reference of images of one kind fits the T1w."""
    # several collections of a session would take the same columns of the cohort table: see
    # qmri_quality
    is_only = source != 'qmri'
    return Output(
        field=f'{source}_coregistration',
        datatype=datatype,
        suffix='qc',
        extension='.tsv',
        entities={'desc': 'coreg' if is_only else f'coreg{COLLECTION}'},
        in_cohort=is_only,
        description=f'How well the reference of {title} fits the T1w image.',
        columns=_columns(title),
        draft='mriderived',
    )


BOLD_REGISTRATION = Measure(
    name='bold_registration',
    title='Registration of BOLD to T1w',
    needs=NEEDS,
    source='bold',
    outputs=(
        Output(
            field='xfm_bold_to_t1w',
            datatype='func',
            suffix='xfm',
            extension='.h5',
            entities={'from': 'boldref', 'to': 'T1w', 'mode': 'image'},
            description='Rigid transform that brings images from the BOLD reference to the T1w.',
            draft='BEP014',
        ),
        fit_output('bold', 'func', 'BOLD'),
    ),
    init_wf=init_bold_registration_wf,
    reference='https://doi.org/10.1016/j.neuroimage.2009.06.060',
    methods=(
        'The BOLD reference was aligned with the T1w image by normalised mutual information '
        '(Studholme et al. 1999, doi:10.1016/S0031-3203(98)00091-0), refined by the contrast '
        'across the boundary of grey and white matter (Greve and Fischl 2009, '
        'doi:10.1016/j.neuroimage.2009.06.060), with six degrees of freedom.'
    ),
    is_preprocessing=True,
    figures=(
        Figure(
            name='coreg',
            draw=draw_coregistration,
            needs=('bold_reference', 'xfm_bold_to_t1w', 'wm_probseg', 'brain_mask'),
            title='BOLD and T1w',
            caption='The border of white matter of the T1w image on the BOLD reference. It should '
            'follow the step from dark (white matter) to bright (grey matter).',
            section='registration',
        ),
    ),
    minutes=0.2,
    memory_gb=1.5,
)
