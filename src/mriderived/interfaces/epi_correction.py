"""Undo the distortion of the reference of an EPI series with the field map of its acquisition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.core.epi_shift import phase_axis, shift_map, unwarp
from mriderived.interfaces.epi_field import make_field
from mriderived.interfaces.sink import write_remarks
from mriderived.interfaces.volumes import load, load_affine, save

Volume = NDArray[np.float32]


class EpiRun(NamedTuple):
    """What of the acquisition of BOLD or diffusion its distortion depends on.

    ``own`` are the files for which the reference stands; ``field_map`` and ``notes`` are as the
    acquisition holds them.
    """

    own: frozenset[Path]
    phase_direction: str | None
    field_map: Mapping[str, Any] | None
    notes: tuple[str, ...]

    @property
    def has_field_map(self) -> bool:
        """Whether there is a field map that can be used."""
        return bool(self.field_map and self.field_map['kind'])


class CorrectedFiles(NamedTuple):
    """The reference without distortion, and the displacement in voxels that was undone."""

    reference: Path
    displacement: Path


def undo_distortion(
    distorted: Path, run: EpiRun, name: str, threads: int = 1, remarks: Sequence[str] = ()
) -> CorrectedFiles:
    """Turn the field map of a run into displacements, and undo them in its reference.

    Without a field map, nothing is displaced, which a note says. ``name`` is that of the
    reference's file; ``remarks`` are further notes.
    """
    reference, affine = load(distorted), load_affine(distorted)
    shift = np.zeros(reference.shape, np.float32)
    notes, method = [*run.notes, *remarks], 'none'
    if run.field_map and run.field_map['kind']:
        encoding = run.field_map['run']
        field = make_field(run.own, run.field_map, reference, affine, threads)
        shift = shift_map(field.hz, encoding['direction'], encoding['readout_time'])
        axis = phase_axis(encoding['direction'])[0]
        reference = unwarp(reference, shift, axis, threads=threads)
        method = field.method
        notes += field.notes
    return save_corrected(reference, shift, affine, name, method, notes)


def save_corrected(
    reference: Volume,
    shift: Volume,
    affine: NDArray[np.float64],
    name: str,
    method: str,
    notes: Sequence[str],
) -> CorrectedFiles:
    """Write a reference without distortion and what was undone, with what is to be said."""
    path = save(reference, affine, f'{name}.nii.gz')
    write_remarks(path, notes=list(notes), SusceptibilityDistortionCorrection=method)
    displacement = save(shift, affine, 'displacement.nii.gz')
    write_remarks(displacement, SusceptibilityDistortionCorrection=method)
    return CorrectedFiles(path, displacement)
