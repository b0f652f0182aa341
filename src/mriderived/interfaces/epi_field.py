"""The field that distorts an EPI series, from the images that its acquisition names."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nb
import numpy as np
from nilearn.exceptions import MaskWarning
from nilearn.masking import compute_epi_mask
from numpy.typing import NDArray

from mriderived.core.epi_alignment import STILL_MM as STILL_EPI_MM
from mriderived.core.epi_alignment import align_encoded
from mriderived.core.epi_distortion import Encoded, estimate_distortion
from mriderived.core.epi_shift import phase_axis, turn_direction
from mriderived.core.field_alignment import STILL_MM, FieldImage, Readout, place_field
from mriderived.core.field_cleaning import demean, extend, resample_field
from mriderived.core.field_map import field_from_phase, phase_difference, scale_phase, to_hertz
from mriderived.core.masks import find_signal
from mriderived.core.rigid_series import estimate_series
from mriderived.core.sampling import resample
from mriderived.interfaces.volumes import load, load_affine, voxel_size

Volume = NDArray[np.float32]
#: The cosine between the phase-encode axes of two images, at least: 15 degrees.
MOST_OBLIQUE = 0.966
#: Farther than this nobody moves between a field map and its run, in mm.
FARTHEST_MM = 40.0
#: Jumps of more than half a turn between neighbours that unwrapping left, per voxel of the head.
#: Two real field maps had 0.003 and 0.02, one of which 30 % were noise 0.19, noise alone 0.96.
MOST_JUMPS = 0.15


class Field(NamedTuple):
    """A field in Hz on the grid of the run, what it was made from, and sentences on it."""

    hz: Volume
    method: str
    notes: tuple[str, ...] = ()


def make_field(
    own: Collection[Path],
    chosen: Mapping[str, Any],
    reference: Volume,
    affine: NDArray[np.float64],
    threads: int,
) -> Field:
    """Make the field of a series from its field map.

    ``own`` are the files of the series, for which the reference stands; they may be among the
    images of the field map.
    """
    files = {role: Path(path) for role, path in chosen['files'].items()}
    if chosen['kind'] == 'epi':
        files = {role: path for role, path in files.items() if path not in own}
        return _from_opposite(chosen, files, reference, affine, threads)
    return _from_measured(chosen, files, reference, affine, threads)


def _from_measured(
    chosen: Mapping[str, Any],
    files: Mapping[str, Path],
    reference: Volume,
    affine: NDArray[np.float64],
    threads: int,
) -> Field:
    """Make the field from the phase of gradient echoes, or take it as it was measured.

    It is unwrapped and continued from the whole head, whose rim would be missed at the edge of
    the brain; but what is 0 Hz is told by the brain, to which the scanner tuned the run.
    """
    magnitude = _load_first(files['magnitude'])
    mask = find_signal(magnitude)
    first = next(path for role, path in files.items() if 'magnitude' not in role)
    if chosen['kind'] == 'fieldmap':
        hz = to_hertz(_load_first(first), chosen['units'])
    else:
        if chosen['kind'] == 'phasediff':
            difference, _ = scale_phase(_load_first(files['phasediff']))
        else:
            phases = [scale_phase(_load_first(files[role]))[0] for role in ('phase1', 'phase2')]
            difference = phase_difference(*phases)
        times = (float(chosen['echo_times'][0]), float(chosen['echo_times'][1]))
        field = field_from_phase(difference, times, mask, magnitude)
        jumps = field.jumps / max(1, int(mask.sum()))
        if jumps > MOST_JUMPS:
            return _nothing(reference, first, jumps)
        hz = field.hz
    field_affine, brain = load_affine(first), _find_brain(reference, affine)
    image = FieldImage(extend(hz, mask, threads=threads), magnitude, mask, field_affine)
    placed, moved = _place(image, reference, brain, affine, chosen['run'], threads)
    found = resample_field(image.hz, field_affine, placed @ affine, reference.shape)
    found, _ = demean(found, brain)
    note = (
        f'Distortion: corrected with a field map ({chosen["kind"]}){moved}; 95 % of the brain '
        f'within {np.percentile(np.abs(found[brain]), 95):.0f} Hz.'
    )
    return Field(found, f'field map ({chosen["kind"]})', (note,))


def _nothing(reference: Volume, phase: Path, jumps: float) -> Field:
    """Leave a series uncorrected: displacements from noise would destroy it."""
    note = (
        f'No distortion correction: the phase in {phase.name} is mostly noise ({jumps:.2f} jumps '
        f'per voxel of the head, at most {MOST_JUMPS:g} are usable); look at the field map.'
    )
    return Field(np.zeros(reference.shape, np.float32), 'none', (note,))


def _place(
    image: FieldImage,
    reference: Volume,
    brain: NDArray[np.bool_],
    affine: NDArray[np.float64],
    run: Mapping[str, Any],
    threads: int,
) -> tuple[NDArray[np.float64], str]:
    """Return from mm of the run to mm of the field map, and words on how far the head moved."""
    readout = Readout(str(run['direction']), float(run['readout_time']))
    try:
        placed = place_field(image, reference, brain, affine, readout, threads)
    except ValueError as error:
        return np.eye(4), f', whose magnitude could not be aligned with the run ({error})'
    if placed.moved_mm > FARTHEST_MM:
        return np.eye(4), (
            f', where the scanner put it: an alignment that moves the head by '
            f'{placed.moved_mm:.0f} mm is not believed'
        )
    if placed.moved_mm < STILL_MM:
        return placed.matrix, ''
    return placed.matrix, f', after it was moved with the head by up to {placed.moved_mm:.1f} mm'


def _find_brain(reference: Volume, affine: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return the brain in a reference, by its histogram; the head where that finds nothing."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', MaskWarning)
        found = np.asarray(compute_epi_mask(nb.Nifti1Image(reference, affine)).dataobj) > 0
    return found if found.any() else find_signal(reference)


def _from_opposite(
    chosen: Mapping[str, Any],
    files: Mapping[str, Path],
    reference: Volume,
    affine: NDArray[np.float64],
    threads: int,
) -> Field:
    """Make the field from images with opposite directions of the phase encoding."""
    images = [Encoded(reference, chosen['run']['direction'], chosen['run']['readout_time'])]
    for role, path in sorted(files.items()):
        images.append(_on_grid(path, chosen['epi'][role], reference, affine))
    aligned = align_encoded(images, affine, threads)
    found = estimate_distortion(aligned.images, voxel_size(affine).tolist(), threads=threads)
    moved = f', after they were moved by up to {aligned.moved_mm:.1f} mm'
    note = (
        'Distortion: corrected with images of opposite phase encoding'
        f'{moved if aligned.moved_mm >= STILL_EPI_MM else ""}, whose correlation rose from '
        f'{found.similarity_before:.3f} to {found.similarity_after:.3f}.'
    )
    return Field(found.hz, 'opposite phase encoding', (note,))


def _on_grid(
    path: Path, readout: Mapping[str, Any], reference: Volume, affine: NDArray[np.float64]
) -> Encoded:
    """Bring an EPI to the grid and the brightness of the reference, by the scanner's mm."""
    data, own = _mean_volume(path, readout.get('volumes')), load_affine(path)
    direction, readout_time = readout['direction'], float(readout['readout_time'])
    if data.shape != reference.shape or not np.allclose(own, affine, atol=0.1):
        axes = own[:3, :3] / voxel_size(own), affine[:3, :3] / voxel_size(affine)
        turned = turn_direction(direction, own, affine)
        there, here = phase_axis(direction)[0], phase_axis(turned)[0]
        if abs(axes[0][:, there] @ axes[1][:, here]) < MOST_OBLIQUE:
            raise ValueError(
                f'the phase encoding of {path.name} is oblique to that of the run; '
                'take an EPI with the orientation of the run, or remove its IntendedFor'
            )
        data = resample(data, np.linalg.inv(own) @ affine, reference.shape)
        # the same field moves by more voxels where they are shorter
        readout_time *= voxel_size(own)[there] / voxel_size(affine)[here]
        direction = turned
    signal = find_signal(data)
    if not signal.any():
        raise ValueError(f'{path.name} lies elsewhere than the run that it is to correct')
    scale = np.median(reference[find_signal(reference)]) / np.median(data[signal])
    return Encoded(data * np.float32(scale), direction, float(readout_time))


def _load_first(path: Path) -> Volume:
    """Load an image, of several volumes the first."""
    values = load(path)
    return np.ascontiguousarray(values[..., 0] if values.ndim > 3 else values)


def _mean_volume(path: Path, volumes: Sequence[int] | None) -> Volume:
    """Return the mean of the aligned volumes of a short series, or of some of a diffusion one."""
    values = load(path)
    if values.ndim == 3:
        return values
    if volumes is not None:
        values = np.ascontiguousarray(values[..., list(volumes)])
    if values.shape[3] == 1:
        return np.ascontiguousarray(values[..., 0])
    return estimate_series(values, load_affine(path)).reference
