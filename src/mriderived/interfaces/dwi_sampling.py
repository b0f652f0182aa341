"""Bring a diffusion series to any grid: all that displaces it, composed for one interpolation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.core.eddy_sampling import plan_eddy_route, resample_eddy
from mriderived.core.eddy_terms import EddyMotion
from mriderived.core.encodings import align_encodings, repair_encodings
from mriderived.core.epi_shift import phase_axis
from mriderived.core.gradient_table import Gradients
from mriderived.core.series_route import Deformation, sample_at
from mriderived.interfaces.dwi_acquisition import DwiAcquisition, DwiPart, read_dwi_acquisition
from mriderived.interfaces.eddy_files import read_eddy
from mriderived.interfaces.gradient_tables import read_gradients
from mriderived.interfaces.volumes import load, load_affine

Volume = NDArray[np.float32]
Matrix = NDArray[np.float64]

#: Encodings that lie closer to one another than this need no word, in mm.
STILL_MM = 0.3


class RunFiles(NamedTuple):
    """The files of the steps that tell where the voxels of a series belong."""

    dwi_denoised: Path
    dwi_gradients: Path
    dwi_distorted: Path
    dwi_motion: Path
    dwi_outliers: Path
    dwi_displacement: Path
    dwi_acquisition: Path


class DwiRun(NamedTuple):
    """A series as acquired, and where its voxels belong.

    ``motion`` leads from the one undistorted reference; ``shift`` (x, y, z) is the displacement
    of the first part in voxels, ``shares`` (n,) what each volume has of it.
    """

    acquisition: DwiAcquisition
    series: NDArray[np.float32]
    affine: Matrix
    gradients: Gradients
    motion: EddyMotion
    shift: Volume
    shares: Matrix
    notes: tuple[str, ...]


class Grid(NamedTuple):
    """Where volumes are wanted: a shape, its affine, and what leads back to the reference.

    ``to_reference`` is the matrix from mm of the grid (after ``deformation``) to mm of the
    reference.
    """

    shape: tuple[int, ...]
    affine: Matrix
    to_reference: Matrix | None = None
    deformation: Deformation | None = None


def load_run(files: RunFiles, threads: int = 1) -> DwiRun:
    """Load a series, and bring the positions of its parts to one reference."""
    acquisition = read_dwi_acquisition(files.dwi_acquisition)
    gradients, table = read_gradients(files.dwi_gradients)
    series, affine = load(files.dwi_denoised), load_affine(files.dwi_denoised)
    motion = read_eddy(files.dwi_motion, files.dwi_outliers, files.dwi_distorted)
    shift = load(files.dwi_displacement)
    shares = find_shares(acquisition, table['part'].to_numpy())
    motion, moved = align_encodings(
        series, affine, gradients, acquisition.encoding, motion, shift, shares, threads
    )
    notes = list(tell_shares(acquisition)) if shift.any() else []
    if moved >= STILL_MM:
        notes.append(f'The head moved by up to {moved:.1f} mm between the phase encodings.')
    return DwiRun(acquisition, series, affine, gradients, motion, shift, shares, tuple(notes))


def sample_run(
    run: DwiRun, grid: Grid, bias: Volume | None = None, threads: int = 1
) -> Iterator[Volume]:
    """Yield the volumes of a series on a grid, interpolated once, divided by a smooth field.

    ``bias`` is on the grid of the reference.
    """
    plan = plan_eddy_route(
        grid.shape,
        grid.affine,
        run.shift.shape,
        run.affine,
        grid.to_reference,
        grid.deformation,
        displacement=run.shift if run.shift.any() else None,
        threads=threads,
    )
    volumes = repair_encodings(
        run.series, run.affine, run.gradients, run.acquisition.encoding, run.motion,
        run.acquisition.slice_axis, threads,
    )  # fmt: skip
    field = None if bias is None else sample_at(bias, plan.route.points, threads)
    for volume in resample_eddy(volumes, run.motion, plan, run.shares, threads=threads):
        yield volume if field is None else volume / field


def find_shares(acquisition: DwiAcquisition, part: NDArray[np.int64]) -> Matrix:
    """Return by how much each volume is displaced, relative to the first part.

    The displacement goes with the readout time, and turns with its direction. Where a readout
    time is not known, that of the first part stands in, which :func:`tell_shares` says: parts of
    one acquisition have one protocol.
    """
    first = acquisition.parts[0]
    ratios = np.ones(len(acquisition.parts))
    for number, other in enumerate(acquisition.parts):
        if first.readout_time and other.readout_time:
            ratios[number] = other.readout_time / first.readout_time
        if is_opposite(first.phase_direction, other.phase_direction):
            ratios[number] *= -1
    return np.asarray(ratios[part], np.float64)


def tell_shares(acquisition: DwiAcquisition) -> Iterator[str]:
    """Say of which parts the readout time had to be taken for that of the first."""
    first, *others = acquisition.parts
    unknown = [part for part in others if _is_guessed(first, part)]
    if unknown:
        names = ', '.join(part.path.name for part in unknown)
        yield (
            f'The readout time of {names} or of {first.path.name} is not known: they were taken '
            'to be the same, as parts of one acquisition are.'
        )


def _is_guessed(first: DwiPart, other: DwiPart) -> bool:
    return not (first.readout_time and other.readout_time)


def is_opposite(one: str | None, other: str | None) -> bool:
    """Tell whether two phase encodings run along one axis in opposite directions."""
    if not one or not other:
        return False
    (axis, sign), (its_axis, its_sign) = phase_axis(one), phase_axis(other)
    return axis == its_axis and sign != its_sign
