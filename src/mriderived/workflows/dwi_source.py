"""What goes with a diffusion series: its parts, gradient tables, field map; see ``sources``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import nibabel as nb
import numpy as np

from mriderived.bids.bold_timing import slice_axis
from mriderived.bids.dataset import Image
from mriderived.bids.dwi_checks import (
    DwiCheck,
    check_dwi,
    look_at_dwi,
    require_different,
    require_same_grid,
)
from mriderived.bids.dwi_files import find_unweighted, is_unweighted, require_gradient_file
from mriderived.bids.dwi_parts import gather_parts
from mriderived.bids.fieldmap_geometry import check_field_map_geometry
from mriderived.bids.fieldmap_metadata import MetadataError, readout
from mriderived.bids.fieldmaps import TAKEN, find_field_map
from mriderived.bids.image_checks import BadImageError
from mriderived.bids.known_files import KnownFiles
from mriderived.bids.orientation import compare_affines
from mriderived.bids.status import shorten_paths
from mriderived.core.gradient_table import count_axes, world_from_fsl
from mriderived.shells import B0_THRESHOLD, find_shells
from mriderived.workflows.field_map_choice import describe_field

#: A series of the opposite direction may lie this far off, in degrees and mm.
MAX_DEGREES, MAX_MM = 0.5, 1.0


def join_diffusion(images: Sequence[Image], bids_dir: Path) -> Iterator[tuple[Image, ...]]:
    """Gather the parts of each acquisition, the first named by what all names have in common.

    Phase images have no part in it, nor have images without any weighting, which help to correct
    others, where there are others.
    """
    whole = [image for image in images if image.entities.get('part', 'mag') == 'mag']
    weighted = [image for image in whole if not is_unweighted(image, bids_dir)] or whole
    for first, *others in gather_parts(weighted, bids_dir):
        common = {
            key: value
            for key, value in first.entities.items()
            if all(other.entities.get(key) == value for other in others)
        }
        yield (replace(first, entities=common), *others)


def check_diffusion(
    bids_dir: Path, files: KnownFiles, images: Iterable[Image], run: tuple[Image, ...]
) -> tuple[DwiCheck, dict[str, Any]]:
    """Check the parts of a series, and find what belongs to it."""
    look = files.remembering(look_at_dwi)
    checks = [check_dwi(part, bids_dir, look) for part in run]
    require_same_grid(checks)
    if not files.is_preview:
        require_different(checks)
    first, image = checks[0], run[0]
    notes = [note for check in checks[1:] for note in check.notes]
    field, said = _choose_field_map(bids_dir, images, run)
    return first, {
        'repetition_time': first.repetition_time,
        'slice_times': list(first.slice_times) if first.slice_times else None,
        'slice_axis': slice_axis(image.metadata),
        'phase_direction': first.phase_direction,
        'parts': [_describe_part(part, check, bids_dir)
                  for part, check in zip(run, checks, strict=True)],
        'shells': count_directions(checks),
        'field_map': field,
        'notes': [*notes, *said],
    }  # fmt: skip


def _describe_part(part: Image, check: DwiCheck, bids_dir: Path) -> dict[str, Any]:
    try:
        time: float | None = readout(part).total_readout_time
    except MetadataError:
        time = None  # find_field_map says why nothing is corrected
    return {
        'path': str(part.path),
        'tables': {
            end: str(require_gradient_file(part, end, bids_dir)) for end in ('.bval', '.bvec')
        },
        'volumes': check.volumes.tolist(),
        'b': check.b.tolist(),
        'directions': world_from_fsl(check.directions, nb.load(part.path).affine).tolist(),
        'phase_direction': check.phase_direction,
        'readout_time': time,
    }


def count_directions(checks: Iterable[DwiCheck]) -> list[list[float]]:
    """Return for each shell, the unweighted volumes first, its b-value and how many directions.

    Of unweighted volumes the number counts; of others, the directions that differ.
    """
    parts = list(checks)
    b = np.concatenate([check.b for check in parts])
    directions = np.concatenate([check.directions for check in parts])
    shell, shells = find_shells(b, B0_THRESHOLD)
    found = [[0.0, float((shell == 0).sum())]]
    for number, value in enumerate(shells[1:], start=1):
        found.append([value, float(count_axes(directions[shell == number]))])
    return found


def _choose_field_map(
    bids_dir: Path, images: Iterable[Image], run: tuple[Image, ...]
) -> tuple[dict[str, Any] | None, list[str]]:
    """Return the field map of a series as its nodes read it, and sentences on the choice."""
    image = run[0]
    found = find_field_map(
        image,
        images,
        bids_dir,
        lambda path: nb.load(path).shape,
        partial(_obstacle, bids_dir, image),
        run[1:],
    )
    notes = [shorten_paths(reason, bids_dir) for reason in found.reasons]
    if not found.kind:
        return None, notes
    field = describe_field(found)
    known = {str(other.path): other for other in images}
    try:
        notes += check_field_map_geometry(found.files, image.path)
        for role, path in field['files'].items():
            if path in known and known[path].suffix == 'dwi':
                field['epi'][role]['volumes'] = _unweighted(known[path], bids_dir)
    except BadImageError as error:
        notes = [note for note in notes if not note.startswith(TAKEN)]
        return None, [*notes, f'No distortion correction: {shorten_paths(str(error), bids_dir)}']
    return field, notes


def _unweighted(image: Image, bids_dir: Path) -> list[int]:
    """Return the numbers of the volumes without diffusion weighting."""
    found = find_unweighted(image, bids_dir)
    if not found:
        raise BadImageError(
            image.path, 'it has no volume without diffusion weighting', 'Add one to fmap as epi.'
        )
    return list(found)


def _obstacle(bids_dir: Path, run: Image, other: Image) -> str:
    """Say why the unweighted volumes of another series do not help, or nothing."""
    if other.fault:
        return other.fault
    try:
        _unweighted(other, bids_dir)
        mine, its = nb.load(run.path), nb.load(other.path)
    except BadImageError as error:
        return shorten_paths(str(error), bids_dir)
    if mine.shape[:3] != its.shape[:3]:
        return f'its matrix {its.shape[:3]} is not that of {run.path.name} {mine.shape[:3]}'
    degrees, shift = compare_affines(mine.affine, its.affine, mine.shape[:3])
    if degrees > MAX_DEGREES or shift > MAX_MM:
        return f'it lies {degrees:.1f} degrees and {shift:.1f} mm off {run.path.name}'
    return ''


def fingerprint_diffusion(acquisition: Mapping[str, Any], hash_of: Callable[[Path], str]) -> str:
    """Return what of an acquisition decides on results, wherever the dataset lies."""
    field = acquisition['field_map'] or {'files': {}}
    files = {role: hash_of(Path(path)) for role, path in field['files'].items()}
    parts = [
        {key: value for key, value in part.items() if key not in ('path', 'tables')}
        for part in acquisition['parts']
    ]
    content = {**acquisition, 'parts': parts, 'field_map': {**field, 'files': files}}
    content.pop('notes')
    return json.dumps(content, sort_keys=True)
