"""Undo the distortion of an EPI reference without a field map: by the T1w image, as a guess."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import nibabel as nb
import numpy as np
from nilearn.masking import compute_epi_mask
from numpy.typing import NDArray

from mriderived.core.boundary_registration import find_boundary, register_boundary
from mriderived.core.epi_shift import phase_axis, unwarp
from mriderived.core.epi_syn import EpiSyn, register_to_t1w
from mriderived.core.mutual_information import register_rigid
from mriderived.core.sampling import resample
from mriderived.interfaces.epi_correction import (
    CorrectedFiles,
    EpiRun,
    save_corrected,
    undo_distortion,
)
from mriderived.interfaces.volumes import load, load_affine

Volume = NDArray[np.float32]
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


def gather_head(
    t1w: Path | None, brain_mask: Path | None, gm_probseg: Path | None, wm_probseg: Path | None
) -> Head | None:
    """Return the files of the T1w image if all of them are there."""
    if t1w is None or brain_mask is None or gm_probseg is None or wm_probseg is None:
        return None
    return Head(t1w, brain_mask, gm_probseg, wm_probseg)


def undo_anyway(
    distorted: Path, run: EpiRun, head: Head | None, name: str, threads: int = 1
) -> CorrectedFiles:
    """Use the field map of a run; without one, tell the displacement from the T1w.

    The displacement is a guess, so it is kept only if the run then fits the boundary of white
    matter better, which the registration along one axis does not look at.
    """
    if run.has_field_map:
        return undo_distortion(distorted, run, name, threads)
    if head is None or not run.phase_direction:
        lack = _NO_T1W if head is None else _NO_DIRECTION
        return undo_distortion(distorted, run, name, threads, [lack])
    attempt = _attempt(distorted, head, phase_axis(run.phase_direction)[0], threads)
    costs = f'boundary cost {attempt.after:.3f} with it, {attempt.before:.3f} without'
    if attempt.before - attempt.after < BETTER:
        note = (
            'Distortion: not corrected. What the T1w image tells of it (--use-syn-sdc) does not '
            f'fit the white matter better ({costs}).'
        )
        return undo_distortion(distorted, run, name, threads, [note])
    shift = attempt.found.shift
    note = (
        'Distortion: there is no field map, so the displacement was told from the T1w image '
        f'(--use-syn-sdc); 95 % of what moved within {_reach(shift):.1f} voxels, {costs}. It is a '
        'guess: compare the borders in the report.'
    )
    affine = load_affine(distorted)
    return save_corrected(attempt.reference, shift, affine, name, METHOD, [*run.notes, note])


_NO_T1W = 'Distortion: not corrected. --use-syn-sdc needs a T1w image, and there is none.'
_NO_DIRECTION = (
    'Distortion: not corrected. --use-syn-sdc needs PhaseEncodingDirection in the sidecar.'
)


def _attempt(distorted: Path, head: Head, axis: int, threads: int) -> Attempt:
    """Align the T1w rigidly with the run, then move the run along one axis towards it."""
    epi, affine = load(distorted), load_affine(distorted)
    t1w, head_affine = load(head.t1w), load_affine(head.t1w)
    brain = load(head.brain_mask) > 0
    rigid = register_rigid(t1w, head_affine, brain, epi, affine).matrix
    to_head = np.linalg.inv(head_affine) @ np.linalg.inv(rigid) @ affine
    there = resample(t1w, to_head, epi.shape)
    brain_there = resample(brain.astype(np.float32), to_head, epi.shape) > 0.5
    seen = np.asarray(compute_epi_mask(nb.Nifti1Image(epi, affine)).dataobj) > 0
    found = register_to_t1w(epi, seen, there, brain_there, axis, threads)
    moved = unwarp(epi, found.shift, axis, threads=threads)
    boundary = find_boundary(load(head.gm_probseg), load(head.wm_probseg), head_affine)
    before, after = (
        register_boundary(boundary, image, affine, rigid).cost for image in (epi, moved)
    )
    return Attempt(found, moved, before, after)


def _reach(shift: Volume) -> float:
    return float(np.percentile(np.abs(shift[shift != 0]), 95)) if shift.any() else 0.0
