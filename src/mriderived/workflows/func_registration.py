"""Step ``bold_registration``: where the T1w lies in the BOLD reference, and its tissues there."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

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
from mriderived.interfaces.acquisition import read_acquisition
from mriderived.interfaces.rigid_files import save_rigid
from mriderived.interfaces.sink import write_remarks
from mriderived.interfaces.volumes import load, load_affine
from mriderived.measures.base import Column, Figure, Measure, Output
from mriderived.measures.one_node import one_node_wf
from mriderived.workflows.func_figures import draw_coregistration

#: A boundary-based solution farther than this from the start is not believed, in mm and radians.
MAX_SHIFT_MM, MAX_TURN = 15.0, 0.35
#: Contrast of grey over white matter, in percent, below which boundaries say nothing.
MIN_CONTRAST = 2.0

#: The cost of the boundary changes by less than this between equally good corrections.
WORSE = 0.02

#: Why there is no cost of the boundary.
NOT_BELIEVED = 'the alignment by boundaries was not believed'
COLUMNS = (
    Column('boundary_cost', 'Cost of the boundary of white matter: 0 where grey matter is far '
           'brighter everywhere, 1 where there is no contrast, 2 where it is reversed.', '1',
           'Boundary cost of BOLD to T1w'),
    Column('boundary_contrast', 'Contrast of BOLD across the boundary of white matter.',
           'percent', 'Boundary contrast of BOLD'),
    Column('mutual_information', 'Normalised mutual information of BOLD and T1w.', '1',
           'Mutual information of BOLD and T1w'),
)  # fmt: skip

NEEDS = (
    'bold_reference',
    'bold_distorted',
    'bold_displacement',
    'bold_acquisition',
    't1w',
    'brain_mask',
    'gm_probseg',
    'wm_probseg',
)


class Trial(NamedTuple):
    """A reference as acquired, and the displacement that was undone along an axis."""

    distorted: NDArray[np.float32]
    affine: NDArray[np.float64]
    displacement: NDArray[np.float32]
    axis: int


class RegistrationFiles(NamedTuple):
    """The files that :func:`coregister` writes."""

    xfm_bold_to_t1w: Path
    bold_coregistration: Path


def coregister(
    bold_reference: Path,
    bold_distorted: Path,
    bold_displacement: Path,
    bold_acquisition: Path,
    t1w: Path,
    brain_mask: Path,
    gm_probseg: Path,
    wm_probseg: Path,
) -> RegistrationFiles:
    """Align the BOLD reference with the T1w by mutual information, then by boundaries."""
    bold, bold_affine = load(bold_reference), load_affine(bold_reference)
    affine = load_affine(t1w)
    rough = register_rigid(load(t1w), affine, load(brain_mask) > 0, bold, bold_affine)
    boundary = find_boundary(load(gm_probseg), load(wm_probseg), affine)
    fine = register_boundary(boundary, bold, bold_affine, rough.matrix)
    shift, turn = _difference(fine.matrix, rough.matrix, boundary.points.mean(axis=0))
    fits = shift <= MAX_SHIFT_MM and turn <= MAX_TURN and fine.contrast >= MIN_CONTRAST
    notes = [] if fits else [
        f'Boundaries moved the image by {shift:.1f} mm and {np.degrees(turn):.1f} degrees, or '
        f'found no contrast ({fine.contrast:.1f} %): the alignment by mutual information was kept.'
    ]  # fmt: skip
    direction = read_acquisition(bold_acquisition).phase_direction
    displacement = load(bold_displacement)
    if fits and direction and displacement.any():
        trial = Trial(load(bold_distorted), bold_affine, displacement, phase_axis(direction)[0])
        notes += _doubt_field_map(boundary, trial, fine)
    path = save_rigid(fine.matrix if fits else rough.matrix, 'bold_to_t1w.h5')
    write_remarks(
        path,
        notes=notes,
        Method='boundary-based' if fits else 'mutual information',
        BoundaryCost=round(fine.cost, 4),
        BoundaryContrastPercent=round(fine.contrast, 2),
        NormalisedMutualInformation=round(rough.information + 1, 4),
    )
    values = (fine.cost if fits else np.nan, fine.contrast, rough.information + 1)
    return RegistrationFiles(path, _tabulate(values))


def _tabulate(values: tuple[float, ...]) -> Path:
    """Write how well the two images fit, one row."""
    path = Path.cwd() / 'coregistration.tsv'
    table = pd.DataFrame([values], columns=[column.name for column in COLUMNS])
    table.to_csv(path, sep='\t', index=False, na_rep='n/a', float_format='%.6g')
    missing = {} if np.isfinite(values[0]) else {COLUMNS[0].name: NOT_BELIEVED}
    write_remarks(path, MissingReasons=missing)
    return path


def _doubt_field_map(boundary: Boundary, trial: Trial, fine: Refinement) -> list[str]:
    """Say so if the image fits the T1w better uncorrected, or corrected the other way."""
    other = unwarp(trial.distorted, -trial.displacement, trial.axis)
    costs = {
        'without it': register_boundary(boundary, trial.distorted, trial.affine, fine.matrix).cost,
        'with the opposite direction': register_boundary(
            boundary, other, trial.affine, fine.matrix
        ).cost,
    }
    best = min(costs, key=costs.__getitem__)
    if fine.cost - costs[best] < WORSE:
        return []
    return [
        f'The field map fits the T1w worse (boundary cost {fine.cost:.3f}) than {best} '
        f'({costs[best]:.3f}): check PhaseEncodingDirection and TotalReadoutTime of the run.'
    ]


def _difference(first: Any, second: Any, centre: Any) -> tuple[float, float]:
    """Return by how many mm and radians two rigid transforms differ at a point."""
    apart = np.linalg.inv(second) @ first
    shift = np.linalg.norm(apart[:3, :3] @ centre + apart[:3, 3] - centre)
    cosine = np.clip((np.trace(apart[:3, :3]) - 1) / 2, -1, 1)
    return float(shift), float(np.arccos(cosine))


def init_bold_registration_wf(config: Config) -> Any:
    """Build the workflow of the step."""
    del config  # nothing in the settings changes it
    return one_node_wf(coregister, NEEDS)


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
        Output(
            field='bold_coregistration',
            datatype='func',
            suffix='qc',
            extension='.tsv',
            entities={'desc': 'coreg'},
            description='How well the BOLD reference fits the T1w image.',
            columns=COLUMNS,
            draft='mriderived',
        ),
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
