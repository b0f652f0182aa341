"""Step ``bold_distortion`` with ``--use-syn-sdc``: runs without a field map lean on the T1w."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nb
import numpy as np
from nilearn.masking import compute_epi_mask

from mriderived.config import Config
from mriderived.core.boundary_registration import find_boundary, register_boundary
from mriderived.core.epi_shift import phase_axis, unwarp
from mriderived.core.epi_syn import EpiSyn, register_to_t1w
from mriderived.core.mutual_information import register_rigid
from mriderived.core.sampling import resample
from mriderived.interfaces.acquisition import read_acquisition
from mriderived.interfaces.sink import write_remarks
from mriderived.interfaces.volumes import load, load_affine, save
from mriderived.measures.one_node import one_node_wf
from mriderived.workflows.func_distortion import (
    BOLD_DISTORTION,
    NEEDS,
    DistortionFiles,
    Volume,
    find_distortion,
)

OPTIONAL = ('t1w', 'brain_mask', 'gm_probseg', 'wm_probseg')
METHOD = 'registration to the T1w along the phase encoding'
#: The cost of the boundary of white matter has to fall by this much, else nothing is displaced.
BETTER = 0.02


class Head(NamedTuple):
    """The files of the T1w image that a run leans on."""

    t1w: Path
    brain_mask: Path
    gm_probseg: Path
    wm_probseg: Path


class Attempt(NamedTuple):
    """A displacement in voxels, and the cost of the boundary without and with it."""

    found: EpiSyn
    reference: Volume
    before: float
    after: float


def find_distortion_anyway(
    bold_distorted: Path,
    bold_acquisition: Path,
    t1w: Path | None = None,
    brain_mask: Path | None = None,
    gm_probseg: Path | None = None,
    wm_probseg: Path | None = None,
    threads: int = 1,
) -> DistortionFiles:
    """Use the field map of a run; without one, tell the displacement from the T1w.

    The displacement is a guess, so it is kept only if the run then fits the boundary of white
    matter better, which the registration along one axis does not look at.
    """
    acquisition = read_acquisition(bold_acquisition)
    if acquisition.field_map and acquisition.field_map['kind']:
        return find_distortion(bold_distorted, bold_acquisition, threads)
    if t1w is None or brain_mask is None or gm_probseg is None or wm_probseg is None:
        return find_distortion(bold_distorted, bold_acquisition, threads, [_NO_T1W])
    if not acquisition.phase_direction:
        return find_distortion(bold_distorted, bold_acquisition, threads, [_NO_DIRECTION])
    axis = phase_axis(acquisition.phase_direction)[0]
    attempt = _attempt(
        bold_distorted, Head(t1w, brain_mask, gm_probseg, wm_probseg), axis, threads
    )
    costs = f'boundary cost {attempt.after:.3f} with it, {attempt.before:.3f} without'
    if attempt.before - attempt.after < BETTER:
        note = (
            'Distortion: not corrected. What the T1w image tells of it (--use-syn-sdc) does not '
            f'fit the white matter better ({costs}).'
        )
        return find_distortion(bold_distorted, bold_acquisition, threads, [note])
    shift = attempt.found.shift
    note = (
        'Distortion: there is no field map, so the displacement was told from the T1w image '
        f'(--use-syn-sdc); 95 % of what moved within {_reach(shift):.1f} voxels, {costs}. It is a '
        'guess: compare the borders in the report.'
    )
    affine = load_affine(bold_distorted)
    path = save(attempt.reference, affine, 'boldref.nii.gz')
    write_remarks(
        path, notes=[*acquisition.notes, note], SusceptibilityDistortionCorrection=METHOD
    )
    displacement = save(shift, affine, 'displacement.nii.gz')
    write_remarks(displacement, SusceptibilityDistortionCorrection=METHOD)
    return DistortionFiles(path, displacement)


_NO_T1W = 'Distortion: not corrected. --use-syn-sdc needs a T1w image, and there is none.'
_NO_DIRECTION = (
    'Distortion: not corrected. --use-syn-sdc needs PhaseEncodingDirection in the sidecar.'
)


def _attempt(bold_distorted: Path, head: Head, axis: int, threads: int) -> Attempt:
    """Align the T1w rigidly with the run, then move the run along one axis towards it."""
    bold, affine = load(bold_distorted), load_affine(bold_distorted)
    t1w, head_affine = load(head.t1w), load_affine(head.t1w)
    brain = load(head.brain_mask) > 0
    rigid = register_rigid(t1w, head_affine, brain, bold, affine).matrix
    to_head = np.linalg.inv(head_affine) @ np.linalg.inv(rigid) @ affine
    there = resample(t1w, to_head, bold.shape)
    brain_there = resample(brain.astype(np.float32), to_head, bold.shape) > 0.5
    seen = np.asarray(compute_epi_mask(nb.Nifti1Image(bold, affine)).dataobj) > 0
    found = register_to_t1w(bold, seen, there, brain_there, axis, threads)
    moved = unwarp(bold, found.shift, axis, threads=threads)
    boundary = find_boundary(load(head.gm_probseg), load(head.wm_probseg), head_affine)
    before, after = (
        register_boundary(boundary, image, affine, rigid).cost for image in (bold, moved)
    )
    return Attempt(found, moved, before, after)


def _reach(shift: Volume) -> float:
    return float(np.percentile(np.abs(shift[shift != 0]), 95)) if shift.any() else 0.0


def init_bold_distortion_t1w_wf(config: Config) -> Any:
    """Build the workflow of the step."""
    return one_node_wf(find_distortion_anyway, (*NEEDS, *OPTIONAL), threads=config.omp_nthreads)


BOLD_DISTORTION_T1W = replace(
    BOLD_DISTORTION,
    optional=OPTIONAL,
    init_wf=init_bold_distortion_t1w_wf,
    methods=(
        f'{BOLD_DISTORTION.methods} Runs without a field map were registered to the T1w image of '
        'inverted contrast along the phase-encode axis (Wang et al. 2017, '
        'doi:10.3389/fninf.2017.00017).'
    ),
    minutes=0.5,
)
